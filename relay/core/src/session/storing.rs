//! What of the session is stored, and what still has to be.

use moorline_shared::agent::action::ActionNumber;
use moorline_shared::id::{Epoch, Seq};
use moorline_shared::log::Entry;
use moorline_shared::message::Snapshot;
use moorline_shared::session::{Lifecycle, Size};

use super::{AgentDocument, Session};
use crate::last_status::LastStatus;
use crate::profile::Profile;
use crate::record::SessionRecord;
use crate::stored::SegmentRow;

/// If more bytes than this are not stored when storing fails, all of them are given up.
const KEPT_ON_FAILURE_BYTES: u64 = 8 * 1024 * 1024;

/// Changes of a session, to be stored in one transaction. Report the result with
/// [`SessionInput::Stored`](super::SessionInput::Stored) or
/// [`SessionInput::NotStored`](super::SessionInput::NotStored).
#[derive(Debug, Default)]
pub struct Batch {
    /// The epoch of the entries and the snapshot.
    pub epoch: Epoch,
    /// True if the log has begun anew: remove its rows, its snapshot and its last status first.
    pub begins_anew: bool,
    /// New entries, in order and without gaps.
    pub entries: Vec<Entry>,
    /// The session's row, if it changed.
    pub record: Option<SessionRecord>,
    /// The last snapshot, if it is not stored. `entries` or the store have everything up to it.
    pub snapshot: Option<Snapshot>,
    /// The last status in the log, if it is not stored. Only a relay that may lose its memory has
    /// to store it.
    pub last_status: Option<LastStatus>,
    /// The session's agent, if it changed. It follows from the stored entries and these, or some
    /// that the host has and repeats.
    pub agent: Option<Box<AgentDocument>>,
    /// The last entry of the rows to remove, as more is stored than is to be retained.
    pub remove_up_to: Option<Seq>,
    /// The number of changes of the row, and of beginnings of the log, that are in this batch.
    pub(super) changes: u64,
    pub(super) beginnings: u64,
    /// The number of changes of the agent that are in this batch, and the action up to which its
    /// document has none.
    pub(super) agent_changes: u64,
    pub(super) actions_forgotten: ActionNumber,
}

/// How soon a session has to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Within a moment, in which more may come.
    Soon,
    /// At once: much waits, or its facts have changed.
    Now,
}

/// The fields of the row that follow from the session's state, as stored last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct StoredFields {
    epoch: Epoch,
    size: Size,
    lifecycle: Lifecycle,
}

impl StoredFields {
    const fn of(record: &SessionRecord) -> Self {
        let SessionRecord { epoch, size, lifecycle, .. } = record;
        Self { epoch: *epoch, size: *size, lifecycle: *lifecycle }
    }
}

/// The progress of storing a session's row and status, and what its owner was asked to do.
#[derive(Debug)]
pub(super) struct StoreProgress {
    urgent_bytes: u64,
    activity_step_ms: u64,
    fields: StoredFields,
    last_activity_ms: u64,
    /// Changes that the fields above do not show: creation, renames, moves. `stored` of them are in
    /// the store.
    changes: u64,
    stored: u64,
    /// How often the log has begun anew. `stored_beginnings` of that are in the store.
    beginnings: u64,
    stored_beginnings: u64,
    last_status: Option<Seq>,
    /// What the owner was asked since it took the last batch.
    asked: Option<Urgency>,
}

impl StoreProgress {
    /// Returns the state in which this row is stored, or if it `is_new`, has yet to be.
    pub(super) fn new(
        profile: &Profile,
        record: &SessionRecord,
        last_status: Option<Seq>,
        is_new: bool,
    ) -> Self {
        Self {
            urgent_bytes: profile.urgent_bytes,
            activity_step_ms: profile.activity_step_ms,
            fields: StoredFields::of(record),
            last_activity_ms: record.last_activity_ms,
            changes: u64::from(is_new),
            stored: 0,
            beginnings: 0,
            stored_beginnings: 0,
            last_status,
            asked: None,
        }
    }

    /// Records a change of the row that its other fields do not show.
    pub(super) const fn changed(&mut self) {
        self.changes += 1;
    }

    /// Records that the log has begun anew.
    pub(super) const fn log_began(&mut self) {
        self.beginnings += 1;
        self.last_status = None;
    }

    pub(super) const fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) const fn beginnings(&self) -> u64 {
        self.beginnings
    }

    pub(super) const fn begins_anew(&self) -> bool {
        self.beginnings != self.stored_beginnings
    }

    /// Returns true if the row has a change that must not be lost: anything but its size and its
    /// activity.
    pub(super) fn has_changed(&self, record: &SessionRecord) -> bool {
        let StoredFields { epoch, lifecycle, size: _ } = self.fields;
        self.stored != self.changes || epoch != record.epoch || lifecycle != record.lifecycle
    }

    /// Returns true if the row is to be stored. Activity alone counts if it is much later.
    pub(super) fn record_is_due(&self, record: &SessionRecord) -> bool {
        self.stored != self.changes
            || self.fields != StoredFields::of(record)
            || record.last_activity_ms >= self.last_activity_ms + self.activity_step_ms
    }

    /// Returns true if the stored row is that of a session whose host is here.
    pub(super) fn is_live(&self) -> bool {
        self.fields.lifecycle == Lifecycle::Live
    }

    pub(super) fn status_is_due(&self, last_status: Option<&LastStatus>) -> bool {
        last_status.map(|last| last.seq) != self.last_status
    }

    /// Returns the urgency if the owner is to be asked; once until it takes a batch.
    pub(super) fn ask(&mut self, urgency: Option<Urgency>) -> Option<Urgency> {
        let asks = urgency > self.asked;
        self.asked = self.asked.max(urgency);
        urgency.filter(|_| asks)
    }

    /// Records that the owner has taken a batch.
    pub(super) const fn taken(&mut self) {
        self.asked = None;
    }

    /// Records that a batch is stored.
    pub(super) fn stored(&mut self, batch: &Batch) {
        if let Some(record) = &batch.record {
            self.fields = StoredFields::of(record);
            self.last_activity_ms = record.last_activity_ms;
            self.stored = batch.changes;
        }
        self.stored_beginnings = batch.beginnings;
        if let Some(last) = &batch.last_status
            && batch.beginnings == self.beginnings
        {
            self.last_status = Some(last.seq);
        }
    }
}

impl Session {
    /// Returns what is to be stored, with about `bytes` of entries; `None` if nothing is. Take one
    /// batch at a time: report it before the next.
    pub fn store_batch(&mut self, bytes: usize) -> Option<Box<Batch>> {
        self.storing.taken();
        if self.is_stored() {
            return None;
        }
        let entries = self.log.unstored(bytes);
        let last = entries.last().map_or(self.log.durable(), Entry::seq);
        let record = self.record_is_due().then(|| SessionRecord { head: last, ..self.record() });
        let snapshot = self.snapshot_is_due().then(|| self.snapshots.unstored().cloned());
        let status = self.status_is_due().then(|| self.last_status.clone());
        let agent = self.agent.is_due(last).then(|| self.agent.document(last));
        let (agent, actions_forgotten) = agent.unzip();
        Some(Box::new(Batch {
            epoch: self.log.newest().epoch(),
            begins_anew: self.storing.begins_anew(),
            entries,
            record,
            snapshot: snapshot.flatten().filter(|snapshot| snapshot.seq <= last),
            last_status: status.flatten().filter(|status| status.seq <= last),
            agent: agent.map(Box::new),
            remove_up_to: self.log.to_remove(self.snapshots.stored(), self.clients.read_after()),
            changes: self.storing.changes(),
            beginnings: self.storing.beginnings(),
            agent_changes: self.agent.changes(),
            actions_forgotten: actions_forgotten.unwrap_or_default(),
        }))
    }

    /// Returns true if nothing waits to be stored.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.is_deleted()
            || (self.log.unstored_bytes() == 0
                && !self.storing.begins_anew()
                && !self.record_is_due()
                && !self.status_is_due()
                && !self.agent.is_due(self.log.durable())
                && !self.snapshot_is_due())
    }

    /// Returns how soon the session has to be stored; once until a batch is taken.
    pub(super) fn ask_to_store(&mut self) -> Option<Urgency> {
        let is_urgent = || {
            self.storing.has_changed(&self.record)
                || self.agent.is_urgent()
                || self.log.unstored_bytes() >= self.storing.urgent_bytes
        };
        let urgency = if self.is_stored() {
            None
        } else if is_urgent() {
            Some(Urgency::Now)
        } else {
            Some(Urgency::Soon)
        };
        self.storing.ask(urgency)
    }

    pub(super) fn stored(&mut self, batch: &Batch, rows: Vec<SegmentRow>) {
        self.storing.stored(batch);
        if let Some(agent) = &batch.agent {
            self.agent.stored(batch.agent_changes, agent.last, batch.actions_forgotten);
        }
        if batch.beginnings != self.storing.beginnings() {
            // It belongs to an earlier log.
            return;
        }
        self.log.rows_changed(rows, batch.remove_up_to);
        if let Some(snapshot) = &batch.snapshot {
            self.snapshots.stored_up_to(snapshot.seq);
        }
        if let Some(last) = batch.entries.last() {
            self.log.durable_up_to(last.seq());
        }
    }

    pub(super) fn not_stored(&mut self) {
        self.agent.not_stored();
        if self.log.unstored_bytes() > KEPT_ON_FAILURE_BYTES {
            self.log.durable_up_to(self.log.newest().head());
        }
    }

    fn record_is_due(&self) -> bool {
        self.storing.record_is_due(&self.record)
    }

    fn status_is_due(&self) -> bool {
        self.log.policy().forgets && self.storing.status_is_due(self.last_status())
    }

    /// Returns true if the last snapshot is to be stored: after much output, or as the last one for
    /// now.
    fn snapshot_is_due(&self) -> bool {
        let is_last = || !self.host.is_here() || self.lifecycle().is_over();
        let stored = self.snapshots.stored();
        self.snapshots.unstored().is_some()
            && (is_last() || self.log.bytes_after(stored) > self.log.policy().snapshot_every_bytes)
    }
}
