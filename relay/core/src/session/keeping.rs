//! How much of a log is in memory, and what is retained elsewhere.

use moorline_shared::id::{Epoch, Seq};
use moorline_shared::limits::{
    BACKLOG_BYTES, EDGE_MEMORY_BYTES, EDGE_PICTURE_BYTES, EDGE_RETENTION_BYTES, EDGE_WINDOW_BYTES,
    RETENTION_BYTES, WINDOW_BYTES,
};

use super::Session;
use crate::stored::Stored;

/// What a relay can afford.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// What is kept of a log in memory. Without a store to read from ([`Session::with_stored`])
    /// what came after the last picture stays longer, up to `without_picture_bytes`.
    pub memory_bytes: u64,
    /// What is kept of a log in memory where no picture comes and there is no store to read from.
    pub without_picture_bytes: u64,
    /// The host is asked for a picture whenever this much output has come since the last one, and
    /// a picture is worth storing when this much has come since the one that is stored.
    pub picture_every_bytes: u64,
    /// What a host may send ahead of what is durable.
    pub window_bytes: u64,
    /// What is retained of a log, in the store.
    pub retention_bytes: u64,
    /// Whether the relay may lose its memory while its sockets stay open. Then held input is to be
    /// stored: [`Session::poll_held`].
    pub forgets: bool,
}

impl Keeping {
    /// A relay with a machine of its own.
    pub const NATIVE: Self = Self {
        memory_bytes: BACKLOG_BYTES,
        without_picture_bytes: 4 * BACKLOG_BYTES,
        picture_every_bytes: BACKLOG_BYTES / 2,
        window_bytes: WINDOW_BYTES,
        retention_bytes: RETENTION_BYTES,
        forgets: false,
    };
    /// A relay that shares 128 MiB with many sessions, and may lose its memory at any moment.
    pub const EDGE: Self = Self {
        memory_bytes: EDGE_MEMORY_BYTES,
        without_picture_bytes: EDGE_MEMORY_BYTES,
        picture_every_bytes: EDGE_PICTURE_BYTES,
        window_bytes: EDGE_WINDOW_BYTES,
        retention_bytes: EDGE_RETENTION_BYTES,
        forgets: true,
    };
}

/// What is retained of a log in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// This much stays.
    pub keep_bytes: u64,
    /// Trimming waits until this much is over it, so that it is not done every time.
    pub slack_bytes: u64,
}

impl Retention {
    /// On a relay with a machine of its own.
    pub const NATIVE: Self =
        Self { keep_bytes: RETENTION_BYTES, slack_bytes: RETENTION_BYTES / 16 };
    /// In a Durable Object.
    pub const EDGE: Self =
        Self { keep_bytes: EDGE_RETENTION_BYTES, slack_bytes: EDGE_RETENTION_BYTES / 8 };

    /// The last entry that may go of a log of `stored_bytes` whose stored picture contains everything
    /// up to `picture`; `None` where nothing has to go. What follows the picture stays, so that a
    /// client can be given both, but not without end: where no picture comes the log is trimmed all
    /// the same.
    #[must_use]
    pub const fn not_after(self, stored_bytes: u64, picture: Seq) -> Option<Seq> {
        if stored_bytes <= self.keep_bytes + self.slack_bytes {
            None
        } else if stored_bytes <= self.keep_bytes + 2 * self.slack_bytes {
            Some(picture)
        } else {
            Some(Seq(u64::MAX))
        }
    }
}

impl Session {
    /// The same session on a relay that can afford this much.
    #[must_use]
    pub const fn keeping(mut self, keeping: Keeping) -> Self {
        self.keeping = keeping;
        self
    }

    /// The same session, whose log before what is in memory is read from the store: who needs it
    /// asks. Of another incarnation than the log's it is of no use.
    #[must_use]
    pub fn with_stored(mut self, stored: Stored) -> Self {
        let same = stored.epoch() == self.log.epoch();
        let none = Stored::new(self.log.epoch(), []);
        self.stored = Some(if same { stored } else { none });
        self
    }

    /// What the store has, where the session was given that: to tell of every change of a row.
    pub const fn stored_rows(&mut self) -> Option<&mut Stored> {
        self.stored.as_mut()
    }

    /// The same, of this incarnation alone.
    pub fn stored_rows_of(&mut self, epoch: Epoch) -> Option<&mut Stored> {
        self.stored.as_mut().filter(|stored| stored.epoch() == epoch)
    }

    /// How often the host is asked for a picture, and other bounds.
    #[must_use]
    pub const fn bounds(&self) -> Keeping {
        self.keeping
    }

    /// The oldest entry that is retained, in memory or, as far as is known, in the store.
    #[must_use]
    pub fn oldest(&self) -> Seq {
        let stored = self.stored.as_ref().and_then(Stored::oldest);
        stored.map_or(self.log.tail(), |oldest| oldest.min(self.log.tail()))
    }

    /// Whether every entry after `seq` is in memory or in the store.
    pub(crate) fn reaches_back_to(&self, seq: Seq) -> bool {
        self.log.reaches_back_to(seq)
            || self.stored.as_ref().is_some_and(|stored| {
                let oldest = stored.oldest().is_some_and(|oldest| oldest <= seq.next());
                oldest && stored.newest().next() >= self.log.tail()
            })
    }

    /// About how many bytes are retained after `seq`.
    pub(crate) fn bytes_after(&self, seq: Seq) -> u64 {
        let in_memory = self.log.bytes_after(seq);
        let Some(stored) = &self.stored else { return in_memory };
        if self.log.reaches_back_to(seq) {
            return in_memory;
        }
        in_memory + stored.bytes_between(seq, Seq(self.log.tail().0 - 1))
    }

    /// Whether older entries than those in memory can be asked for.
    pub(crate) const fn has_store(&self) -> bool {
        self.stored.is_some()
    }

    pub(super) fn trim(&mut self) {
        let behind = match &self.stored {
            Some(_) => self.durable,
            None => self.durable.min(self.picture_seq()),
        };
        self.log.trim(self.keeping.memory_bytes, behind);
        // A host that makes no pictures must not fill the memory.
        self.log.trim(self.keeping.without_picture_bytes, self.durable);
    }
}
