//! Storage of a session: what is to be written, and when.
//!
//! Each written row costs, so entries are written in batches, and at once if many wait. A write is
//! durable before any message leaves the object, so entries count as durable as soon as they are
//! written.

use std::time::Duration;

use moorline_core::profile::Profile;
use moorline_core::record::SessionRecord;
use moorline_core::session::HeldChange;
use moorline_core::stored::Stored;
use moorline_shared::id::{Epoch, Seq};
use moorline_shared::time::Time;

use super::state::{LAST_STATUS, SessionState};
use crate::sql::{ObjectDatabase, OpenSegment, SqlError};

/// After this long without a write, the next entry is written at once. So typing needs no timer,
/// and entries are stored even if memory is lost again and again.
const QUIET: Duration = Duration::from_secs(1);

/// Name of the note with the time of the last lifecycle change.
pub(super) const SINCE: &str = "since";

/// Notes the time of a lifecycle change.
pub(super) fn note_since(database: &ObjectDatabase, now: Time) -> Result<(), SqlError> {
    database.put_note(SINCE, &now.ms)
}

/// StoredProgress of storing a session.
#[derive(Debug)]
pub(super) struct StoredProgress {
    /// Epoch of the stored rows.
    epoch: Epoch,
    last: OpenSegment,
    /// Last entry that the stored snapshot contains; 0 without a snapshot.
    snapshot: Seq,
    /// Bytes of entries stored after that snapshot.
    bytes_since_snapshot: u64,
    told: Option<Seq>,
    /// Time of the last lifecycle change, in milliseconds since 1970.
    since_ms: u64,
    /// Time of the last write.
    stored_at: Time,
    /// Time at which the waiting entries are to be written.
    due: Option<Time>,
    /// True if the volume of waiting entries forced the last write.
    is_flooded: bool,
    /// True if the record has a change that [`SessionState::record_is_due`] cannot detect.
    record_changed: bool,
}

impl StoredProgress {
    /// StoredProgress as the stored rows show it.
    pub(super) fn stored(
        stored: &Stored,
        last: OpenSegment,
        snapshot: Option<Seq>,
        told: Option<Seq>,
        since_ms: u64,
    ) -> Self {
        let snapshot = snapshot.unwrap_or_default();
        Self {
            epoch: stored.epoch(),
            last,
            snapshot,
            bytes_since_snapshot: stored.bytes_between(snapshot, stored.newest()),
            told,
            since_ms,
            stored_at: Time::default(),
            due: None,
            is_flooded: false,
            record_changed: false,
        }
    }

    /// Marks the record as changed, so that it is written at once.
    pub(super) const fn record_changed(&mut self) {
        self.record_changed = true;
    }

    /// Time of the last lifecycle change, in milliseconds since 1970.
    pub(super) const fn since_ms(&self) -> u64 {
        self.since_ms
    }

    /// Returns true if entries arrive too fast to be written at intervals only.
    pub(super) const fn is_flooded(&self) -> bool {
        self.is_flooded
    }

    /// Time at which the waiting entries are to be written; `None` if none wait.
    pub(super) const fn due(&self) -> Option<Time> {
        self.due
    }
}

impl SessionState {
    /// Writes what is due now.
    pub(super) fn store(&mut self, now: Time) -> Result<(), SqlError> {
        self.store_held()?;
        if self.session.is_deleted() {
            self.storing.due = None;
            return Ok(());
        }
        if self.is_stored() {
            self.storing.due = None;
            return Ok(());
        }
        let due = *self.storing.due.get_or_insert(now + Profile::EDGE.store_every);
        // If a new epoch were lost with the memory, its clients would have to start over.
        let is_anew = self.session.log().epoch() != self.record.epoch;
        let much = self.session.unstored_bytes() >= Profile::EDGE.urgent_bytes;
        let is_first = now >= self.storing.stored_at + QUIET;
        // The lifecycle's time decides when it expires, and after the host has left nobody else has
        // what waits.
        let is_other = self.session.lifecycle() != self.record.lifecycle;
        let is_changed = is_anew || is_other || self.storing.record_changed;
        let is_due = is_first || is_changed || now >= due;
        if is_due || much {
            self.storing.is_flooded = !is_due;
            self.storing.due = None;
            self.store_all(now)?;
        }
        Ok(())
    }

    /// Writes everything that waits.
    pub(super) fn store_all(&mut self, now: Time) -> Result<(), SqlError> {
        self.storing.stored_at = now;
        self.begin_anew()?;
        while let Some(batch) = self.session.store_batch(Profile::EDGE.batch_bytes) {
            let id = self.session.id();
            let rows =
                self.database.append(id, batch.epoch, &batch.entries, &mut self.storing.last)?;
            if let Some(stored) = self.session.stored_rows() {
                rows.into_iter().for_each(|row| stored.put(row));
            }
            self.storing.bytes_since_snapshot +=
                batch.entries.iter().map(|entry| entry.len() as u64).sum::<u64>();
            if let Some(last) = batch.entries.last() {
                self.session.stored(batch.epoch, last.seq());
            }
        }
        self.store_snapshot()?;
        self.trim()?;
        if self.told_is_due() {
            self.database.put_note(LAST_STATUS, &self.session.last_status())?;
            self.storing.told = self.session.last_status().map(|told| told.seq);
        }
        if self.record_is_due() {
            let record = self.current_record();
            if record.lifecycle != self.record.lifecycle {
                note_since(&self.database, now)?;
                self.storing.since_ms = now.ms;
            }
            self.record = record;
            self.database.put_session(&self.record)?;
            self.storing.record_changed = false;
        }
        Ok(())
    }

    /// Returns true if nothing waits to be written.
    pub(super) fn is_stored(&self) -> bool {
        self.session.unstored_bytes() == 0
            && !self.record_is_due()
            && !self.told_is_due()
            && !self.snapshot_is_due()
    }

    /// Deletes the rows of an earlier epoch.
    fn begin_anew(&mut self) -> Result<(), SqlError> {
        let epoch = self.session.log().epoch();
        if epoch != self.storing.epoch {
            self.database.delete_segments(self.session.id(), None)?;
            self.storing.epoch = epoch;
            self.storing.last = OpenSegment::default();
            self.storing.snapshot = Seq::ZERO;
            self.storing.bytes_since_snapshot = 0;
        }
        Ok(())
    }

    fn store_snapshot(&mut self) -> Result<(), SqlError> {
        if !self.snapshot_is_due() {
            return Ok(());
        }
        let Some(seq) = self.session.snapshot_to_store().map(|snapshot| snapshot.seq) else {
            return Ok(());
        };
        if let Some(snapshot) = self.session.snapshot_to_store() {
            self.database.put_snapshot(self.session.id(), self.storing.epoch, snapshot)?;
        }
        self.session.snapshot_stored(seq);
        self.storing.snapshot = seq;
        let stored = self.session.stored_rows();
        self.storing.bytes_since_snapshot =
            stored.map_or(0, |stored| stored.bytes_between(seq, stored.newest()));
        Ok(())
    }

    /// Deletes rows before the stored snapshot if more is stored than is to be retained.
    fn trim(&mut self) -> Result<(), SqlError> {
        let kept_after = self.session.kept_after().unwrap_or(Seq(u64::MAX));
        let (retention, snapshot) = (Profile::EDGE.log.retention, self.storing.snapshot);
        let Some(stored) = self.session.stored_rows() else { return Ok(()) };
        let Some(not_after) = retention.not_after(stored.bytes(), snapshot) else { return Ok(()) };
        let not_after = not_after.min(kept_after);
        let Some(up_to) = stored.to_remove(retention.keep_bytes, not_after) else { return Ok(()) };
        stored.removed(up_to);
        self.database.delete_segments(self.session.id(), Some(up_to))
    }

    fn store_held(&mut self) -> Result<(), SqlError> {
        while let Some(change) = self.session.poll_held() {
            match change {
                HeldChange::Keep { client_id, piece } => {
                    self.database.put_held(&client_id, &piece)?;
                }
                HeldChange::Taken { client_id, seq } => {
                    self.database.remove_held(&client_id, seq)?
                }
                HeldChange::Void => self.database.remove_all_held()?,
            }
        }
        Ok(())
    }

    fn record_is_due(&self) -> bool {
        let (session, active) = (&self.session, self.last_activity_ms);
        self.storing.record_changed
            || self.record.is_behind(session, active, Profile::EDGE.activity_step_ms)
    }

    fn told_is_due(&self) -> bool {
        self.session.last_status().map(|told| told.seq) != self.storing.told
    }

    fn snapshot_is_due(&self) -> bool {
        if self.session.snapshot_to_store().is_none() {
            return false;
        }
        let last = self.host.is_none() || self.session.lifecycle().is_over();
        last || self.storing.bytes_since_snapshot > Profile::EDGE.log.snapshot_every_bytes
    }

    /// The record as it should be stored now.
    pub(super) fn current_record(&self) -> SessionRecord {
        self.record.of(&self.session, self.last_activity_ms)
    }
}
