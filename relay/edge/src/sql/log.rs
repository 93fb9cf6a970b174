//! The session's log as rows of segments.
//!
//! Written rows are the largest cost at the edge. So entries are appended many at a time, and a
//! small last row is written again with the entries that follow.

use bytes::Bytes;
use moorline_core::schema;
use moorline_core::segment::{self, Segment};
use moorline_core::stored::SegmentRow;
use moorline_shared::id::{Epoch, Seq, SessionId};
use moorline_shared::limits::SEGMENT_BYTES;
use moorline_shared::log::Entry;

use super::{ObjectDatabase, Result, ResultRow};

/// Maximum size of a last row that is rewritten with what follows. It bounds what a keystroke
/// writes.
const GROWING_BYTES: usize = 64 * 1024;

/// The last row, to which the next entries are appended while it is small.
#[derive(Debug, Default)]
pub(crate) struct OpenSegment {
    /// First entry of the row; `None` if the next entries start a new one.
    first: Option<Seq>,
    segment: Segment,
}

impl ObjectDatabase {
    /// The stored rows of a log, oldest first.
    pub(crate) fn segments(&self, id: &SessionId, epoch: Epoch) -> Result<Vec<SegmentRow>> {
        let rows = self.rows(schema::SEGMENTS, &[id.as_str().into(), epoch.0.into()])?;
        let row = |row: &ResultRow| {
            Ok(SegmentRow {
                first: Seq(row.number(0)?),
                last: Seq(row.number(1)?),
                bytes: row.number(2)?,
            })
        };
        rows.iter().rev().map(row).collect()
    }

    /// The entries of one row.
    pub(crate) fn segment(&self, id: &SessionId, first: Seq) -> Result<Vec<Entry>> {
        decode(first, self.segment_data(id, first)?)
    }

    /// The last row and its entries, if it is small enough to be appended to.
    pub(crate) fn last_segment(
        &self,
        id: &SessionId,
        rows: &[SegmentRow],
    ) -> Result<(OpenSegment, Vec<Entry>)> {
        let Some(row) = rows.last().filter(|row| row.bytes <= GROWING_BYTES as u64) else {
            return Ok((OpenSegment::default(), Vec::new()));
        };
        let data = self.segment_data(id, row.first)?;
        let entries = decode(row.first, data.clone())?;
        Ok((OpenSegment { first: Some(row.first), segment: Segment::of(data) }, entries))
    }

    fn segment_data(&self, id: &SessionId, first: Seq) -> Result<Vec<u8>> {
        let row = self.row(schema::SEGMENT_DATA, &[id.as_str().into(), first.0.into()])?;
        row.map_or(Ok(Vec::new()), |mut row| row.take_blob(0))
    }

    /// Appends consecutive entries to the stored log. Returns the rows that were written, oldest
    /// first; the first may be a row that has grown.
    pub(crate) fn append(
        &self,
        id: &SessionId,
        epoch: Epoch,
        entries: &[Entry],
        last: &mut OpenSegment,
    ) -> Result<Vec<SegmentRow>> {
        let mut written = Vec::new();
        if last.segment.len() > GROWING_BYTES {
            *last = OpenSegment::default();
        }
        let mut is_new = last.first.is_none();
        let mut rest = entries;
        while let Some(next) = rest.first() {
            let first = *last.first.get_or_insert(next.seq());
            let mut end = first;
            while let Some((entry, others)) = rest.split_first()
                && (last.segment.is_empty()
                    || last.segment.len() + segment::most_len(entry) <= SEGMENT_BYTES)
            {
                last.segment.push(entry);
                end = entry.seq();
                rest = others;
            }
            // If not even one entry fits, the row stays unchanged.
            if end != first || is_new {
                self.put_segment(id, epoch, (first, end), last.segment.blob(), is_new)?;
                let bytes = last.segment.len() as u64;
                written.push(SegmentRow { first, last: end, bytes });
            }
            if !rest.is_empty() {
                *last = OpenSegment::default();
                is_new = true;
            }
        }
        Ok(written)
    }

    /// Writes one row, which is new or has grown.
    pub(crate) fn put_segment(
        &self,
        id: &SessionId,
        epoch: Epoch,
        (first, last): (Seq, Seq),
        data: &[u8],
        is_new: bool,
    ) -> Result<()> {
        let (id, first, last) = (id.as_str().into(), first.0.into(), last.0.into());
        let bytes = (data.len() as u64).into();
        if is_new {
            self.run(schema::INSERT_SEGMENT, &[id, first, epoch.0.into(), last, bytes, data.into()])
        } else {
            self.run(schema::UPDATE_SEGMENT, &[id, first, last, bytes, data.into()])
        }
    }

    /// Deletes the rows up to an entry, or all rows for `None`.
    pub(crate) fn delete_segments(&self, id: &SessionId, up_to: Option<Seq>) -> Result<()> {
        let up_to = up_to.map_or(schema::LARGEST_NUMBER, |seq| seq.0);
        self.run(schema::DELETE_SEGMENTS, &[id.as_str().into(), up_to.into()])
    }
}

fn decode(first: Seq, data: Vec<u8>) -> Result<Vec<Entry>> {
    Ok(segment::decode(first, Bytes::from(data)).collect::<std::result::Result<_, _>>()?)
}
