//! Logs, stored as rows of segments.

use bytes::Bytes;
use moorline_shared::id::{Epoch, Seq, SessionId};
use moorline_shared::limits::SEGMENT_BYTES;
use moorline_shared::log::Entry;
use rusqlite::{OptionalExtension as _, params};

use super::packed::{pack, unpack};
use super::{Store, StoreError, from_sql, to_sql};
use moorline_core::schema;
use moorline_core::segment::{self, Segment};
use moorline_core::stored::SegmentRow;

/// The last row is rewritten together with what follows if it has at most this size, so that typing
/// makes few rows. It bounds what a keystroke writes.
const MERGE_BYTES: u32 = 32 * 1024;

/// The last row, into which the next entries may be merged.
struct MergeableSegment {
    epoch: Epoch,
    first: Seq,
    last: Seq,
    /// The row's data; `None` if it is too large to be merged into.
    data: Option<Vec<u8>>,
}

impl Store {
    /// Appends consecutive entries to a session's stored log. Returns the rows that were written,
    /// oldest first; the first of them may have existed before. Skips entries that are stored
    /// already. After a gap, or under another epoch, removes all that was stored before. Call it
    /// within [`Store::transaction`].
    ///
    /// # Errors
    /// [`StoreError::OutOfOrder`] if the entries have gaps, or [`StoreError::Sqlite`].
    pub fn append(
        &self,
        id: &SessionId,
        epoch: Epoch,
        entries: &[Entry],
    ) -> Result<Vec<SegmentRow>, StoreError> {
        check_order(entries)?;
        let mut last = self.last_segment(id)?;
        let Some(first) = entries.first().map(Entry::seq) else { return Ok(Vec::new()) };
        if last.as_ref().is_some_and(|row| row.epoch != epoch || row.last.next() < first) {
            self.remove_segments(id, Seq(u64::MAX))?;
            last = None;
        }
        let stored = last.as_ref().map_or(Seq::ZERO, |row| row.last);
        let new = &entries[entries.partition_point(|entry| entry.seq() <= stored)..];
        let merged = last.and_then(|row| Some((row.first, row.data?)));
        let exists = merged.is_some();
        let (first, blob) = merged.unwrap_or((Seq::ZERO, Vec::new()));
        self.write(id, epoch, new, NewRow { first, segment: Segment::of(blob), exists })
    }

    fn write(
        &self,
        id: &SessionId,
        epoch: Epoch,
        entries: &[Entry],
        mut row: NewRow,
    ) -> Result<Vec<SegmentRow>, StoreError> {
        let mut written = Vec::new();
        let mut last = Seq::ZERO;
        let most: usize = entries.iter().map(segment::most_len).sum();
        row.segment.reserve(most.min(SEGMENT_BYTES));
        for entry in entries {
            let full = row.segment.len() + segment::most_len(entry) > SEGMENT_BYTES;
            if full && !row.segment.is_empty() {
                if last != Seq::ZERO {
                    written.push(self.put(id, epoch, &row, last)?);
                }
                row.segment.clear();
                row.exists = false;
            }
            if row.segment.is_empty() {
                row.first = entry.seq();
            }
            row.segment.push(entry);
            last = entry.seq();
        }
        if last != Seq::ZERO {
            written.push(self.put(id, epoch, &row, last)?);
        }
        Ok(written)
    }

    fn put(
        &self,
        id: &SessionId,
        epoch: Epoch,
        row: &NewRow,
        last: Seq,
    ) -> Result<SegmentRow, StoreError> {
        let written = SegmentRow { first: row.first, last, bytes: row.segment.len() as u64 };
        let (id, first, last) = (id.as_str(), to_sql(row.first.0), to_sql(last.0));
        // A smaller row is rewritten with what follows.
        let is_large = written.bytes > u64::from(MERGE_BYTES);
        let packed = is_large.then(|| pack(row.segment.blob())).flatten();
        let data = packed.as_deref().unwrap_or(row.segment.blob());
        let bytes = to_sql(written.bytes);
        if row.exists {
            let mut statement = self.connection.prepare_cached(schema::UPDATE_SEGMENT)?;
            statement.execute(params![id, first, last, bytes, data])?;
        } else {
            let mut statement = self.connection.prepare_cached(schema::INSERT_SEGMENT)?;
            statement.execute(params![id, first, to_sql(epoch.0), last, bytes, data])?;
        }
        Ok(written)
    }

    /// Returns the stored entries after `after`, oldest first, in whole segments until they reach
    /// `max_bytes`. Returns the entries of at least one segment, if any is stored.
    ///
    /// # Errors
    /// [`StoreError::Segment`] if a row is damaged, or [`StoreError::Sqlite`].
    pub fn load(
        &self,
        id: &SessionId,
        epoch: Epoch,
        after: Seq,
        max_bytes: u64,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut rows = self.segments(id, epoch)?;
        rows.retain(|row| row.last > after);
        rows.reverse();
        let mut left = max_bytes;
        let wanted = rows.into_iter().take_while(|row| {
            let wanted = left > 0;
            left = left.saturating_sub(row.bytes);
            wanted
        });
        self.read(id, after, wanted)
    }

    /// Returns the newest stored entries, oldest first, in as many whole segments as fit into
    /// `max_bytes`.
    ///
    /// # Errors
    /// As [`Store::load`].
    pub fn load_newest(
        &self,
        id: &SessionId,
        epoch: Epoch,
        max_bytes: u64,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut left = max_bytes;
        let mut rows = self.segments(id, epoch)?;
        rows.retain(|row| {
            let fits = row.bytes <= left;
            left = if fits { left - row.bytes } else { 0 };
            fits
        });
        rows.reverse();
        self.read(id, Seq::ZERO, rows.into_iter())
    }

    /// Removes the segments of which no entry is after `up_to`.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn remove_segments(&self, id: &SessionId, up_to: Seq) -> Result<(), StoreError> {
        let up_to = i64::try_from(up_to.0).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(schema::DELETE_SEGMENTS)?;
        statement.execute(params![id.as_str(), up_to])?;
        Ok(())
    }

    /// Returns the rows of a log, newest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn segments(&self, id: &SessionId, epoch: Epoch) -> Result<Vec<SegmentRow>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::SEGMENTS)?;
        let rows = statement.query_map(params![id.as_str(), to_sql(epoch.0)], |row| {
            Ok(SegmentRow {
                first: Seq(from_sql(row.get(0)?)),
                last: Seq(from_sql(row.get(1)?)),
                bytes: from_sql(row.get(2)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn last_segment(&self, id: &SessionId) -> Result<Option<MergeableSegment>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::LAST_SEGMENT)?;
        let row = statement
            .query_row(params![id.as_str(), MERGE_BYTES], |row| {
                Ok(MergeableSegment {
                    epoch: Epoch(from_sql(row.get(0)?)),
                    first: Seq(from_sql(row.get(1)?)),
                    last: Seq(from_sql(row.get(2)?)),
                    data: row.get(3)?,
                })
            })
            .optional()?;
        Ok(row)
    }

    pub(super) fn read(
        &self,
        id: &SessionId,
        after: Seq,
        rows: impl Iterator<Item = SegmentRow>,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        let mut statement = self.connection.prepare_cached(schema::SEGMENT_DATA)?;
        for row in rows {
            let key = params![id.as_str(), to_sql(row.first.0)];
            let data: Vec<u8> = statement.query_row(key, |row| row.get(0))?;
            for entry in segment::decode(row.first, Bytes::from(unpack(data)?)) {
                let entry = entry?;
                if entry.seq() > after {
                    entries.push(entry);
                }
            }
        }
        check_order(&entries)?;
        Ok(entries)
    }
}

/// A row that is being filled.
struct NewRow {
    first: Seq,
    segment: Segment,
    exists: bool,
}

fn check_order(entries: &[Entry]) -> Result<(), StoreError> {
    for pair in entries.windows(2) {
        let (want, got) = (pair[0].seq().next(), pair[1].seq());
        if want != got {
            return Err(StoreError::OutOfOrder { want, got });
        }
    }
    Ok(())
}
