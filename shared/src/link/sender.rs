//! The sending half of a link: it reads a log at a peer's cursor, within the peer's credit.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::id::Seq;
use crate::log::{Entry, Log};

/// The next step of a [`Sender`].
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'log> {
    /// Send this entry, then call [`Sender::sent`].
    Entry(&'log Entry),
    /// Wait until the log grows.
    CaughtUp,
    /// Wait until the peer acknowledges.
    NoCredit,
    /// Send a snapshot instead: the peer is too far behind.
    Behind,
    /// The peer's next entry is no longer in this log.
    Missing,
}

/// Sends each entry after the peer's cursor. It only holds positions and borrows the log at each
/// call, so a thousand peers of one session cost a thousand small structs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    sent: Seq,
    credit_bytes: u64,
    backlog_bytes: u64,
    unacked: Unacked,
}

impl Sender {
    /// Creates a sender to a peer that has everything up to `from`. Up to `credit_bytes` may be
    /// sent and not acknowledged; a peer that is more than `backlog_bytes` behind is
    /// [`Next::Behind`].
    #[must_use]
    pub const fn new(from: Seq, credit_bytes: u64, backlog_bytes: u64) -> Self {
        Self { sent: from, credit_bytes, backlog_bytes, unacked: Unacked::none() }
    }

    /// Returns what to do next. The answer changes when the log grows or is trimmed, and by
    /// [`Sender::ack`] and [`Sender::sent`]. A spurious call is harmless.
    #[must_use]
    pub fn next<'log>(&self, log: &'log Log) -> Next<'log> {
        if !self.has_credit() {
            return Next::NoCredit;
        }
        if self.sent >= log.head() {
            return Next::CaughtUp;
        }
        if log.bytes_after(self.sent) > self.backlog_bytes {
            return Next::Behind;
        }
        log.get(self.sent.next()).map_or(Next::Missing, Next::Entry)
    }

    /// Returns true if more may be sent before the peer acknowledges.
    #[must_use]
    pub const fn has_credit(&self) -> bool {
        self.unacked.bytes() < self.credit_bytes
    }

    /// Records that `entry` is in flight.
    pub fn sent(&mut self, entry: &Entry) {
        self.sent = entry.seq();
        self.unacked.add(entry.seq(), entry.cost());
    }

    /// Records that a snapshot that contains everything up to `seq` is in flight.
    pub fn moved(&mut self, seq: Seq) {
        self.sent = seq;
        self.unacked.moved(seq);
    }

    /// Never reports [`Next::Behind`] from now on: the peer gets every retained entry, however far
    /// behind it is.
    pub const fn ignore_backlog(&mut self) {
        self.backlog_bytes = u64::MAX;
    }

    /// Returns how many bytes a peer may be behind without [`Next::Behind`].
    #[must_use]
    pub const fn backlog_bytes(&self) -> u64 {
        self.backlog_bytes
    }

    /// Handles an ack of everything up to `seq`, and returns how many bytes it newly acknowledges.
    /// An ack of entries that were never sent, or of fewer than before, changes nothing.
    pub fn ack(&mut self, seq: Seq) -> u64 {
        let before = self.unacked.bytes();
        if seq <= self.sent {
            self.unacked.acked(seq, self.sent);
        }
        before - self.unacked.bytes()
    }

    /// Changes how many bytes may be sent and not acknowledged.
    pub const fn set_credit(&mut self, bytes: u64) {
        self.credit_bytes = bytes;
    }

    /// Returns how many bytes were sent and are not acknowledged.
    #[must_use]
    pub const fn unacked_bytes(&self) -> u64 {
        self.unacked.bytes()
    }

    /// Returns the last entry that was sent.
    #[must_use]
    pub const fn position(&self) -> Seq {
        self.sent
    }
}

/// Approximate distance of two marks in bytes. An ack between two marks counts as the earlier one.
const MARK_EVERY_BYTES: u64 = 16 * 1024;
/// Most marks that are kept. The more bytes are in flight, the less exact they need to be.
const MARKS: usize = 40;

/// Counts the bytes that were sent and not acknowledged, independently of what the log still
/// retains.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Unacked {
    /// Bytes that were ever sent.
    sent: u64,
    /// The part of `sent` that is acknowledged.
    acked: u64,
    /// Total bytes sent up to and including certain entries, oldest first.
    marks: VecDeque<(Seq, u64)>,
}

impl Unacked {
    const fn none() -> Self {
        Self { sent: 0, acked: 0, marks: VecDeque::new() }
    }

    const fn bytes(&self) -> u64 {
        self.sent - self.acked
    }

    fn add(&mut self, seq: Seq, bytes: u64) {
        self.sent += bytes;
        let last = self.marks.back().map_or(self.acked, |(_, sent)| *sent);
        if self.sent - last < MARK_EVERY_BYTES {
            return;
        }
        if self.marks.len() == MARKS {
            // Halve the resolution: every other mark is enough.
            let mut index = 0;
            self.marks.retain(|_| {
                index += 1;
                index % 2 == 0
            });
        }
        self.marks.push_back((seq, self.sent));
    }

    /// Records that an ack of `seq` or later covers everything sent before.
    fn moved(&mut self, seq: Seq) {
        while self.marks.pop_back_if(|(mark, _)| *mark >= seq).is_some() {}
        if self.sent > self.acked {
            self.marks.push_back((seq, self.sent));
        }
    }

    fn acked(&mut self, seq: Seq, last: Seq) {
        if seq == last {
            (self.acked, self.marks) = (self.sent, VecDeque::new());
        }
        while let Some((_, sent)) = self.marks.pop_front_if(|(mark, _)| *mark <= seq) {
            self.acked = sent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;
    use crate::id::Epoch;

    fn log_of(entries: usize, bytes: usize) -> Log {
        let mut log = Log::new(Epoch(1));
        for _ in 0..entries {
            let frame = Frame::copy(log.head().next(), &vec![0; bytes]).unwrap();
            log.push(Entry::Output(frame)).unwrap();
        }
        log
    }

    fn send_all(sender: &mut Sender, log: &Log) -> u64 {
        let mut count = 0;
        while let Next::Entry(entry) = sender.next(log) {
            sender.sent(entry);
            count += 1;
        }
        count
    }

    #[test]
    fn a_sender_stops_at_its_credit_and_goes_on_by_acks() {
        let log = log_of(10, 64 * 1024 - 1000);
        let mut sender = Sender::new(Seq(0), 150_000, u64::MAX);
        assert_eq!((send_all(&mut sender, &log), sender.next(&log)), (3, Next::NoCredit));
        sender.ack(Seq(2));
        assert_eq!(send_all(&mut sender, &log), 2);
        sender.ack(Seq(99));
        assert_eq!(sender.next(&log), Next::NoCredit);
        sender.ack(Seq(5));
        sender.ack(Seq(1));
        assert_eq!(send_all(&mut sender, &log), 3);
    }

    #[test]
    fn a_peer_whose_next_entry_is_gone_or_far_away_needs_a_snapshot() {
        let mut log = log_of(10, 1000);
        let sender = Sender::new(Seq(0), 5000, 5000);
        assert_eq!(sender.next(&log), Next::Behind);
        let mut sender = Sender::new(Seq(0), 5000, u64::MAX);
        log.trim(0, Seq(4));
        assert_eq!(sender.next(&log), Next::Missing);
        sender.moved(Seq(9));
        assert!(matches!(sender.next(&log), Next::Entry(entry) if entry.seq() == Seq(10)));
    }

    #[test]
    fn credit_does_not_depend_on_what_the_log_still_has() {
        let mut log = log_of(10, 60_000);
        let mut sender = Sender::new(Seq(0), 200_000, u64::MAX);
        assert_eq!(send_all(&mut sender, &log), 4);
        log.trim(0, Seq(9));
        assert_eq!(sender.next(&log), Next::NoCredit);
        // A snapshot frees no credit for what is in flight.
        sender.moved(Seq(9));
        assert_eq!(sender.next(&log), Next::NoCredit);
        let saved = serde_json::to_string(&sender).unwrap();
        let mut sender: Sender = serde_json::from_str(&saved).unwrap();
        sender.ack(Seq(9));
        assert_eq!(send_all(&mut sender, &log), 1);
    }

    #[test]
    fn a_sender_stays_small_however_little_is_acknowledged() {
        let log = log_of(2000, 40_000);
        let mut sender = Sender::new(Seq(0), u64::MAX, u64::MAX);
        assert_eq!(send_all(&mut sender, &log), 2000);
        assert!(sender.unacked.marks.len() <= MARKS);
        sender.ack(Seq(2000));
        assert_eq!(sender.unacked.bytes(), 0);
    }
}
