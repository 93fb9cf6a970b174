//! A WebSocket that is no stream of the protocol: plain text, or JSON of an older kind.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{self, Message, http};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::wait::{PATIENCE, within};
use crate::wire::{Greeting, request};

/// One connection.
pub struct Plain {
    socket: WebSocketStream<TcpStream>,
    /// The headers of the answer that opened it.
    pub headers: http::HeaderMap,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A text.
    Text(String),
    /// The end, with this code; 1006 for a connection that broke.
    Closed(u16),
}

impl Plain {
    /// Connects.
    ///
    /// # Errors
    /// Where the WebSocket is refused.
    pub async fn connect(address: SocketAddr, path: &str, greeting: &Greeting) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let request = request(&format!("ws://{address}{path}"), greeting)?;
        match within("the WebSocket to open", client_async(request, stream)).await? {
            Ok((socket, answer)) => Ok(Self { socket, headers: answer.headers().clone() }),
            Err(tungstenite::Error::Http(answer)) => {
                let body = answer.body().as_deref().map(String::from_utf8_lossy);
                bail!("{} instead of a WebSocket: {body:?}", answer.status())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a text.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub async fn send(&mut self, text: impl Into<String>) -> Result<()> {
        Ok(self.socket.send(Message::text(text.into())).await?)
    }

    /// The next text, or the end.
    ///
    /// # Errors
    /// Where nothing comes, or a binary message.
    pub async fn next(&mut self) -> Result<Said> {
        loop {
            match within("a text from the relay", self.socket.next()).await? {
                Some(Ok(Message::Text(text))) => return Ok(Said::Text(text.to_string())),
                Some(Ok(Message::Binary(data))) => bail!("{} bytes of no text", data.len()),
                Some(Ok(Message::Close(frame))) => {
                    return Ok(Said::Closed(frame.map_or(1005, |frame| frame.code.into())));
                }
                Some(Ok(_)) => {}
                None | Some(Err(_)) => return Ok(Said::Closed(1006)),
            }
        }
    }

    /// Reads until all texts together contain this, and returns them.
    ///
    /// # Errors
    /// Where the connection ends before.
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

    /// Reads to the end: all texts together, and the code.
    ///
    /// # Errors
    /// Where it does not end.
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
    /// Where the connection ends before, or a text is no JSON.
    pub async fn skip_to(&mut self, kind: &str) -> Result<Value> {
        let mut skipped = Vec::new();
        // Others may come again and again.
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
