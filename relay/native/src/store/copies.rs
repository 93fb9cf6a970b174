//! Copies of logs, with which forks begin.

use moorline_shared::id::{Epoch, Seq, SessionId};
use moorline_shared::message::Snapshot;
use rusqlite::params;

use super::{SessionRecord, Store, StoreError, to_sql};
use moorline_core::schema;
use moorline_core::stored::SegmentRow;

/// The result of copying a log.
#[derive(Debug)]
pub struct Copied {
    /// The snapshot to start painting from; `None` to start from the first entry.
    pub snapshot: Option<Snapshot>,
}

impl Store {
    /// Copies the log `(id, epoch)` up to `copy.head` to a new session, and stores its row. Returns
    /// `None` and copies nothing if that entry is not stored, or if too little of the log is left
    /// to paint the screen after it. Call it within [`Store::transaction`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn copy_log(
        &self,
        id: &SessionId,
        epoch: Epoch,
        copy: &SessionRecord,
    ) -> Result<Option<Copied>, StoreError> {
        let up_to = copy.head;
        let rows = self.segments(id, epoch)?;
        let Some(tail) = tail_of(&rows, up_to) else { return Ok(None) };
        let snapshot = self.snapshot(id, epoch)?;
        let snapshot =
            snapshot.filter(|snapshot| snapshot.seq <= up_to && tail <= snapshot.seq.next());
        if snapshot.is_none() && tail != Seq(1) {
            return Ok(None);
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
        self.put_session(copy)?;
        Ok(Some(Copied { snapshot }))
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
