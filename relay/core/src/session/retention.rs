//! The limits of a log in memory and in the store.

use moorline_shared::id::{Epoch, Seq};
use moorline_shared::limits::{
    BACKLOG_BYTES, EDGE_MEMORY_BYTES, EDGE_RETENTION_BYTES, EDGE_SNAPSHOT_BYTES, EDGE_WINDOW_BYTES,
    RETENTION_BYTES, WINDOW_BYTES,
};

use super::Session;
use crate::stored::Stored;

/// The limits that a relay can afford for a session's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// The bound on a log in memory. Without a store to read from ([`Session::with_stored`]),
    /// entries after the last snapshot stay longer, up to `without_snapshot_bytes`.
    pub memory_bytes: u64,
    /// The bound on a log in memory if no snapshot comes and there is no store to read from.
    pub without_snapshot_bytes: u64,
    /// The output after which the host is asked for another snapshot, and after which a snapshot is
    /// worth storing, counted from the stored one.
    pub snapshot_every_bytes: u64,
    /// The most that a host may send ahead of the durable entries.
    pub window_bytes: u64,
    /// The bound on a log in the store.
    pub retention_bytes: u64,
    /// True if the relay may lose its memory while its sockets stay open. Then held input must be
    /// stored: see [`Session::poll_held`].
    pub forgets: bool,
}

impl RetentionPolicy {
    /// The limits of a relay with a machine of its own.
    pub const NATIVE: Self = Self {
        memory_bytes: BACKLOG_BYTES,
        without_snapshot_bytes: 4 * BACKLOG_BYTES,
        snapshot_every_bytes: BACKLOG_BYTES / 2,
        window_bytes: WINDOW_BYTES,
        retention_bytes: RETENTION_BYTES,
        forgets: false,
    };
    /// The limits of a relay that shares 128 MiB with many sessions, and may lose its memory at any
    /// moment.
    pub const EDGE: Self = Self {
        memory_bytes: EDGE_MEMORY_BYTES,
        without_snapshot_bytes: EDGE_MEMORY_BYTES,
        snapshot_every_bytes: EDGE_SNAPSHOT_BYTES,
        window_bytes: EDGE_WINDOW_BYTES,
        retention_bytes: EDGE_RETENTION_BYTES,
        forgets: true,
    };
}

/// The retention of a log in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The bytes that stay.
    pub keep_bytes: u64,
    /// The excess that may build up before trimming, so that it is not done every time.
    pub slack_bytes: u64,
}

impl Retention {
    /// The retention on a relay with a machine of its own.
    pub const NATIVE: Self =
        Self { keep_bytes: RETENTION_BYTES, slack_bytes: RETENTION_BYTES / 16 };
    /// The retention in a Durable Object.
    pub const EDGE: Self =
        Self { keep_bytes: EDGE_RETENTION_BYTES, slack_bytes: EDGE_RETENTION_BYTES / 8 };

    /// Returns the last entry that may be removed from a log of `stored_bytes`; `None` if nothing
    /// has to go. The stored snapshot contains everything up to `snapshot`. Entries after the
    /// snapshot stay, so that a client can get both. But that has a limit: if no snapshot comes,
    /// the log is trimmed all the same.
    #[must_use]
    pub const fn not_after(self, stored_bytes: u64, snapshot: Seq) -> Option<Seq> {
        if stored_bytes <= self.keep_bytes + self.slack_bytes {
            None
        } else if stored_bytes <= self.keep_bytes + 2 * self.slack_bytes {
            Some(snapshot)
        } else {
            Some(Seq(u64::MAX))
        }
    }
}

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
