//! StoreProgress of storing a session: what is stored, and what still has to be.

use std::sync::Arc;

use moorline_shared::id::{Seq, SessionId};

use super::{HandleState, SessionHandle};
use crate::store::{Batch, SessionRecord, StoreSource, Written};
use moorline_core::profile::Profile;

/// If more bytes than this are unstored when storing fails, all of them are given up.
const KEPT_ON_FAILURE_BYTES: u64 = 8 * 1024 * 1024;

/// The progress of storing a session, and what the store was asked to do.
#[derive(Debug)]
pub(super) struct StoreProgress {
    /// True if the store was asked to fetch a batch and has not done so yet.
    marked: bool,
    /// The number of changes of the row that [`HandleState::record_is_due`] cannot detect by itself: its
    /// creation, renames, moves. `recorded` of them are stored, and `recording` are stored or being
    /// stored.
    changes: u64,
    recorded: u64,
    recording: u64,
    hurried: bool,
    snapshot: Seq,
    bytes_since_snapshot: u64,
}

impl StoreProgress {
    pub(super) const fn new(is_new: bool) -> Self {
        Self {
            marked: false,
            changes: if is_new { 1 } else { 0 },
            recorded: 0,
            recording: 0,
            hurried: false,
            snapshot: Seq::ZERO,
            bytes_since_snapshot: 0,
        }
    }

    /// Notes a change of the row that `record_is_due` cannot detect.
    pub(super) const fn record_changed(&mut self) {
        self.changes += 1;
    }

    pub(super) const fn put_out(&mut self, bytes: usize) {
        self.bytes_since_snapshot += bytes as u64;
    }
}

impl HandleState {
    /// Returns true if the store must be asked to fetch a batch; once per batch.
    pub(super) fn mark(&mut self) -> bool {
        let due = !self.storing.marked && !self.session.is_deleted() && !self.is_stored();
        self.storing.marked |= due;
        due
    }

    /// Returns true if the store must be asked to hurry, as much is unstored; once per batch.
    pub(super) fn hurry(&mut self) -> bool {
        let due =
            !self.storing.hurried && self.session.unstored_bytes() > Profile::NATIVE.urgent_bytes;
        self.storing.hurried |= due;
        due
    }

    pub(super) fn is_stored(&self) -> bool {
        self.session.unstored_bytes() == 0 && !self.record_is_due() && !self.snapshot_is_due()
    }

    fn record_is_due(&self) -> bool {
        let (session, active) = (&self.session, self.last_activity_ms);
        self.storing.recorded != self.storing.changes
            || self.record.is_behind(session, active, Profile::NATIVE.activity_step_ms)
    }

    fn snapshot_is_due(&self) -> bool {
        let much = self.storing.bytes_since_snapshot > Profile::NATIVE.log.snapshot_every_bytes;
        (much || !self.link.is_up()) && self.session.snapshot_to_store().is_some()
    }
}

impl StoreSource for SessionHandle {
    fn id(&self) -> &SessionId {
        &self.id
    }

    fn batch(self: Arc<Self>, bytes: usize) -> Batch {
        let now = self.services.clock.now();
        let mut state = self.lock();
        state.session.tick(now);
        state.storing.marked = false;
        state.storing.hurried = false;
        if state.session.is_deleted() {
            return Batch::default();
        }
        state.storing.recording = state.storing.changes;
        let entries = state.session.store_batch(bytes).map(|batch| batch.entries);
        let snapshot = state.snapshot_is_due().then(|| state.session.snapshot_to_store().cloned());
        let kept_after = state.session.kept_after().unwrap_or(Seq(u64::MAX));
        Batch {
            record: state.record_is_due().then(|| state.current_record()),
            epoch: state.session.log().epoch(),
            entries: entries.unwrap_or_default(),
            snapshot: snapshot.flatten(),
            snapshot_stored: state.storing.snapshot,
            kept_after,
        }
    }

    fn stored(self: Arc<Self>, batch: &Batch, written: Written) {
        let mut state = self.lock();
        if let Some(stored) = state.session.stored_rows_of(batch.epoch) {
            written.rows.into_iter().for_each(|row| stored.put(row));
            written.trimmed.into_iter().for_each(|up_to| stored.removed(up_to));
        }
        if let Some(record) = &batch.record {
            // The name or project may have changed while the batch was written.
            let SessionRecord { name, project, .. } = state.record.clone();
            state.record = SessionRecord { name, project, ..record.clone() };
            state.storing.recorded = state.storing.recording;
        }
        if let Some(snapshot) = &batch.snapshot {
            state.session.snapshot_stored(snapshot.seq);
            state.storing.snapshot = snapshot.seq;
            state.storing.bytes_since_snapshot = state.session.log().bytes_after(snapshot.seq);
        }
        if let Some(last) = batch.entries.last() {
            state.session.stored(batch.epoch, last.seq());
        }
        state.settle_storing();
    }

    fn failed(self: Arc<Self>, _batch: &Batch) {
        let mut state = self.lock();
        if state.session.unstored_bytes() > KEPT_ON_FAILURE_BYTES {
            let (epoch, head) = (state.session.log().epoch(), state.session.log().head());
            state.session.stored(epoch, head);
        }
        state.settle_storing();
    }
}
