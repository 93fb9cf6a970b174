//! A WebSocket outside the stream protocol: plain text, or JSON of an older kind.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use moorline_shared::message::close;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message, http};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::wait::{PATIENCE, within};
use crate::wire::{Greeting, request};

/// A connection to a plain or legacy socket.
pub struct Plain {
    socket: WebSocketStream<TcpStream>,
    /// Headers of the response that opened it.
    pub headers: http::HeaderMap,
}

/// Message that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// One text message.
    Text(String),
    /// The end, with this close code; [`close::ABNORMAL`] for a connection that broke.
    Closed(u16),
}

impl Plain {
    /// Connects to a path with these credentials.
    ///
    /// # Errors
    /// If the WebSocket is refused.
    pub async fn connect(address: SocketAddr, path: &str, greeting: &Greeting) -> Result<Self> {
        Self::open(address, request(&format!("ws://{address}{path}"), greeting)?).await
    }

    /// Connects to a path with these subprotocols, and no other credentials.
    ///
    /// # Errors
    /// If the WebSocket is refused.
    pub async fn offering(address: SocketAddr, path: &str, protocols: &str) -> Result<Self> {
        let mut request = format!("ws://{address}{path}").into_client_request()?;
        request.headers_mut().insert(http::header::SEC_WEBSOCKET_PROTOCOL, protocols.parse()?);
        Self::open(address, request).await
    }

    async fn open(address: SocketAddr, request: http::Request<()>) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        match within("the WebSocket to open", client_async(request, stream)).await? {
            Ok((socket, answer)) => Ok(Self { socket, headers: answer.headers().clone() }),
            Err(tungstenite::Error::Http(answer)) => {
                let body = answer.body().as_deref().map(String::from_utf8_lossy);
                bail!("{} instead of a WebSocket: {body:?}", answer.status())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for the end, whatever comes before it, and returns its close code; [`close::ABNORMAL`]
    /// for a connection that broke.
    ///
    /// # Errors
    /// If it does not end in time.
    pub async fn until_closed(&mut self) -> Result<u16> {
        let closed = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Close(frame))) => {
                        return frame.map_or(close::NORMAL, |frame| frame.code.into());
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return close::ABNORMAL,
                }
            }
        };
        within("the socket to be closed", closed).await
    }

    /// Sends a text message.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn send(&mut self, text: impl Into<String>) -> Result<()> {
        Ok(self.socket.send(Message::text(text.into())).await?)
    }

    /// Returns the next text, or the end.
    ///
    /// # Errors
    /// If nothing arrives in time, or a binary message does.
    pub async fn next(&mut self) -> Result<Said> {
        loop {
            match within("a text from the relay", self.socket.next()).await? {
                Some(Ok(Message::Text(text))) => return Ok(Said::Text(text.to_string())),
                Some(Ok(Message::Binary(data))) => bail!("{} bytes of no text", data.len()),
                Some(Ok(Message::Close(frame))) => {
                    return Ok(Said::Closed(frame.map_or(1005, |frame| frame.code.into())));
                }
                Some(Ok(_)) => {}
                None | Some(Err(_)) => return Ok(Said::Closed(close::ABNORMAL)),
            }
        }
    }

    /// Reads until all texts together contain this, and returns them.
    ///
    /// # Errors
    /// If the connection ends first.
    pub async fn read_until(&mut self, text: &str) -> Result<String> {
        let mut all = String::new();
        while !all.contains(text) {
            match self.next().await? {
                Said::Text(more) => all.push_str(&more),
                Said::Closed(code) => bail!("closed with {code} before {text:?}, after {all:?}"),
            }
        }
        Ok(all)
    }

    /// Reads to the end. Returns all texts together, and the close code.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn read_to_end(&mut self) -> Result<(String, u16)> {
        let mut all = String::new();
        loop {
            match self.next().await? {
                Said::Text(more) => all.push_str(&more),
                Said::Closed(code) => return Ok((all, code)),
            }
        }
    }

    /// Skips to a JSON message of this type.
    ///
    /// # Errors
    /// If the connection ends first, or a text is not JSON.
    pub async fn skip_to(&mut self, kind: &str) -> Result<Value> {
        let mut skipped = Vec::new();
        // Other messages may arrive again and again.
        let skip = timeout(PATIENCE, async {
            while let Said::Text(text) = self.next().await? {
                let message: Value = serde_json::from_str(&text)?;
                ensure!(message["type"].is_string(), "{message}");
                if message["type"] == kind {
                    return Ok(Some(message));
                }
                skipped.push(text);
            }
            Ok(None)
        });
        let found = skip.await.ok().transpose()?.flatten();
        found.with_context(|| format!("`{kind}` did not come, but {skipped:?}"))
    }
}
