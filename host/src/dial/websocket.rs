//! Links over WebSockets, on top of TCP, TLS or a Unix socket.

mod carry;
mod stream;

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::limits::{BACKOFF_MOST, LINK_MESSAGE_BYTES};
use moorline_shared::message::close;
use moorline_shared::publish::SUBPROTOCOL;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, error::ProtocolError};

use super::post::post;
use super::trust::{NoCertificates, RelayTrust};
use super::{Address, ControlWire, Dial, DialError, Dialing, PublishWire};
pub use stream::{Connector, RelayStream};

/// Longest wait before dialling a relay on the same machine.
const NEARBY_WAIT: Duration = Duration::from_millis(250);
/// Interval at which a refused host reads its token's file again.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Small, because a relay sends little, and each of a thousand sessions has such a buffer, which
/// every read fills.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Messages that may wait on a control link, each way.
const CONTROL_ROOM: usize = 4;
/// Messages that may wait on a session's link, each way. An entry has at most 64 KiB, so with the
/// socket's buffers this is about 1 MiB per session.
const PUBLISH_ROOM: usize = 16;

const BAD_TOKEN: &str = "the relay refuses the token: make one of scope host";
const WRONG_SCOPE: &str = "the token is not for hosts: make one of scope host";

/// The credential that the host presents to the relay.
#[derive(Clone)]
pub enum Token {
    /// No token, for a relay that requires none, such as on its own Unix socket.
    None,
    /// A token that never changes.
    Fixed(String),
    /// The token in this file, which is read again for each link, so that it can be replaced.
    File(PathBuf),
}

/// Dials a relay by WebSocket.
pub struct WebSocketDial {
    address: Address,
    host: HostId,
    token: Token,
    /// The token of the last control link.
    presented: Mutex<Option<String>>,
    connector: Connector,
}

impl WebSocketDial {
    /// Creates a dialler to the relay at `address`, for the host with this id.
    ///
    /// # Errors
    /// [`NoCertificates`] if TLS is needed but the relay could not be verified.
    pub fn new(
        address: Address,
        trust: &RelayTrust,
        host: HostId,
        token: Token,
    ) -> Result<Self, NoCertificates> {
        let connector = Connector::new(&address, trust)?;
        Ok(Self { address, host, token, presented: Mutex::new(None), connector })
    }

    async fn open(
        &self,
        path: &str,
        token: Option<String>,
    ) -> Result<WebSocketStream<RelayStream>, DialError> {
        let request = self.request(path, token)?;
        let unreachable = |error: std::io::Error| {
            // TLS errors are wrapped as this kind.
            let hint = match error.kind() {
                std::io::ErrorKind::InvalidData => {
                    "; if its certificate is its own, name it with --tls-fingerprint or --tls-ca"
                }
                _ => "",
            };
            let place = self.place();
            DialError::Unreachable(format!("cannot reach the relay at {place}: {error}{hint}"))
        };
        let stream = self.connector.connect(&self.address).await.map_err(unreachable)?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .max_message_size(Some(LINK_MESSAGE_BYTES))
            .max_frame_size(Some(LINK_MESSAGE_BYTES));
        let open = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        let (socket, _) = open.await.map_err(|error| self.meaning(&error))?;
        Ok(socket)
    }

    fn request(&self, path: &str, token: Option<String>) -> Result<Request<()>, DialError> {
        let bad = |what: &str| DialError::Unreachable(what.to_owned());
        let request = self.address.url(path).into_client_request();
        let mut request = request.map_err(|error| bad(&error.to_string()))?;
        let headers = request.headers_mut();
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        if let Some(token) = token {
            let bearer = HeaderValue::from_str(&format!("Bearer {token}"));
            let mut bearer = bearer.map_err(|_| bad("the token contains invalid characters"))?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        Ok(request)
    }

    async fn token(&self) -> Result<Option<String>, DialError> {
        match &self.token {
            Token::None => Ok(None),
            Token::Fixed(token) => Ok(Some(token.clone())),
            Token::File(path) => match tokio::fs::read_to_string(path).await {
                Ok(token) => Ok(Some(token.trim().to_owned())),
                Err(error) => Err(DialError::Refused {
                    code: close::UNAUTHORIZED,
                    message: format!("cannot read the token from {}: {error}", path.display()),
                }),
            },
        }
    }

    fn presented(&self) -> MutexGuard<'_, Option<String>> {
        self.presented.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn meaning(&self, error: &Error) -> DialError {
        let place = self.place();
        let status = match error {
            Error::Http(response) => response.status().as_u16(),
            Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => 404,
            _ => return DialError::Unreachable(format!("cannot reach {place}: {error}")),
        };
        let (code, message) = match status {
            401 => (close::UNAUTHORIZED, BAD_TOKEN),
            403 => (close::FORBIDDEN, WRONG_SCOPE),
            404 => (close::NOT_FOUND, "the relay does not know the session, or takes no hosts"),
            429 => (close::OVERLOADED, "the relay is overloaded"),
            _ => (close::ABNORMAL, "the relay is not ready"),
        };
        let remedy = self.remedy(code);
        DialError::Refused { code, message: format!("{message}{remedy} ({status} from {place})") }
    }

    /// Returns where a better token belongs, if a token is what the relay wants.
    fn remedy(&self, code: u16) -> String {
        match &self.token {
            Token::File(path) if close::is_about_token(code) => {
                format!(", and write it to {}", path.display())
            }
            _ => String::new(),
        }
    }

    /// Returns the relay's place, for error messages.
    fn place(&self) -> String {
        match &self.address {
            Address::Tcp { authority, .. } => authority.clone(),
            Address::Unix(path) => path.display().to_string(),
        }
    }
}

impl Dial for WebSocketDial {
    fn control(&self) -> Dialing<'_, ControlWire> {
        Box::pin(async {
            let path = format!("/hosts/{}/control", self.host);
            let token = self.token().await;
            self.presented().clone_from(&token.as_ref().ok().cloned().flatten());
            let socket = self.open(&path, token?).await?;
            Ok(carry::carry(socket, CONTROL_ROOM))
        })
    }

    fn publish<'a>(&'a self, session: &'a SessionId) -> Dialing<'a, PublishWire> {
        Box::pin(async move {
            let path = format!("/sessions/{session}/publish");
            let socket = self.open(&path, self.token().await?).await?;
            Ok(carry::carry(socket, PUBLISH_ROOM))
        })
    }

    fn post(&self, path: String, body: Bytes) -> Dialing<'_, (u16, Bytes)> {
        Box::pin(async move {
            let token = self.token().await?;
            let unreachable = |error: std::io::Error| {
                let place = self.place();
                DialError::Unreachable(format!("cannot reach the relay at {place}: {error}"))
            };
            let stream = self.connector.connect(&self.address).await.map_err(unreachable)?;
            let answer = post(stream, &self.address, path, token.as_deref(), body).await;
            answer.map_err(|error| DialError::Unreachable(error.to_string()))
        })
    }

    fn credential_change(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            let Token::File(path) = &self.token else { return std::future::pending().await };
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                // Without the file there is nothing to dial with.
                let Ok(token) = tokio::fs::read_to_string(path).await else { continue };
                if self.presented().as_deref() != Some(token.trim()) {
                    return;
                }
            }
        })
    }

    fn advice(&self, code: u16) -> Option<String> {
        let remedy = self.remedy(code);
        let sentence = match code {
            close::UNAUTHORIZED => format!("the token has ended: make one of scope host{remedy}"),
            close::FORBIDDEN => format!("{WRONG_SCOPE}{remedy}"),
            _ => return None,
        };
        Some(sentence)
    }

    fn longest_wait(&self) -> Duration {
        match self.address {
            Address::Unix(_) => NEARBY_WAIT,
            Address::Tcp { .. } => BACKOFF_MOST,
        }
    }
}

impl std::fmt::Debug for WebSocketDial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WebSocketDial {{ address: {:?}, host: {} }}", self.address, self.host)
    }
}
