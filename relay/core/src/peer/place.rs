//! A client's place in the log: what it was sent, what it may be sent, and what comes next.

use std::collections::VecDeque;

use moorline_shared::id::Seq;
use moorline_shared::limits::{BACKLOG_BYTES, LEAST_CREDIT_BYTES};
use moorline_shared::link::{Credit, Next, Sender};
use moorline_shared::log::Entry;
use moorline_shared::time::Time;

use crate::session::{ReportPace, Session};

/// The next step of a client that streams.
#[derive(Debug)]
pub(super) enum NextEntry {
    /// Send this entry.
    Entry(Entry),
    /// Ask for stored entries after this one.
    Load(Seq),
    /// The next entry is gone, or the client is so far behind that a snapshot is better.
    Behind,
    /// Nothing is left.
    CaughtUp,
    /// The client has to acknowledge something first.
    NoCredit,
}

/// The place of one client.
#[derive(Debug)]
pub(super) struct PeerPlace {
    pub(super) sender: Sender,
    /// The credit of a client that acknowledges.
    pub(super) credit: Credit,
    pub(super) sent_bytes: u64,
    /// True if the client prefers a snapshot to a long backlog.
    pub(super) jumps: bool,
    /// Paces the reports of the place to the session.
    reports: ReportPace,
    /// Stored entries after the place.
    loaded: VecDeque<Entry>,
    /// True if the store does not have the entry after the place.
    is_lost: bool,
}

impl PeerPlace {
    /// Returns the place at this sender's position.
    pub(super) fn new(sender: Sender, credit: Credit, sent_bytes: u64, jumps: bool) -> Self {
        let (reports, loaded) = (ReportPace::default(), VecDeque::new());
        Self { sender, credit, sent_bytes, jumps, reports, loaded, is_lost: false }
    }

    /// Begins to stream after `from`. Only an `extended` client acknowledges.
    pub(super) fn begin(&mut self, from: Seq, jumps: bool, extended: bool) {
        self.jumps = jumps;
        let backlog = if jumps { BACKLOG_BYTES } else { u64::MAX };
        let credit = if extended { self.credit.bytes() } else { u64::MAX };
        self.sender = Sender::new(from, credit, backlog);
    }

    /// Returns the last entry that was sent.
    pub(super) const fn position(&self) -> Seq {
        self.sender.position()
    }

    /// Records that the client has applied everything up to `seq`. Returns true if that is news.
    pub(super) fn acked(&mut self, now: Time, seq: Seq) -> bool {
        let bytes = self.sender.ack(seq);
        if bytes > 0 {
            self.credit.acked(now, bytes, self.sender.unacked_bytes());
            self.sender.set_credit(self.credit.bytes());
        }
        bytes > 0
    }

    /// Returns true if more than a second of output is ahead of the client.
    pub(super) fn is_a_second_behind(&self, session: &Session) -> bool {
        let unsent = session.bytes_after(self.position());
        let second = self.credit.rate().max(LEAST_CREDIT_BYTES);
        unsent > 0 && unsent + self.sender.unacked_bytes() > second
    }

    /// Returns the place if it is to be reported to the session, and assumes that it is.
    pub(super) fn poll_report(&mut self, now: Time) -> Option<Seq> {
        (!self.jumps && self.reports.poll(now)).then(|| self.position())
    }

    /// Takes the stored entries that [`NextEntry::Load`] asked for, in order.
    pub(super) fn loaded(&mut self, session: &Session, entries: Vec<Entry>) {
        let next = self.position().next();
        let found = entries.iter().any(|entry| entry.seq() == next);
        // The next entry was trimmed after the request, or cannot be read.
        self.is_lost = !found && !session.log().reaches_back_to(self.position());
        self.loaded = entries.into();
    }

    /// Returns the next step. A returned entry counts as sent.
    pub(super) fn next(&mut self, session: &Session, now: Time) -> NextEntry {
        let entry = match self.next_loaded() {
            Some(entry) => entry,
            None => match self.sender.next(session.log()) {
                Next::Entry(entry) => entry.clone(),
                Next::Missing if self.may_load(session) => return NextEntry::Load(self.position()),
                Next::Behind | Next::Missing => return NextEntry::Behind,
                Next::CaughtUp => return NextEntry::CaughtUp,
                Next::NoCredit => return NextEntry::NoCredit,
            },
        };
        self.credit.sent(now);
        self.sender.sent(&entry);
        self.sent_bytes += entry.cost();
        self.reports.count(entry.cost());
        NextEntry::Entry(entry)
    }

    /// Moves on to a snapshot of everything up to `seq`.
    pub(super) fn jump(&mut self, seq: Seq) {
        self.sender.moved(seq);
        self.is_lost = false;
    }

    /// Has the client get every entry, however far behind it is, as no snapshot brings it nearer.
    /// Returns false if entries are lost.
    pub(super) fn read_on(&mut self, session: &Session) -> bool {
        self.sender.ignore_backlog();
        !self.is_lost && session.reaches_back_to(self.position())
    }

    /// Returns true if the next entry is in the store, and the client is not too far behind for it.
    fn may_load(&self, session: &Session) -> bool {
        !self.is_lost
            && session.reaches_back_to(self.position())
            && session.bytes_after(self.position()) <= self.sender.backlog_bytes()
    }

    /// Returns the next entry, if the store has supplied it.
    fn next_loaded(&mut self) -> Option<Entry> {
        let position = self.position();
        while self.loaded.pop_front_if(|entry| entry.seq() <= position).is_some() {}
        if self.loaded.front()?.seq() != position.next() {
            self.loaded.clear();
        }
        if !self.sender.has_credit() {
            // Asked for again once there is credit: nothing is kept for a client that does not
            // read.
            self.loaded.clear();
        }
        self.loaded.pop_front()
    }
}
