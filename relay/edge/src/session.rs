//! One session: its log, its clients and its host's link, in an object of its own.
//!
//! The object sleeps while nothing happens: its sockets stay open, what is in memory goes. So at
//! every event the session is read again where it is not in memory (`loaded`), the event is done,
//! and what follows is carried out before the object may sleep again (`settling`).

mod alarm;
mod answers;
mod asked;
pub(crate) mod bell;
mod clients;
mod events;
mod forking;
mod host;
mod loaded;
mod object;
mod rest;
mod settling;
mod sockets;
mod storing;
mod telling;

use std::rc::Rc;

use http::StatusCode;
use moorline_core::api::ApiError;
use worker::{
    DurableObject, Env, Error, Method, Request, Response, Result, State, WebSocket,
    WebSocketIncomingMessage, durable_object,
};

use answers::Caller;
use clients::Dialect;
use object::Object;

use crate::internal::PREFIX;
use crate::reply::{self, Answer, is_upgrade};

const PUBLISH: &str = "publish";
const STREAM: &str = "stream";
const PLAIN: &str = "plain";
const PLAIN_PREFIX: &str = "/api/terminal/ws/";

/// See the module.
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
        // A close is answered by one; where the socket is gone that does nothing.
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
        return asked::answer(object, &path, request).await;
    }
    let id = object.name().parse().map_err(|_| ApiError::invalid_id(&object.name()))?;
    let caller = Caller::of(request).ok_or_else(ApiError::forbidden)?;
    let what = what(&path);
    match request.method() {
        Method::Get if what == PUBLISH => caller.publishes()?,
        Method::Get => drop(caller.reads()?),
        _ => caller.writes()?,
    }
    match (request.method(), what) {
        (Method::Get, PUBLISH | STREAM | PLAIN) if !is_upgrade(request) => {
            object.peek(|_| {})?;
            Err(ApiError::no_upgrade(StatusCode::BAD_REQUEST, "Connect with a WebSocket.").into())
        }
        (Method::Get, PUBLISH) => host::open(object),
        (Method::Get, STREAM) => clients::stream(object, caller.reads()?, request),
        (Method::Get, PLAIN) => clients::open(object, caller.reads()?, Dialect::Plain, request),
        (Method::Get, "status") => rest::status(object),
        (Method::Get, "context") => rest::context(object, &id).await,
        (Method::Get, "events") => events::open(object, request),
        (Method::Get, "events/status") => rest::events_status(object),
        (Method::Get, "output") => rest::output(object, &id, request),
        (Method::Post, "prompt") => rest::prompt(object, &id, request).await,
        (Method::Post, "input") => rest::input(object, &id, request).await,
        _ => Err(ApiError::no_route(&reply::uri(&path)).into()),
    }
}

/// What of the session a path names: the Worker lets through those of the API's description alone.
fn what(path: &str) -> &str {
    if path.starts_with(PLAIN_PREFIX) {
        return PLAIN;
    }
    let before = if path.starts_with("/api/") { 4 } else { 3 };
    path.splitn(before + 1, '/').nth(before).unwrap_or_default()
}

impl loaded::Loaded {
    /// Someone says something.
    fn hear(&mut self, state: &State, socket: &WebSocket, message: WebSocketIncomingMessage) {
        match self.owners.find(socket) {
            Some(owner) if self.clients.contains_key(&owner) => {
                self.check_host(state);
                self.client_says(owner, message);
            }
            Some(_) => self.host_says(message),
            // It was closed, and does not know yet.
            None => {}
        }
    }

    /// A socket is gone.
    fn lose(&mut self, socket: &WebSocket) {
        match self.owners.find(socket) {
            Some(owner) if self.clients.contains_key(&owner) => self.remove_client(owner),
            Some(_) => self.unlink(),
            None => {}
        }
    }
}
