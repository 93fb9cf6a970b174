//! Readers that replay, and event streams: unread entries are retained for them as long as they
//! read.
//!
//! A client that is far behind reads from the store. Once retention would drop entries that it has
//! not read, they stay all the same, and the host gets no acknowledgements: it stops at its window,
//! and the program waits. A client that takes nothing for [`STALLED_AFTER`] no longer holds anyone
//! up.

use std::time::Duration;

use moorline_shared::id::Seq;
use moorline_shared::limits::STALLED_AFTER;
use moorline_shared::time::Time;

use super::Session;
use crate::client_table::PeerId;

/// Bytes after which a reader calls [`Session::reads_on`] again, unless [`READS_EVERY`] passes
/// first.
pub(crate) const READS_EVERY_BYTES: u64 = 256 * 1024;
/// Time after which a reader calls [`Session::reads_on`] again: see [`READS_EVERY_BYTES`].
pub(crate) const READS_EVERY: Duration = Duration::from_secs(1);

/// The position of a reader that replays.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReplayPosition {
    /// The last entry that was sent to it.
    position: Seq,
    /// The time from which it counts as stalled.
    until: Time,
}

impl Session {
    /// Records that `peer` has taken something, and continues after `position`.
    pub(crate) fn reads_on(&mut self, peer: PeerId, position: Seq, now: Time) {
        // It may have taken something since, without a report.
        let until = now + STALLED_AFTER + READS_EVERY;
        self.readings.insert(peer, ReplayPosition { position, until });
        self.acknowledge();
    }

    /// Records that `peer` no longer reads.
    pub(super) fn reads_no_more(&mut self, peer: PeerId) {
        if self.readings.remove(&peer).is_some() {
            self.acknowledge();
        }
    }

    /// Drops stalled readers. A spurious call is harmless.
    pub fn tick(&mut self, now: Time) {
        self.readings.retain(|_, reading| now < reading.until);
        self.acknowledge();
    }

    /// Returns when to call [`Session::tick`]. Every other method may change the answer.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let until = || self.readings.values().map(|reading| reading.until).min();
        self.holds_back().then(until).flatten()
    }

    /// Returns the entry after which everything must stay in the store for its readers; `None` for
    /// no bound.
    #[must_use]
    pub fn kept_after(&self) -> Option<Seq> {
        self.readings.values().map(|reading| reading.position).min()
    }

    /// Returns true if the host must stop putting out more, because a reader would miss something.
    pub(super) fn holds_back(&self) -> bool {
        let (Some(kept_after), Some(stored)) = (self.kept_after(), &self.stored) else {
            return false;
        };
        stored.bytes_between(kept_after, self.durable) > self.keeping.retention.keep_bytes
    }
}
