//! The sending half of a link: reads a log at a peer's cursor, within the peer's credit.

use crate::id::Seq;
use crate::log::{Entry, Log};

/// What a [`Sender`] can do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'log> {
    /// Send this entry, then call [`Sender::sent`].
    Entry(&'log Entry),
    /// Nothing until the log grows.
    CaughtUp,
    /// Nothing until the peer acknowledges.
    NoCredit,
    /// The peer needs a picture instead: too far behind, or its next entry is trimmed.
    Behind,
}

/// Sends each entry after the peer's cursor. It holds positions only: the log is lent at each
/// call, so that a thousand peers of one session cost a thousand small structs.
#[derive(Debug, Clone)]
pub struct Sender {
    sent: Seq,
    acked: Seq,
    credit_bytes: u64,
    backlog_bytes: u64,
}

impl Sender {
    /// A sender to a peer that has everything up to `from`. `credit_bytes` may be sent and not
    /// acknowledged; a peer more than `backlog_bytes` behind is [`Next::Behind`].
    #[must_use]
    pub const fn new(from: Seq, credit_bytes: u64, backlog_bytes: u64) -> Self {
        Self { sent: from, acked: from, credit_bytes, backlog_bytes }
    }

    /// What to do next; changes when the log grows or is trimmed, by [`Sender::ack`] and
    /// [`Sender::sent`]. A spurious call is harmless.
    #[must_use]
    pub fn next<'log>(&self, log: &'log Log) -> Next<'log> {
        if log.bytes_between(self.acked, self.sent) >= self.credit_bytes {
            return Next::NoCredit;
        }
        if self.sent >= log.head() {
            return Next::CaughtUp;
        }
        if log.bytes_after(self.sent) > self.backlog_bytes {
            return Next::Behind;
        }
        log.get(self.sent.next()).map_or(Next::Behind, Next::Entry)
    }

    /// The entry `seq`, or a picture that contains it, is on its way.
    pub fn sent(&mut self, seq: Seq) {
        self.sent = seq;
        self.acked = self.acked.min(seq);
    }

    /// However far behind, the peer gets every entry that is retained.
    pub const fn ignore_backlog(&mut self) {
        self.backlog_bytes = u64::MAX;
    }

    /// The peer has applied everything up to `seq`. An ack of what was never sent, or of less than
    /// an earlier one, changes nothing.
    pub fn ack(&mut self, seq: Seq) {
        if seq <= self.sent {
            self.acked = self.acked.max(seq);
        }
    }

    /// The last entry that was sent.
    #[must_use]
    pub const fn position(&self) -> Seq {
        self.sent
    }

    /// The last entry that the peer has acknowledged.
    #[must_use]
    pub const fn acked(&self) -> Seq {
        self.acked
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
            sender.sent(entry.seq());
            count += 1;
        }
        count
    }

    #[test]
    fn a_sender_stops_at_its_credit_and_goes_on_by_acks() {
        let log = log_of(10, 1000);
        let mut sender = Sender::new(Seq(0), 2500, u64::MAX);
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
    fn a_peer_whose_next_entry_is_gone_or_far_away_needs_a_picture() {
        let mut log = log_of(10, 1000);
        let sender = Sender::new(Seq(0), 5000, 5000);
        assert_eq!(sender.next(&log), Next::Behind);
        let mut sender = Sender::new(Seq(0), 5000, u64::MAX);
        log.trim(0, Seq(4));
        assert_eq!(sender.next(&log), Next::Behind);
        sender.sent(Seq(9));
        assert!(matches!(sender.next(&log), Next::NoCredit));
        sender.ack(Seq(9));
        assert!(matches!(sender.next(&log), Next::Entry(entry) if entry.seq() == Seq(10)));
    }
}
