//! A log that begins as a copy of another one.

use moorline_shared::id::{Epoch, Seq, SessionId};
use moorline_shared::message::Snapshot;
use rusqlite::params;

use super::{SessionRecord, Store, StoreError, to_sql};
use moorline_core::schema;
use moorline_core::stored::Row;

/// What a copy begins with.
#[derive(Debug)]
pub struct Copied {
    /// The picture that the copy's own is painted from; `None` where it is from the beginning.
    pub picture: Option<Snapshot>,
}

impl Store {
    /// Copies the log `(id, epoch)` up to `copy.head` to a new session, and stores its row. `None`
    /// where the screen after that entry cannot be painted any more, or the entry is not stored;
    /// then nothing is copied. Call it within [`Store::transaction`].
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
        let picture = self.snapshot(id, epoch)?;
        let picture = picture.filter(|picture| picture.seq <= up_to && tail <= picture.seq.next());
        if picture.is_none() && tail != Seq(1) {
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
        Ok(Some(Copied { picture }))
    }
}

/// The oldest entry from which all are there up to this one.
fn tail_of(newest_first: &[Row], up_to: Seq) -> Option<Seq> {
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
