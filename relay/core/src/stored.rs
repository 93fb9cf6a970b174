//! An index of the stored segments of a session's log, for a relay that keeps little in memory.

use std::collections::VecDeque;

use moorline_shared::id::{Epoch, Seq};

/// One stored segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentRow {
    /// Its first entry.
    pub first: Seq,
    /// Its last entry.
    pub last: Seq,
    /// The size of its blob.
    pub bytes: u64,
}

/// The rows of one epoch, without gaps. The owner reports every change of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    epoch: Epoch,
    rows: VecDeque<SegmentRow>,
}

impl Stored {
    /// Builds the index from rows in any order. Leaves out rows before a gap.
    #[must_use]
    pub fn new(epoch: Epoch, rows: impl IntoIterator<Item = SegmentRow>) -> Self {
        let mut all: Vec<SegmentRow> = rows.into_iter().collect();
        all.sort_by_key(|row| row.first);
        let mut stored = Self { epoch, rows: VecDeque::new() };
        all.into_iter().for_each(|row| stored.put(row));
        stored
    }

    /// Records that a row was inserted, or grew.
    pub fn put(&mut self, row: SegmentRow) {
        match self.rows.back_mut() {
            Some(last) if last.first == row.first => *last = row,
            Some(last) if last.last.next() != row.first => {
                self.rows.clear();
                self.rows.push_back(row);
            }
            _ => self.rows.push_back(row),
        }
    }

    /// Records that the rows up to this entry were removed.
    pub fn removed(&mut self, up_to: Seq) {
        while self.rows.pop_front_if(|row| row.last <= up_to).is_some() {}
    }

    /// Returns the entry up to which rows may be removed, so that about `keep_bytes` stay and
    /// nothing after `not_after` goes. `None` if no row may go.
    #[must_use]
    pub fn to_remove(&self, keep_bytes: u64, not_after: Seq) -> Option<Seq> {
        let mut left = self.bytes();
        let mut up_to = None;
        for row in &self.rows {
            if left <= keep_bytes || row.last > not_after {
                break;
            }
            left -= row.bytes;
            up_to = Some(row.last);
        }
        up_to
    }

    /// Returns the epoch of the rows.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Returns the oldest stored entry; `None` if there is none.
    #[must_use]
    pub fn oldest(&self) -> Option<Seq> {
        self.rows.front().map(|row| row.first)
    }

    /// Returns the newest stored entry; 0 if there is none.
    #[must_use]
    pub fn newest(&self) -> Seq {
        self.rows.back().map_or(Seq::ZERO, |row| row.last)
    }

    /// Returns the row to which the next entries may be added.
    #[must_use]
    pub fn last_row(&self) -> Option<SegmentRow> {
        self.rows.back().copied()
    }

    /// Returns the row that contains the entry after this one.
    #[must_use]
    pub fn row_after(&self, seq: Seq) -> Option<SegmentRow> {
        let index = self.rows.partition_point(|row| row.last <= seq);
        self.rows.get(index).copied().filter(|row| row.first <= seq.next())
    }

    /// Returns the bytes of all rows.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.rows.iter().map(|row| row.bytes).sum()
    }

    /// Returns about how many bytes are stored after `from` up to `to`.
    #[must_use]
    pub fn bytes_between(&self, from: Seq, to: Seq) -> u64 {
        let share = |row: &SegmentRow| {
            let (after, until) = (row.first.0.max(from.0 + 1), row.last.0.min(to.0));
            let (part, all) = ((until + 1).saturating_sub(after), row.last.0 + 1 - row.first.0);
            row.bytes.saturating_mul(part) / all.max(1)
        };
        let begin = self.rows.partition_point(|row| row.last <= from);
        self.rows.range(begin..).take_while(|row| row.first <= to).map(share).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(first: u64, last: u64, bytes: u64) -> SegmentRow {
        SegmentRow { first: Seq(first), last: Seq(last), bytes }
    }

    fn stored() -> Stored {
        Stored::new(Epoch(1), [row(11, 20, 100), row(1, 10, 100), row(21, 22, 20)])
    }

    #[test]
    fn bytes_are_counted_by_rows_and_parts_of_them() {
        let stored = stored();
        assert_eq!(
            (stored.oldest(), stored.newest(), stored.bytes()),
            (Some(Seq(1)), Seq(22), 220)
        );
        assert_eq!(stored.bytes_between(Seq(0), Seq(22)), 220);
        assert_eq!(stored.bytes_between(Seq(5), Seq(22)), 170);
        assert_eq!(stored.bytes_between(Seq(10), Seq(15)), 50);
        assert_eq!(stored.bytes_between(Seq(22), Seq(99)), 0);
        assert_eq!(stored.row_after(Seq(10)), Some(row(11, 20, 100)));
        assert_eq!(stored.row_after(Seq(22)), None);
    }

    #[test]
    fn rows_grow_and_go() {
        let mut stored = stored();
        stored.put(row(21, 25, 50));
        assert_eq!((stored.newest(), stored.bytes()), (Seq(25), 250));
        assert_eq!(stored.to_remove(200, Seq(99)), Some(Seq(10)));
        assert_eq!(stored.to_remove(0, Seq(20)), Some(Seq(20)));
        assert_eq!(stored.to_remove(0, Seq(9)), None);
        stored.removed(Seq(10));
        assert_eq!(stored.oldest(), Some(Seq(11)));
        stored.put(row(40, 41, 9));
        assert_eq!((stored.oldest(), stored.row_after(Seq(30))), (Some(Seq(40)), None));
    }
}
