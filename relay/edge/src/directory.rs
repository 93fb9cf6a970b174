//! The directory: one object that knows all sessions, hosts, projects and tokens.
//!
//! It lists sessions by what they last told of themselves, without waking them. What is in memory
//! can be gone at any event and is read again; whoever waits for a host's answer is in a request
//! that keeps the object from being put away.

mod access;
mod beside;
mod changing;
mod creating;
mod forking;
mod hosts;
mod known;
mod lists;
mod metrics;
mod overview;
mod projects;
mod routes;
mod store;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use moorline_core::auth::Guesses;
use moorline_shared::id::SessionId;
use worker::{
    Date, DurableObject, Env, Error, Request, Response, Result, State, WebSocket,
    WebSocketIncomingMessage, console_error, durable_object,
};

use crate::internal::Counted;
use crate::reply::{Failure, drain, send};
use crate::session::bell::Bell;
use hosts::Asked;
use known::Known;

/// See the module.
#[durable_object]
pub struct DirectoryObject {
    directory: Rc<Directory>,
}

impl DurableObject for DirectoryObject {
    fn new(state: State, env: Env) -> Self {
        Self { directory: Rc::new(Directory::new(state, env)) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let answer = routes::answer(&self.directory, &mut request).await;
        drain(&mut request).await;
        send(answer)
    }

    async fn alarm(&self) -> Result<Response> {
        Response::empty()
    }

    async fn websocket_message(
        &self,
        socket: WebSocket,
        message: WebSocketIncomingMessage,
    ) -> Result<()> {
        if let Err(failure) = self.directory.hear(&socket, message).await {
            console_error!("a host was not heard: {failure}");
        }
        Ok(())
    }

    async fn websocket_close(
        &self,
        socket: WebSocket,
        _code: usize,
        _reason: String,
        _was_clean: bool,
    ) -> Result<()> {
        self.directory.lose(&socket);
        Ok(())
    }

    async fn websocket_error(&self, socket: WebSocket, _error: Error) -> Result<()> {
        self.directory.lose(&socket);
        Ok(())
    }
}

/// The object, as its requests share it.
struct Directory {
    state: State,
    env: Env,
    /// What the store has, once it was read.
    known: Cell<Option<Box<Known>>>,
    /// Ids that nobody else may start or remove a session under.
    busy: RefCell<Vec<SessionId>>,
    /// Rung when one of them is busy no more.
    released: Bell,
    /// Whoever waits for a host's answer.
    asked: RefCell<Vec<Asked>>,
    /// Rung when the lists change.
    changed: Bell,
    /// Streams of the lists.
    streams: Cell<usize>,
    /// What sessions have counted since the directory is in memory.
    counted: RefCell<Counted>,
    since_ms: u64,
    /// Those who send wrong tokens.
    guesses: Guesses,
}

impl Directory {
    fn new(state: State, env: Env) -> Self {
        Self {
            state,
            env,
            known: Cell::new(None),
            busy: RefCell::default(),
            released: Bell::default(),
            asked: RefCell::default(),
            changed: Bell::default(),
            streams: Cell::new(0),
            counted: RefCell::default(),
            since_ms: now_ms(),
            guesses: Guesses::default(),
        }
    }

    /// Works on what is known. After a fault it is read again.
    fn with<T>(
        &self,
        work: impl FnOnce(&mut Known) -> std::result::Result<T, Failure>,
    ) -> std::result::Result<T, Failure> {
        let mut known = self.take()?;
        let result = work(&mut known);
        if !matches!(result, Err(Failure::Fault(_))) {
            self.known.set(Some(known));
        }
        result
    }

    fn take(&self) -> std::result::Result<Box<Known>, Failure> {
        match self.known.take() {
            Some(known) => Ok(known),
            None => Ok(Box::new(Known::load(self.state.storage().sql())?)),
        }
    }

    /// The lists read otherwise.
    fn list_changed(&self) {
        self.changed.ring();
    }

    fn is_busy(&self, id: &SessionId) -> bool {
        self.busy.borrow().contains(id)
    }
}

/// An id that nobody else may start or remove a session under.
struct Claim {
    directory: Rc<Directory>,
    id: SessionId,
}

impl Claim {
    /// `None` where somebody has it.
    fn of(directory: &Rc<Directory>, id: &SessionId) -> Option<Self> {
        if directory.is_busy(id) {
            return None;
        }
        directory.busy.borrow_mut().push(id.clone());
        Some(Self { directory: Rc::clone(directory), id: id.clone() })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.directory.busy.borrow_mut().retain(|id| *id != self.id);
        self.directory.released.ring();
    }
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    Date::now().as_millis()
}

/// Bits for an id.
fn random() -> std::result::Result<u128, getrandom::Error> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits)?;
    Ok(u128::from_ne_bytes(bits))
}
