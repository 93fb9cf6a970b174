//! Connections of the listener, without a relay behind them.

use axum::routing::get;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::*;

fn router() -> Router {
    Router::new().route("/", get(async || "here"))
}

/// Reads until the other side closes.
async fn rest(mut stream: impl AsyncRead + Unpin) -> String {
    let mut read = Vec::new();
    // A connection that is reset is closed as well.
    let _ = stream.read_to_end(&mut read).await;
    String::from_utf8_lossy(&read).into_owned()
}

#[tokio::test(start_paused = true)]
async fn half_a_head_ends_with_its_deadline_on_a_unix_socket_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let closing = watch::Sender::new(false);
    let listener = UnixListener::bind(&path).unwrap();
    let served = tokio::spawn(serve(listener, router(), closing.subscribe()));
    for sent in ["", "GET / HTTP/1.1\r\nhost: h", "GET / HTTP/1.1\r\nhost: h\r\n\r\nGET /"] {
        let began = tokio::time::Instant::now();
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let answer = rest(stream).await;
        assert_eq!(answer.ends_with("here"), sent.ends_with("GET /"), "{sent:?}: {answer}");
        assert!(began.elapsed() >= HEAD_DEADLINE, "{sent:?}");
    }
    closing.send_replace(true);
    served.await.unwrap();
}

#[tokio::test]
async fn a_connection_without_a_descriptor_is_told_why() {
    let closing = watch::Sender::new(false);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(serve(
        Port { listener, tls: None, take_deadline: TAKE_DEADLINE },
        router(),
        closing.subscribe(),
    ));
    let ask = async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await.unwrap();
        rest(stream).await
    };
    let mut open = TcpStream::connect(address).await.unwrap();
    open.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"here") {
        assert!(open.read_buf(&mut answer).await.unwrap() > 0);
    }
    let before = getrlimit(Resource::Nofile);
    let clients = [(); 3].map(|()| TcpSocket::new_v4().unwrap());
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..before }).unwrap();
    let mut full = Vec::new();
    for client in clients {
        // Fill up again, as the previous client has closed its socket.
        full.extend(std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()));
        let mut stream = client.connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
        let answer = rest(stream).await;
        assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer:?}");
        assert!(answer.contains("\"overloaded\"") && answer.contains("limit of"), "{answer}");
    }
    // Open connections stay open, and closed ones make room.
    open.write_all(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(rest(open).await.ends_with("here"));
    drop(full);
    assert!(ask().await.ends_with("here"));
    setrlimit(Resource::Nofile, before).unwrap();
    closing.send_replace(true);
    served.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_waited_for_until_the_end_and_no_longer() {
    let (near, far) = tokio::io::duplex(16);
    let leaving = watch::Sender::new(false);
    let mut near = Patient::new(near, leaving.subscribe());
    near.write_all(&[0; 16]).await.unwrap();
    let hour = Duration::from_secs(3600);
    assert!(tokio::time::timeout(hour, near.write_all(&[0; 16])).await.is_err());
    leaving.send_replace(true);
    let began = tokio::time::Instant::now();
    let refused = near.write_all(&[0; 16]).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    // A peer that takes something is not disconnected.
    let (mut slow, mut near) = (far, near);
    let writing = tokio::spawn(async move { near.write_all(&[0; 160]).await });
    let mut byte = [0];
    while !writing.is_finished() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        slow.read_exact(&mut byte).await.unwrap();
    }
    writing.await.unwrap().unwrap();
}
