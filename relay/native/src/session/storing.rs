//! What of a session is to be stored, and how far that is.

use std::sync::Arc;

use moorline_shared::id::{Seq, SessionId};

use super::{SessionHandle, State};
use crate::store::{Batch, SessionRecord, Source, Written};
use moorline_core::session::Keeping;

/// The time of the last activity is stored when it is this much later.
const ACTIVITY_STEP_MS: u64 = 10_000;
/// While nothing can be stored this much waits for better times; what is over it is given up.
const KEPT_ON_FAILURE_BYTES: u64 = 8 * 1024 * 1024;
/// This much should be stored without waiting for more.
const URGENT_BYTES: u64 = 512 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Progress {
    /// Whether the store is going to ask for a batch.
    marked: bool,
    /// How often the row got something that [`State::record_is_due`] cannot see by itself, when it
    /// was new, renamed or moved; and how much of that is stored, and being stored.
    changes: u64,
    recorded: u64,
    recording: u64,
    hurried: bool,
    picture: Seq,
    bytes_since_picture: u64,
}

impl Progress {
    pub(super) const fn new(is_new: bool) -> Self {
        Self {
            marked: false,
            changes: if is_new { 1 } else { 0 },
            recorded: 0,
            recording: 0,
            hurried: false,
            picture: Seq::ZERO,
            bytes_since_picture: 0,
        }
    }

    /// What the row tells has changed otherwise.
    pub(super) const fn record_changed(&mut self) {
        self.changes += 1;
    }

    pub(super) const fn put_out(&mut self, bytes: usize) {
        self.bytes_since_picture += bytes as u64;
    }
}

impl State {
    /// Whether the store must be told that this session has something to store: once a batch.
    pub(super) fn mark(&mut self) -> bool {
        let due = !self.storing.marked && !self.session.is_deleted() && !self.is_stored();
        self.storing.marked |= due;
        due
    }

    /// Whether the store must be told that much waits: once a batch.
    pub(super) fn hurry(&mut self) -> bool {
        let due = !self.storing.hurried && self.session.unstored_bytes() > URGENT_BYTES;
        self.storing.hurried |= due;
        due
    }

    pub(super) fn is_stored(&self) -> bool {
        self.session.unstored_bytes() == 0 && !self.record_is_due() && !self.picture_is_due()
    }

    fn record_is_due(&self) -> bool {
        let (session, active) = (&self.session, self.last_activity_ms);
        self.storing.recorded != self.storing.changes
            || self.record.is_behind(session, active, ACTIVITY_STEP_MS)
    }

    fn picture_is_due(&self) -> bool {
        let much = self.storing.bytes_since_picture > Keeping::NATIVE.picture_every_bytes;
        (much || !self.link.is_up()) && self.session.picture_to_store().is_some()
    }
}

impl Source for SessionHandle {
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
        let picture = state.picture_is_due().then(|| state.session.picture_to_store().cloned());
        let kept_after = state.session.kept_after().unwrap_or(Seq(u64::MAX));
        Batch {
            record: state.record_is_due().then(|| state.current_record()),
            epoch: state.session.log().epoch(),
            entries: entries.unwrap_or_default(),
            picture: picture.flatten(),
            picture_stored: state.storing.picture,
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
            // It may have been renamed or moved meanwhile.
            let SessionRecord { name, project, .. } = state.record.clone();
            state.record = SessionRecord { name, project, ..record.clone() };
            state.storing.recorded = state.storing.recording;
        }
        if let Some(picture) = &batch.picture {
            state.session.picture_stored(picture.seq);
            state.storing.picture = picture.seq;
            state.storing.bytes_since_picture = state.session.log().bytes_after(picture.seq);
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
