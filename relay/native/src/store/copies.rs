//! Copies of logs, with which forks begin.

use moorline_shared::id::{Epoch, Seq, SessionId};
use moorline_shared::limits::FORK_OUTPUT_BYTES;
use moorline_shared::message::Snapshot;
use rusqlite::params;

use super::{SessionRecord, Store, StoreError, to_sql};
use moorline_core::schema;
use moorline_core::stored::{SegmentRow, Stored};

/// The result of copying a log.
#[derive(Debug, PartialEq, Eq)]
pub enum LogCopy {
    /// The log was copied, with the snapshot to start painting from; `None` to start from the first
    /// entry.
    Copied(Option<Snapshot>),
    /// Nothing was copied: the entry is not stored, or too little of the log before it is left to
    /// paint the screen after it.
    Trimmed,
    /// Nothing was copied: more than [`FORK_OUTPUT_BYTES`] would have to be painted.
    TooFar,
}

impl Store {
    /// Copies the log `(id, epoch)` up to `copy.head` and its snapshot to a new session, and stores
    /// its row. Call it within [`Store::transaction`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn copy_log(
        &self,
        id: &SessionId,
        epoch: Epoch,
        copy: &SessionRecord,
    ) -> Result<LogCopy, StoreError> {
        let up_to = copy.head;
        let rows = self.segments(id, epoch)?;
        let Some(tail) = tail_of(&rows, up_to) else { return Ok(LogCopy::Trimmed) };
        let snapshot = self.snapshot(id, epoch)?;
        let snapshot =
            snapshot.filter(|snapshot| snapshot.seq <= up_to && tail <= snapshot.seq.next());
        if snapshot.is_none() && tail != Seq(1) {
            return Ok(LogCopy::Trimmed);
        }
        let painted = snapshot.as_ref().map_or(Seq::ZERO, |snapshot| snapshot.seq);
        let unpainted = Stored::new(epoch, rows.iter().copied()).bytes_between(painted, up_to);
        if unpainted > FORK_OUTPUT_BYTES {
            return Ok(LogCopy::TooFar);
        }
        self.connection.prepare_cached(schema::COPY_SEGMENTS)?.execute(params![
            id.as_str(),
            to_sql(epoch.0),
            to_sql(up_to.0),
            copy.id.as_str(),
            to_sql(copy.epoch.0),
        ])?;
        if let Some(row) = rows.iter().find(|row| row.first <= up_to && up_to < row.last) {
            let before = Seq(row.first.0 - 1);
            let mut entries = self.read(id, before, std::iter::once(*row))?;
            entries.retain(|entry| entry.seq() <= up_to);
            self.append(&copy.id, copy.epoch, &entries)?;
        }
        if let Some(snapshot) = &snapshot {
            self.put_snapshot(&copy.id, copy.epoch, snapshot)?;
        }
        self.put_session(copy)?;
        Ok(LogCopy::Copied(snapshot))
    }
}

/// Returns the oldest entry from which the log is complete up to `up_to`.
fn tail_of(newest_first: &[SegmentRow], up_to: Seq) -> Option<Seq> {
    let mut rows = newest_first.iter().skip_while(|row| row.first > up_to);
    let mut tail = rows.next().filter(|row| row.last >= up_to)?.first;
    for row in rows {
        if row.last.next() != tail {
            break;
        }
        tail = row.first;
    }
    Some(tail)
}
