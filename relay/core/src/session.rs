//! One session on a relay: its log, its last snapshot, and the claims of its clients.
//!
//! No I/O happens here. The owner passes in the host's messages ([`Session::host_message`]), sends
//! the host its commands ([`Session::poll_command`]), and stores what [`Session::store_batch`] and
//! [`Session::snapshot_to_store`] return. Clients read through [`super::peer::Peer`].
//!
//! Invariant: the retained entries reach back to the last snapshot, or to the beginning if there is
//! none. So a client can always get a snapshot and every entry after it. The newest entries are in
//! memory; the store has older ones ([`Session::with_stored`]).

mod answering;
mod commands;
mod held;
mod host_link;
mod replay;
mod retention;
mod snapshots;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use moorline_shared::event::{Event, Status};
use moorline_shared::id::{ClientId, Epoch, Seq, SessionId};
use moorline_shared::limits::{CLIENTS_PER_SESSION, SESSION_INPUT_BYTES};
use moorline_shared::log::{Entry, Log};
use moorline_shared::message::Snapshot;
use moorline_shared::publish::{HostCommand, RequestId, WriteAnswer, WriteRefused};
use moorline_shared::session::{ExitStatus, Lifecycle, Size};

use super::client_table::{ClientTable, PeerId};
use super::events::{self, EncodedCache, Encoding};
use super::last_status::LastStatus;
use super::profile::{Profile, RetentionPolicy};
use super::requests::Requests;
use super::stored::Stored;
use commands::Commands;
pub use held::HeldChange;
pub(crate) use replay::{READS_EVERY, READS_EVERY_BYTES};

/// The error for a message that a host may not publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// A later epoch was published before.
    #[error("fenced: epoch {got} is older than {current}")]
    Fenced {
        /// The relay's epoch.
        current: Epoch,
        /// The host's epoch.
        got: Epoch,
    },
    /// Entries are missing.
    #[error("entry {got} cannot follow: entry {want} is next")]
    Gap {
        /// The next number.
        want: Seq,
        /// The number that came.
        got: Seq,
    },
}

/// The error for a client beyond the session's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session has at most {} clients", CLIENTS_PER_SESSION)]
pub struct TooManyClients;

/// The facts about a session that clients get and its log does not contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its id.
    pub id: SessionId,
    /// The name, for people.
    pub name: String,
    /// The time of creation, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// The driver that runs it.
    pub driver: String,
}

/// Entries to write to the store.
#[derive(Debug, Clone)]
pub struct StoreBatch {
    /// The epoch of the entries.
    pub epoch: Epoch,
    /// The entries, in order and without gaps.
    pub entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HostPresence {
    Away,
    /// It was asked where to begin, and has not answered. Its epoch is unknown, so nothing may be
    /// acknowledged to it.
    Arrived,
    Linked,
}

/// One session on a relay. Poll its commands, store batch and timeout after each call that changes
/// it.
#[derive(Debug)]
pub struct Session {
    facts: Facts,
    log: Log,
    durable: Seq,
    /// The last entry that was acknowledged to the linked host.
    acknowledged: Option<Seq>,
    size: Size,
    lifecycle: Lifecycle,
    exit: ExitStatus,
    deleted: bool,
    host: HostPresence,
    /// The last entry that the host is known to have.
    host_head: Seq,
    commands: Commands,
    snapshot: Option<Snapshot>,
    snapshot_stored: bool,
    /// The number of answers of the host to snapshot requests, with a snapshot or without.
    snapshot_answers: u64,
    snapshot_asked: bool,
    /// The head at the time of the last snapshot request that failed.
    snapshot_failed: Seq,
    claims: ClientTable,
    /// The client that the host currently leaves queries to.
    answerer: Option<ClientId>,
    requests: Requests,
    last_status: Option<LastStatus>,
    keeping: RetentionPolicy,
    /// The index of the store; `None` if all retained entries are in memory.
    stored: Option<Stored>,
    held_changes: VecDeque<HeldChange>,
    /// Clients that replay and have recently taken something.
    readings: BTreeMap<PeerId, replay::ReplayPosition>,
    /// The cached encodings for event streams: text, then base64.
    encoded: [EncodedCache; 2],
    streams: usize,
    clients: usize,
    last_peer: u64,
    revision: u64,
}

impl Session {
    /// Returns a session whose host is about to connect.
    #[must_use]
    pub fn new(facts: Facts, epoch: Epoch, size: Size) -> Self {
        Self::restored(facts, Log::new(epoch), size, Lifecycle::Detached, None)
    }

    /// Returns a session from the store. `log` has every entry after `snapshot`.
    #[must_use]
    pub fn restored(
        facts: Facts,
        log: Log,
        size: Size,
        lifecycle: Lifecycle,
        snapshot: Option<Snapshot>,
    ) -> Self {
        Self {
            facts,
            last_status: LastStatus::of_log(&log),
            durable: log.head(),
            acknowledged: None,
            log,
            size,
            lifecycle,
            exit: ExitStatus::default(),
            deleted: false,
            host: HostPresence::Away,
            host_head: Seq::ZERO,
            commands: Commands::default(),
            snapshot,
            snapshot_stored: true,
            snapshot_answers: 0,
            snapshot_asked: false,
            snapshot_failed: Seq::ZERO,
            claims: ClientTable::default(),
            answerer: None,
            requests: Requests::default(),
            keeping: Profile::NATIVE.log,
            stored: None,
            held_changes: VecDeque::new(),
            readings: BTreeMap::new(),
            encoded: <[EncodedCache; 2]>::default(),
            streams: 0,
            clients: 0,
            last_peer: 0,
            revision: 0,
        }
    }

    /// Sets how the process ended, for a session from the store.
    #[must_use]
    pub fn with_exit(mut self, exit: ExitStatus) -> Self {
        self.exit = exit;
        self
    }

    /// Sets the last status of a session whose log is not all in memory.
    #[must_use]
    pub fn with_last_status(mut self, last_status: Option<LastStatus>) -> Self {
        self.last_status = last_status;
        self
    }

    /// Returns the facts that the log does not contain.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Returns the session's id.
    #[must_use]
    pub const fn id(&self) -> &SessionId {
        &self.facts.id
    }

    /// Renames the session, and announces that to clients.
    pub fn rename(&mut self, name: String) {
        self.facts.name = name;
        self.revision += 1;
    }

    /// Returns the last status that the log reports.
    #[must_use]
    pub const fn last_status(&self) -> Option<&LastStatus> {
        self.last_status.as_ref()
    }

    /// Returns the part of the log that is in memory.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// Returns when an entry was appended to the log, in milliseconds since 1970. For output stored
    /// without a time, returns when the session was created: nothing more is known.
    #[must_use]
    pub const fn time_ms(&self, entry: &Entry) -> u64 {
        match entry.time_ms() {
            0 => self.facts.created_at_ms,
            time_ms => time_ms,
        }
    }

    /// Returns the terminal's size.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.size
    }

    /// Returns the session's state.
    #[must_use]
    pub const fn lifecycle(&self) -> Lifecycle {
        self.lifecycle
    }

    /// Returns how the process ended; empty unless it has.
    #[must_use]
    pub const fn exit(&self) -> &ExitStatus {
        &self.exit
    }

    /// Returns the current status. `wall_ms` is the time in milliseconds since 1970.
    #[must_use]
    pub fn status(&self, wall_ms: u64) -> Status {
        events::status(self, wall_ms)
    }

    /// Returns the number of open event streams.
    #[must_use]
    pub const fn streams(&self) -> usize {
        self.streams
    }

    /// Returns the number of connected clients, event streams included.
    #[must_use]
    pub const fn clients(&self) -> usize {
        self.clients
    }

    /// Returns true if the session was deleted.
    #[must_use]
    pub const fn is_deleted(&self) -> bool {
        self.deleted
    }

    /// Deletes the session: peers notify and disconnect their clients. Drops its log, its snapshot
    /// and all waiting input.
    pub fn delete(&mut self) {
        self.deleted = true;
        self.commands.drop_input();
        self.claims.new_incarnation();
        self.requests.refuse_all(WriteRefused::Ended);
        self.log = Log::starting_after(self.log.epoch(), self.log.head());
        self.durable = self.log.head();
        self.snapshot = None;
        self.encoded.iter_mut().for_each(EncodedCache::clear);
        self.command(HostCommand::Close);
    }

    /// Returns the next command for the host; call until `None`.
    pub fn poll_command(&mut self) -> Option<HostCommand> {
        self.commands.pop()
    }

    /// Returns true if a command was added since the last call.
    pub const fn has_new_commands(&mut self) -> bool {
        self.commands.take_fresh()
    }

    /// Returns true if the host's link has too many commands waiting: its owner must close it.
    #[must_use]
    pub const fn host_is_stalled(&self) -> bool {
        self.commands.is_overrun()
    }

    /// Asks the host to write input that no client numbers, and to append `event` once it does. The
    /// answer comes at the time that `answer` names: poll [`Session::written`].
    ///
    /// # Errors
    /// [`WriteRefused`]: the host was not asked. [`WriteRefused::TooMuch`] lasts until
    /// [`Session::has_room_to_write`].
    pub fn write(
        &mut self,
        data: Bytes,
        event: Option<Event>,
        answer: WriteAnswer,
    ) -> Result<RequestId, WriteRefused> {
        if self.lifecycle.is_over() {
            return Err(WriteRefused::Ended);
        }
        if !self.host_is_here() {
            return Err(WriteRefused::HostAway);
        }
        if !self.has_room_to_write() {
            return Err(WriteRefused::TooMuch);
        }
        let request = self.requests.begin(data.len())?;
        self.command(HostCommand::Write { request, data, event, answer });
        Ok(request)
    }

    /// Returns true if more input may wait for the program.
    #[must_use]
    pub fn has_room_to_write(&self) -> bool {
        let waiting = self.claims.cost() + self.requests.bytes() as u64;
        waiting < SESSION_INPUT_BYTES as u64 && self.requests.has_room()
    }

    /// Takes the host's answer; `None` until it has come.
    pub fn written(&mut self, request: RequestId) -> Option<Result<(), WriteRefused>> {
        self.requests.take(request)
    }

    /// Abandons a request: nobody waits for its answer.
    pub fn forget_request(&mut self, request: RequestId) {
        self.requests.give_up(request);
    }

    /// Asks the host to append an event. Does nothing if the host is away.
    pub fn append(&mut self, event: Event) {
        self.command(HostCommand::Append { event });
    }

    /// Returns entries that are not durable yet, about `bytes` of them; `None` if all are.
    #[must_use]
    pub fn store_batch(&self, bytes: usize) -> Option<StoreBatch> {
        let mut left = bytes;
        let fits = |entry: &&Entry| {
            let some_left = left > 0;
            left = left.saturating_sub(entry.len());
            some_left
        };
        let entries: Vec<Entry> = self.log.after(self.durable).take_while(fits).cloned().collect();
        (!entries.is_empty()).then(|| StoreBatch { epoch: self.log.epoch(), entries })
    }

    /// Records that entries of `epoch` up to `seq` are durable, acknowledges them to the host, and
    /// trims.
    pub fn stored(&mut self, epoch: Epoch, seq: Seq) {
        if epoch == self.log.epoch() && seq > self.durable {
            self.durable = seq.min(self.log.head());
            self.acknowledge();
            self.trim();
        }
    }

    /// Returns the bytes of the entries that are not durable yet.
    #[must_use]
    pub fn unstored_bytes(&self) -> u64 {
        self.log.bytes_after(self.durable)
    }

    /// Returns the last durable entry.
    #[must_use]
    pub const fn durable(&self) -> Seq {
        self.durable
    }

    pub(super) fn attach(&mut self) -> Result<PeerId, TooManyClients> {
        if self.clients >= CLIENTS_PER_SESSION {
            return Err(TooManyClients);
        }
        self.clients += 1;
        self.last_peer += 1;
        Ok(PeerId::new(self.last_peer))
    }

    pub(super) fn detach(&mut self, peer: PeerId, client_id: Option<&ClientId>) {
        self.clients -= 1;
        self.reads_no_more(peer);
        if let Some(client_id) = client_id {
            self.claims.release(peer, client_id);
            self.find_answerer();
        }
    }

    pub(super) fn attach_stream(&mut self) -> Result<PeerId, TooManyClients> {
        let peer = self.attach()?;
        self.streams += 1;
        Ok(peer)
    }

    pub(super) fn detach_stream(&mut self, peer: PeerId) {
        self.detach(peer, None);
        self.streams -= 1;
        if self.streams == 0 {
            self.encoded.iter_mut().for_each(EncodedCache::clear);
        }
    }

    pub(super) const fn encoded(&mut self, encoding: Encoding) -> &mut EncodedCache {
        match encoding {
            Encoding::Text => &mut self.encoded[0],
            Encoding::Base64 => &mut self.encoded[1],
        }
    }

    /// Lets `peer` speak for `client_id`, and replaces a connection that did so before.
    pub(super) fn claim(&mut self, peer: PeerId, client_id: &ClientId) {
        if let Some((client_id, seq)) = self.claims.claim(peer, client_id) {
            self.held_changes.push_back(HeldChange::Taken { client_id, seq });
        }
        self.find_answerer();
        self.command(HostCommand::ClientResumed { client_id: client_id.clone() });
    }

    pub(super) const fn claims(&self) -> &ClientTable {
        &self.claims
    }

    /// Returns the last entry that the log can reach once its host has sent what it has. Without a
    /// linked host, returns the largest number.
    pub(super) fn reachable_head(&self) -> Seq {
        match self.host {
            HostPresence::Linked => self.host_head.max(self.log.head()),
            HostPresence::Away | HostPresence::Arrived => Seq(u64::MAX),
        }
    }

    pub(super) fn host_is_here(&self) -> bool {
        self.host != HostPresence::Away
    }

    pub(super) fn client_size(&mut self, client_id: Option<&ClientId>, size: Size) {
        if let Some(client_id) = client_id {
            self.claims.set_size(client_id, size);
        }
        self.resize(size);
    }

    /// Returns a number that changes whenever clients must get the session's facts again.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Acknowledges durable entries to the host, unless the host must wait for readers.
    fn acknowledge(&mut self) {
        if self.host == HostPresence::Linked
            && self.acknowledged != Some(self.durable)
            && !self.holds_back()
        {
            self.acknowledged = Some(self.durable);
            self.command(HostCommand::Ack { seq: self.durable });
        }
    }

    fn command(&mut self, command: HostCommand) {
        if self.host_is_here() {
            self.commands.push(command);
        }
    }

    fn resize(&mut self, size: Size) {
        if size != self.size {
            self.command(HostCommand::Resize { size });
        }
    }
}
