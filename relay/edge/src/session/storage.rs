//! The session's rows: what is written, and when.
//!
//! Each written row costs, so entries are written in batches, and at once if many wait. A write is
//! durable before any message leaves the object, so entries count as durable as soon as they are
//! written.

use std::time::Duration;

use moorline_core::profile::Profile;
use moorline_core::session::{Batch, HeldChange, Urgency};
use moorline_core::stored::SegmentRow;
use moorline_shared::id::SessionId;
use moorline_shared::session::Lifecycle;
use moorline_shared::time::Time;

use crate::sql::{ObjectDatabase, OpenSegment, SqlError};

/// After this long without a write, the next entry is written at once. So typing needs no timer,
/// and entries are stored even if memory is lost again and again.
const QUIET: Duration = Duration::from_secs(1);

/// Name of the note with the last status in the log.
pub(super) const LAST_STATUS: &str = "told";
/// Name of the note with the session's agent.
pub(super) const AGENT: &str = "agent";
/// Name of the note with the time of the last lifecycle change.
pub(super) const SINCE: &str = "since";

/// Notes the time of a lifecycle change.
pub(super) fn note_since(database: &ObjectDatabase, now: Time) -> Result<(), SqlError> {
    database.put_note(SINCE, &now.ms)
}

/// The object's database, and the progress of writing to it.
#[derive(Debug)]
pub(super) struct SessionStore {
    pub(super) database: ObjectDatabase,
    last: OpenSegment,
    /// The lifecycle in the stored row.
    lifecycle: Lifecycle,
    /// Time of the last lifecycle change.
    since: Time,
    /// Time of the last write.
    stored_at: Time,
    /// Time at which the waiting changes are to be written.
    due: Option<Time>,
    /// True if the volume of waiting entries forced the last write.
    is_flooded: bool,
}

impl SessionStore {
    /// Returns the state in which `last` is the last row of the log, and the session's row has this
    /// lifecycle.
    pub(super) fn new(
        database: ObjectDatabase,
        last: OpenSegment,
        lifecycle: Lifecycle,
        since: Time,
    ) -> Self {
        let (stored_at, due, is_flooded) = (Time::default(), None, false);
        Self { database, last, lifecycle, since, stored_at, due, is_flooded }
    }

    /// Time of the last lifecycle change.
    pub(super) const fn since(&self) -> Time {
        self.since
    }

    /// Returns true if entries arrive too fast to be written at intervals only.
    pub(super) const fn is_flooded(&self) -> bool {
        self.is_flooded
    }

    /// Time at which the waiting changes are to be written; `None` if none wait.
    pub(super) const fn due(&self) -> Option<Time> {
        self.due
    }

    /// Notes that the session has something to store.
    pub(super) fn ask(&mut self, now: Time, urgency: Urgency, unstored_bytes: u64) {
        let is_due = now >= *self.due.get_or_insert(now + Profile::EDGE.store_every)
            || now >= self.stored_at + QUIET;
        self.is_flooded = !is_due && unstored_bytes >= Profile::EDGE.urgent_bytes;
        if is_due || urgency == Urgency::Now {
            self.due = Some(now);
        }
    }

    /// Notes that everything is written.
    pub(super) const fn wrote_all(&mut self, now: Time) {
        self.stored_at = now;
        self.due = None;
    }

    /// Writes a batch, and returns the rows that hold its entries now.
    pub(super) fn write(
        &mut self,
        id: &SessionId,
        batch: &Batch,
        now: Time,
    ) -> Result<Vec<SegmentRow>, SqlError> {
        let database = &self.database;
        if batch.begins_anew {
            database.delete_segments(id, None)?;
            database.put_note(LAST_STATUS, &None::<()>)?;
            self.last = OpenSegment::default();
        } else if let Some(up_to) = batch.remove_up_to {
            database.delete_segments(id, Some(up_to))?;
        }
        let rows = database.append(id, batch.epoch, &batch.entries, &mut self.last)?;
        if let Some(snapshot) = &batch.snapshot {
            database.put_snapshot(id, batch.epoch, snapshot)?;
        }
        if let Some(last_status) = &batch.last_status {
            database.put_note(LAST_STATUS, last_status)?;
        }
        if let Some(agent) = &batch.agent {
            database.put_long_note(AGENT, agent)?;
        }
        if let Some(record) = &batch.record {
            // The time decides when the session expires.
            if record.lifecycle != self.lifecycle {
                note_since(database, now)?;
                self.since = now;
                self.lifecycle = record.lifecycle;
            }
            database.put_session(record)?;
        }
        Ok(rows)
    }

    /// Writes a change of the input that waits for the host.
    pub(super) fn write_held(&self, change: HeldChange) -> Result<(), SqlError> {
        match change {
            HeldChange::Keep { client_id, piece, is_given } => {
                self.database.put_held(&client_id, &piece, is_given)
            }
            HeldChange::Given { client_id, seq } => self.database.give_held(&client_id, seq),
            HeldChange::Taken { client_id, seq } => self.database.remove_held(&client_id, seq),
            HeldChange::Void => self.database.remove_all_held(),
        }
    }
}
