//! A stand-in for a host, driven by hand. It speaks the hosts' protocol message by message, so that
//! a scenario can have hosts that are slow, stale or wrong.

mod honest;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use moorline_shared::control::{Facts, Hello, Hosted, PROTOCOL, ToHost, ToRelay};
use moorline_shared::frame::Frame;
use moorline_shared::id::{Cursor, Epoch, HostId, Seq, SessionId};
use moorline_shared::log::Entry;
use moorline_shared::message::close;
use moorline_shared::packet::{Decode, Encode as _, Packet};
use moorline_shared::publish::{HostCommand, HostMessage, RefusedReason, SUBPROTOCOL};
use moorline_shared::session::Size;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{self, Message, http};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::relay::{Relay, TOKEN};
use crate::wait::within;
use crate::wire::{Greeting, request};
pub use honest::Honest;

/// Message from the relay, or the end of its link.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard<T> {
    /// A message of the protocol.
    Message(T),
    /// The link was closed with this code; [`close::ABNORMAL`] for one that broke.
    Closed(u16),
}

/// The control link of a host.
pub struct ControlLink(Link);

/// The publish link of one session.
pub struct PublishLink(Link);

/// A WebSocket of a host.
struct Link {
    socket: WebSocketStream<TcpStream>,
}

/// Description of a session that a stand-in has: a shell that still runs.
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

/// Hello of a stand-in that has the driver `pty` and no sessions.
#[must_use]
pub fn hello(host: &HostId) -> Hello {
    Hello {
        protocol: PROTOCOL,
        version: "0.0.0".into(),
        name: format!("stand-in {host}"),
        drivers: vec!["pty".into()],
        missing: vec![],
        sessions: Vec::new(),
    }
}

impl ControlLink {
    /// Opens the link of this host, without sending anything.
    ///
    /// # Errors
    /// If the relay does not accept it.
    pub async fn open(relay: &Relay, host: &HostId) -> Result<Self> {
        Self::open_as(relay, host, TOKEN).await
    }

    /// Opens the link of this host with another token than the administrator's.
    ///
    /// # Errors
    /// If the relay does not accept it.
    pub async fn open_as(relay: &Relay, host: &HostId, token: &str) -> Result<Self> {
        Link::open(relay, &format!("/hosts/{host}/control"), token).await.map(Self)
    }

    /// Opens the link of a host with these sessions, and waits for its welcome.
    ///
    /// # Errors
    /// As [`ControlLink::open`], and if the host is not welcomed.
    pub async fn welcomed(relay: &Relay, host: &HostId, sessions: Vec<Hosted>) -> Result<Self> {
        Self::greeted(relay, host, Hello { sessions, ..hello(host) }).await
    }

    /// Opens the link of a host with this hello, and waits for its welcome.
    ///
    /// # Errors
    /// As [`ControlLink::welcomed`].
    pub async fn greeted(relay: &Relay, host: &HostId, hello: Hello) -> Result<Self> {
        let mut link = Self::open(relay, host).await?;
        link.welcome(hello).await?;
        Ok(link)
    }

    /// Says hello with these sessions, and waits for the welcome.
    ///
    /// # Errors
    /// If the host is not welcomed.
    pub async fn greet(&mut self, host: &HostId, sessions: Vec<Hosted>) -> Result<()> {
        self.welcome(Hello { sessions, ..hello(host) }).await
    }

    async fn welcome(&mut self, hello: Hello) -> Result<()> {
        self.say(&ToRelay::Hello(Box::new(hello))).await?;
        match self.next().await? {
            Heard::Message(ToHost::Welcome { .. }) => Ok(()),
            other => bail!("{other:?} instead of a welcome"),
        }
    }

    /// Sends a message to the relay.
    ///
    /// # Errors
    /// If the link is gone.
    pub async fn say(&mut self, message: &ToRelay) -> Result<()> {
        self.0.send(message.clone().encode()).await
    }

    /// Returns the next message from the relay.
    ///
    /// # Errors
    /// If none arrives in time, or it cannot be decoded.
    pub async fn next(&mut self) -> Result<Heard<ToHost>> {
        self.0.next().await
    }
}

impl PublishLink {
    /// Opens the link of this session, without sending anything.
    ///
    /// # Errors
    /// If the relay does not accept it.
    pub async fn open(relay: &Relay, session: &SessionId) -> Result<Self> {
        Self::open_as(relay, session, TOKEN).await
    }

    /// Opens the link of this session with another token than the administrator's.
    ///
    /// # Errors
    /// If the relay does not accept it.
    pub async fn open_as(relay: &Relay, session: &SessionId, token: &str) -> Result<Self> {
        Link::open(relay, &format!("/sessions/{session}/publish"), token).await.map(Self)
    }

    /// Opens a link and announces the entries after the relay's cursor, of this epoch and up to
    /// `head`. Returns the cursor too.
    ///
    /// # Errors
    /// As [`PublishLink::open`], and if the relay does not begin with `resume`.
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

    /// Announces the entries after this cursor, of this epoch and up to `head`.
    ///
    /// # Errors
    /// As [`PublishLink::say`].
    pub async fn follow(&mut self, cursor: Option<Cursor>, epoch: u64, head: u64) -> Result<()> {
        let epoch = Epoch(epoch);
        let from = cursor.filter(|cursor| cursor.epoch == epoch).map_or(Seq::ZERO, |at| at.seq);
        self.say(HostMessage::Resumed { epoch, from, head: Seq(head), size: Size::default() }).await
    }

    /// Receives the cursor that the relay opens with.
    ///
    /// # Errors
    /// If the next message is another.
    pub async fn resume(&mut self) -> Result<Option<Cursor>> {
        match self.next().await? {
            Heard::Message(HostCommand::Resume { cursor, .. }) => Ok(cursor),
            other => bail!("{other:?} instead of `resume`"),
        }
    }

    /// Sends a message to the relay.
    ///
    /// # Errors
    /// If the link is gone.
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

    /// Returns the next message from the relay.
    ///
    /// # Errors
    /// If none arrives in time, or it cannot be decoded.
    pub async fn next(&mut self) -> Result<Heard<HostCommand>> {
        self.0.next().await
    }

    /// Skips to the first message for which `counts` returns a value, and returns that.
    ///
    /// # Errors
    /// If the link ends first; names `what`.
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

    /// Waits until the relay has acknowledged everything up to `seq` as durable.
    ///
    /// # Errors
    /// As [`PublishLink::skip_to`].
    pub async fn until_durable(&mut self, seq: u64) -> Result<()> {
        let is_ack = |command: &HostCommand| {
            matches!(command, HostCommand::Ack { seq: acked } if acked.0 >= seq).then_some(())
        };
        self.skip_to("the ack", is_ack).await
    }

    /// Waits until the relay refuses the link, and returns the reason.
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
    async fn open(relay: &Relay, path: &str, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(relay.address()).await?;
        stream.set_nodelay(true)?;
        let url = format!("{}{path}", relay.url().replace("http:", "ws:"));
        let greeting = Greeting { bearer: Some(token.to_owned()), ..Greeting::ic1() };
        let mut request = request(&url, &greeting)?;
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
                None | Some(Err(_)) => return Ok(Heard::Closed(close::ABNORMAL)),
            };
            return Ok(Heard::Message(T::decode(packet)?));
        }
    }
}
