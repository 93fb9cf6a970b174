//! Tests the host over real sockets.

#![expect(clippy::result_large_err, reason = "the library's type")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use moorline_host::dial::{RelayTrust, Token, WebSocketDial, Wire, WireItem};
use moorline_host::host::{Host, LinkState};
use moorline_shared::control::{Fork, Output, ToHost, ToRelay};
use moorline_shared::id::{Epoch, Seq};
use moorline_shared::message::KEEPALIVE_PING;
use moorline_shared::message::close;
use moorline_shared::packet::{Decode, Encode, Packet};
use moorline_shared::publish::{HostCommand, HostMessage, SUBPROTOCOL};
use moorline_shared::session::ForkedFrom;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use super::fake_relay::{Copy, FakeRelay, Opened, config, id, say, script, start};
use super::soon;

const TOKEN: &str = "the-right-token";

/// Accepts sockets for a [`FakeRelay`].
#[derive(Clone)]
struct Door {
    opened: mpsc::UnboundedSender<Opened>,
}

impl Door {
    fn open() -> (Self, FakeRelay) {
        let (opened, receiver) = mpsc::unbounded_channel();
        (Self { opened }, FakeRelay::over(receiver))
    }

    async fn take<T: AsyncRead + AsyncWrite + Send + Unpin + 'static>(self, stream: T) {
        let mut path = String::new();
        let callback = |request: &Request, response| {
            path = request.uri().path().to_owned();
            allow(request, response)
        };
        let config = WebSocketConfig::default().max_frame_size(None).max_message_size(None);
        let Ok(socket) = accept_hdr_async_with_config(stream, callback, Some(config)).await else {
            return;
        };
        // Over TCP the relay is below a path of its own.
        let path = path.strip_prefix("/moor").unwrap_or(&path);
        let words: Vec<&str> = path.split('/').collect();
        match words[..] {
            ["", "hosts", "testhost", "control"] => {
                let (near, far) = Wire::pair(8);
                self.opened.send(Opened::Control(near)).unwrap();
                bridge::<ToHost, ToRelay, _>(socket, far).await;
            }
            ["", "sessions", session, "publish"] => {
                let (near, far) = Wire::pair(8);
                self.opened.send(Opened::Publish(id(session), near)).unwrap();
                bridge::<HostCommand, HostMessage, _>(socket, far).await;
            }
            _ => panic!("{path}"),
        }
    }
}

fn allow(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let header = |name: &str| request.headers().get(name).map(HeaderValue::as_bytes);
    if header("authorization") != Some(format!("Bearer {TOKEN}").as_bytes()) {
        let mut refused = ErrorResponse::new(None);
        *refused.status_mut() = StatusCode::UNAUTHORIZED;
        return Err(refused);
    }
    assert_eq!(header("sec-websocket-protocol"), Some(SUBPROTOCOL.as_bytes()));
    let protocol = HeaderValue::from_static(SUBPROTOCOL);
    response.headers_mut().insert("sec-websocket-protocol", protocol);
    Ok(response)
}

/// Carries messages between a wire and a socket. Dropping the wire cuts the socket.
async fn bridge<Out: Encode + Send, In: Decode + Send, T: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<T>,
    wire: Wire<In, Out>,
) {
    let Wire { sender, mut receiver } = wire;
    let (mut sink, mut stream) = socket.split();
    let out = async {
        while let Some(item) = receiver.recv().await {
            let message = match item {
                WireItem::Message(message) => match message.encode() {
                    Packet::Text(text) => Message::text(String::from_utf8(text.into()).unwrap()),
                    Packet::Binary(bytes) => Message::Binary(bytes),
                },
                WireItem::Closed(code) => {
                    let reason = Utf8Bytes::default();
                    Message::Close(Some(CloseFrame { code: code.into(), reason }))
                }
            };
            let is_last = message.is_close();
            if sink.send(message).await.is_err() || is_last {
                return;
            }
        }
    };
    let back = async {
        while let Some(Ok(message)) = stream.next().await {
            let item = match message {
                Message::Close(frame) => {
                    Some(WireItem::Closed(frame.map_or(1005, |frame| frame.code.into())))
                }
                Message::Text(text) if text == KEEPALIVE_PING => None,
                Message::Text(text) => {
                    Some(WireItem::Message(In::decode(Packet::Text(text.into())).unwrap()))
                }
                Message::Binary(bytes) => {
                    Some(WireItem::Message(In::decode(Packet::Binary(bytes)).unwrap()))
                }
                _ => None,
            };
            if let Some(item) = item
                && sender.send(item).await.is_err()
            {
                return;
            }
        }
    };
    tokio::select! {
        () = out => {}
        () = back => {}
    }
}

fn listen_at(path: &Path) -> FakeRelay {
    let (door, relay) = Door::open();
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(door.clone().take(stream));
        }
    });
    relay
}

async fn listen() -> (String, FakeRelay) {
    let (door, relay) = Door::open();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/moor/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(door.clone().take(stream));
        }
    });
    (address, relay)
}

fn host_of(address: &str, token: Token) -> Arc<Host> {
    let id = "testhost".parse().unwrap();
    let dial =
        WebSocketDial::new(address.parse().unwrap(), &RelayTrust::System, id, token).unwrap();
    Host::start(config(), Arc::new(dial))
}

#[tokio::test]
async fn a_session_is_exact_over_tcp_however_often_it_is_cut() {
    let (address, mut relay) = listen().await;
    let host = host_of(&address, Token::Fixed(TOKEN.into()));
    let (mut control, _) = relay.control().await;
    start(&mut control, script("session1", "seq 1 300000")).await;
    let mut copy = Copy::default();
    let mut cuts = 0;
    while copy.exit.is_none() {
        let mut link = relay.publish(&id("session1")).await;
        copy.resume(&mut link, 1 << 20).await;
        let until = copy.entry_bytes + 400_000;
        while copy.entry_bytes < until && copy.exit.is_none() {
            copy.hear(&mut link).await;
            copy.ack(&link).await;
        }
        // Like a relay that shuts down: the host comes back at once.
        _ = link.sender.send(WireItem::Closed(close::GOING_AWAY)).await;
        cuts += 1;
    }
    assert!(cuts > 3);
    let want: Vec<u8> = (1..=300_000).flat_map(|n| format!("{n}\r\n").into_bytes()).collect();
    assert!(copy.output == want);
    let mut link = relay.publish(&id("session1")).await;
    copy.resume(&mut link, 1).await;
    assert_eq!(soon("the host closes the link", link.recv()).await, Ok(exited()));
    assert_eq!(soon("the host closes the link", link.recv()).await, Err(close::NORMAL));
    assert_eq!(host.sessions(), []);
}

fn exited() -> HostMessage {
    use moorline_shared::session::ExitStatus;
    HostMessage::Exited { status: ExitStatus { code: Some(0), signal: None, reason: None } }
}

#[tokio::test]
async fn a_fork_of_many_megabytes_comes_in_one_message() {
    let (address, mut relay) = listen().await;
    let _host = host_of(&address, Token::Fixed(TOKEN.into()));
    let (mut control, _) = relay.control().await;
    let mut wanted = script("session2", "cat");
    let from = ForkedFrom { session_id: id("session1"), epoch: Epoch(4), seq: Seq(400) };
    let output = vec![Output(Bytes::from(vec![b'x'; 60_000])); 350];
    wanted.fork = Some(Fork {
        epoch: Epoch(5),
        from,
        snapshot: None,
        output,
        events: vec![],
        approvals: vec![],
    });
    let hosted = start(&mut control, wanted).await;
    assert_eq!(hosted.epoch, Epoch(5));
}

#[tokio::test]
async fn a_token_can_be_given_anew() {
    let folder = tempfile::tempdir().unwrap();
    // Over TCP, a host that is refused waits long before it dials again.
    let (address, mut relay) = listen().await;
    let token: PathBuf = folder.path().join("token");
    std::fs::write(&token, "wrong").unwrap();
    let host = host_of(&address, Token::File(token.clone()));
    let mut link_state = host.link_state();
    let refused = |link_state: &LinkState| matches!(link_state, LinkState::Refused { .. });
    let linked = |link_state: &LinkState| matches!(link_state, LinkState::Linked { .. });
    let told = soon("the refusal", link_state.wait_for(refused)).await.unwrap().clone();
    assert!(format!("{told:?}").contains("401"));
    std::fs::write(&token, format!("{TOKEN}\n")).unwrap();
    let (control, _) = relay.control().await;
    soon("the welcome", link_state.wait_for(linked)).await.unwrap();
    say(&control, ToHost::Pong { t: 0 }).await;
    // The token ends while the link is open.
    std::fs::write(&token, "ended").unwrap();
    _ = control.sender.send(WireItem::Closed(close::UNAUTHORIZED)).await;
    let told = soon("the end", link_state.wait_for(refused)).await.unwrap().clone();
    let told = format!("{told:?}");
    assert!(told.contains("the token has ended") && told.contains("write it to"), "{told}");
    // Nor is the next one of use.
    let is_401 = |link_state: &LinkState| format!("{link_state:?}").contains("401");
    soon("the next refusal", link_state.wait_for(is_401)).await.unwrap();
    std::fs::write(&token, TOKEN).unwrap();
    let (_control, _) = relay.control().await;
    soon("the next welcome", link_state.wait_for(linked)).await.unwrap();
}

#[tokio::test]
async fn a_relay_on_the_same_machine_is_found_again_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("relay.sock");
    let token = Token::Fixed(TOKEN.into());
    // The host starts before the relay.
    let host = host_of(&format!("unix:{}", socket.display()), token);
    host.create(script("session1", "echo here; cat")).await.unwrap();
    for _ in 0..2 {
        let mut relay = listen_at(&socket);
        let (_control, hello) = relay.control().await;
        assert_eq!(hello.sessions, host.sessions());
        let mut link = relay.publish(&id("session1")).await;
        let mut copy = Copy::default();
        copy.resume(&mut link, u64::MAX).await;
        while !copy.output.ends_with(b"here\r\n") {
            copy.hear(&mut link).await;
        }
        // Unacknowledged entries are sent again.
        std::fs::remove_file(&socket).unwrap();
    }
}
