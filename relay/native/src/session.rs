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
use moorline_shared::id::{Seq, SessionId};
use moorline_shared::log::Log;
use moorline_shared::message::Snapshot;
use moorline_shared::rest::SessionSummary;
use moorline_shared::session::Lifecycle;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::clock::{Clock, wall_ms};
use super::metrics::Metrics;
use super::store::{SessionRecord, Store, Writer};
pub use lease::{CloseReason, PublisherLease};
use moorline_core::api::ApiError;
use moorline_core::directory::SessionReport;
use moorline_core::record::{self, facts, summary_now};
use moorline_core::routes::{OutputPoll, OutputRead, Reply, Request};
use moorline_core::session::Session;
use moorline_core::stored::{SegmentRow, Stored};

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
    /// The runtime to spawn tasks on, as the store's thread is outside of it.
    pub runtime: Handle,
}

impl Services {
    /// Reads from the store. Blocks.
    pub fn read<T>(&self, read: impl FnOnce(&Store) -> T) -> T {
        read(&self.history.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The stored part of a session's log.
#[derive(Debug)]
pub struct Restored {
    /// The newest entries.
    pub log: Log,
    /// The stored rows that hold the whole log.
    pub rows: Vec<SegmentRow>,
    /// The last stored snapshot; `log` or `rows` reach back to it, unless entries were lost.
    pub snapshot: Option<Snapshot>,
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
    /// The log, and the messages for clients.
    pub session: Session,
    /// The link of the session's host.
    link: lease::HostLinkState,
    /// The row: its constant fields, and the others as they were stored last.
    record: SessionRecord,
    last_activity_ms: u64,
    storing: storage::StoreProgress,
    /// The values that the list showed last.
    listed: ListedValues,
    /// True while a task waits for [`Session::poll_timeout`].
    is_timed: bool,
}

/// Values whose change makes the list of sessions change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct ListedValues {
    revision: u64,
    told: Option<Seq>,
    clients: usize,
}

impl SessionHandle {
    /// Makes a session that a host is about to start.
    #[must_use]
    pub fn new(services: Arc<Services>, record: SessionRecord) -> Arc<Self> {
        let session = Session::new(facts(&record), record.epoch, record.size);
        let session = session.with_stored(Stored::new(record.epoch, []));
        Self::with(services, record, session, true)
    }

    /// Brings a session from the store into memory. It is over, lost, or detached from its host.
    #[must_use]
    pub fn restored(
        services: Arc<Services>,
        record: SessionRecord,
        restored: Restored,
    ) -> Arc<Self> {
        let Restored { log, rows, snapshot } = restored;
        let exit = record.exit.clone().unwrap_or_default();
        let lifecycle = match record.lifecycle {
            Lifecycle::Live => Lifecycle::Detached,
            lifecycle => lifecycle,
        };
        let session = Session::restored(facts(&record), log, record.size, lifecycle, snapshot);
        let session = session.with_exit(exit).with_stored(Stored::new(record.epoch, rows));
        Self::with(services, record, session, false)
    }

    fn with(
        services: Arc<Services>,
        record: SessionRecord,
        session: Session,
        is_new: bool,
    ) -> Arc<Self> {
        let state = HandleState {
            session,
            link: lease::HostLinkState::default(),
            record: record.clone(),
            last_activity_ms: record.last_activity_ms,
            storing: storage::StoreProgress::new(is_new),
            listed: ListedValues::default(),
            is_timed: false,
        };
        let changed = watch::Sender::new(());
        Arc::new(Self { id: record.id, services, state: Mutex::new(state), changed })
    }

    /// Takes over what the host reports of the session that it has started.
    pub fn started(self: &Arc<Self>, hosted: &Hosted) {
        let mut state = self.lock();
        state.record.cwd = Some(hosted.cwd.clone());
        state.record.created_at_ms = hosted.created_at;
        let called = record::name(&state.record);
        state.session.rename(called);
        state.storing.record_changed();
        state.settle();
    }

    /// Marks the session as lost: its host no longer has it.
    pub fn lose(self: &Arc<Self>) {
        let mut state = self.lock();
        state.link.cut();
        state.session.host_left(true);
        state.settle();
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

    /// Returns the row as it should be stored now, and the report for the directory.
    #[must_use]
    pub fn report(self: &Arc<Self>) -> (SessionRecord, SessionReport) {
        let state = self.lock();
        let report = SessionReport {
            summary: state.summary(),
            epoch: state.session.log().epoch(),
            size: state.session.size(),
            streams: state.session.streams(),
        };
        (state.current_record(), report)
    }

    /// Returns the session as lists show it.
    #[must_use]
    pub fn summary(self: &Arc<Self>) -> SessionSummary {
        self.lock().summary()
    }

    /// Answers a request from the session's current state.
    ///
    /// # Errors
    /// The handler's error.
    pub fn read(
        self: &Arc<Self>,
        read: fn(&SessionRecord, &Session, &Request) -> Result<Reply, ApiError>,
        request: &Request,
    ) -> Result<Reply, ApiError> {
        let state = self.lock();
        read(&state.current_record(), &state.session, request)
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

    /// Returns the row as it should be stored now.
    #[must_use]
    pub fn record(self: &Arc<Self>) -> SessionRecord {
        self.lock().current_record()
    }

    /// Ends the process and tells the clients that the session was deleted. What is not yet stored
    /// is discarded.
    pub fn delete(self: &Arc<Self>) {
        let mut state = self.lock();
        state.session.delete();
        state.settle();
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
    /// finished.
    fn settle_storing(mut self) {
        self.carry_out();
        let (handle, finished) = (self.handle, self.is_finished());
        drop(self);
        if finished {
            handle.wake();
        }
    }

    fn carry_out(&mut self) {
        let handle = self.handle;
        let state = &mut *self.state;
        state.wake_host();
        if state.reads_otherwise() {
            handle.services.listing.send_replace(());
        }
        if state.mark() {
            handle.services.writer.mark(Arc::<SessionHandle>::clone(handle));
        }
        if state.hurry() {
            handle.services.writer.hurry();
        }
        if let Some(due) = state.session.poll_timeout().filter(|_| !state.is_timed) {
            state.is_timed = true;
            let due = handle.services.clock.instant(due);
            handle.services.runtime.spawn(tick(Arc::downgrade(handle), due));
        }
        if state.session.lifecycle().is_over() {
            // All of it may be stored by now, so the host may leave.
            state.link.wake();
        }
    }
}

/// Ticks a session once `due` has come.
async fn tick(handle: Weak<SessionHandle>, due: std::time::Instant) {
    tokio::time::sleep_until(due.into()).await;
    let Some(handle) = handle.upgrade() else { return };
    let now = handle.services.clock.now();
    let mut state = handle.lock();
    state.is_timed = false;
    state.session.tick(now);
    state.settle();
}

impl HandleState {
    /// Records activity now: somebody typed, or the program ended.
    fn active(&mut self) {
        self.last_activity_ms = wall_ms();
    }

    /// Records output of the program, at `time_ms` by its host's clock.
    fn active_at(&mut self, time_ms: u64) {
        self.last_activity_ms = self.last_activity_ms.max(time_ms.min(wall_ms()));
    }

    fn is_finished(&self) -> bool {
        let over = self.session.lifecycle().is_over() && !self.link.is_up();
        self.session.is_deleted() || (over && self.is_stored())
    }

    /// Returns true if the list must be sent again; once for each change.
    fn reads_otherwise(&mut self) -> bool {
        let listed = ListedValues {
            revision: self.session.revision(),
            told: self.session.last_status().map(|told| told.seq),
            clients: self.session.clients(),
        };
        std::mem::replace(&mut self.listed, listed) != listed
    }

    fn summary(&self) -> SessionSummary {
        summary_now(&self.current_record(), &self.session, wall_ms())
    }

    fn current_record(&self) -> SessionRecord {
        self.record.of(&self.session, self.last_activity_ms)
    }
}
