//! A publisher without a real host. Its own cost is the same whatever forwards its output.

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use moorline_shared::frame::Frame;
use moorline_shared::id::{Epoch, Seq, SessionId};
use moorline_shared::limits::FRAME_DATA_BYTES;
use moorline_shared::message::Snapshot;
use moorline_shared::publish::{HostCommand, HostMessage};
use moorline_shared::session::{ExitStatus, Size};
use moorline_tests::relay::Relay;
use moorline_tests::stand_in::{ControlLink, Heard, PublishLink, hosted};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::forwarder::Forwarder;

const EPOCH: u64 = 7;
const LINE: &str =
    "[ 42%] Compiling some-crate v1.2.3 (path/to/a/file.rs): 17 warnings, 0.123 s  \r\n";

/// A publisher of one session, and its link.
pub(crate) struct Publisher {
    link: Link,
    data: String,
    /// Number of entries sent, and of those acknowledged as durable.
    sent: u64,
    acked: u64,
    /// Maximum number of entries in flight.
    window: u64,
    /// Number of clients that were told where they begin.
    resumed: usize,
}

/// The link to whatever forwards the output.
enum Link {
    Forwarder(Box<WebSocketStream<TcpStream>>),
    /// The control link only has to stay open.
    Relay(Box<(ControlLink, PublishLink)>),
}

/// Message that arrives on the link.
enum Told {
    Command(HostCommand),
    /// A client of the forwarder asks where it begins.
    Resume,
    Nothing,
    Closed,
}

impl Publisher {
    /// Publishes a session to a relay that does not know it yet.
    pub(crate) async fn to_relay(relay: &Relay, session: &SessionId) -> Result<Self> {
        let host = "bench_host".parse()?;
        let control = ControlLink::welcomed(relay, &host, vec![hosted(session, EPOCH)]).await?;
        let mut link = PublishLink::open(relay, session).await?;
        let Heard::Message(HostCommand::Resume { window, .. }) = link.next().await? else {
            bail!("the relay does not begin with `resume`");
        };
        let (epoch, size) = (Epoch(EPOCH), Size::default());
        link.say(HostMessage::Resumed { epoch, from: Seq::ZERO, head: Seq::ZERO, size }).await?;
        let window = window / FRAME_DATA_BYTES as u64;
        Ok(Self::new(Link::Relay(Box::new((control, link))), window))
    }

    /// Publishes to all clients of the forwarder.
    pub(crate) async fn to_forwarder(forwarder: &Forwarder) -> Result<Self> {
        let address = forwarder.address();
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (socket, _) = client_async(format!("ws://{address}/publish"), stream).await?;
        Ok(Self::new(Link::Forwarder(Box::new(socket)), u64::MAX))
    }

    fn new(link: Link, window: u64) -> Self {
        let data = LINE.repeat(FRAME_DATA_BYTES / LINE.len());
        Self { link, data, sent: 0, acked: 0, window, resumed: 0 }
    }

    /// Answers requests until this many clients know where they begin.
    pub(crate) async fn seat(&mut self, clients: usize) -> Result<()> {
        while self.resumed < clients {
            let told = self.link.next().await?;
            self.hear(told).await?;
        }
        Ok(())
    }

    /// Publishes this many bytes and the end, and answers requests until the link is closed.
    pub(crate) async fn flood(&mut self, bytes: u64) -> Result<()> {
        let entries = bytes / self.data.len() as u64;
        while self.sent < entries {
            let waits = self.sent - self.acked >= self.window;
            let told = match self.link.next().now_or_never() {
                None if waits => Some(self.link.next().await),
                other => other,
            };
            match told.transpose()? {
                Some(Told::Closed) => bail!("the link was closed in the middle"),
                Some(told) => self.hear(told).await?,
                None => {
                    self.sent += 1;
                    self.link.put_out(self.sent, &self.data).await?;
                }
            }
        }
        self.link.end().await?;
        loop {
            match self.link.next().await? {
                Told::Closed => return Ok(()),
                told => self.hear(told).await?,
            }
        }
    }

    async fn hear(&mut self, told: Told) -> Result<()> {
        match told {
            Told::Command(HostCommand::Ack { seq }) => self.acked = seq.0,
            Told::Command(HostCommand::ClientResumed { client_id }) => {
                self.resumed += 1;
                self.link.say(HostMessage::InputAck { client_id, seq: Seq::ZERO }).await?;
            }
            Told::Command(HostCommand::SnapshotRequest) => {
                let data = Bytes::from_static(b"\x1bc");
                let (seq, cols, rows, reason) = (Seq(self.sent), None, None, None);
                let snapshot = Snapshot { seq, data, cols, rows, reason };
                self.link.say(HostMessage::Snapshot(snapshot)).await?;
            }
            Told::Resume => {
                self.resumed += 1;
                self.link.send_text(r#"{"type":"resumed"}"#).await?;
            }
            Told::Command(_) | Told::Nothing => {}
            Told::Closed => bail!("the link was closed"),
        }
        Ok(())
    }
}

impl Link {
    async fn put_out(&mut self, seq: u64, data: &str) -> Result<()> {
        match self {
            Self::Relay(links) => links.1.put_out(seq, data).await,
            Self::Forwarder(socket) => {
                let frame = Frame::copy(Seq(seq), data.as_bytes())?;
                Ok(socket.send(Message::Binary(frame.encoded())).await?)
            }
        }
    }

    /// Tells clients that the session has ended.
    async fn end(&mut self) -> Result<()> {
        match self {
            Self::Relay(_) => self.say(HostMessage::Exited { status: ExitStatus::default() }).await,
            Self::Forwarder(_) => self.send_text(r#"{"type":"exit"}"#).await,
        }
    }

    async fn say(&mut self, message: HostMessage) -> Result<()> {
        match self {
            Self::Relay(links) => links.1.say(message).await,
            Self::Forwarder(_) => Ok(()),
        }
    }

    async fn send_text(&mut self, text: &'static str) -> Result<()> {
        match self {
            Self::Relay(_) => Ok(()),
            Self::Forwarder(socket) => Ok(socket.send(Message::text(text)).await?),
        }
    }

    async fn next(&mut self) -> Result<Told> {
        Ok(match self {
            Self::Relay(links) => match links.1.next().await? {
                Heard::Message(command) => Told::Command(command),
                Heard::Closed(_) => Told::Closed,
            },
            Self::Forwarder(socket) => match socket.next().await.context("the socket ended")?? {
                Message::Text(text) if text.starts_with(r#"{"type":"resume""#) => Told::Resume,
                Message::Close(_) => Told::Closed,
                _ => Told::Nothing,
            },
        })
    }
}
