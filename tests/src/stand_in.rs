//! A stand-in for a host, driven by hand: it speaks what hosts say to relays, message by message, so
//! that a scenario can have hosts that are slow, stale or wrong.

mod honest;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use moorline_shared::control::{Facts, Hello, Hosted, PROTOCOL, ToHost, ToRelay};
use moorline_shared::frame::Frame;
use moorline_shared::id::{Cursor, Epoch, HostId, Seq, SessionId};
use moorline_shared::log::Entry;
use moorline_shared::packet::{Decode, Encode as _, Packet};
use moorline_shared::publish::{HostCommand, HostMessage, RefusedReason, SUBPROTOCOL};
use moorline_shared::session::Size;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{self, Message, http};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::relay::Relay;
use crate::wait::within;
use crate::wire::{Greeting, request};
pub use honest::Honest;

/// What came from the relay.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard<T> {
    /// A message that this version knows.
    Message(T),
    /// The link was closed with this code; 1006 for one that broke.
    Closed(u16),
}

/// The link of a host.
pub struct ControlLink(Link);

/// The link of one session.
pub struct PublishLink(Link);

/// A WebSocket for hosts.
struct Link {
    socket: WebSocketStream<TcpStream>,
}

/// What a stand-in says of a session that it has: a shell that has run for ever.
#[must_use]
pub fn hosted(session: &SessionId, epoch: u64) -> Hosted {
    Hosted {
        session_id: session.clone(),
        epoch: Epoch(epoch),
        facts: Facts { driver: "pty".into(), ..Facts::default() },
        cwd: "/".into(),
        pid: None,
        created_at: epoch,
    }
}

impl ControlLink {
    /// Opens the link of this host, and says nothing yet.
    ///
    /// # Errors
    /// Where the relay does not accept it.
    pub async fn open(relay: &Relay, host: &HostId) -> Result<Self> {
        Link::open(relay, &format!("/hosts/{host}/control")).await.map(Self)
    }

    /// The link of a host that was welcomed, with these sessions.
    ///
    /// # Errors
    /// As [`ControlLink::open`], and where it is not welcome.
    pub async fn welcomed(relay: &Relay, host: &HostId, sessions: Vec<Hosted>) -> Result<Self> {
        let mut link = Self::open(relay, host).await?;
        link.say(&ToRelay::Hello(Box::new(Hello {
            protocol: PROTOCOL,
            version: "0.0.0".into(),
            name: format!("stand-in {host}"),
            drivers: vec!["pty".into()],
            missing: vec![],
            sessions,
        })))
        .await?;
        match link.next().await? {
            Heard::Message(ToHost::Welcome { .. }) => Ok(link),
            other => bail!("{other:?} instead of a welcome"),
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// Where the link is gone.
    pub async fn say(&mut self, message: &ToRelay) -> Result<()> {
        self.0.send(message.clone().encode()).await
    }

    /// The next message.
    ///
    /// # Errors
    /// Where none comes, or one that is none.
    pub async fn next(&mut self) -> Result<Heard<ToHost>> {
        self.0.next().await
    }
}

impl PublishLink {
    /// Opens the link of this session, and says nothing yet.
    ///
    /// # Errors
    /// Where the relay does not accept it.
    pub async fn open(relay: &Relay, session: &SessionId) -> Result<Self> {
        Link::open(relay, &format!("/sessions/{session}/publish")).await.map(Self)
    }

    /// A link on which the relay was told that entries after its own cursor follow: of this epoch,
    /// whose last is `head`. Returns the cursor too.
    ///
    /// # Errors
    /// As [`PublishLink::open`], and where the relay does not begin with `resume`.
    pub async fn resumed(
        relay: &Relay,
        session: &SessionId,
        epoch: u64,
        head: u64,
    ) -> Result<(Self, Option<Cursor>)> {
        let mut link = Self::open(relay, session).await?;
        let cursor = link.resume().await?;
        link.follow(cursor, epoch, head).await?;
        Ok((link, cursor))
    }

    /// Tells the relay that entries after this cursor follow: of this epoch, whose last is `head`.
    ///
    /// # Errors
    /// As [`PublishLink::say`].
    pub async fn follow(&mut self, cursor: Option<Cursor>, epoch: u64, head: u64) -> Result<()> {
        let epoch = Epoch(epoch);
        let from = cursor.filter(|cursor| cursor.epoch == epoch).map_or(Seq::ZERO, |at| at.seq);
        self.say(HostMessage::Resumed { epoch, from, head: Seq(head), size: Size::default() }).await
    }

    /// The cursor that the relay opens with.
    ///
    /// # Errors
    /// Where the next message is another.
    pub async fn resume(&mut self) -> Result<Option<Cursor>> {
        match self.next().await? {
            Heard::Message(HostCommand::Resume { cursor, .. }) => Ok(cursor),
            other => bail!("{other:?} instead of `resume`"),
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// Where the link is gone.
    pub async fn say(&mut self, message: HostMessage) -> Result<()> {
        self.0.send(message.encode()).await
    }

    /// Publishes an entry of output.
    ///
    /// # Errors
    /// As [`PublishLink::say`].
    pub async fn put_out(&mut self, seq: u64, data: &str) -> Result<()> {
        let frame = Frame::copy(Seq(seq), data.as_bytes())?;
        self.say(HostMessage::Entry(Entry::Output(frame))).await
    }

    /// The next message.
    ///
    /// # Errors
    /// Where none comes, or one that is none.
    pub async fn next(&mut self) -> Result<Heard<HostCommand>> {
        self.0.next().await
    }

    /// Skips everything up to a message that counts, and returns what it counts as.
    ///
    /// # Errors
    /// Names `what` where the link ends before.
    pub async fn skip_to<T>(
        &mut self,
        what: &str,
        mut counts: impl FnMut(&HostCommand) -> Option<T>,
    ) -> Result<T> {
        loop {
            match self.next().await? {
                Heard::Message(command) => {
                    if let Some(counted) = counts(&command) {
                        return Ok(counted);
                    }
                }
                Heard::Closed(code) => bail!("closed with {code} before {what} came"),
            }
        }
    }

    /// Waits until the relay has everything up to `seq` on disk.
    ///
    /// # Errors
    /// As [`PublishLink::skip_to`].
    pub async fn until_durable(&mut self, seq: u64) -> Result<()> {
        let is_ack = |command: &HostCommand| {
            matches!(command, HostCommand::Ack { seq: acked } if acked.0 >= seq).then_some(())
        };
        self.skip_to("the ack", is_ack).await
    }

    /// Waits until the relay refuses the link, and returns why.
    ///
    /// # Errors
    /// As [`PublishLink::skip_to`].
    pub async fn until_refused(&mut self) -> Result<RefusedReason> {
        let refused = |command: &HostCommand| match command {
            HostCommand::Refused { reason } => Some(*reason),
            _ => None,
        };
        self.skip_to("the refusal", refused).await
    }
}

impl Link {
    async fn open(relay: &Relay, path: &str) -> Result<Self> {
        let stream = TcpStream::connect(relay.address()).await?;
        stream.set_nodelay(true)?;
        let url = format!("{}{path}", relay.url().replace("http:", "ws:"));
        let mut request = request(&url, &Greeting::ic1())?;
        let offered = http::HeaderValue::from_static(SUBPROTOCOL);
        request.headers_mut().insert(http::header::SEC_WEBSOCKET_PROTOCOL, offered);
        match within("a host's link to open", client_async(request, stream)).await? {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(tungstenite::Error::Http(answer)) => {
                bail!("the relay answers a host with {}", answer.status())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn send(&mut self, packet: Packet) -> Result<()> {
        let message = match packet {
            Packet::Text(text) => Message::Text(text.try_into().context("text is no text")?),
            Packet::Binary(data) => Message::Binary(data),
        };
        Ok(self.socket.send(message).await?)
    }

    async fn next<T: Decode>(&mut self) -> Result<Heard<T>> {
        loop {
            let message = within("a message to a host", self.socket.next()).await?;
            let packet = match message {
                Some(Ok(Message::Text(text))) => Packet::Text(Bytes::from(text)),
                Some(Ok(Message::Binary(data))) => Packet::Binary(data),
                Some(Ok(Message::Close(frame))) => {
                    return Ok(Heard::Closed(frame.map_or(1005, |frame| frame.code.into())));
                }
                Some(Ok(_)) => continue,
                None | Some(Err(_)) => return Ok(Heard::Closed(1006)),
            };
            return Ok(Heard::Message(T::decode(packet)?));
        }
    }
}
