//! The limits of a log in memory and in the store.

use moorline_shared::id::{Epoch, Seq};

use super::Session;
use crate::profile::RetentionPolicy;
use crate::stored::Stored;

impl Session {
    /// Returns the same session with these limits.
    #[must_use]
    pub const fn keeping(mut self, keeping: RetentionPolicy) -> Self {
        self.keeping = keeping;
        self
    }

    /// Returns the same session with a store, from which clients request entries older than those
    /// in memory. Rows of another epoch than the log's are ignored.
    #[must_use]
    pub fn with_stored(mut self, stored: Stored) -> Self {
        let same = stored.epoch() == self.log.epoch();
        let none = Stored::new(self.log.epoch(), []);
        self.stored = Some(if same { stored } else { none });
        self
    }

    /// Returns the index of the store, if there is one. Report every change of a row to it.
    pub const fn stored_rows(&mut self) -> Option<&mut Stored> {
        self.stored.as_mut()
    }

    /// Returns the index of the store if it has this epoch.
    pub fn stored_rows_of(&mut self, epoch: Epoch) -> Option<&mut Stored> {
        self.stored.as_mut().filter(|stored| stored.epoch() == epoch)
    }

    /// Returns the limits of this session.
    #[must_use]
    pub const fn bounds(&self) -> RetentionPolicy {
        self.keeping
    }

    /// Returns the oldest retained entry, in memory or, as far as is known, in the store.
    #[must_use]
    pub fn oldest(&self) -> Seq {
        let stored = self.stored.as_ref().and_then(Stored::oldest);
        stored.map_or(self.log.tail(), |oldest| oldest.min(self.log.tail()))
    }

    /// Returns true if every entry after `seq` is in memory or in the store.
    pub(crate) fn reaches_back_to(&self, seq: Seq) -> bool {
        self.log.reaches_back_to(seq)
            || self.stored.as_ref().is_some_and(|stored| {
                let oldest = stored.oldest().is_some_and(|oldest| oldest <= seq.next());
                oldest && stored.newest().next() >= self.log.tail()
            })
    }

    /// Returns about how many bytes are retained after `seq`.
    pub(crate) fn bytes_after(&self, seq: Seq) -> u64 {
        let in_memory = self.log.bytes_after(seq);
        let Some(stored) = &self.stored else { return in_memory };
        if self.log.reaches_back_to(seq) {
            return in_memory;
        }
        in_memory + stored.bytes_between(seq, Seq(self.log.tail().0 - 1))
    }

    /// Returns true if entries older than those in memory can be requested.
    pub(crate) const fn has_store(&self) -> bool {
        self.stored.is_some()
    }

    pub(super) fn trim(&mut self) {
        let behind = match &self.stored {
            Some(_) => self.durable,
            None => self.durable.min(self.snapshot_seq()),
        };
        self.log.trim(self.keeping.memory_bytes, behind);
        // A host that makes no snapshots must not fill the memory.
        self.log.trim(self.keeping.without_snapshot_bytes, self.durable);
    }
}
