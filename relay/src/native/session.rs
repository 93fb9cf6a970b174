//! One session that is in memory: the sans-IO state behind a lock, and who waits for it.
//!
//! The lock is held for moments only and never across an await. Whoever changed something calls
//! [`Guard::settle`]: it lets session and host talk, writes input to the terminal, starts what must
//! be done elsewhere, and wakes the clients.

mod host;
mod output;
mod painter;
mod storing;
mod telling;

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_shared::event::Activity;
use moorline_shared::id::{Seq, SessionId};
use moorline_shared::log::Log;
use moorline_shared::message::Snapshot;
use moorline_shared::rest::{ForkedFrom, SessionStatus, SessionSummary};
use moorline_shared::session::Lifecycle;
use tokio::sync::{Notify, Semaphore, watch};

use super::clock::{Clock, wall_ms};
use super::metrics::Metrics;
use super::store::{SessionRecord, Store, Writer};
use crate::core::record::{facts, summary};
use crate::core::session::Session;
use host::Heard;
pub use host::LocalHost;
pub use painter::paint_history;

/// What all sessions of a relay share.
#[derive(Debug)]
pub struct Services {
    /// The relay's clock.
    pub clock: Clock,
    /// Stores what sessions have.
    pub writer: Writer,
    /// A permit for each screen that may be painted at a time.
    pub painters: Semaphore,
    /// A connection of its own, so that reading a log waits for no write.
    pub history: Mutex<Store>,
    /// Sent to whenever the list of sessions or projects reads otherwise, but for times.
    pub listing: watch::Sender<()>,
    /// Where shells' integration scripts are kept, if they are to be used.
    pub integration: Option<PathBuf>,
    /// What is counted.
    pub metrics: Metrics,
}

impl Services {
    /// Reads from the store. Blocks.
    pub fn read<T>(&self, read: impl FnOnce(&Store) -> T) -> T {
        read(&self.history.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// See the module.
#[derive(Debug)]
pub struct SessionHandle {
    id: SessionId,
    services: Arc<Services>,
    state: Mutex<State>,
    /// Sent to whenever a client may have something to be told.
    changed: watch::Sender<()>,
    /// The terminal may be read again.
    room: Notify,
}

/// What the lock guards.
#[derive(Debug)]
pub struct State {
    /// The log, and what clients are told.
    pub session: Session,
    /// The process, where it runs on this machine.
    host: Option<LocalHost>,
    /// What does not change, and the rest as it was stored last.
    record: SessionRecord,
    last_activity_ms: u64,
    storing: storing::Progress,
    /// What the list showed last.
    listed: Listed,
}

/// What tells whether the list reads otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Listed {
    revision: u64,
    told: Option<Seq>,
    clients: usize,
}

impl SessionHandle {
    /// A session whose process was just started.
    #[must_use]
    pub fn started(services: Arc<Services>, record: SessionRecord, host: LocalHost) -> Arc<Self> {
        let session = Session::new(facts(&record), record.epoch, record.size);
        Self::hosted(services, record, session, host, None)
    }

    /// A session whose process was just started on the log of another one: its picture, and every
    /// entry after it.
    #[must_use]
    pub fn forked(
        services: Arc<Services>,
        record: SessionRecord,
        host: LocalHost,
        log: Log,
        picture: Option<Snapshot>,
        from: &ForkedFrom,
    ) -> Arc<Self> {
        let detached = Lifecycle::Detached;
        let session = Session::restored(facts(&record), log, record.size, detached, picture);
        Self::hosted(services, record, session, host, Some(from))
    }

    fn hosted(
        services: Arc<Services>,
        record: SessionRecord,
        mut session: Session,
        host: LocalHost,
        from: Option<&ForkedFrom>,
    ) -> Arc<Self> {
        session.host_arrived();
        let handle = Self::with(services, record, session, Some(host));
        let mut state = handle.lock();
        if let Some(from) = from {
            state.tell_forked(from);
        }
        state.tell_created();
        state.settle();
        handle
    }

    /// A session that is over, from the store: its picture, and every entry after it.
    #[must_use]
    pub fn ended(
        services: Arc<Services>,
        record: SessionRecord,
        log: Log,
        picture: Option<Snapshot>,
    ) -> Arc<Self> {
        let exit = record.exit.clone().unwrap_or_default();
        let session =
            Session::restored(facts(&record), log, record.size, record.lifecycle, picture);
        Self::with(services, record, session.with_exit(exit), None)
    }

    fn with(
        services: Arc<Services>,
        record: SessionRecord,
        session: Session,
        host: Option<LocalHost>,
    ) -> Arc<Self> {
        let last_activity_ms = record.last_activity_ms;
        let storing = storing::Progress::new(host.is_some());
        let listed = Listed::default();
        let state =
            State { session, host, record: record.clone(), last_activity_ms, storing, listed };
        Arc::new(Self {
            id: record.id,
            services,
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
            room: Notify::new(),
        })
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &SessionId {
        &self.id
    }

    /// What all sessions share.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Takes the lock. Hold it for moments, and never across an await.
    pub fn lock(self: &Arc<Self>) -> Guard<'_> {
        // What panicked under the lock has left the machines between two entries at worst.
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Guard { handle: self, state }
    }

    /// Wakes whenever a client may have something to be told.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Wakes every client.
    pub fn wake(&self) {
        self.changed.send_replace(());
    }

    /// As in the list.
    #[must_use]
    pub fn summary(self: &Arc<Self>) -> SessionSummary {
        self.lock().summary()
    }

    /// As `GET /api/session/:id/status` tells.
    #[must_use]
    pub fn status(self: &Arc<Self>) -> SessionStatus {
        let state = self.lock();
        let summary = state.summary();
        let status = state.session.status(wall_ms());
        let log = state.session.log();
        let size = state.session.size();
        SessionStatus {
            mode: summary.driver.clone(),
            pid: state.host.as_ref().map(LocalHost::pid),
            uptime: status.uptime,
            epoch: log.epoch(),
            head: log.head(),
            tail: state.session.oldest(),
            cols: size.cols,
            rows: size.rows,
            summary,
        }
    }

    /// The row as it should be stored now.
    #[must_use]
    pub fn record(self: &Arc<Self>) -> SessionRecord {
        self.lock().current_record()
    }

    /// Ends the process and tells the clients that the session is no more. What is not stored yet
    /// never will be.
    pub fn delete(self: &Arc<Self>) {
        let mut state = self.lock();
        state.session.delete();
        state.settle();
    }

    /// Ends the process, as a closed terminal window does.
    pub fn hang_up(self: &Arc<Self>) {
        let mut state = self.lock();
        if let Some(host) = &mut state.host {
            host.close();
        }
        state.settle();
    }

    /// Returns when the session is over and all of it is stored, or it was deleted.
    pub async fn finished(self: &Arc<Self>) {
        let mut changed = self.subscribe();
        while !self.lock().is_finished() {
            // The sender is this handle's own, so it cannot be gone.
            let _ = changed.changed().await;
        }
    }
}

/// The lock's guard.
#[derive(Debug)]
pub struct Guard<'a> {
    handle: &'a Arc<SessionHandle>,
    state: MutexGuard<'a, State>,
}

impl Deref for Guard<'_> {
    type Target = State;
    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Guard<'_> {
    /// Carries out what follows from a change, lets go, and wakes every client.
    pub fn settle(mut self) {
        self.carry_out();
        let handle = self.handle;
        drop(self);
        handle.wake();
    }

    /// Carries out what follows from a change that one client made, who looks for its answer
    /// itself; wakes the others where they are concerned. The lock is kept.
    pub fn settle_for_one(&mut self) {
        if self.carry_out() == Heard::More {
            self.handle.wake();
        }
    }

    /// Carries out what follows from progress of the store, which is no client's concern.
    fn settle_storing(mut self) {
        self.carry_out();
        let (handle, finished) = (self.handle, self.is_finished());
        drop(self);
        handle.room.notify_one();
        if finished {
            handle.wake();
        }
    }

    fn carry_out(&mut self) -> Heard {
        let handle = self.handle;
        let state = &mut *self.state;
        let heard = state.converse(&handle.services.metrics);
        if state.reads_otherwise() {
            handle.services.listing.send_replace(());
        }
        host::start_waiting(handle, state);
        painter::start(handle, state);
        state.leave_when_done();
        if state.mark() {
            handle.services.writer.mark(Arc::<SessionHandle>::clone(handle));
        }
        if state.hurry() {
            handle.services.writer.hurry();
        }
        heard
    }
}

impl State {
    /// Someone typed, or the program put something out.
    fn active(&mut self) {
        self.last_activity_ms = wall_ms();
    }

    /// A process that has ended, with its last picture painted, leaves nothing behind but its log.
    fn leave_when_done(&mut self) {
        let over = self.session.lifecycle().is_over();
        if over && self.host.as_ref().is_some_and(LocalHost::is_done) {
            self.host = None;
            self.session.host_left(true);
        }
    }

    fn is_finished(&self) -> bool {
        let over = self.session.lifecycle().is_over() && self.host.is_none();
        self.session.is_deleted() || (over && self.is_stored())
    }

    /// Whether the list must be told anew; once a change.
    fn reads_otherwise(&mut self) -> bool {
        let listed = Listed {
            revision: self.session.revision(),
            told: self.session.told().map(|told| told.seq),
            clients: self.session.clients(),
        };
        std::mem::replace(&mut self.listed, listed) != listed
    }

    fn summary(&self) -> SessionSummary {
        let record = self.current_record();
        let status = self.session.status(wall_ms());
        SessionSummary {
            status: status.status,
            running: status.command.filter(|_| status.status == Activity::Running),
            last_exit_code: status.exit_code,
            cwd: status.cwd.or(record.cwd.clone()),
            ..summary(&record, self.session.clients())
        }
    }

    fn current_record(&self) -> SessionRecord {
        let session = &self.session;
        let exited = session.lifecycle() == Lifecycle::Exited;
        SessionRecord {
            epoch: session.log().epoch(),
            size: session.size(),
            lifecycle: session.lifecycle(),
            exit: exited.then(|| session.exit().clone()),
            last_activity_ms: self.last_activity_ms,
            head: session.durable(),
            ..self.record.clone()
        }
    }
}
