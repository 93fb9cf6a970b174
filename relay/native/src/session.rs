//! A session in memory: the sans-IO state behind a lock, and the tasks that wait for changes of it.
//!
//! The lock is held briefly and never across an await. After a change, call [`HandleGuard::settle`]: it
//! wakes the host's link, marks what must be stored, and wakes the clients.

mod lease;
mod requests;
mod storage;

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use moorline_shared::control::Hosted;
use moorline_shared::id::SessionId;
use moorline_shared::rest::SessionSummary;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::clock::{Clock, wall_ms};
use super::metrics::Metrics;
use super::store::{SessionRecord, Store, Writer};
use crate::audit::Audit;
use crate::workspace_notices::WorkspaceNotices;
pub use lease::{CloseReason, PublisherLease};
use moorline_core::api::ApiError;
use moorline_core::directory::SessionReport;
use moorline_core::profile::Profile;
use moorline_core::routes::{OutputPoll, OutputRead, Reply, Request};
use moorline_core::session::{Session, SessionEffect, SessionInput, StoredSession, Urgency};

/// Services that all sessions of a relay share.
#[derive(Debug)]
pub struct Services {
    /// The relay's clock.
    pub clock: Clock,
    /// Writes sessions to the store.
    pub writer: Writer,
    /// A separate connection, so that reads of a log do not wait for writes.
    pub history: Mutex<Store>,
    /// Notified when the list of sessions or projects changes in more than its times.
    pub listing: watch::Sender<()>,
    /// The relay's metrics.
    pub metrics: Metrics,
    /// Tells who waits that a workspace has changed.
    pub workspaces: WorkspaceNotices,
    /// Records what was done by whom.
    pub audit: Audit,
    /// The runtime to spawn tasks on, as the store's thread is outside of it.
    pub runtime: Handle,
}

impl Services {
    /// Reads from the store. Blocks.
    pub fn read<T>(&self, read: impl FnOnce(&Store) -> T) -> T {
        read(&self.history.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A session in memory, shared by its clients, its host's link and the store.
#[derive(Debug)]
pub struct SessionHandle {
    id: SessionId,
    services: Arc<Services>,
    state: Mutex<HandleState>,
    /// Notified when there may be something new for clients.
    changed: watch::Sender<()>,
}

/// The state that the lock guards.
#[derive(Debug)]
pub struct HandleState {
    /// The session itself.
    pub session: Session,
    /// The link of the session's host.
    link: lease::HostLinkState,
    /// True if the store was asked to fetch a batch and has not done so yet.
    is_marked: bool,
    /// True while a task waits for [`Session::poll_timeout`].
    is_timed: bool,
}

impl SessionHandle {
    /// Makes a session that a host is about to start.
    #[must_use]
    pub fn new(services: Arc<Services>, record: SessionRecord) -> Arc<Self> {
        Self::with(services, Session::new(record, &Profile::NATIVE))
    }

    /// Brings a session from the store into memory. It is over, lost, or detached from its host.
    #[must_use]
    pub fn restored(services: Arc<Services>, stored: StoredSession) -> Arc<Self> {
        Self::with(services, Session::restored(stored, &Profile::NATIVE))
    }

    fn with(services: Arc<Services>, session: Session) -> Arc<Self> {
        let id = session.id().clone();
        let link = lease::HostLinkState::default();
        let state = HandleState { session, link, is_marked: false, is_timed: false };
        Arc::new(Self { id, services, state: Mutex::new(state), changed: watch::Sender::new(()) })
    }

    /// Takes over what the host reports of the session that it has started.
    pub fn started(self: &Arc<Self>, hosted: &Hosted) {
        self.change(|session| session.started(hosted));
    }

    /// Marks the session as lost: its host no longer has it.
    pub fn lose(self: &Arc<Self>) {
        let mut state = self.lock();
        state.link.cut();
        state.session.handle(self.services.clock.now(), SessionInput::HostLost);
        state.settle();
    }

    /// Changes the session on behalf of a user, and applies the effects.
    pub fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut Session) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state.session);
        state.settle();
        result
    }

    /// The session's id.
    #[must_use]
    pub const fn id(&self) -> &SessionId {
        &self.id
    }

    /// The services that all sessions share.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Takes the lock. Hold it briefly, and never across an await.
    pub fn lock(self: &Arc<Self>) -> HandleGuard<'_> {
        // After a panic under the lock, the machines are between two entries at worst.
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        HandleGuard { handle: self, state }
    }

    /// Returns a receiver that is notified when there may be something new for clients.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Wakes all clients.
    pub fn wake(&self) {
        self.changed.send_replace(());
    }

    /// Returns the current row, and the report for the directory.
    #[must_use]
    pub fn report(self: &Arc<Self>) -> (SessionRecord, SessionReport) {
        let session = &self.lock().session;
        (session.record(), SessionReport::of(session, wall_ms()))
    }

    /// Returns the session as lists show it.
    #[must_use]
    pub fn summary(self: &Arc<Self>) -> SessionSummary {
        self.lock().session.summary(wall_ms())
    }

    /// Answers a request with output, and loads stored entries as needed.
    ///
    /// # Errors
    /// The handler's error, or `internal` if the log cannot be read.
    pub async fn output(
        self: &Arc<Self>,
        open: fn(&Session, &Request) -> Result<OutputRead, ApiError>,
        request: &Request,
    ) -> Result<Reply, ApiError> {
        let mut output = open(&self.lock().session, request)?;
        loop {
            let polled = output.poll(&self.lock().session);
            match polled {
                OutputPoll::Done(reply) => return Ok(reply),
                OutputPoll::Load { epoch, after } => {
                    let loaded = self.stored_entries(epoch, after).await;
                    let loaded = loaded.map_err(|error| ApiError::internal(&error))?;
                    output.loaded(&self.lock().session, loaded);
                }
            }
        }
    }

    /// Returns the current row.
    #[must_use]
    pub fn record(self: &Arc<Self>) -> SessionRecord {
        self.lock().session.record()
    }

    /// Ends the process and tells the clients that the session was deleted. What is not yet stored
    /// is discarded.
    pub fn delete(self: &Arc<Self>) {
        self.change(Session::delete);
    }

    /// Waits until the session is over and all of it is stored, or until it is deleted.
    pub async fn finished(self: &Arc<Self>) {
        let mut changed = self.subscribe();
        while !self.lock().is_finished() {
            // The sender belongs to this handle, so this cannot fail.
            let _ = changed.changed().await;
        }
    }
}

/// A guard of the session's lock. Call [`HandleGuard::settle`] after a change.
#[derive(Debug)]
pub struct HandleGuard<'a> {
    handle: &'a Arc<SessionHandle>,
    state: MutexGuard<'a, HandleState>,
}

impl Deref for HandleGuard<'_> {
    type Target = HandleState;
    fn deref(&self) -> &HandleState {
        &self.state
    }
}

impl DerefMut for HandleGuard<'_> {
    fn deref_mut(&mut self) -> &mut HandleState {
        &mut self.state
    }
}

impl HandleGuard<'_> {
    /// Applies the effects of a change, releases the lock, and wakes all clients.
    pub fn settle(mut self) {
        self.carry_out();
        let handle = self.handle;
        drop(self);
        handle.wake();
    }

    /// Applies the effects of a change by one client that reads its own answer. Keeps the lock, and
    /// wakes no clients.
    pub fn settle_for_one(&mut self) {
        self.carry_out();
    }

    /// Applies the effects of progress in storing. Wakes the clients only if the session is
    /// finished, or if `has_outcome`: somebody may wait for that.
    fn settle_storing(mut self, has_outcome: bool) {
        self.carry_out();
        let (handle, wakes) = (self.handle, self.is_finished() || has_outcome);
        drop(self);
        if wakes {
            handle.wake();
        }
    }

    fn carry_out(&mut self) {
        let handle = self.handle;
        let services = &handle.services;
        let state = &mut *self.state;
        while let Some(output) = state.session.poll_output() {
            match output {
                SessionEffect::Commands => state.link.wake(),
                SessionEffect::ListChanged => {
                    services.listing.send_replace(());
                }
                SessionEffect::Store(urgency) => {
                    if !std::mem::replace(&mut state.is_marked, true) {
                        services.writer.mark(Arc::<SessionHandle>::clone(handle));
                    }
                    if urgency == Urgency::Now {
                        services.writer.hurry();
                    }
                }
                SessionEffect::Audit(record) => services.audit.record(*record),
                // This relay keeps its memory while its sockets are open.
                SessionEffect::Held(_) => {}
            }
        }
        if let Some(due) = state.session.poll_timeout().filter(|_| !state.is_timed) {
            state.is_timed = true;
            services.runtime.spawn(tick(Arc::downgrade(handle), services.clock.instant(due)));
        }
        if state.session.host_may_leave() {
            state.link.wake();
        }
    }
}

/// Passes in the time once `due` has come.
async fn tick(handle: Weak<SessionHandle>, due: std::time::Instant) {
    tokio::time::sleep_until(due.into()).await;
    let Some(handle) = handle.upgrade() else { return };
    let now = handle.services.clock.now();
    let mut state = handle.lock();
    state.is_timed = false;
    state.session.handle(now, SessionInput::Timeout);
    state.settle();
}

impl HandleState {
    fn is_finished(&self) -> bool {
        let over = self.session.lifecycle().is_over() && !self.link.is_up();
        self.session.is_deleted() || (over && self.session.is_stored())
    }
}
