//! A relay on its own port, and clients of it.

use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use moorline_core::api::csp::FrameAncestors;
use moorline_host::driver::kubernetes::KubernetesConfig;
use moorline_relay::config::Config;
use moorline_relay::listen::TAKE_DEADLINE;
use moorline_relay::own_host::Kind;
use moorline_relay::proxies::TrustedProxies;
use moorline_relay::serve::{Relay, RunningRelay};
use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::message::{ClientMessage, Resume, ServerMessage};
use moorline_shared::rest::Created;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

pub(crate) const TOKEN: &str = "a-token-for-tests-only";

pub(crate) struct Server {
    pub(crate) address: String,
    running: RunningRelay,
}

impl Server {
    pub(crate) async fn start(data_dir: &Path) -> Self {
        Self::start_with(data_dir, |_| {}).await
    }

    /// Starts a relay whose configuration is changed first.
    pub(crate) async fn start_with(data_dir: &Path, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            tls: None,
            proxies: TrustedProxies::default(),
            data_dir: data_dir.to_path_buf(),
            token: Some(TOKEN.into()),
            allow_origins: vec![],
            allow_hosts: vec![],
            frame_ancestors: FrameAncestors::new(&[], false),
            terminal_driver: None,
            push_services: Vec::new(),
            dist: Some(data_dir.join("dist")),
            legacy: true,
            take_deadline: TAKE_DEADLINE,
            host: Kind::InProcess,
            kubernetes: KubernetesConfig::default(),
        };
        change(&mut config);
        let relay = Relay::open(config).await.unwrap();
        let address = relay.address().unwrap().to_string();
        Self { address, running: relay.start() }
    }

    pub(crate) async fn stop(self) {
        let all_went = self.running.stop(std::future::pending()).await.unwrap();
        assert!(all_went, "somebody held up the end");
    }

    /// Sends a raw request and returns the raw answer, up to the end of the connection.
    pub(crate) async fn raw(&self, request: &str) -> String {
        let mut socket = TcpStream::connect(&self.address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Sends a request with these headers. Returns the status, the head in lower case, and the body.
    pub(crate) async fn ask(
        &self,
        head: &str,
        headers: &[&str],
        body: &str,
    ) -> (u16, String, String) {
        let own = format!("host: {}", self.address);
        let is_named = headers.iter().any(|header| header.starts_with("host:"));
        let own = [&*own].into_iter().filter(|_| !is_named);
        let headers: Vec<&str> = own.chain(headers.iter().copied()).collect();
        let (headers, length) = (headers.join("\r\n"), body.len());
        let request = format!(
            "{head} HTTP/1.1\r\n{headers}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n\
             {body}"
        );
        let answer = self.raw(&request).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), body.to_owned())
    }

    /// Sends a request with the admin token. Returns the status and the body.
    pub(crate) async fn request(&self, head: &str, body: &str) -> (u16, String) {
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}",
            self.address
        );
        let answer = self.raw(&request).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Starts a shell command as a session, and returns its id.
    pub(crate) async fn create(&self, command: &str) -> String {
        let body = serde_json::json!({ "command": ["sh", "-c", command] }).to_string();
        let (status, body) = self.request("POST /api/sessions", &body).await;
        assert_eq!(status, 201, "{body}");
        let created: Created = serde_json::from_str(&body).unwrap();
        created.session_id.to_string()
    }

    pub(crate) async fn connect(
        &self,
        id: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Follower, Error> {
        let (socket, response) = self.socket(&format!("/sessions/{id}/stream"), headers).await?;
        let protocol = response.headers().get("sec-websocket-protocol").cloned();
        let protocol = protocol.map(|name| name.to_str().unwrap().to_owned());
        Ok(Follower { socket, protocol, output: vec![], seqs: vec![], close_code: None })
    }

    /// Opens a WebSocket.
    pub(crate) async fn socket(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Socket, Response), Error> {
        let url = format!("ws://{}{path}", self.address);
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        connect_async(request).await
    }

    /// Connects a client of `moorline.v1` with the admin token.
    pub(crate) async fn follow(&self, id: &str) -> Follower {
        let names = format!("moorline.v1, moorline.bearer.{TOKEN}");
        self.connect(id, &[("sec-websocket-protocol", &names)]).await.unwrap()
    }
}

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) struct Follower {
    socket: Socket,
    pub(crate) protocol: Option<String>,
    /// The data of all frames so far.
    pub(crate) output: Vec<u8>,
    pub(crate) seqs: Vec<u64>,
    pub(crate) close_code: Option<u16>,
}

impl Follower {
    pub(crate) async fn send(&mut self, message: ClientMessage) {
        self.socket.send(Message::text(message.to_json())).await.unwrap();
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    pub(crate) async fn resume(&mut self, last_seq: Option<u64>, client_id: &str) {
        let last_seq = last_seq.map(Seq);
        let client_id = Some(client_id.parse().unwrap());
        self.send(ClientMessage::Resume(Resume { last_seq, client_id, ..Resume::default() })).await;
    }

    pub(crate) async fn type_piece(&mut self, seq: u64, data: &str) {
        let piece = Frame::copy(Seq(seq), data.as_bytes()).unwrap();
        self.send_raw(Message::Binary(piece.encoded())).await;
    }

    /// Reads until the output contains a text.
    pub(crate) async fn until_text(&mut self, text: &str) {
        while !self.text().contains(text) {
            self.step().await.expect("the socket should stay open");
        }
    }

    /// Returns the next text message, and notes frames before it. `None` when the socket is closed.
    pub(crate) async fn message(&mut self) -> Option<ServerMessage> {
        loop {
            if let Some(message) = self.step().await? {
                return Some(message);
            }
        }
    }

    /// Reads one message of any kind.
    pub(crate) async fn step_once(&mut self) -> Option<ServerMessage> {
        self.step().await.expect("the socket should stay open")
    }

    async fn step(&mut self) -> Option<Option<ServerMessage>> {
        let next = tokio::time::timeout(Duration::from_secs(20), self.socket.next());
        match next.await.expect("the relay should say something")?.ok()? {
            Message::Text(text) => {
                let message = ServerMessage::from_json(&text).ok();
                if let Some(ServerMessage::Event { seq, .. }) = &message {
                    self.seqs.push(seq.0);
                }
                return Some(message);
            }
            Message::Binary(bytes) => {
                let frame = Frame::decode(bytes).unwrap();
                self.seqs.push(frame.seq().0);
                self.output.extend_from_slice(frame.data());
                self.send(ClientMessage::Ack { seq: frame.seq() }).await;
            }
            Message::Close(frame) => self.close_code = frame.map(|frame| frame.code.into()),
            _ => {}
        }
        Some(None)
    }

    /// Reads until `look` returns a value for a message.
    pub(crate) async fn until<T>(&mut self, mut look: impl FnMut(ServerMessage) -> Option<T>) -> T {
        loop {
            let message = self.message().await.expect("the socket should stay open");
            if let Some(found) = look(message) {
                return found;
            }
        }
    }

    /// Reads until the socket closes, and returns the last message.
    pub(crate) async fn until_closed(&mut self) -> Option<ServerMessage> {
        let mut last = None;
        while let Some(message) = self.message().await {
            last = Some(message);
        }
        last
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }
}
