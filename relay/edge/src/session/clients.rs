//! Clients' sockets: opening, messages and saved state.

use std::rc::Rc;

use bytes::Bytes;
use moorline_core::api::ApiError;
use moorline_core::peer::{Peer, Terms};
use moorline_core::plain::{Plain, PlainOverrun};
use moorline_core::profile::Profile;
use moorline_core::refusal::{PlainRefusal, SEE_TEXT, StreamRefusal};
use moorline_core::subprotocol;
use moorline_shared::message::{SUBPROTOCOL, close};
use worker::{
    Request, Response, ResponseBuilder, Result, WebSocket, WebSocketIncomingMessage, WebSocketPair,
};

use super::clock::{now, wall_ms};
use super::object::{Fault, Object};
use super::sockets::{self, Attachment, SocketOwner};
use super::state::{Client, SessionState};
use crate::internal::Caller;
use crate::reply::Answer;

/// Protocol that a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SocketDialect {
    /// The subprotocol `moorline.v1`.
    Full,
    /// IC-1 without our additions.
    Basic,
    /// Text both ways, without any protocol: the socket is the terminal.
    Plain,
}

/// Opens a client's stream, in the dialect that its subprotocol selects.
pub(super) fn stream(object: &Rc<Object>, request: &Request) -> Answer {
    let is_full = chosen(request)?.is_some_and(|name| name == SUBPROTOCOL);
    open(object, if is_full { SocketDialect::Full } else { SocketDialect::Basic }, request)
}

/// Opens a client's socket.
pub(super) fn open(object: &Rc<Object>, dialect: SocketDialect, request: &Request) -> Answer {
    let caller = Caller::of(request)?;
    let scope = caller.grant.access.scope().ok_or_else(ApiError::forbidden)?;
    let protocol = chosen(request)?;
    let from_browser = request.headers().has("origin")?;
    let WebSocketPair { client, server } = WebSocketPair::new()?;
    let terms = Terms::new(&Profile::EDGE, scope, dialect == SocketDialect::Full);
    // The session must exist before the object accepts the socket.
    let attached = object.with(|loaded| loaded.attach(object, &server, (terms, caller), dialect));
    match attached {
        Ok(Ok(())) => {}
        Ok(Err(refused)) => refuse(&server, refused)?,
        // If the client may type, the Worker has created the session before.
        Err(Fault::NoSession(_)) if dialect == SocketDialect::Plain => {
            let refusal = PlainRefusal::missing();
            close_after(&server, &refusal.text, refusal.close, SEE_TEXT)?;
        }
        // A browser hides a WebSocket's HTTP error from its page; other clients can read one.
        Err(fault) if !from_browser => return Err(fault.into()),
        Err(fault) => refuse(&server, refusal(&fault))?,
    }
    Ok(upgraded(client, protocol.as_deref())?)
}

/// The subprotocol that the relay selects from those that the client offers.
fn chosen(request: &Request) -> Result<Option<String>> {
    let offered = request.headers().get("sec-websocket-protocol")?.unwrap_or_default();
    Ok(subprotocol::choose([&*offered].into_iter()).map(str::to_owned))
}

/// The response that upgrades a request to a WebSocket.
pub(super) fn upgraded(client: WebSocket, protocol: Option<&str>) -> Result<Response> {
    let mut response = ResponseBuilder::new().with_status(101).with_websocket(client);
    if let Some(protocol) = protocol {
        response = response.with_header("sec-websocket-protocol", protocol)?;
    }
    Ok(response.empty())
}

const fn refusal(fault: &Fault) -> StreamRefusal {
    match fault {
        Fault::NoSession(_) => StreamRefusal::NOT_FOUND,
        Fault::Sql(_) => StreamRefusal::INTERNAL,
    }
}

/// Refuses a client in a form that browsers can read.
fn refuse(socket: &WebSocket, refusal: StreamRefusal) -> Result<()> {
    close_after(socket, &refusal.to_json(), refusal.close, refusal.message)
}

/// Accepts a socket, and sends a text before the close.
fn close_after(socket: &WebSocket, text: &str, code: u16, reason: &str) -> Result<()> {
    socket.accept()?;
    sockets::send_text(socket, text.as_bytes());
    sockets::close(socket, code, reason);
    Ok(())
}

impl SessionState {
    fn attach(
        &mut self,
        object: &Object,
        socket: &WebSocket,
        (terms, caller): (Terms, Caller),
        dialect: SocketDialect,
    ) -> std::result::Result<(), StreamRefusal> {
        self.check_host(&object.state);
        let now = now();
        let mut peer =
            Peer::attach(&mut self.session, now, terms).map_err(|_| StreamRefusal::OVERLOADED)?;
        peer.set_grant(caller.grant.clone());
        if sockets::accept(&object.state, socket).is_err() {
            peer.detach(&mut self.session);
            return Err(StreamRefusal::OVERLOADED);
        }
        let plain = (dialect == SocketDialect::Plain)
            .then(|| Plain::begin(&mut self.session, &mut peer, terms.scope, now));
        self.put_client(socket.clone(), peer, plain, Some(caller));
        Ok(())
    }

    /// Handles a client's message.
    pub(super) fn client_says(&mut self, owner: SocketOwner, message: WebSocketIncomingMessage) {
        let now = now();
        let Some(client) = self.clients.get_mut(&owner) else { return };
        client.has_moved = true;
        let session = &mut self.session;
        let typed = match (message, &mut client.plain) {
            (WebSocketIncomingMessage::String(text), None) => {
                client.peer.text(session, now, wall_ms(), &text);
                false
            }
            (WebSocketIncomingMessage::Binary(piece), None) => {
                client.peer.binary(session, now, Bytes::from(piece));
                true
            }
            (message, Some(plain)) => {
                let data = match message {
                    WebSocketIncomingMessage::String(text) => Bytes::from(text),
                    WebSocketIncomingMessage::Binary(bytes) => Bytes::from(bytes),
                };
                // Reading of a socket cannot be paused here, so too much input closes it.
                if plain.incoming(session, &data).is_err() {
                    client.peer.close(close::OVERLOADED, PlainOverrun::REASON);
                }
                true
            }
        };
        if typed {
            self.session.note_activity(now.ms);
        }
    }
}

impl Client {
    /// Saves the client's position as the socket's attachment, which survives hibernation.
    pub(super) fn keep(&mut self) {
        self.has_moved = false;
        let (peer, plain) = (Box::new(self.peer.save()), self.plain.clone());
        let caller = self.caller.clone().map(Box::new);
        sockets::keep(&self.socket, &Attachment::Client { peer, plain, caller });
    }
}
