//! HTTP rules: pages of other origins, repeated headers, and time limits of requests.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use moorline_relay::listen::HEAD_DEADLINE;
use moorline_shared::limits::{ADDRESS_REQUESTS, BODY_DEADLINE, SESSION_STARTS, TOKEN_REQUESTS};
use moorline_shared::message::close;
use moorline_shared::rest::DebugMetrics;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;

use super::common::{Server, TOKEN};

const NOTES: &str = "https://notes.example";

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_page_reads_every_answer() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Server::start_with(folder.path(), |config| config.allow_origins = vec![NOTES.into()]).await;
    let token = format!("authorization: Bearer {TOKEN}");
    let origin = format!("origin: {NOTES}");
    let json = "content-type: application/json";
    for (head, headers, body, status) in [
        ("GET /api/sessions", vec![&*token], "", 200),
        ("POST /api/sessions", vec![&*token, json], "{", 400),
        ("GET /api/sessions", vec![], "", 401),
        ("GET /api/session/abcdefgh/status", vec![&*token], "", 404),
        ("PUT /api/sessions", vec![&*token], "", 405),
        ("GET /api/nothing", vec![], "", 404),
        ("GET /healthz", vec![], "", 200),
        ("GET /api/openapi.json", vec![], "", 200),
    ] {
        let headers: Vec<&str> = headers.into_iter().chain([&*origin]).collect();
        let (got, answer, text) = server.ask(head, &headers, body).await;
        assert_eq!(got, status, "{head}: {text}");
        for header in [
            "access-control-allow-origin: https://notes.example",
            "access-control-allow-credentials: true",
            "vary: origin",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
        ] {
            assert!(answer.contains(header), "{head} {header}: {answer}");
        }
        let is_kept = answer.contains("cache-control: no-cache");
        assert!(is_kept || answer.contains("cache-control: no-store"), "{head}: {answer}");
    }
    // Other origins, and requests without one, get no CORS headers, but caches learn that they
    // matter.
    for other in ["origin: https://notes.example.evil", "origin: null", "x-none: 1"] {
        let (_, answer, _) = server.ask("GET /api/sessions", &[&token, other], "").await;
        assert!(!answer.contains("access-control-"), "{other}: {answer}");
        assert!(answer.contains("vary: origin"), "{answer}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_asks_before_it_sends() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Server::start_with(folder.path(), |config| config.allow_origins = vec![NOTES.into()]).await;
    let origin = format!("origin: {NOTES}");
    let wanted = "access-control-request-headers: authorization,content-type,last-event-id";
    for path in ["/api/sessions", "/api/session/abcdefgh/prompt", "/api/session/x/events", "/x"] {
        let method = "access-control-request-method: PATCH";
        let head = format!("OPTIONS {path}");
        let (status, answer, body) = server.ask(&head, &[&origin, method, wanted], "").await;
        assert_eq!((status, &*body), (204, ""), "{path}");
        for header in [
            "access-control-allow-origin: https://notes.example",
            "access-control-allow-credentials: true",
            "access-control-allow-methods: get, head, post, put, patch, delete",
            "access-control-allow-headers: authorization,content-type,last-event-id",
            "access-control-max-age: 600",
        ] {
            assert!(answer.contains(header), "{path} {header}: {answer}");
        }
        let evil = ["origin: https://evil.example", method];
        let (status, answer, _) = server.ask(&head, &evil, "").await;
        assert_eq!(status, 403, "{path}");
        assert!(!answer.contains("access-control-"), "{answer}");
    }
    let (status, _, _) = server.ask("OPTIONS /api/sessions", &[&origin], "").await;
    assert_eq!(status, 405);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_passes_no_host_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let token = format!("authorization: Bearer {TOKEN}");
    let json = "content-type: application/json";
    let page = "origin: https://moor.example";
    for (site, status) in [("same-origin", 404), ("cross-site", 403), ("same-site", 403)] {
        let site = format!("sec-fetch-site: {site}");
        let headers = ["host: localhost:3010", page, &site, &token, json];
        let path = "POST /api/session/abcdefgh/prompt";
        let (got, _, body) = server.ask(path, &headers, "{\"command\":\"x\"}").await;
        assert_eq!(got, status, "{site}: {body}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_mean_one_thing_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let host = format!("host: {}", server.address);
    let token = format!("authorization: Bearer {TOKEN}");
    for twice in [
        [&*host, &*host, &*token],
        [&*host, "host: evil.example", &*token],
        [&*host, &*token, &*token],
        ["host: 127.0.0.1, evil.example", &*token, "x: y"],
    ] {
        let (status, _, body) = server.ask("GET /api/sessions", &twice, "").await;
        assert_eq!(status, 400, "{twice:?}: {body}");
    }
    let own = format!("origin: http://{}", server.address);
    let twice = [&*host, &*token, &*own, "origin: http://evil.example"];
    assert_eq!(server.ask("POST /api/tickets", &twice, "").await.0, 400);
    // An absolute request target takes precedence over `Host`.
    let whole = "GET http://rebound.example/api/sessions";
    assert_eq!(server.ask(whole, &[&token], "").await.0, 403);
    let whole = format!("GET http://{}/api/sessions", server.address);
    assert_eq!(server.ask(&whole, &[&token], "").await.0, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_http_1_1_says_whom_it_is_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let token = format!("authorization: Bearer {TOKEN}\r\nconnection: close");
    let address = &server.address;
    for (head, status) in [
        ("GET /api/sessions HTTP/1.1".to_owned(), 400),
        ("GET /healthz HTTP/1.1".to_owned(), 400),
        ("GET /sessions HTTP/1.1".to_owned(), 400),
        (format!("GET http://{address}/api/sessions HTTP/1.1"), 400),
        (format!("GET /api/sessions HTTP/1.1\r\nhost: {address}"), 200),
        // HTTP/1.0 did not require the header.
        ("GET /api/sessions HTTP/1.0".to_owned(), 200),
    ] {
        let answer = server.raw(&format!("{head}\r\n{token}\r\n\r\n")).await;
        assert!(answer.contains(&format!(" {status} ")), "{head}: {answer}");
        assert_eq!(answer.contains("`host`"), status == 400, "{head}: {answer}");
    }
    server.stop().await;
}

/// Opens a connection, sends something, and never reads.
async fn never_read(server: &Server, sent: &str) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut socket = socket.connect(server.address.parse().unwrap()).await.unwrap();
    socket.write_all(sent.as_bytes()).await.unwrap();
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let id = server.create("while :; do seq 10000; done").await;
    let mut sockets = Vec::new();
    let host = format!("host: {}\r\nauthorization: Bearer {TOKEN}", server.address);
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==";
    for (path, headers) in [
        (format!("/api/session/{id}/events"), "x-way: plain"),
        (format!("/api/session/{id}/events"), upgrade),
        (format!("/claude/api/claude/chat?session={id}"), upgrade),
        (format!("/sessions/{id}/stream"), upgrade),
        (format!("/api/terminal/ws/{id}"), upgrade),
    ] {
        let head = format!("GET {path} HTTP/1.1\r\n{host}\r\n{headers}\r\n\r\n");
        sockets.push(never_read(&server, &head).await);
    }
    // By this much output, every buffer is full.
    let mut seen = 0;
    while seen < 300 {
        let path = format!("GET /api/terminal/{id}/output?since={seen}");
        let output: Value = serde_json::from_str(&server.request(&path, "").await.1).unwrap();
        seen = output["next"].as_u64().unwrap();
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_owes_answers_is_told_of_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let id = server.create("while :; do seq 10000; done").await;
    let token = format!("Bearer {TOKEN}");
    let path = format!("/api/session/{id}/events");
    let (mut reader, _) = server.socket(&path, &[("authorization", &token)]).await.unwrap();
    // The chunks that it gets before it answers.
    for _ in 0..8 {
        assert!(matches!(reader.next().await, Some(Ok(Message::Binary(_)))));
    }
    let ((), told) = tokio::join!(server.stop(), reader.next());
    let Some(Ok(Message::Close(Some(frame)))) = told else { panic!("{told:?}") };
    assert_eq!(u16::from(frame.code), close::GOING_AWAY);
}

/// Sends something. Returns all that arrives until the relay closes, and how long that took.
async fn until_closed(server: &Server, sent: String) -> (String, Duration) {
    let began = Instant::now();
    let mut socket = TcpStream::connect(&server.address).await.unwrap();
    socket.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = socket.read_to_end(&mut answer);
    let limit = HEAD_DEADLINE.max(BODY_DEADLINE) + Duration::from_secs(20);
    let read = tokio::time::timeout(limit, read).await;
    // A connection that is reset is closed as well.
    drop(read.expect("the relay should close the connection"));
    (String::from_utf8_lossy(&answer).into_owned(), began.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_arrive_is_given_up_and_streams_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let id = server.create("read x; echo got $x; exec sleep 1000").await;
    let mut follower = server.follow(&id).await;
    follower.resume(None, "reading-client").await;
    let auth = format!("host: {}\r\nauthorization: Bearer {TOKEN}\r\n", server.address);
    let mut events = TcpStream::connect(&server.address).await.unwrap();
    let open = format!("GET /api/session/{id}/events HTTP/1.1\r\n{auth}\r\n");
    events.write_all(open.as_bytes()).await.unwrap();

    let body = format!(
        "POST /api/sessions HTTP/1.1\r\n{auth}content-type: application/json\r\n\
         content-length: 100\r\n\r\n{{\"name\":"
    );
    let whole = format!("GET /healthz HTTP/1.1\r\n{auth}\r\n");
    let cases = tokio::join!(
        until_closed(&server, String::new()),
        until_closed(&server, "GET / HTTP/1.1\r\nhost".to_owned()),
        until_closed(&server, format!("{whole}GET / HT")),
        until_closed(&server, whole.clone()),
        until_closed(&server, body.clone()),
        dripped(&server, body),
    );
    assert_eq!((&*cases.0.0, &*cases.1.0), ("", ""));
    for answer in [&cases.2.0, &cases.3.0] {
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with('}'), "{answer}");
    }
    for answer in [&cases.4.0, &cases.5] {
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"timeout\""), "{answer}");
    }
    for (_, took) in [&cases.0, &cases.1, &cases.2, &cases.3, &cases.4] {
        assert!(*took >= HEAD_DEADLINE.min(BODY_DEADLINE), "{took:?}");
    }

    // Streams that are older than these limits stay open.
    follower.type_piece(1, "typed\r").await;
    follower.until_text("got typed").await;
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains("got typed") {
        let count = events.read_buf(&mut read).await.unwrap();
        assert!(count > 0, "the event stream should stay open");
    }
    let text = String::from_utf8_lossy(&read);
    assert!(text.contains("content-type: text/event-stream; charset=utf-8"), "{text}");
    server.stop().await;
}

/// The client sends its whole body before it reads the answer, as most do.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_refused_early_gets_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let body = "x".repeat(8 * 1024 * 1024);
    for (path, token, status) in [
        ("/api/terminal/short/input", TOKEN, 400),
        ("/api/sessions", TOKEN, 413),
        ("/api/sessions", "a-token-that-is-wrong-but-long-enough", 401),
        ("/api/nothing", TOKEN, 404),
        ("/", TOKEN, 405),
    ] {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            server.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, *format!("HTTP/1.1 {status}").as_bytes(), "{path}");
    }
    server.stop().await;
}

/// Opens a stream of a session, and returns when it has carried `text`. The socket's receive buffer
/// is small, so that it fills soon once nothing is read.
#[cfg(target_os = "linux")]
async fn open(server: &Server, path: &str, text: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(server.address.parse().unwrap()).await.unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {TOKEN}\r\n\
         connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        server.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(text) {
        let count = stream.read_buf(&mut read).await.unwrap();
        assert!(count > 0, "{path} was closed: {}", String::from_utf8_lossy(&read));
    }
    stream
}

/// Waits until the relay has no clients and no event streams.
#[cfg(target_os = "linux")]
async fn until_alone(server: &Server) {
    let alone = async {
        let mut interval = tokio::time::interval(Duration::from_millis(20));
        loop {
            interval.tick().await;
            let (_, body) = server.request("GET /api/debug/metrics", "").await;
            let metrics: DebugMetrics = serde_json::from_str(&body).unwrap();
            if metrics.clients == 0 && metrics.sse.total_connections == 0 {
                return;
            }
        }
    };
    let alone = tokio::time::timeout(Duration::from_secs(30), alone).await;
    alone.expect("the relay should disconnect a client that reads nothing");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_is_disconnected() {
    let folder = tempfile::tempdir().unwrap();
    let second = Duration::from_secs(1);
    let server = Server::start_with(folder.path(), |config| config.take_deadline = second).await;
    for kind in ["events", "plain"] {
        // More output than the system buffers for a connection.
        let id = server.create("echo here; read x; seq 2000000; exec sleep 1000").await;
        let path = match kind {
            "events" => format!("/api/session/{id}/events?lastEventId=0"),
            _ => format!("/api/terminal/ws/{id}"),
        };
        let stream = open(&server, &path, "here").await;
        let prompt = format!("POST /api/session/{id}/prompt");
        let (status, body) = server.request(&prompt, r#"{"command":"go"}"#).await;
        assert_eq!(status, 200, "{body}");
        until_alone(&server).await;
        drop(stream);
        let (status, body) = server.request(&format!("DELETE /api/session/{id}"), "").await;
        assert_eq!(status, 200, "{body}");
    }
    server.stop().await;
}

/// Sends the beginning of a request and then a byte a second until there is an answer, which it returns.
async fn dripped(server: &Server, begun: String) -> String {
    let mut socket = TcpStream::connect(&server.address).await.unwrap();
    socket.write_all(begun.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut drops = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            read = socket.read_buf(&mut answer) => {
                let text = String::from_utf8_lossy(&answer).into_owned();
                if read.unwrap() == 0 || text.ends_with('}') {
                    return text;
                }
            }
            _ = drops.tick() => socket.write_all(b" ").await.unwrap(),
        }
    }
}

/// Sends the same request many times over one connection, and returns the numbers of answers with status 429
/// and with another one, and the last answer.
async fn flood(server: &Server, request: &str, times: usize) -> (usize, usize, String) {
    let socket = TcpStream::connect(&server.address).await.unwrap();
    let (mut reader, mut writer) = socket.into_split();
    let one = format!("{request}\r\nhost: {}\r\n\r\n", server.address);
    let last = one.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    let requests = one.repeat(times - 1) + &last;
    let mut answers = Vec::new();
    let (sent, read) =
        tokio::join!(writer.write_all(requests.as_bytes()), reader.read_to_end(&mut answers));
    sent.unwrap();
    read.unwrap();
    let text = String::from_utf8_lossy(&answers).into_owned();
    let refused = text.matches("HTTP/1.1 429 ").count();
    let other = text.matches("HTTP/1.1 ").count() - refused;
    (refused, other, text.rsplit("HTTP/1.1 ").next().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_and_a_token_that_ask_too_much_are_told_to_wait() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let times = ADDRESS_REQUESTS as usize * 3 / 2;
    let far = "GET /healthz HTTP/1.1\r\nx-forwarded-for: 192.0.2.7";
    let (refused, passed, last) = flood(&server, far, times).await;
    assert!(refused > 0 && passed >= ADDRESS_REQUESTS as usize, "{refused} {passed}");
    assert!(last.starts_with("429 ") && last.contains("retry-after: 1"), "{last}");
    assert!(last.contains("\"too_many_requests\"") && last.contains("nosniff"), "{last}");
    let (refused, ..) = flood(&server, &far.replace('7', "8"), 10).await;
    assert_eq!(refused, 0, "another address");

    let (status, body) = server.request("POST /api/tokens", r#"{"scope":"admin"}"#).await;
    let made: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 201, "{body}");
    let token = made["token"].as_str().unwrap();
    let start =
        format!("POST /api/sessions/abcdefgh/duplicate HTTP/1.1\r\nauthorization: Bearer {token}");
    let (refused, passed, last) = flood(&server, &start, 2 * SESSION_STARTS as usize).await;
    assert!(refused > 0 && passed >= SESSION_STARTS as usize, "{refused} {passed}");
    assert!(last.contains("Too many new sessions"), "{last}");
    let ask = format!("GET /api/hosts HTTP/1.1\r\nauthorization: Bearer {token}");
    let (refused, passed, _) = flood(&server, &ask, 2 * TOKEN_REQUESTS as usize).await;
    assert!(refused > 0 && passed > 1000, "{refused} {passed}");
    server.stop().await;
}
