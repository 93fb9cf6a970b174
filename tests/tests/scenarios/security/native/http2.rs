//! HTTP/2: what works over one connection, and what one connection cannot do.

use anyhow::{Context as _, Result, bail, ensure};
use axum::body::Body;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::ext::Protocol;
use hyper::header::{
    AUTHORIZATION, ORIGIN, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use moorline_shared::message::{SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX, close};
use moorline_tests::expected;
use moorline_tests::relay::{TOKEN, usage};
use moorline_tests::secure::{Http2Client, SecureRelay};
use moorline_tests::wait::within;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// The codes of a connection's end.
const ENHANCE_YOUR_CALM: u8 = 0xb;
/// Limit of what a relay may grow by while it is flooded.
const GROWTH_BYTES: u64 = 48 * 1024 * 1024;

/// Starts a session that counts what it is told, and waits for it.
async fn counter(client: &Http2Client) -> Result<String> {
    let wish = json!({"command": expected::counter()});
    let (status, made) = client.call(Method::POST, "/api/sessions", &wish).await?;
    ensure!(status == 201, "{status}: {made}");
    Ok(made["sessionId"].as_str().context("no id")?.to_owned())
}

/// Asks for a WebSocket with these headers. Returns the headers of the answer and the socket, or the status of a refusal.
async fn open(
    client: &Http2Client,
    path: &str,
    headers: &[(hyper::header::HeaderName, String)],
) -> Result<std::result::Result<(HeaderMap, Socket), StatusCode>> {
    let mut request = client.request(Method::CONNECT, path).body(Body::empty())?;
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    request.headers_mut().remove(AUTHORIZATION);
    request.headers_mut().insert(SEC_WEBSOCKET_VERSION, "13".parse()?);
    for (name, value) in headers {
        request.headers_mut().insert(name, value.parse()?);
    }
    let answer = client.send(request).await?;
    if answer.status() != StatusCode::OK {
        return Ok(Err(answer.status()));
    }
    let headers = answer.headers().clone();
    let upgraded = TokioIo::new(hyper::upgrade::on(answer).await?);
    Ok(Ok((headers, WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await)))
}

fn bearer() -> (hyper::header::HeaderName, String) {
    (AUTHORIZATION, format!("Bearer {TOKEN}"))
}

async fn said(socket: &mut Socket) -> Result<Message> {
    within("a message", socket.next()).await?.context("it is closed")?.map_err(Into::into)
}

/// Reads until a message of the relay has this type.
async fn until(socket: &mut Socket, kind: &str) -> Result<Value> {
    loop {
        match said(socket).await? {
            Message::Text(text) => {
                let message: Value = serde_json::from_str(&text)?;
                if message["type"] == kind {
                    return Ok(message);
                }
            }
            Message::Close(frame) => bail!("closed before {kind}: {frame:?}"),
            _ => {}
        }
    }
}

async fn close_code(socket: &mut Socket) -> Result<u16> {
    loop {
        if let Message::Close(frame) = said(socket).await? {
            return Ok(frame.context("no code")?.code.into());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_over_http2_obeys_the_same_rules() -> Result<()> {
    let relay = SecureRelay::start().await?;
    let client = relay.http2().await?;
    let session = counter(&client).await?;
    let path = format!("/sessions/{session}/stream");
    let offered = format!("{SUBPROTOCOL}, {TOKEN_SUBPROTOCOL_PREFIX}{TOKEN}");
    let by_page = [
        (ORIGIN, relay.url()),
        (SEC_WEBSOCKET_PROTOCOL, offered.clone()),
        (SEC_WEBSOCKET_EXTENSIONS, "permessage-deflate".to_owned()),
    ];
    let Ok((headers, mut socket)) = open(&client, &path, &by_page).await? else {
        bail!("a page of its own is refused");
    };
    ensure!(headers[SEC_WEBSOCKET_PROTOCOL] == SUBPROTOCOL, "{headers:?}");
    ensure!(!headers.contains_key(SEC_WEBSOCKET_EXTENSIONS), "{headers:?}");
    until(&mut socket, "session-meta").await.context("its own page")?;
    let resume = json!({"type": "resume", "lastSeq": null, "clientId": "over-http2"});
    socket.send(Message::text(resume.to_string())).await?;
    until(&mut socket, "resumed").await?;
    let piece = [&1_u64.to_be_bytes()[..], b"over-h2\n"].concat();
    socket.send(Message::binary(piece)).await?;
    let mut output = Vec::new();
    while !String::from_utf8_lossy(&output).contains("1:over-h2") {
        if let Message::Binary(frame) = said(&mut socket).await? {
            output.extend_from_slice(frame.get(8..).unwrap_or_default());
        }
    }
    // A message that is too large is refused by its code, and nothing else on the connection suffers.
    // The relay may refuse it before it has taken all.
    let _ = socket.send(Message::binary(vec![0; 1024 * 1024])).await;
    ensure!(close_code(&mut socket).await.context("large")? == close::TOO_LARGE);

    let foreign = [(ORIGIN, "https://evil.example".to_owned()), (SEC_WEBSOCKET_PROTOCOL, offered)];
    let Ok((_, mut socket)) = open(&client, &path, &foreign).await? else {
        bail!("a page cannot read the refusal");
    };
    ensure!(until(&mut socket, "error").await.context("a foreign page")?["code"] == "unauthorized");
    ensure!(close_code(&mut socket).await? == close::FORBIDDEN);
    for (path, headers, status) in [
        (&*path, &[][..], 401),
        ("/sessions/no-such-session/stream", &[bearer()], 404),
        ("/healthz", &[bearer()], 400),
        ("/sessions", &[bearer()], 400),
    ] {
        let refused = open(&client, path, headers).await?.err();
        ensure!(refused.is_some_and(|found| found == status), "{path}: {refused:?}");
    }
    let tunnel = Request::connect("localhost:22").body(Body::empty())?;
    ensure!(client.send(tunnel).await?.status() == StatusCode::NOT_IMPLEMENTED);
    ensure!(client.get("/healthz").await?.status() == StatusCode::OK && !client.is_closed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_carries_many_event_streams() -> Result<()> {
    let relay = SecureRelay::start().await?;
    let client = relay.http2().await?;
    let session = counter(&client).await?;
    let path = format!("/api/session/{session}/events");
    let mut streams = Vec::new();
    for _ in 0..40 {
        let answer = client.get(&path).await?;
        ensure!(answer.status() == StatusCode::OK, "{}", answer.status());
        streams.push(Body::new(answer.into_body()).into_data_stream());
    }
    let prompt = json!({"prompt": "to-all", "command": "to-all"});
    let sent =
        client.call(Method::POST, &format!("/api/session/{session}/prompt"), &prompt).await?;
    ensure!(sent.0 < 300, "{sent:?}");
    for stream in &mut streams {
        let mut text = String::new();
        while !text.contains("1:to-all") {
            let piece = within("an event", stream.next()).await?.context("it has ended")??;
            text += &String::from_utf8_lossy(&piece);
        }
    }
    Ok(())
}

/// A connection on which this side writes each frame by hand.
struct Frames {
    stream: tokio_rustls::client::TlsStream<tokio::net::TcpStream>,
}

/// The end of a connection.
#[derive(Debug)]
struct Ending {
    /// The code of the relay's goodbye; `None` if it was just closed.
    code: Option<u8>,
    /// The streams that were reset.
    resets: usize,
}

impl Frames {
    async fn begin(relay: &SecureRelay) -> Result<Self> {
        let mut stream = relay.connect(&["h2"]).await?;
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
        Ok(Self { stream })
    }

    /// Writes a number of times, or until the relay has closed the connection, and reads meanwhile until it has ended or is
    /// silent after all was written.
    async fn flood(self, times: u32, frames: impl Fn(u32) -> Vec<u8>) -> Result<Ending> {
        let (mut read, mut write) = tokio::io::split(self.stream);
        let writing = async {
            for number in 0..times {
                if write.write_all(&frames(number)).await.is_err() {
                    return;
                }
            }
            // The answer to this comes after all others.
            let _ = write.write_all(&frame(PING, 0, 0, b"the last")).await;
            let _ = write.flush().await;
        };
        let reading = async {
            let mut ending = Ending { code: None, resets: 0 };
            let mut head = [0; 9];
            while read.read_exact(&mut head).await.is_ok() {
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
                let mut payload = vec![0; length];
                if read.read_exact(&mut payload).await.is_err() {
                    break;
                }
                match head[3] {
                    GO_AWAY => ending.code = payload.get(7).copied(),
                    RESET => ending.resets += 1,
                    PING if payload == b"the last" => break,
                    _ => {}
                }
            }
            ending
        };
        let (ending, ()) =
            within("the end of a flood", async { tokio::join!(reading, writing) }).await?;
        Ok(ending)
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// The fields of a request with the administrator's token, as HPACK writes them without a table or a code.
fn head(relay: &SecureRelay, path: &str) -> Vec<u8> {
    let mut head = vec![0x82, 0x87];
    let bearer = format!("Bearer {TOKEN}");
    for (index, text) in [(0x41, &*relay.authority()), (0x44, path)] {
        head.extend([index, text.len() as u8]);
        head.extend(text.as_bytes());
    }
    head.extend([0x0f, 0x08, bearer.len() as u8]);
    head.extend(bearer.as_bytes());
    head
}

/// The number of the client's next stream.
fn stream_of(number: u32) -> u32 {
    2 * number + 1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_frames_ends_the_connection_and_holds_nobody_up() -> Result<()> {
    let relay = SecureRelay::start().await?;
    let client = relay.http2().await?;
    let session = counter(&client).await?;
    let before = usage(relay.pid()?)?.rss_bytes;
    let events = head(&relay, &format!("/api/session/{session}/events"));
    let opened = |number| frame(HEADERS, END_STREAM | END_HEADERS, stream_of(number), &events);
    let calm = async || -> Result<()> {
        let asked = client.get("/healthz").await?;
        ensure!(asked.status() == StatusCode::OK, "{}", asked.status());
        let grown = usage(relay.pid()?)?.rss_bytes.saturating_sub(before);
        ensure!(grown < GROWTH_BYTES, "the relay grew by {grown} bytes");
        Ok(())
    };

    // Streams that are taken back at once (CVE-2023-44487).
    let taken_back =
        |number| [opened(number), frame(RESET, 0, stream_of(number), &[0, 0, 0, 8])].concat();
    let ending = Frames::begin(&relay).await?.flood(20_000, taken_back).await?;
    ensure!(ending.code == Some(ENHANCE_YOUR_CALM), "taken back: {ending:?}");
    calm().await?;

    // Streams that the client makes the relay reset (CVE-2025-8671), by windows that are too large.
    let broken = |number| {
        [opened(number), frame(WINDOW_UPDATE, 0, stream_of(number), &[0x7f, 0xff, 0xff, 0xff])]
            .concat()
    };
    let ending = Frames::begin(&relay).await?.flood(20_000, broken).await?;
    ensure!(ending.code == Some(ENHANCE_YOUR_CALM), "broken: {ending:?}");
    calm().await?;

    // More streams than a connection may have.
    let ending = Frames::begin(&relay).await?.flood(150, opened).await?;
    ensure!(ending.code.is_some() || ending.resets >= 50, "too many: {ending:?}");
    calm().await?;

    // A head without an end (CVE-2024-27316).
    let endless = |number| match number {
        0 => frame(HEADERS, END_STREAM, 1, &events),
        _ => frame(CONTINUATION, 0, 1, &[&[0, 3][..], b"x-a", &[100], &[b'x'; 100]].concat()),
    };
    let ending = Frames::begin(&relay).await?.flood(200_000, endless).await?;
    ensure!(ending.code.is_some(), "endless: {ending:?}");
    calm().await?;
    let empty = |number| match number {
        0 => frame(HEADERS, END_STREAM, 1, &events),
        _ => frame(CONTINUATION, 0, 1, &[]),
    };
    let ending = Frames::begin(&relay).await?.flood(200_000, empty).await?;
    ensure!(ending.code.is_some(), "empty: {ending:?}");
    calm().await?;

    // Pings and settings must be answered, and are: one at a time.
    for (what, asking) in
        [("pings", frame(PING, 0, 0, &[0; 8])), ("settings", frame(SETTINGS, 0, 0, &[]))]
    {
        let ending = Frames::begin(&relay).await?.flood(50_000, |_| asking.clone()).await?;
        calm().await.with_context(|| format!("{what}: {ending:?}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_refused() -> Result<()> {
    let relay = SecureRelay::start().await?;
    let client = relay.http2().await?;
    let ask = async |fields: usize, bytes: usize| -> Result<u16> {
        let client = relay.http2().await?;
        let mut request = client.request(Method::GET, "/healthz");
        for number in 0..fields {
            request = request.header(format!("x-{number}"), "x".repeat(bytes));
        }
        match client.send(request.body(Body::empty())?).await {
            Ok(answer) => Ok(answer.status().as_u16()),
            // Our own side may refuse to send what the relay has said it would not take.
            Err(_) => Ok(431),
        }
    };
    ensure!(ask(50, 100).await? == 200, "a usual head");
    ensure!(ask(200, 1).await? == 431, "many fields");
    ensure!(ask(90, 1000).await? == 431, "many bytes");
    ensure!(client.get("/healthz").await?.status() == StatusCode::OK);
    Ok(())
}
