//! The receiving half of a link: a cursor that lets each entry pass once.

use std::time::Duration;

use crate::id::{Cursor, Epoch, Seq};
use crate::log::ENTRY_OVERHEAD_BYTES;
use crate::message::{Outcome, Resumed};
use crate::time::Time;

/// Applied but unacknowledged bytes at which an ack is sent at once: an eighth of the largest
/// credit.
const ACK_BYTES: u64 = crate::limits::UNACKED_OUTPUT_BYTES / 8;
/// The same threshold after a pause; it doubles with each ack. It is half of the smallest credit,
/// because a credit only grows as it is used.
const FIRST_ACK_BYTES: u64 = crate::limits::LEAST_CREDIT_BYTES / 2;
/// Time after which a smaller amount is acknowledged too.
const ACK_DELAY: Duration = Duration::from_millis(200);

/// Tells a receiver's owner whether to apply an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Apply it, then call [`Receiver::applied`].
    Apply,
    /// Skip it: it was applied before.
    Duplicate,
    /// Treat it as a protocol violation: entries before it are missing, or it was not asked for.
    Gap,
}

/// Lets each entry pass once, in order, over any number of connections.
#[derive(Debug, Clone)]
pub struct Receiver {
    epoch: Option<Epoch>,
    received: Seq,
    applied: Seq,
    acked: Seq,
    /// The cost of everything that is applied and not acknowledged.
    unacked_bytes: u64,
    /// The value of `unacked_bytes` at which to acknowledge at once.
    ack_bytes: u64,
    ack_due: Option<Time>,
    phase: ReceiverPhase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReceiverPhase {
    /// Not connected, or the sender has not answered yet.
    Silent,
    /// The sender has promised a snapshot; no entry may come before it.
    AwaitingSnapshot,
    Streaming,
}

impl Receiver {
    /// Creates a receiver that has everything up to `cursor`.
    #[must_use]
    pub fn new(cursor: Option<Cursor>) -> Self {
        let seq = cursor.map_or(Seq::ZERO, |cursor| cursor.seq);
        Self {
            epoch: cursor.map(|cursor| cursor.epoch),
            received: seq,
            applied: seq,
            acked: seq,
            unacked_bytes: 0,
            ack_bytes: FIRST_ACK_BYTES,
            ack_due: None,
            phase: ReceiverPhase::Silent,
        }
    }

    /// Returns the position to open the next connection with; `None` before the first answer.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        self.epoch.map(|epoch| Cursor { epoch, seq: self.received })
    }

    /// Returns the last entry whose application is finished.
    #[must_use]
    pub const fn applied_seq(&self) -> Seq {
        self.applied
    }

    /// Ends the connection: no entry is accepted until the next answer.
    pub const fn disconnected(&mut self) {
        self.phase = ReceiverPhase::Silent;
        self.ack_due = None;
    }

    /// Handles the sender's answer. Returns true if everything that was applied is void, so that
    /// the consumer must start from nothing.
    pub fn answer(&mut self, resumed: &Resumed) -> bool {
        let promised = matches!(resumed.outcome, Outcome::Snapshot | Outcome::Reset);
        let other_epoch = self.epoch.is_some_and(|epoch| epoch != resumed.epoch);
        let void = other_epoch
            || resumed.outcome == Outcome::Reset
            || (!promised && resumed.from != self.received);
        // An empty screen is only correct before the first entry; later ones need a snapshot. Until
        // that has arrived, the cursor must not claim what it contains.
        let snapshot_follows = promised || (void && resumed.from > Seq::ZERO);
        self.epoch = Some(resumed.epoch);
        self.phase = if snapshot_follows {
            ReceiverPhase::AwaitingSnapshot
        } else {
            ReceiverPhase::Streaming
        };
        // Entries that are still being applied count as acknowledged: the sender's credit begins
        // anew.
        (self.unacked_bytes, self.ack_bytes) = (0, FIRST_ACK_BYTES);
        if void {
            self.received = Seq::ZERO;
            self.applied = Seq::ZERO;
        }
        self.acked = self.received;
        void
    }

    /// Handles a snapshot that contains everything up to `seq`. Returns false if the sender has not
    /// answered yet and so must not send one.
    pub fn snapshot(&mut self, seq: Seq) -> bool {
        if self.phase == ReceiverPhase::Silent {
            return false;
        }
        self.phase = ReceiverPhase::Streaming;
        self.received = seq;
        self.applied = self.applied.min(seq);
        true
    }

    /// Returns what to do with the entry `seq`, which arrived.
    pub fn entry(&mut self, seq: Seq) -> Verdict {
        if self.phase != ReceiverPhase::Streaming || seq > self.received.next() {
            return Verdict::Gap;
        }
        if seq <= self.received {
            return Verdict::Duplicate;
        }
        self.received = seq;
        Verdict::Apply
    }

    /// Records that the consumer has applied the entry or snapshot `seq`, of `bytes` bytes.
    pub fn applied(&mut self, now: Time, seq: Seq, bytes: usize) {
        self.applied = seq.min(self.received).max(self.applied);
        self.unacked_bytes += bytes as u64 + ENTRY_OVERHEAD_BYTES;
        if self.phase == ReceiverPhase::Streaming
            && self.applied != self.acked
            && self.ack_due.is_none()
        {
            self.ack_due = Some(now + ACK_DELAY);
        }
    }

    /// Returns the seq to acknowledge now, if any. The answer changes by [`Receiver::applied`] and
    /// at [`Receiver::poll_timeout`].
    pub fn poll_ack(&mut self, now: Time) -> Option<Seq> {
        let due = self.ack_due?;
        let is_much = self.unacked_bytes >= self.ack_bytes;
        if now < due && !is_much {
            return None;
        }
        self.ack_bytes = if is_much { ACK_BYTES.min(self.ack_bytes * 2) } else { FIRST_ACK_BYTES };
        self.ack_due = None;
        self.unacked_bytes = 0;
        self.acked = self.applied;
        Some(self.acked)
    }

    /// Returns when to call [`Receiver::poll_ack`] again.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Time> {
        self.ack_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resumed(outcome: Outcome, epoch: u64, from: u64) -> Resumed {
        let (epoch, from) = (Epoch(epoch), Seq(from));
        Resumed { outcome, epoch, from, head: from, input_seq: None, input_given: None }
    }

    fn streaming() -> Receiver {
        let mut receiver = Receiver::new(None);
        assert!(!receiver.answer(&resumed(Outcome::Continue, 1, 0)));
        receiver
    }

    #[test]
    fn each_entry_passes_once_and_in_order() {
        let mut receiver = Receiver::new(None);
        assert_eq!(receiver.entry(Seq(1)), Verdict::Gap);
        receiver.answer(&resumed(Outcome::Continue, 1, 0));
        assert_eq!(receiver.entry(Seq(1)), Verdict::Apply);
        assert_eq!(receiver.entry(Seq(1)), Verdict::Duplicate);
        assert_eq!(receiver.entry(Seq(3)), Verdict::Gap);
        receiver.disconnected();
        assert_eq!(receiver.entry(Seq(2)), Verdict::Gap);
        assert_eq!(receiver.cursor(), Some(Cursor { epoch: Epoch(1), seq: Seq(1) }));
        assert!(!receiver.answer(&resumed(Outcome::Continue, 1, 1)));
        assert_eq!(receiver.entry(Seq(2)), Verdict::Apply);
    }

    #[test]
    fn another_epoch_or_another_start_voids_what_was_applied() {
        for (answer, void) in [
            (resumed(Outcome::Continue, 2, 0), true),
            (resumed(Outcome::Continue, 1, 0), true),
            (resumed(Outcome::Reset, 1, 5), true),
            (resumed(Outcome::Ended, 1, 1), false),
            (resumed(Outcome::Snapshot, 1, 9), false),
        ] {
            let mut receiver = streaming();
            receiver.entry(Seq(1));
            assert_eq!(receiver.answer(&answer), void, "{answer:?}");
        }
    }

    #[test]
    fn a_void_screen_claims_nothing_until_its_snapshot_is_here() {
        let mut receiver = Receiver::new(None);
        assert!(receiver.answer(&resumed(Outcome::Ended, 1, 9)));
        assert_eq!(receiver.entry(Seq(10)), Verdict::Gap);
        assert_eq!(receiver.cursor(), Some(Cursor { epoch: Epoch(1), seq: Seq(0) }));
        assert!(receiver.snapshot(Seq(9)));
        assert_eq!(receiver.entry(Seq(10)), Verdict::Apply);
    }

    #[test]
    fn no_entry_counts_before_a_promised_snapshot() {
        let mut receiver = streaming();
        receiver.answer(&resumed(Outcome::Snapshot, 1, 0));
        assert_eq!(receiver.entry(Seq(1)), Verdict::Gap);
        assert!(receiver.snapshot(Seq(7)));
        assert_eq!(receiver.entry(Seq(8)), Verdict::Apply);
    }

    #[test]
    fn acks_wait_for_bytes_or_for_a_rest() {
        let mut receiver = streaming();
        let start = Time::from_ms(0);
        for seq in 1..=10 {
            receiver.entry(Seq(seq));
        }
        receiver.applied(start, Seq(1), 10);
        assert_eq!(receiver.poll_ack(start), None);
        assert_eq!(receiver.poll_timeout(), Some(start + ACK_DELAY));
        assert_eq!(receiver.poll_ack(start + ACK_DELAY), Some(Seq(1)));
        assert_eq!(receiver.poll_ack(start + ACK_DELAY), None);
        receiver.applied(start, Seq(5), 1_000_000);
        assert_eq!(receiver.poll_ack(start), Some(Seq(5)));
    }
}
