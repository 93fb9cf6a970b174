//! What a client of HTTP/2 can do by sending, taking and answering nothing.

use std::time::Duration;

use axum::body::Body;
use axum::routing::get;
use futures_util::stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::TAKE_DEADLINE;
use super::*;
use crate::proxies::TrustedProxies;

const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A client's preface and its settings, of which there are none.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// The setting by which the relay may send no data.
const NO_WINDOW: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";

/// The fields of `GET https://h/…`.
fn head(path: &str) -> Vec<u8> {
    [&[0x82, 0x87, 0x41, 1, b'h', 0x44, path.len() as u8][..], path.as_bytes()].concat()
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    [&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream][..], payload].concat()
}

fn get_frame(stream: u8, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &head(path))
}

/// Serves one connection of another machine, of which there may be `most` connections.
fn served(most: usize) -> (DuplexStream, watch::Sender<bool>, JoinHandle<()>) {
    let (near, far) = duplex(64 * 1024);
    let closing = watch::Sender::new(false);
    let open = async || Body::from_stream(stream::pending::<Result<String, axum::Error>>());
    let service = Http2Service {
        router: Router::new().route("/", get(async || "here")).route("/open", get(open)),
        peer: PeerAddress("192.0.2.1".parse().unwrap()),
        connections: Some(Arc::new(AddressConnections::limited(TrustedProxies::default(), most))),
    };
    let served = tokio::spawn(service.run(near, closing.subscribe()));
    (far, closing, served)
}

/// Reads the next frame: its kind, flags, stream and payload. `None` once the connection is closed.
async fn next(stream: &mut DuplexStream) -> Option<(u8, u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], head[4], head[8], payload))
}

/// Sends this and nothing more, and returns the time after which the relay closes the connection.
async fn closed_after(sent: &[u8]) -> Duration {
    let (mut client, _closing, served) = served(100);
    let began = Instant::now();
    client.write_all(sent).await.unwrap();
    while next(&mut client).await.is_some() {}
    served.await.unwrap();
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn whoever_sends_half_of_something_or_nothing_is_disconnected() {
    let half = frame(HEADERS, END_STREAM, 1, &head("/"));
    let open = get_frame(1, "/open");
    let half_beside = frame(HEADERS, END_STREAM, 3, &head("/"));
    for (what, sent) in [
        ("nothing", vec![]),
        ("half a preface", PREFACE[..10].to_vec()),
        ("no request", PREFACE.to_vec()),
        ("half a head", [PREFACE, &half].concat()),
        ("half a head beside another request", [PREFACE, &open, &half_beside].concat()),
        ("no answer to a ping", [PREFACE, &open].concat()),
        ("a request and no other", [PREFACE, &get_frame(1, "/")].concat()),
    ] {
        let after = closed_after(&sent).await;
        assert!((HEAD_DEADLINE..=DEAD_AFTER).contains(&after), "{what}: {after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_stream_lasts_while_pings_are_answered_and_an_idle_connection_says_goodbye() {
    let (mut client, _closing, served) = served(100);
    client.write_all(&[PREFACE, &get_frame(1, "/open")].concat()).await.unwrap();
    let began = Instant::now();
    let mut ended = None;
    while let Some((kind, flags, _, payload)) = next(&mut client).await {
        if kind == SETTINGS && flags & ACK == 0 {
            client.write_all(&frame(SETTINGS, ACK, 0, &[])).await.unwrap();
        }
        if kind == PING && flags & ACK == 0 {
            let answered = client.write_all(&frame(PING, ACK, 0, &payload)).await;
            // After its goodbye, the relay does not wait for an answer.
            assert!(answered.is_ok() || ended.is_some());
        }
        if ended.is_none() && began.elapsed() > Duration::from_secs(600) {
            client.write_all(&frame(RESET, 0, 1, &[0, 0, 0, 8])).await.unwrap();
            ended = Some(Instant::now());
        }
        assert!(kind != GO_AWAY || ended.is_some_and(|ended| ended.elapsed() >= HEAD_DEADLINE));
    }
    served.await.unwrap();
    assert!(ended.is_some(), "the connection has ended before its stream");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_taken_is_given_up_and_the_connection_is_not() {
    let (mut client, _closing, _served) = served(100);
    let sent = [NO_WINDOW, &get_frame(1, "/"), &get_frame(3, "/open")].concat();
    client.write_all(&sent).await.unwrap();
    let began = Instant::now();
    loop {
        let (kind, flags, stream, payload) = next(&mut client).await.expect("it is closed");
        match kind {
            PING if flags & ACK == 0 => {
                client.write_all(&frame(PING, ACK, 0, &payload)).await.unwrap();
            }
            RESET => {
                assert_eq!(stream, 1);
                break;
            }
            _ => {}
        }
    }
    assert!((TAKE_DEADLINE..2 * TAKE_DEADLINE).contains(&began.elapsed()));
    client.write_all(&get_frame(5, "/open")).await.unwrap();
    loop {
        let (kind, _, stream, _) = next(&mut client).await.expect("it is closed");
        if (kind, stream) == (HEADERS, 5) {
            break;
        }
    }
}

#[tokio::test]
async fn requests_count_as_connections_of_their_address() {
    let (client, closing, served) = served(3);
    let (sender, connection) = h2::client::handshake(client).await.unwrap();
    let connection = tokio::spawn(connection);
    let ask = async |path: &str| {
        let mut sender = sender.clone().ready().await.unwrap();
        let request = Request::get(format!("https://h{path}")).body(()).unwrap();
        sender.send_request(request, true).unwrap().0.await.unwrap()
    };
    let mut open = Vec::new();
    for _ in 0..3 {
        let answer = ask("/open").await;
        assert_eq!(answer.status(), StatusCode::OK);
        open.push(answer);
    }
    let refused = ask("/").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "5");
    drop(open.pop());
    tokio::time::timeout(Duration::from_secs(20), async {
        while ask("/").await.status() != StatusCode::OK {}
    })
    .await
    .expect("no room");
    drop(open);
    closing.send_replace(true);
    drop(sender);
    served.await.unwrap();
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_head_with_too_many_fields_is_refused() {
    let (client, _closing, _served) = served(100);
    let (sender, connection) = h2::client::handshake(client).await.unwrap();
    tokio::spawn(connection);
    let ask = async |fields: usize| {
        let mut request = Request::get("https://h/").body(()).unwrap();
        for number in 0..fields {
            let name: hyper::header::HeaderName = format!("x-{number}").parse().unwrap();
            request.headers_mut().insert(name, HeaderValue::from_static("1"));
        }
        let mut sender = sender.clone().ready().await.unwrap();
        sender.send_request(request, true).unwrap().0.await.unwrap().status()
    };
    assert_eq!(ask(HEADER_FIELDS / 2).await, StatusCode::OK);
    assert_eq!(ask(HEADER_FIELDS + 1).await, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(ask(1).await, StatusCode::OK);
}
