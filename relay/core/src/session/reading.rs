//! Clients that replay, and event streams: what they have not read is kept for them as long as they
//! read.
//!
//! A client that is far behind reads from the store. Where it is about to fall off what is retained,
//! what follows it stays in the store all the same, and the host is not told what is durable: it
//! stops at its window, and the program waits. A client that takes nothing for
//! [`STALLED_AFTER`] keeps nobody waiting any more.

use std::time::Duration;

use moorline_shared::id::Seq;
use moorline_shared::limits::STALLED_AFTER;
use moorline_shared::time::Time;

use super::Session;
use crate::claims::PeerId;

/// A client that replays is told of by [`Session::reads_on`] when it has taken this much more, or after
/// this time.
pub(crate) const READS_EVERY_BYTES: u64 = 256 * 1024;
/// See [`READS_EVERY_BYTES`].
pub(crate) const READS_EVERY: Duration = Duration::from_secs(1);

/// Where a client stands that replays.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// The last entry that it was sent.
    position: Seq,
    /// When it counts as stalled.
    until: Time,
}

impl Session {
    /// `peer` has taken something: it goes on from `position`.
    pub(crate) fn reads_on(&mut self, peer: PeerId, position: Seq, now: Time) {
        // It may have taken something since, and not been told of.
        let until = now + STALLED_AFTER + READS_EVERY;
        self.readings.insert(peer, Reading { position, until });
        self.acknowledge();
    }

    /// `peer` reads no more.
    pub(super) fn reads_no_more(&mut self, peer: PeerId) {
        if self.readings.remove(&peer).is_some() {
            self.acknowledge();
        }
    }

    /// Time has passed. A spurious call is harmless.
    pub fn tick(&mut self, now: Time) {
        self.readings.retain(|_, reading| now < reading.until);
        self.acknowledge();
    }

    /// When to call [`Session::tick`]: changes by every other method.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let until = || self.readings.values().map(|reading| reading.until).min();
        self.holds_back().then(until).flatten()
    }

    /// The entry after which everything must stay in the store, for those who read it; `None` for
    /// no bound.
    #[must_use]
    pub fn kept_after(&self) -> Option<Seq> {
        self.readings.values().map(|reading| reading.position).min()
    }

    /// Whether the host must not put out more: somebody would miss something.
    pub(super) fn holds_back(&self) -> bool {
        let (Some(kept_after), Some(stored)) = (self.kept_after(), &self.stored) else {
            return false;
        };
        stored.bytes_between(kept_after, self.durable) > self.keeping.retention_bytes
    }
}
