//! The latest snapshot of each session.

use bytes::Bytes;
use moorline_shared::id::{Epoch, Seq, SessionId};
use moorline_shared::message::Snapshot;
use rusqlite::{OptionalExtension as _, params};

use super::{Store, StoreError, from_sql, to_sql};
use moorline_core::schema;

impl Store {
    /// Replaces the session's snapshot.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn put_snapshot(
        &self,
        id: &SessionId,
        epoch: Epoch,
        snapshot: &Snapshot,
    ) -> Result<(), StoreError> {
        self.connection.prepare_cached(schema::PUT_SNAPSHOT)?.execute(params![
            id.as_str(),
            to_sql(epoch.0),
            to_sql(snapshot.seq.0),
            snapshot.cols,
            snapshot.rows,
            &snapshot.data[..],
        ])?;
        Ok(())
    }

    /// Returns the session's snapshot, if one of this epoch is stored.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn snapshot(&self, id: &SessionId, epoch: Epoch) -> Result<Option<Snapshot>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::SNAPSHOT)?;
        let snapshot = statement
            .query_row(params![id.as_str(), to_sql(epoch.0)], |row| {
                Ok(Snapshot {
                    seq: Seq(from_sql(row.get(0)?)),
                    cols: row.get(1)?,
                    rows: row.get(2)?,
                    data: Bytes::from(row.get::<_, Vec<u8>>(3)?),
                    reason: None,
                })
            })
            .optional()?;
        Ok(snapshot)
    }
}
