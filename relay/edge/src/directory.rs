//! The directory: one object that knows all sessions, hosts, projects and tokens.
//!
//! It lists sessions by what they last told of themselves, without waking them. What is in memory
//! can be gone at any event and is read again; whoever waits for a host's answer is in a request
//! that keeps the object from being put away.

mod access;
mod change;
mod fork;
mod hosts;
mod memory;
mod metrics;
mod overview;
mod routes;
mod start;
mod store;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use moorline_core::auth::Guesses;
use moorline_core::directory::SessionReport;
use moorline_shared::id::SessionId;
use worker::{
    Date, DurableObject, Env, Error, Request, Response, Result, State, WebSocket,
    WebSocketIncomingMessage, console_error, durable_object,
};

use crate::internal::Counted;
use crate::reply::{Failure, drain, send};
use crate::session::bell::Bell;
use hosts::Asked;
use memory::DirectoryMemory;

/// See the module.
#[durable_object]
pub struct DirectoryObject {
    directory: Rc<DirectoryState>,
}

impl DurableObject for DirectoryObject {
    fn new(state: State, env: Env) -> Self {
        Self { directory: Rc::new(DirectoryState::new(state, env)) }
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
struct DirectoryState {
    state: State,
    env: Env,
    /// What was read of the store; `None` until it is needed, and after a fault.
    memory: Cell<Option<Box<DirectoryMemory>>>,
    /// Rung when a reserved id is free again.
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

impl DirectoryState {
    fn new(state: State, env: Env) -> Self {
        Self {
            state,
            env,
            memory: Cell::new(None),
            released: Bell::default(),
            asked: RefCell::default(),
            changed: Bell::default(),
            streams: Cell::new(0),
            counted: RefCell::default(),
            since_ms: now_ms(),
            guesses: Guesses::default(),
        }
    }

    /// A session reports how it is. Returns false if it is not listed.
    fn report(&self, report: SessionReport) -> std::result::Result<bool, Failure> {
        self.with(|memory| {
            let Some(reported) = memory.directory.report(report, now_ms()) else {
                return Ok(false);
            };
            if let Some(row) = reported.row {
                memory.make(row.into())?;
            }
            if reported.is_news {
                self.changed.ring();
            }
            Ok(true)
        })
    }
}

/// A reserved id, which is free again once this is dropped.
struct ReservedId {
    state: Rc<DirectoryState>,
    id: SessionId,
}

impl ReservedId {
    /// An id that was reserved just now.
    fn new(state: &Rc<DirectoryState>, id: SessionId) -> Self {
        Self { state: Rc::clone(state), id }
    }

    /// Reserves an id. `None` if it is reserved already.
    fn of(state: &Rc<DirectoryState>, id: &SessionId) -> Option<Self> {
        let reserved = state.with(|memory| Ok(memory.directory.reserve_id(id)));
        reserved.is_ok_and(|reserved| reserved).then(|| Self::new(state, id.clone()))
    }
}

impl Drop for ReservedId {
    fn drop(&mut self) {
        // If it cannot be read there is nothing that is reserved.
        let _ = self.state.with(|memory| {
            memory.directory.release(&self.id);
            Ok(())
        });
        self.state.released.ring();
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
