//! One session: its log, its clients and its host's link, in an object of its own.
//!
//! The object hibernates while nothing happens: its sockets stay open, its memory is lost. So every
//! event first reads the session again if it is not in memory (`loaded`), then handles the event,
//! then carries out what follows before the object may hibernate again (`settling`).

mod access;
mod alarm;
mod answers;
mod clients;
mod clock;
mod effects;
mod events;
mod expiry;
mod fork;
mod host;
mod internal_routes;
pub(crate) mod notifier;
mod object;
mod readers;
mod report;
mod rest;
mod sockets;
mod state;
mod storage;

use std::rc::Rc;

use http::StatusCode;
use moorline_core::api::ApiError;
use moorline_core::routes::{self, Call, Found, Handler, Matched, Reached, find};
use worker::{
    DurableObject, Env, Error, Request, Response, Result, State, WebSocket,
    WebSocketIncomingMessage, durable_object,
};

use clients::SocketDialect;
use object::Object;
use state::SessionState;

use crate::internal::{Caller, PREFIX};
use crate::reply::{self, Answer, is_upgrade};

/// The Durable Object of one session.
#[durable_object]
#[derive(Debug)]
pub struct SessionObject {
    object: Rc<Object>,
}

impl DurableObject for SessionObject {
    fn new(state: State, env: Env) -> Self {
        Self { object: Object::new(state, env) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let answer = route(&self.object, &mut request).await;
        reply::drain(&mut request).await;
        reply::send(answer)
    }

    async fn alarm(&self) -> Result<Response> {
        alarm::ring(&self.object).await;
        Response::empty()
    }

    async fn websocket_message(
        &self,
        socket: WebSocket,
        message: WebSocketIncomingMessage,
    ) -> Result<()> {
        self.object.attempt(|loaded| loaded.hear(&self.object.state, &socket, message));
        Ok(())
    }

    async fn websocket_close(
        &self,
        socket: WebSocket,
        code: usize,
        _reason: String,
        _was_clean: bool,
    ) -> Result<()> {
        self.object.attempt(|loaded| loaded.lose(&socket));
        // A close must be answered with a close; it does nothing if the socket is gone.
        let code = u16::try_from(code).ok().filter(|code| sockets::may_send(*code));
        sockets::close(&socket, code.unwrap_or(moorline_shared::message::close::NORMAL), "");
        Ok(())
    }

    async fn websocket_error(&self, socket: WebSocket, _error: Error) -> Result<()> {
        self.object.attempt(|loaded| loaded.lose(&socket));
        Ok(())
    }
}

async fn route(object: &Rc<Object>, request: &mut Request) -> Answer {
    let path = request.path();
    if path.starts_with(PREFIX) {
        return internal_routes::answer(object, &path, request).await;
    }
    let Found::Route(Matched { route, id: named, item, .. }) = find(&reply::method(request), &path)
    else {
        return Err(ApiError::no_route(&reply::uri(&path)).into());
    };
    // A socket's path may have a longer name, so the id is the object's own.
    let id = object.name();
    // The Worker has looked up whether the session is in the project of the token. Everything else is checked again
    // here, because there are several ways through the Worker.
    let access = Caller::of(request)?.grant.access;
    route.admit(&access, &named, |_| Reached {
        project: access.only_project().cloned(),
        ..Reached::default()
    })?;
    match route.handler {
        Handler::Session(read) => {
            let request = routes::Request { item, ..reply::incoming(&id, request)? };
            reply::answer(object.peek(|loaded| read(&loaded.session, &request))??)
        }
        Handler::Output(open) => rest::output(object, open, &reply::incoming(&id, request)?),
        Handler::Write(write) => rest::write(object, write, request).await,
        Handler::Act(ask) => {
            let request = reply::with_body(&id, request).await;
            // An unknown session is reported before a malformed request is.
            object.peek(|_| {})?;
            rest::act(object, ask, &routes::Request { item, ..request? }).await
        }
        Handler::Operations(ask) => rest::operations(object, ask, request).await,
        Handler::Ask(ask) => rest::ask(object, ask, request).await,
        Handler::Files(ask) => rest::files(object, ask, request).await,
        Handler::Relay(call) => own(object, call, request).await,
        // The directory answers these.
        Handler::Read(_)
        | Handler::Change(_)
        | Handler::Start(_)
        | Handler::Remove(_)
        | Handler::Workspace(_) => Err(ApiError::no_route(&reply::uri(&path)).into()),
    }
}

/// Answers the routes that this relay handles itself.
async fn own(object: &Rc<Object>, call: Call, request: &Request) -> Answer {
    if matches!(call, Call::Publish | Call::Stream | Call::Plain) && !is_upgrade(request) {
        object.peek(|_| {})?;
        let why = "Connect with a WebSocket.";
        return Err(ApiError::no_upgrade(StatusCode::BAD_REQUEST, why).into());
    }
    match call {
        Call::Publish => host::open(object, Caller::of(request)?),
        Call::Stream => clients::stream(object, request),
        Call::Plain => clients::open(object, SocketDialect::Plain, request),
        Call::SessionContext => rest::context(object).await,
        Call::SessionEvents => events::open(object, request),
        _ => Err(ApiError::no_route(&reply::uri(&request.path())).into()),
    }
}

impl SessionState {
    /// Handles a message from a client or the host.
    fn hear(&mut self, state: &State, socket: &WebSocket, message: WebSocketIncomingMessage) {
        match self.owners.find(socket) {
            Some(owner) if self.clients.contains_key(&owner) => {
                self.check_host(state);
                self.client_says(owner, message);
            }
            Some(_) => self.host_says(message),
            // The socket is closed on this side already.
            None => {}
        }
    }

    /// Handles the end of a socket.
    fn lose(&mut self, socket: &WebSocket) {
        match self.owners.find(socket) {
            Some(owner) if self.clients.contains_key(&owner) => self.remove_client(owner),
            Some(_) => self.unlink(),
            None => {}
        }
    }
}
