//! One session on a relay: its log, its last snapshot, its host's link and its clients.
//!
//! No I/O happens here, and no clock is read. A [`Session`] is driven by its owner:
//!
//! 1. Events go in: messages of the host through [`Session::host_message`], all others through
//!    [`Session::handle`]. Requests of users are methods, such as [`Session::rename`]. Clients read
//!    and type through [`crate::peer::Peer`] and [`crate::events::EventStream`].
//! 2. After each of these, drain [`Session::poll_output`]. It says what to store and whom to wake.
//!    The data stays here until its consumer has room: the host's link takes
//!    [`Session::poll_command`], the store takes [`Session::store_batch`]. So no queue of theirs
//!    grows, and commands that replace each other are sent once.
//! 3. Each method may change [`Session::poll_timeout`]; pass in [`SessionInput::Timeout`] then.
//!
//! Entries count as durable once their batch is reported as stored, and only then are they
//! acknowledged to the host.
//!
//! Invariant: the retained entries reach back to the last snapshot, or to the beginning if there is
//! none. So a client can always get a snapshot and every entry after it. The newest entries are in
//! memory; the store has older ones.

mod actions;
mod agent;
mod audit;
mod clients;
mod commands;
mod host;
mod host_connection;
mod input;
mod log;
mod naming;
mod peers;
mod snapshots;
mod storing;

use std::collections::VecDeque;

use moorline_shared::event::{Activity, Event, Status};
use moorline_shared::id::{Seq, SessionId};
use moorline_shared::log::{Entry, Log};
use moorline_shared::message::Snapshot;
use moorline_shared::publish::{HostCommand, WriteRefused};
use moorline_shared::rest::SessionSummary;
use moorline_shared::session::{ExitStatus, Lifecycle, Size};
use moorline_shared::time::Time;

use super::audit::AuditRecord;
use super::encoded::EncodedEntries;
use super::last_status::LastStatus;
use super::profile::Profile;
use super::record::{self, SessionRecord};
use super::stored::{SegmentRow, Stored};
pub use actions::WaitingAction;
use agent::SessionAgent;
pub use agent::{AgentDocument, DecideError};
use audit::AuditQueue;
use clients::Clients;
#[cfg(test)]
pub(crate) use clients::READS_EVERY;
pub(crate) use clients::ReportPace;
pub use clients::TooManyClients;
pub use host::PublishError;
use host_connection::HostConnection;
pub use input::HeldChange;
use log::SessionLog;
use snapshots::Snapshots;
use storing::StoreProgress;
pub use storing::{Batch, Urgency};

/// An event for a session.
#[derive(Debug)]
pub enum SessionInput {
    /// A host has opened its link, which replaces an earlier one.
    HostArrived,
    /// The link to the host has outlived this relay's memory. `is_asked` is what
    /// [`Session::host_is_asked`] returned before.
    HostStayed {
        /// True if the host's answer is on its way, so that it is not asked again.
        is_asked: bool,
    },
    /// The host's link is gone.
    HostLeft,
    /// The host no longer has the session, which is lost.
    HostLost,
    /// The session was unused for too long, and is about to be removed.
    Expired,
    /// A batch was stored.
    Stored {
        /// The batch, as [`Session::store_batch`] returned it.
        batch: Box<Batch>,
        /// The rows that hold its entries now, oldest first.
        rows: Vec<SegmentRow>,
    },
    /// A batch could not be stored.
    NotStored,
    /// [`Session::poll_timeout`] has come; a spurious one is harmless.
    Timeout,
}

/// A task for a session's owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEffect {
    /// Change the stored input before any message leaves this relay. Only with
    /// [`RetentionPolicy::forgets`](super::profile::RetentionPolicy::forgets).
    Held(HeldChange),
    /// Wake the host's link: [`Session::poll_command`] has something.
    Commands,
    /// Lists show the session otherwise than before.
    ListChanged,
    /// Store the session: [`Session::store_batch`] has something.
    Store(Urgency),
    /// Record what was done.
    Audit(Box<AuditRecord>),
}

/// The stored parts of a session.
#[derive(Debug)]
pub struct StoredSession {
    /// Its row.
    pub record: SessionRecord,
    /// The newest entries of its log.
    pub newest: Log,
    /// The index of its whole log.
    pub index: Stored,
    /// A snapshot, if one is stored.
    pub snapshot: Option<Snapshot>,
    /// The last status, if it is stored.
    pub last_status: Option<LastStatus>,
    /// Its agent, if one is stored.
    pub agent: Option<AgentDocument>,
}

/// The values that lists show, besides times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct ListedValues {
    revision: u64,
    last_status: Option<Seq>,
    agent: u64,
    clients: usize,
    streams: usize,
    changes: u64,
}

/// One session: see the [module](self) for how to drive it.
#[derive(Debug)]
pub struct Session {
    /// The current row, but for its epoch and its head, which the log has.
    record: SessionRecord,
    /// The name that people see.
    name: String,
    log: SessionLog,
    snapshots: Snapshots,
    host: HostConnection,
    clients: Clients,
    storing: StoreProgress,
    last_status: Option<LastStatus>,
    agent: SessionAgent,
    held_changes: VecDeque<HeldChange>,
    audit: AuditQueue,
    encoded: EncodedEntries,
    is_deleted: bool,
    /// Grows whenever clients must get the session's facts again.
    revision: u64,
    listed: ListedValues,
}

impl Session {
    /// Returns a session that a host is about to start. Nothing of it is stored.
    #[must_use]
    pub fn new(record: SessionRecord, profile: &Profile) -> Self {
        let (newest, index) = (Log::new(record.epoch), Stored::new(record.epoch, []));
        let (snapshot, last_status, agent) = (None, None, None);
        let stored = StoredSession { record, newest, index, snapshot, last_status, agent };
        Self::with(stored, profile, true)
    }

    /// Returns a session from the store. Its host is away, until [`SessionInput::HostStayed`].
    #[must_use]
    pub fn restored(stored: StoredSession, profile: &Profile) -> Self {
        let mut session = Self::with(stored, profile, false);
        if session.record.lifecycle == Lifecycle::Live {
            session.record.lifecycle = Lifecycle::Detached;
        }
        session
    }

    fn with(stored: StoredSession, profile: &Profile, is_new: bool) -> Self {
        let StoredSession { record, newest, index, snapshot, last_status, agent } = stored;
        let stored_status = last_status.as_ref().map(|last| last.seq);
        Self {
            name: record::name(&record),
            storing: StoreProgress::new(profile, &record, stored_status, is_new),
            last_status: LastStatus::of_log(&newest).or(last_status),
            agent: SessionAgent::restored(agent, &newest),
            record,
            log: SessionLog::new(newest, index, profile.log),
            snapshots: Snapshots::new(snapshot),
            host: HostConnection::away(),
            clients: Clients::default(),
            held_changes: VecDeque::new(),
            audit: AuditQueue::default(),
            encoded: EncodedEntries::default(),
            is_deleted: false,
            revision: 0,
            listed: ListedValues::default(),
        }
    }

    /// Handles an event at `now`.
    pub fn handle(&mut self, now: Time, input: SessionInput) {
        match input {
            SessionInput::HostArrived => self.host_arrived(),
            SessionInput::HostStayed { is_asked } => self.host_stayed(now, is_asked),
            SessionInput::HostLeft => self.host_left(Lifecycle::Detached),
            SessionInput::HostLost => self.host_left(Lifecycle::Lost),
            SessionInput::Expired => self.expired(),
            SessionInput::Stored { batch, rows } => self.stored(&batch, rows),
            SessionInput::NotStored => self.not_stored(),
            SessionInput::Timeout => self.clients.drop_stalled(now),
        }
        self.send_actions();
        self.acknowledge();
    }

    /// Returns the next task; call until `None`.
    pub fn poll_output(&mut self) -> Option<SessionEffect> {
        if let Some(change) = self.held_changes.pop_front() {
            return Some(SessionEffect::Held(change));
        }
        if let Some(record) = self.audit.pop() {
            return Some(SessionEffect::Audit(Box::new(record)));
        }
        if self.host.has_new_commands() {
            return Some(SessionEffect::Commands);
        }
        let listed = self.listed_values();
        if std::mem::replace(&mut self.listed, listed) != listed {
            return Some(SessionEffect::ListChanged);
        }
        self.ask_to_store().map(SessionEffect::Store)
    }

    /// Returns when to pass in [`SessionInput::Timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.holds_back().then(|| self.clients.stalled_at()).flatten()
    }

    /// Returns the next command for the host; call until `None`.
    pub fn poll_command(&mut self) -> Option<HostCommand> {
        let command = self.host.poll_command();
        if let Some(HostCommand::Input { client_id, piece }) = &command {
            self.clients.table.give(client_id, piece.seq());
        }
        command
    }

    /// Returns true if too many commands wait for the host, which takes too few of them: its link
    /// must be closed.
    #[must_use]
    pub const fn host_is_stalled(&self) -> bool {
        self.host.is_stalled()
    }

    /// Returns true if nothing more is expected from the host: the session is over, and all of it
    /// is durable.
    #[must_use]
    pub fn host_may_leave(&self) -> bool {
        let expects_more = self.log.unstored_bytes() > 0 || self.snapshots.is_asked();
        self.lifecycle().is_over() && !expects_more
    }

    /// Returns true if the host was asked where it begins, and has not answered.
    #[must_use]
    pub fn host_is_asked(&self) -> bool {
        self.host.is_asked()
    }

    /// Records activity, at this time in milliseconds since 1970.
    pub fn note_activity(&mut self, wall_ms: u64) {
        self.record.last_activity_ms = self.record.last_activity_ms.max(wall_ms);
    }

    /// Asks the host to append an event. Does nothing if the host is away.
    pub fn append(&mut self, event: Event) {
        self.host.command(HostCommand::Append { event });
    }

    /// Deletes the session: its clients are told and disconnected. Drops its log, its snapshot and
    /// all waiting input.
    pub fn delete(&mut self) {
        self.is_deleted = true;
        self.host.drop_input();
        self.clients.table.drop_input();
        self.host.requests.refuse_all(WriteRefused::Ended);
        self.log.clear();
        self.snapshots.clear();
        self.encoded.clear();
        self.host.command(HostCommand::Close);
    }

    fn listed_values(&self) -> ListedValues {
        ListedValues {
            revision: self.revision,
            last_status: self.last_status.as_ref().map(|last| last.seq),
            agent: self.agent.revision(),
            clients: self.clients.connected(),
            streams: self.clients.streams(),
            changes: self.storing.changes(),
        }
    }
}

/// Facts about the session, for lists, clients and the store.
impl Session {
    /// Returns the session's id.
    #[must_use]
    pub const fn id(&self) -> &SessionId {
        &self.record.id
    }

    /// Returns the name that people see.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the driver that runs it.
    #[must_use]
    pub fn driver(&self) -> &str {
        &self.record.driver
    }

    /// Returns the time of its creation, in milliseconds since 1970.
    #[must_use]
    pub const fn created_at_ms(&self) -> u64 {
        self.record.created_at_ms
    }

    /// Returns the time of its last activity, in milliseconds since 1970.
    #[must_use]
    pub const fn last_activity_ms(&self) -> u64 {
        self.record.last_activity_ms
    }

    /// Returns the terminal's size.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.record.size
    }

    /// Returns the session's state.
    #[must_use]
    pub const fn lifecycle(&self) -> Lifecycle {
        self.record.lifecycle
    }

    /// Returns how the process ended; empty unless it has.
    #[must_use]
    pub fn exit(&self) -> ExitStatus {
        self.record.exit.clone().unwrap_or_default()
    }

    /// Returns true if the session was deleted.
    #[must_use]
    pub const fn is_deleted(&self) -> bool {
        self.is_deleted
    }

    /// Returns a number that grows whenever clients must get the session's facts again.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns the current row.
    #[must_use]
    pub fn record(&self) -> SessionRecord {
        let exited = self.record.lifecycle == Lifecycle::Exited;
        SessionRecord {
            epoch: self.log.newest().epoch(),
            head: self.log.durable(),
            exit: self.record.exit.clone().filter(|_| exited),
            ..self.record.clone()
        }
    }

    /// Returns the last status that the log reports.
    #[must_use]
    pub const fn last_status(&self) -> Option<&LastStatus> {
        self.last_status.as_ref()
    }

    /// Returns the current status: the last one of the log, unless the session is over. `wall_ms`
    /// is the time in milliseconds since 1970.
    #[must_use]
    pub fn status(&self, wall_ms: u64) -> Status {
        let mut status = Status::default();
        if let Some(last) = &self.last_status {
            let started = last.timestamp.saturating_sub(last.status.uptime);
            status = last.status.clone();
            status.uptime = wall_ms.saturating_sub(started);
        }
        match self.lifecycle() {
            Lifecycle::Live | Lifecycle::Detached => {}
            Lifecycle::Exited => {
                let exit = self.exit();
                status.status = Activity::Exited;
                (status.exit_code, status.signal) = (exit.code, exit.signal);
                status.reason = exit.reason;
            }
            Lifecycle::Lost | Lifecycle::Expired => status.status = Activity::Error,
        }
        if self.lifecycle().is_over() {
            (status.pid, status.command) = (None, None);
            if let Some(last) = &self.last_status {
                status.uptime = last.status.uptime;
            }
        }
        status
    }

    /// Returns the session as lists show it. `wall_ms` is the time in milliseconds since 1970.
    #[must_use]
    pub fn summary(&self, wall_ms: u64) -> SessionSummary {
        let status = self.status(wall_ms);
        let record = self.record();
        SessionSummary {
            status: status.status,
            running: status.command.filter(|_| status.status == Activity::Running),
            last_exit_code: status.exit_code,
            cwd: status.cwd.or_else(|| record.cwd.clone()),
            agent: self.agent_overview(wall_ms),
            ..record::summary(&record, self.clients())
        }
    }

    /// Returns the number of connected clients, event streams included.
    #[must_use]
    pub const fn clients(&self) -> usize {
        self.clients.connected()
    }

    /// Returns the number of open event streams.
    #[must_use]
    pub const fn streams(&self) -> usize {
        self.clients.streams()
    }

    /// Returns the part of the log that is in memory.
    #[must_use]
    pub const fn log(&self) -> &Log {
        self.log.newest()
    }

    /// Returns the index of the log's stored rows.
    #[must_use]
    pub const fn stored_rows(&self) -> &Stored {
        self.log.index()
    }

    /// Returns the last durable entry.
    #[must_use]
    pub const fn durable(&self) -> Seq {
        self.log.durable()
    }

    /// Returns the bytes of the entries that are not durable yet.
    #[must_use]
    pub fn unstored_bytes(&self) -> u64 {
        self.log.unstored_bytes()
    }

    /// Returns the oldest retained entry, in memory or, as far as is known, in the store.
    #[must_use]
    pub fn oldest(&self) -> Seq {
        self.log.oldest()
    }

    /// Returns when an entry was appended to the log, in milliseconds since 1970. For output stored
    /// without a time, returns when the session was created: nothing more is known.
    #[must_use]
    pub const fn time_ms(&self, entry: &Entry) -> u64 {
        match entry.time_ms() {
            0 => self.record.created_at_ms,
            time_ms => time_ms,
        }
    }
}
