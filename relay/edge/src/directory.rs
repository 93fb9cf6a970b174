//! The directory: one object that lists all sessions, hosts, projects and tokens.
//!
//! It lists sessions by their last report, without waking them. Memory can be lost between any two
//! events and is read again from the store. A caller that waits for a host's answer is in a
//! request, which keeps the object in memory.

mod access;
mod audit;
mod change;
mod fork;
mod hosts;
mod leases;
mod memory;
mod metrics;
mod overview;
mod passkeys;
mod rates;
mod routes;
mod start;
mod store;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use moorline_core::audit::Refusals;
use moorline_core::auth::{Guesses, RequestRates};
use moorline_core::directory::SessionReport;
use moorline_shared::id::SessionId;
use worker::{
    Date, DurableObject, Env, Error, Request, Response, Result, State, WebSocket,
    WebSocketIncomingMessage, console_error, durable_object,
};

use crate::internal::Counted;
use crate::reply::{RequestFailure, drain, send};
use crate::session::notifier::ChangeNotifier;
use hosts::AskedHost;
use memory::DirectoryMemory;

/// The Durable Object of the directory.
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
        self.directory.alarm().await;
        Response::empty()
    }

    async fn websocket_message(
        &self,
        socket: WebSocket,
        message: WebSocketIncomingMessage,
    ) -> Result<()> {
        if let Err(failure) = self.directory.hear(&socket, message).await {
            console_error!("a host's message was not handled: {failure}");
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

/// State of the object, shared by its requests.
struct DirectoryState {
    state: State,
    env: Env,
    /// The store's content, as last read; `None` until first needed, and after a fault.
    memory: Cell<Option<Box<DirectoryMemory>>>,
    /// Rung when a reserved id is free again.
    released: ChangeNotifier,
    /// Requests that wait for a host's answer.
    asked: RefCell<Vec<AskedHost>>,
    /// Rung when the lists change.
    changed: ChangeNotifier,
    /// Number of open streams of the lists.
    streams: Cell<usize>,
    /// Events and output that sessions have reported since the object was loaded.
    counted: RefCell<Counted>,
    since_ms: u64,
    /// Addresses that have sent wrong tokens.
    guesses: Guesses,
    /// Requests with each stored token since the object was loaded.
    rates: RequestRates,
    /// When the use of each token was stored last, by the token's id.
    used: RefCell<BTreeMap<String, u64>>,
    /// Refusals that were recorded lately.
    refusals: RefCell<Refusals>,
    /// Number of events that were recorded since the object was loaded.
    audited: Cell<u64>,
}

impl DirectoryState {
    fn new(state: State, env: Env) -> Self {
        Self {
            state,
            env,
            memory: Cell::new(None),
            released: ChangeNotifier::default(),
            asked: RefCell::default(),
            changed: ChangeNotifier::default(),
            streams: Cell::new(0),
            counted: RefCell::default(),
            since_ms: now_ms(),
            guesses: Guesses::default(),
            rates: RequestRates::default(),
            used: RefCell::default(),
            refusals: RefCell::default(),
            audited: Cell::new(0),
        }
    }

    /// Takes in a session's report. Returns false if the session is not listed.
    fn report(&self, report: SessionReport) -> std::result::Result<bool, RequestFailure> {
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

/// A reserved id; dropping it releases the id.
struct ReservedId {
    state: Rc<DirectoryState>,
    id: SessionId,
}

impl ReservedId {
    /// Wraps an id that was reserved just now.
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
        // If the memory cannot be read, no id is reserved.
        let _ = self.state.with(|memory| {
            memory.directory.release(&self.id);
            Ok(())
        });
        self.state.released.ring();
    }
}

/// The current time, in milliseconds since 1970.
fn now_ms() -> u64 {
    Date::now().as_millis()
}

/// Random bits for an id.
fn random() -> std::result::Result<u128, getrandom::Error> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits)?;
    Ok(u128::from_ne_bytes(bits))
}
