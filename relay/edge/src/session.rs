//! One session: its log, its clients and its host's link, in an object of its own.
//!
//! The object sleeps while nothing happens: its sockets stay open, what is in memory goes. So at
//! every event the session is read again where it is not in memory (`loaded`), the event is done,
//! and what follows is carried out before the object may sleep again (`settling`).

mod alarm;
mod answers;
mod asked;
mod asking;
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

use moorline_relay::core::api::ApiError;
use moorline_shared::id::SessionId;
use moorline_shared::message::Scope;
use worker::{
    DurableObject, Env, Error, Method, Request, Response, Result, State, WebSocket,
    WebSocketIncomingMessage, durable_object,
};

use answers::{Answer, Caller};
use clients::Dialect;
use object::{Fault, Object};

use crate::internal::PREFIX;

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
        let Some(id) = asked::id_of(&self.object) else {
            return answers::send(Err(ApiError::no_session("").into()));
        };
        let answer = route(&self.object, &id, &mut request).await;
        let answer = answer.unwrap_or_else(|fault| Err(fault.to_api(id.as_str()).into()));
        answers::send(answer)
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
        self.object.attempt(|loaded| loaded.hear(&socket, message));
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

async fn route(
    object: &Rc<Object>,
    id: &SessionId,
    request: &mut Request,
) -> std::result::Result<Answer, Fault> {
    let path = request.path();
    if path.starts_with(PREFIX) {
        return asked::answer(object, &path, request).await;
    }
    let Some(caller) = Caller::of(request) else {
        return Ok(Err(ApiError::forbidden().into()));
    };
    let what = path.strip_prefix("/api/terminal/ws/").map_or_else(
        || path.splitn(5, '/').nth(if path.starts_with("/api/") { 4 } else { 3 }),
        |_| Some("plain"),
    );
    let is_socket = is_upgrade(request);
    let checked = match (request.method(), what) {
        (Method::Get, Some("publish")) if caller != Caller::Client(Scope::Read) => Ok(()),
        (Method::Get, _) => caller.reads(),
        _ => caller.writes(),
    };
    if let Err(error) = checked {
        return Ok(Err(error.into()));
    }
    let scope = caller.scope().unwrap_or(Scope::Read);
    Ok(match (request.method(), what.unwrap_or_default()) {
        (Method::Get, "stream" | "publish" | "plain") if !is_socket => {
            object.with(|_| {})?;
            Err(no_upgrade().into())
        }
        (Method::Get, "stream") => clients::stream(object, scope, request),
        (Method::Get, "plain") => clients::open(object, scope, Dialect::Plain, request),
        (Method::Get, "publish") => host::open(object),
        (Method::Get, "status") => rest::status(object)?,
        (Method::Get, "context") => rest::context(object, id).await?,
        (Method::Get, "events") => events::open(object, request)?,
        (Method::Get, "events/status") => rest::events_status(object)?,
        (Method::Get, "output") => match rest::since(request) {
            Ok(since) => rest::output(object, id, since)?,
            Err(failure) => Err(failure),
        },
        (Method::Post, "prompt") => rest::prompt(object, id, request).await?,
        (Method::Post, "input") => rest::input(object, id, request).await?,
        _ => Err(no_route(&path).into()),
    })
}

fn is_upgrade(request: &Request) -> bool {
    let upgrade = request.headers().get("upgrade").ok().flatten();
    upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"))
}

fn no_upgrade() -> ApiError {
    ApiError::no_upgrade(http::StatusCode::BAD_REQUEST, "Connect with a WebSocket.")
}

fn no_route(path: &str) -> ApiError {
    path.parse()
        .map_or_else(|_| ApiError::bad_request("No such path."), |uri| ApiError::no_route(&uri))
}

impl loaded::Loaded {
    /// Someone says something.
    fn hear(&mut self, socket: &WebSocket, message: WebSocketIncomingMessage) {
        match self.owners.find(socket) {
            Some(owner) if self.clients.contains_key(&owner) => self.client_says(owner, message),
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
