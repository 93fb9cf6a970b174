//! The client's WebSocket.

use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use moorline_host::dial::{Address, Connector, RelayStream};
use moorline_shared::frame::Frame;
use moorline_shared::link::Generation;
use moorline_shared::message::{SUBPROTOCOL, ServerMessage, close};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::header::{
    AUTHORIZATION, InvalidHeaderValue, SEC_WEBSOCKET_PROTOCOL,
};
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{Opener, Target};
use crate::command_socket::ask_pass;

type WebSocket = WebSocketStream<RelayStream>;

/// An event of the connection.
#[derive(Debug)]
pub(crate) enum ConnectionEvent {
    Opened(Generation),
    Text(Generation, ServerMessage),
    Frame(Generation, Frame),
    /// With the close code, or with the code that corresponds to an HTTP error.
    Closed(Generation, u16),
}

enum SocketState {
    Idle,
    Dialing(Generation, JoinHandle<Result<WebSocket, Error>>),
    Open(Generation, Box<WebSocket>),
    /// Closed; the event is still to be returned.
    Gone(Generation, u16),
}

/// A WebSocket with at most one connection at a time.
pub(crate) struct AttachSocket {
    request: Request<()>,
    opener: Opener,
    /// The relay's address, and what connects to it.
    place: Arc<(Address, Connector)>,
    state: SocketState,
}

impl AttachSocket {
    pub(crate) fn new(target: Target) -> anyhow::Result<Self> {
        let Target { url, trust, opener, session } = target;
        let address: Address = url.parse()?;
        let connector = Connector::new(&address, &trust)?;
        let mut request = address
            .url(&format!("/sessions/{session}/stream"))
            .into_client_request()
            .with_context(|| format!("{url} is not the address of a relay"))?;
        if let Opener::Token(token) = &opener {
            bearer(token).context("the token contains invalid characters")?;
        }
        let protocol = HeaderValue::from_static(SUBPROTOCOL);
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        let place = Arc::new((address, connector));
        Ok(Self { request, opener, place, state: SocketState::Idle })
    }

    pub(crate) fn dial(&mut self, generation: Generation) {
        self.hang_up();
        let dialing =
            tokio::spawn(open(self.request.clone(), self.opener.clone(), Arc::clone(&self.place)));
        self.state = SocketState::Dialing(generation, dialing);
    }

    pub(crate) fn hang_up(&mut self) {
        if let SocketState::Dialing(_, dialing) = &self.state {
            dialing.abort();
        }
        self.state = SocketState::Idle;
    }

    pub(crate) async fn send_text(&mut self, text: String) {
        self.send(Message::text(text)).await;
    }

    pub(crate) async fn send_frame(&mut self, frame: Bytes) {
        self.send(Message::Binary(frame)).await;
    }

    async fn send(&mut self, message: Message) {
        if let SocketState::Open(generation, socket) = &mut self.state
            && socket.send(message).await.is_err()
        {
            self.state = SocketState::Gone(*generation, close::ABNORMAL);
        }
    }

    /// Waits for the next event. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> ConnectionEvent {
        loop {
            match &mut self.state {
                SocketState::Idle => std::future::pending().await,
                SocketState::Gone(generation, code) => {
                    let event = ConnectionEvent::Closed(*generation, *code);
                    self.state = SocketState::Idle;
                    return event;
                }
                SocketState::Dialing(generation, dialing) => {
                    let generation = *generation;
                    self.state = match dialing.await {
                        Ok(Ok(socket)) => SocketState::Open(generation, Box::new(socket)),
                        Ok(Err(error)) => SocketState::Gone(generation, meaning(&error)),
                        Err(_) => SocketState::Gone(generation, close::ABNORMAL),
                    };
                    if matches!(self.state, SocketState::Open(..)) {
                        return ConnectionEvent::Opened(generation);
                    }
                }
                SocketState::Open(generation, socket) => {
                    let generation = *generation;
                    match read(generation, socket.next().await) {
                        Ok(Some(event)) => return event,
                        Ok(None) => {}
                        Err(code) => self.state = SocketState::Gone(generation, code),
                    }
                }
            }
        }
    }
}

async fn open(
    mut request: Request<()>,
    opener: Opener,
    place: Arc<(Address, Connector)>,
) -> Result<WebSocket, Error> {
    let (bearer, _pass) = match opener {
        Opener::Token(token) => (bearer(&token)?, None),
        Opener::Folder(folder) => {
            let asked = tokio::task::spawn_blocking(move || ask_pass(&folder)).await;
            let pass = asked.map_err(std::io::Error::other)??;
            // The pass must stay valid until the relay has admitted this client.
            (bearer(pass.secret())?, Some(pass))
        }
    };
    request.headers_mut().insert(AUTHORIZATION, bearer);
    let (address, connector) = &*place;
    let (socket, _) = client_async(request, connector.connect(address).await?).await?;
    Ok(socket)
}

fn bearer(token: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))?;
    bearer.set_sensitive(true);
    Ok(bearer)
}

/// Converts a message to an event. Returns `None` for messages to ignore, or the close code at the
/// end.
fn read(
    generation: Generation,
    message: Option<Result<Message, Error>>,
) -> Result<Option<ConnectionEvent>, u16> {
    match message {
        Some(Ok(Message::Text(text))) => match ServerMessage::from_json(&text) {
            Ok(message) => Ok(Some(ConnectionEvent::Text(generation, message))),
            Err(_) => Err(close::ABNORMAL),
        },
        Some(Ok(Message::Binary(bytes))) => match Frame::decode(bytes) {
            Ok(frame) => Ok(Some(ConnectionEvent::Frame(generation, frame))),
            Err(_) => Err(close::ABNORMAL),
        },
        Some(Ok(Message::Close(frame))) => {
            Err(frame.map_or(close::ABNORMAL, |frame| frame.code.into()))
        }
        Some(Ok(_)) => Ok(None),
        Some(Err(_)) | None => Err(close::ABNORMAL),
    }
}

fn meaning(error: &Error) -> u16 {
    let Error::Http(response) = error else { return close::ABNORMAL };
    match response.status().as_u16() {
        401 => close::UNAUTHORIZED,
        403 => close::FORBIDDEN,
        400 | 404 => close::NOT_FOUND,
        429 => close::OVERLOADED,
        _ => close::ABNORMAL,
    }
}
