//! The session's log: the newest entries in memory, and an index of those in the store.

use moorline_shared::id::{Epoch, Seq};
use moorline_shared::log::{Entry, Log, OutOfOrder};

use crate::profile::RetentionPolicy;
use crate::stored::{SegmentRow, Stored};

/// The retained entries of a session.
#[derive(Debug)]
pub(super) struct SessionLog {
    /// The newest entries. All that are not durable are among them.
    newest: Log,
    /// The last entry that is in the store.
    durable: Seq,
    index: Stored,
    policy: RetentionPolicy,
}

impl SessionLog {
    /// Returns a log of which every entry is durable. Ignores rows of another epoch.
    pub(super) fn new(newest: Log, index: Stored, policy: RetentionPolicy) -> Self {
        let same = index.epoch() == newest.epoch();
        let index = if same { index } else { Stored::new(newest.epoch(), []) };
        Self { durable: newest.head(), newest, index, policy }
    }

    pub(super) const fn newest(&self) -> &Log {
        &self.newest
    }

    pub(super) const fn index(&self) -> &Stored {
        &self.index
    }

    pub(super) const fn policy(&self) -> &RetentionPolicy {
        &self.policy
    }

    pub(super) const fn durable(&self) -> Seq {
        self.durable
    }

    /// Begins an empty log after `seq`. What is stored belongs to another log.
    pub(super) fn begin(&mut self, epoch: Epoch, seq: Seq) {
        self.newest = Log::starting_after(epoch, seq);
        self.durable = seq;
        self.index = Stored::new(epoch, []);
    }

    /// Drops the entries in memory, as the session is deleted.
    pub(super) fn clear(&mut self) {
        self.newest = Log::starting_after(self.newest.epoch(), self.newest.head());
        self.durable = self.newest.head();
    }

    pub(super) fn push(&mut self, entry: Entry) -> Result<(), OutOfOrder> {
        self.newest.push(entry)?;
        self.trim();
        Ok(())
    }

    /// Returns about `bytes` of the entries that are not durable, oldest first.
    pub(super) fn unstored(&self, bytes: usize) -> Vec<Entry> {
        let mut left = bytes;
        let fits = |entry: &&Entry| {
            let some_left = left > 0;
            left = left.saturating_sub(entry.len());
            some_left
        };
        self.newest.after(self.durable).take_while(fits).cloned().collect()
    }

    pub(super) fn unstored_bytes(&self) -> u64 {
        self.newest.bytes_after(self.durable)
    }

    /// Takes over rows that were written or have grown, and the removal of rows up to `removed`.
    pub(super) fn rows_changed(
        &mut self,
        rows: impl IntoIterator<Item = SegmentRow>,
        removed: Option<Seq>,
    ) {
        rows.into_iter().for_each(|row| self.index.put(row));
        if let Some(up_to) = removed {
            self.index.removed(up_to);
        }
    }

    /// Records that entries up to `seq` are durable, so that memory need not hold them.
    pub(super) fn durable_up_to(&mut self, seq: Seq) {
        self.durable = self.durable.max(seq.min(self.newest.head()));
        self.trim();
    }

    /// Returns the last of the rows that may go, given the last entry in the stored snapshot and
    /// the entry after which somebody still reads; `None` if none may. Entries after the snapshot
    /// stay, so that a client can get both, unless none has come for too long.
    pub(super) fn to_remove(&self, snapshot: Seq, read_after: Option<Seq>) -> Option<Seq> {
        let (policy, stored) = (&self.policy, self.index.bytes());
        if stored <= policy.retention_bytes + policy.slack_bytes {
            return None;
        }
        let without_snapshot = stored > policy.without_snapshot_bytes;
        let not_after = if without_snapshot { Seq(u64::MAX) } else { snapshot };
        let not_after = read_after.map_or(not_after, |seq| seq.min(not_after));
        self.index.to_remove(policy.retention_bytes, not_after)
    }

    /// Returns the oldest retained entry, in memory or, as far as is known, in the store.
    pub(super) fn oldest(&self) -> Seq {
        let tail = self.newest.tail();
        self.index.oldest().map_or(tail, |oldest| oldest.min(tail))
    }

    /// Returns true if every entry after `seq` is in memory or in the store.
    pub(super) fn reaches_back_to(&self, seq: Seq) -> bool {
        let is_stored = || {
            let oldest = self.index.oldest().is_some_and(|oldest| oldest <= seq.next());
            oldest && self.index.newest().next() >= self.newest.tail()
        };
        self.newest.reaches_back_to(seq) || is_stored()
    }

    /// Returns about how many bytes are retained after `seq`.
    pub(super) fn bytes_after(&self, seq: Seq) -> u64 {
        let in_memory = self.newest.bytes_after(seq);
        if self.newest.reaches_back_to(seq) {
            return in_memory;
        }
        in_memory + self.index.bytes_between(seq, Seq(self.newest.tail().0 - 1))
    }

    fn trim(&mut self) {
        self.newest.trim(self.policy.memory_bytes, self.durable);
    }
}
