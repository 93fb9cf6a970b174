//! Connections of the listener, without a relay behind them.

use axum::routing::get;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::*;
use crate::proxies::TrustedProxies;

fn port(listener: TcpListener) -> Port {
    let connections = Arc::new(AddressConnections::new(TrustedProxies::default()));
    Port { listener, tls: None, connections, take_deadline: TAKE_DEADLINE }
}

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
    let served = tokio::spawn(serve(port(listener), router(), closing.subscribe()));
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
    let mut near = Patient::new(near, leaving.subscribe(), None);
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

/// A socket whose peers have the address of another machine.
struct FarListener {
    listener: UnixListener,
    connections: Arc<AddressConnections>,
}

impl Listener for FarListener {
    type Stream = UnixStream;

    async fn take(&self) -> io::Result<(UnixStream, PeerAddress)> {
        let (stream, _) = self.listener.accept().await?;
        Ok((stream, PeerAddress("192.0.2.1".parse().unwrap())))
    }

    fn connections(&self) -> Option<&Arc<AddressConnections>> {
        Some(&self.connections)
    }
}

#[tokio::test]
async fn an_address_with_too_many_connections_is_told_to_wait() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let closing = watch::Sender::new(false);
    let connections = Arc::new(AddressConnections::limited(TrustedProxies::default(), 2));
    let listener = FarListener { listener: UnixListener::bind(&path).unwrap(), connections };
    let served = tokio::spawn(serve(listener, router(), closing.subscribe()));
    let request = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n";
    let open = async || {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream
    };
    let mut first = open().await;
    let mut answer = Vec::new();
    while !answer.ends_with(b"here") {
        assert!(first.read_buf(&mut answer).await.unwrap() > 0);
    }
    let second = open().await;
    let refused = rest(open().await).await;
    assert!(refused.starts_with("HTTP/1.1 429 Too Many Requests\r\n"), "{refused}");
    assert!(refused.contains("retry-after: 5") && refused.contains("too_many_requests"));
    // A connection that ends makes room, as soon as the relay notices.
    drop(first);
    let again = async {
        loop {
            let mut stream = open().await;
            let mut answer = [0; 15];
            stream.read_exact(&mut answer).await.unwrap();
            if answer == *b"HTTP/1.1 200 OK" {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again).await.expect("no room");
    drop(second);
    closing.send_replace(true);
    served.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_or_is_large_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let closing = watch::Sender::new(false);
    let listener = UnixListener::bind(&path).unwrap();
    let served = tokio::spawn(serve(listener, router(), closing.subscribe()));
    let began = tokio::time::Instant::now();
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: h\r\nx-drop: ").await.unwrap();
    while stream.write_all(b"x").await.is_ok() {
        assert!(began.elapsed() < 2 * HEAD_DEADLINE, "it is still open");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(began.elapsed() >= HEAD_DEADLINE);

    let mut stream = UnixStream::connect(&path).await.unwrap();
    let large = format!("GET / HTTP/1.1\r\nhost: h\r\nx-large: {}\r\n\r\n", "x".repeat(300_000));
    // The relay may answer and close before it has taken all.
    let _ = stream.write_all(large.as_bytes()).await;
    let answer = rest(stream).await;
    assert!(!answer.contains(" 200 "), "{answer}");
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let many = format!("GET / HTTP/1.1\r\nhost: h\r\n{}\r\n", "x-many: 1\r\n".repeat(200));
    let _ = stream.write_all(many.as_bytes()).await;
    let answer = rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    closing.send_replace(true);
    served.await.unwrap();
}
