//! The stream protocol by hand: a WebSocket, and its messages as they are.

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use moorline_shared::frame::Frame;
use moorline_shared::id::{Seq, SessionId};
use moorline_shared::message::{SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX, close};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{self, Message, client::IntoClientRequest as _, http};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::relay::{Relay, TOKEN};
use crate::wait::within;

/// Subprotocols and credentials with which a client connects.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// True to offer the subprotocol `moorline.v1`.
    pub extended: bool,
    /// Token that is sent in the `Authorization` header.
    pub bearer: Option<String>,
    /// Token that is sent as a subprotocol, as browsers must.
    pub subprotocol_token: Option<String>,
    /// Cookie, as `name=value`.
    pub cookie: Option<String>,
    /// Origin of the page, as a browser sends it.
    pub origin: Option<String>,
}

impl Greeting {
    /// A program that knows `moorline.v1`, with the administrator's token.
    #[must_use]
    pub fn extended() -> Self {
        Self { extended: true, ..Self::ic1() }
    }

    /// A program that knows IC-1 only, with the administrator's token.
    #[must_use]
    pub fn ic1() -> Self {
        let bearer = Some(TOKEN.to_owned());
        Self { extended: false, bearer, subprotocol_token: None, cookie: None, origin: None }
    }
}

/// Message from the relay, or the end of the connection.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// A text message, parsed as JSON.
    Json(Value),
    /// A binary message: an entry's sequence number and its data.
    Frame(u64, Bytes),
    /// The connection was closed with this code; [`close::ABNORMAL`] for one that broke.
    Closed(u16),
}

/// A client's connection to a stream.
pub struct Wire {
    socket: WebSocketStream<TcpStream>,
    /// The subprotocol that the relay has selected.
    pub chosen: Option<String>,
    /// Close code, once the connection is closed.
    closed: Option<u16>,
}

impl Wire {
    /// Connects to a session's stream.
    ///
    /// # Errors
    /// If the relay does not accept the WebSocket.
    pub async fn connect(relay: &Relay, session: &SessionId, greeting: &Greeting) -> Result<Self> {
        let path = format!("/sessions/{session}/stream");
        match Self::knock(relay, &path, greeting).await? {
            Ok(wire) => Ok(wire),
            Err(status) => bail!("the relay answers the WebSocket with {status}"),
        }
    }

    /// Connects to any path. Returns the HTTP status if the relay refuses.
    ///
    /// # Errors
    /// If there is no relay, or its answer is not HTTP.
    pub async fn knock(
        relay: &Relay,
        path: &str,
        greeting: &Greeting,
    ) -> Result<Result<Self, u16>> {
        let stream = TcpStream::connect(relay.address()).await?;
        stream.set_nodelay(true)?;
        let request = request(&format!("{}{path}", relay.url().replace("http:", "ws:")), greeting)?;
        match within("the WebSocket to open", client_async(request, stream)).await? {
            Ok((socket, answer)) => {
                let chosen = answer.headers().get(http::header::SEC_WEBSOCKET_PROTOCOL);
                let chosen = chosen.map(|name| name.to_str().map(str::to_owned)).transpose()?;
                Ok(Ok(Self { socket, chosen, closed: None }))
            }
            Err(tungstenite::Error::Http(answer)) => Ok(Err(answer.status().as_u16())),
            Err(error) => Err(error.into()),
        }
    }

    /// Connects where the relay must refuse, and returns its close code or HTTP status.
    ///
    /// # Errors
    /// If it does not refuse.
    pub async fn refusal(relay: &Relay, path: &str, greeting: &Greeting) -> Result<u16> {
        match Self::knock(relay, path, greeting).await? {
            Ok(mut wire) => wire.close_code().await,
            Err(status) => Ok(status),
        }
    }

    /// Sends a text message.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn send_text(&mut self, text: impl Into<String>) -> Result<()> {
        Ok(self.socket.send(Message::text(text.into())).await?)
    }

    /// Sends a JSON object.
    ///
    /// # Errors
    /// As [`Wire::send_text`].
    pub async fn send(&mut self, message: Value) -> Result<()> {
        self.send_text(message.to_string()).await
    }

    /// Sends `resume` for a client that has no entries yet. A client that types also needs an id.
    ///
    /// # Errors
    /// As [`Wire::send_text`].
    pub async fn resume(&mut self, client_id: Option<&str>) -> Result<()> {
        match client_id {
            Some(id) => self.send(json!({"type": "resume", "lastSeq": null, "clientId": id})).await,
            None => self.send(json!({"type": "resume", "lastSeq": null})).await,
        }
    }

    /// Sends a piece of input.
    ///
    /// # Errors
    /// As [`Wire::send_text`].
    pub async fn send_input(&mut self, seq: u64, data: &[u8]) -> Result<()> {
        self.send_binary(Frame::copy(Seq(seq), data)?.encoded()).await
    }

    /// Sends any binary message.
    ///
    /// # Errors
    /// As [`Wire::send_text`].
    pub async fn send_binary(&mut self, data: Bytes) -> Result<()> {
        Ok(self.socket.send(Message::Binary(data)).await?)
    }

    /// Starts sending a binary message, without waiting until the connection has taken all of it.
    ///
    /// # Errors
    /// As [`Wire::send_text`].
    pub async fn begin_binary(&mut self, data: Bytes) -> Result<()> {
        Ok(self.socket.feed(Message::Binary(data)).await?)
    }

    /// Returns the next message.
    ///
    /// # Errors
    /// If none arrives in time, or it is malformed.
    pub async fn next(&mut self) -> Result<Received> {
        if let Some(code) = self.closed {
            return Ok(Received::Closed(code));
        }
        loop {
            match within("a message from the relay", self.socket.next()).await? {
                Some(Ok(Message::Text(text))) => {
                    return Ok(Received::Json(serde_json::from_str(&text)?));
                }
                Some(Ok(Message::Binary(data))) => {
                    ensure!(data.len() >= 8, "a binary message of {} bytes", data.len());
                    let frame = Frame::decode(data)?;
                    let data = frame.encoded().slice(8..);
                    return Ok(Received::Frame(frame.seq().0, data));
                }
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.map_or(1005, |frame| frame.code.into());
                    self.closed = Some(code);
                    return Ok(Received::Closed(code));
                }
                Some(Ok(_)) => {}
                None | Some(Err(_)) => {
                    self.closed = Some(close::ABNORMAL);
                    return Ok(Received::Closed(close::ABNORMAL));
                }
            }
        }
    }

    /// Returns the next binary message unchanged; `None` once the connection is closed.
    /// [`Wire::close_code`] has the code then.
    ///
    /// # Errors
    /// If none arrives in time.
    pub async fn next_bytes(&mut self) -> Result<Option<Bytes>> {
        loop {
            match within("a message from the relay", self.socket.next()).await? {
                Some(Ok(Message::Binary(data))) => return Ok(Some(data)),
                Some(Ok(Message::Close(frame))) => {
                    self.closed = Some(frame.map_or(1005, |frame| frame.code.into()));
                    return Ok(None);
                }
                Some(Ok(_)) => {}
                None | Some(Err(_)) => {
                    self.closed = Some(close::ABNORMAL);
                    return Ok(None);
                }
            }
        }
    }

    /// Returns the binary messages that the relay has sent so far: those before its answer to a
    /// ping.
    ///
    /// # Errors
    /// If the connection ends first.
    pub async fn sent_so_far(&mut self) -> Result<Vec<Bytes>> {
        self.socket.send(Message::Ping(Bytes::new())).await?;
        let mut sent = Vec::new();
        loop {
            match within("a pong from the relay", self.socket.next()).await? {
                Some(Ok(Message::Binary(data))) => sent.push(data),
                Some(Ok(Message::Pong(_))) => return Ok(sent),
                Some(Ok(Message::Close(_)) | Err(_)) | None => bail!("closed before the pong"),
                Some(Ok(_)) => {}
            }
        }
    }

    /// Returns the next message, which must be a text message of this type. Messages of type
    /// `state` may come at any time and are skipped.
    ///
    /// # Errors
    /// If it is another message.
    pub async fn expect(&mut self, kind: &str) -> Result<Value> {
        loop {
            match self.next().await? {
                Received::Json(message) if message["type"] == kind => return Ok(message),
                Received::Json(message) if message["type"] == "state" => {}
                other => bail!("{other:?} where `{kind}` must come"),
            }
        }
    }

    /// Skips to the next text message of this type.
    ///
    /// # Errors
    /// If the connection ends first.
    pub async fn skip_to(&mut self, kind: &str) -> Result<Value> {
        loop {
            match self.next().await? {
                Received::Json(message) if message["type"] == kind => return Ok(message),
                Received::Closed(code) => bail!("closed with {code} before `{kind}` came"),
                _ => {}
            }
        }
    }

    /// Reads output until it contains `text`, and checks that its sequence numbers have no gaps.
    /// Returns the last number and all output read.
    ///
    /// # Errors
    /// If the connection ends first, or there is a gap.
    pub async fn read_until(&mut self, text: &str) -> Result<(u64, String)> {
        let (mut last, mut output) = (None, Vec::new());
        loop {
            match self.next().await? {
                Received::Frame(seq, data) => {
                    let follows = last.is_none_or(|last| seq == last + 1);
                    ensure!(follows, "entry {seq} came after {last:?}");
                    last = Some(seq);
                    output.extend_from_slice(&data);
                }
                Received::Json(_) => continue,
                Received::Closed(code) => bail!("closed with {code} before {text:?} came"),
            }
            let shown = String::from_utf8_lossy(&output);
            if let Some(seq) = last.filter(|_| shown.contains(text)) {
                return Ok((seq, shown.into_owned()));
            }
        }
    }

    /// Skips to the end of the connection, and returns its close code.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn close_code(&mut self) -> Result<u16> {
        loop {
            if let Received::Closed(code) = self.next().await? {
                return Ok(code);
            }
        }
    }
}

/// The request that opens a WebSocket.
///
/// # Errors
/// If the greeting has characters that are not allowed in a header.
pub fn request(url: &str, greeting: &Greeting) -> Result<http::Request<()>> {
    let mut request = url.into_client_request()?;
    let headers = request.headers_mut();
    if let Some(token) = &greeting.bearer {
        headers.insert(http::header::AUTHORIZATION, format!("Bearer {token}").parse()?);
    }
    if let Some(cookie) = &greeting.cookie {
        headers.insert(http::header::COOKIE, cookie.parse()?);
    }
    if let Some(origin) = &greeting.origin {
        headers.insert(http::header::ORIGIN, origin.parse()?);
    }
    let mut offered = Vec::new();
    if greeting.extended {
        offered.push(SUBPROTOCOL.to_owned());
    }
    if let Some(token) = &greeting.subprotocol_token {
        offered.push(format!("{TOKEN_SUBPROTOCOL_PREFIX}{token}"));
    }
    if !offered.is_empty() {
        let offered = offered.join(", ").parse().context("not a subprotocol")?;
        headers.insert(http::header::SEC_WEBSOCKET_PROTOCOL, offered);
    }
    Ok(request)
}
