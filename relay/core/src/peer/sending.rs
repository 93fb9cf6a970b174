//! The messages that a peer sends of its session: the answer to `resume`, snapshots and entries.

use bytes::Bytes;
use moorline_shared::id::Seq;
use moorline_shared::limits::{BACKLOG_BYTES, LEAST_CREDIT_BYTES};
use moorline_shared::link::{Next, Sender};
use moorline_shared::log::Entry;
use moorline_shared::message::{Resumed, ServerMessage, SnapshotReason, close};
use moorline_shared::time::Time;

use super::{Peer, PeerOutput, PeerPhase, text};
use crate::answer::{ResumeAnswer, answer};
use crate::session::{READS_EVERY, READS_EVERY_BYTES, Session};

impl Peer {
    /// Takes the stored entries after the one that [`PeerOutput::Load`] named, in order.
    pub fn loaded(&mut self, session: &Session, entries: Vec<Entry>) {
        let next = self.sender.position().next();
        let found = entries.iter().any(|entry| entry.seq() == next);
        // The next entry was trimmed after the request, or cannot be read.
        self.is_lost = !found && !session.log().reaches_back_to(self.sender.position());
        self.loaded = entries.into();
    }

    /// Records that the client has applied everything up to `seq`.
    pub(super) fn acked(&mut self, session: &mut Session, now: Time, seq: Seq) {
        let bytes = self.sender.ack(seq);
        if bytes > 0 && self.terms.extended {
            self.credit.acked(now, bytes, self.sender.unacked_bytes());
            self.sender.set_credit(self.credit.bytes());
            self.reads_on(session, now);
        }
    }

    /// Handles an interrupt that the client typed. If more than a second of output is ahead of the
    /// client, it skips to a snapshot, so that it soon sees the effect.
    pub(super) fn interrupted(&mut self, session: &Session) {
        let unsent = session.bytes_after(self.sender.position());
        let second = self.credit.rate().max(LEAST_CREDIT_BYTES);
        let is_streaming = matches!(self.phase, PeerPhase::Streaming);
        if is_streaming && unsent > 0 && unsent + self.sender.unacked_bytes() > second {
            self.snapshot_wanted.get_or_insert(SnapshotReason::Interrupt);
        }
    }

    /// Reports now and then to the session that a client that replays takes what it is sent.
    pub(super) fn reads_on(&mut self, session: &mut Session, now: Time) {
        let is_replaying = matches!(self.phase, PeerPhase::Streaming) && !self.jumps;
        let is_due = |(at, sent): (Time, u64)| {
            now >= at + READS_EVERY || self.sent_bytes >= sent + READS_EVERY_BYTES
        };
        if is_replaying && self.reads_at.is_none_or(is_due) {
            self.reads_at = Some((now, self.sent_bytes));
            session.reads_on(self.id, self.sender.position(), now);
        }
    }

    pub(super) fn poll_answer(&mut self, session: &mut Session, now: Time) -> Option<PeerOutput> {
        let PeerPhase::Answering(resume) = &self.phase else {
            return None;
        };
        let answer = answer(session, resume, self.terms.extended)?;
        // A client that knows only IC-1 cannot ask for less than everything.
        let jumps = resume.jumps() && self.terms.extended;
        let input_seq = self.client_id.as_ref().and_then(|id| session.claims().accepted_seq(id));
        let input_is_coming = session.host_is_here() && !session.lifecycle().is_over();
        if self.client_id.is_some() && input_seq.is_none() && input_is_coming {
            return None;
        }
        self.told_input = input_seq;
        self.jumps = jumps;
        let backlog = if jumps { BACKLOG_BYTES } else { u64::MAX };
        let credit = if self.terms.extended { self.credit.bytes() } else { u64::MAX };
        self.sender = Sender::new(answer.from, credit, backlog);
        if answer.snapshot_first {
            self.await_snapshot(session, SnapshotReason::Resume);
        } else {
            self.phase = PeerPhase::Streaming;
            self.reads_on(session, now);
        }
        let ResumeAnswer { outcome, from, .. } = answer;
        let (epoch, head) = (session.log().epoch(), session.log().head());
        self.epoch = Some(epoch);
        if let Some(client_id) = self.client_id.as_ref().filter(|_| self.answers) {
            session.can_answer(self.id, client_id);
        }
        let resumed = Resumed { outcome, epoch, from, head, input_seq };
        if self.terms.extended { Some(text(&ServerMessage::Resumed(resumed))) } else { None }
    }

    fn await_snapshot(&mut self, session: &mut Session, reason: SnapshotReason) {
        let fresh = reason != SnapshotReason::Requested && session.has_fresh_snapshot();
        let asked = !fresh && session.ask_snapshot();
        // Without a request there is no answer to wait for.
        let answers = if asked { session.snapshot_answers() } else { u64::MAX };
        self.phase = PeerPhase::AwaitingSnapshot { reason, answers };
    }

    pub(super) fn poll_snapshot(&mut self, session: &mut Session) -> Option<PeerOutput> {
        if matches!(self.phase, PeerPhase::Streaming)
            && let Some(reason) = self.snapshot_wanted.take()
        {
            self.await_snapshot(session, reason);
        }
        let PeerPhase::AwaitingSnapshot { reason, answers } = self.phase else {
            return None;
        };
        if answers == session.snapshot_answers() {
            return None;
        }
        self.phase = PeerPhase::Streaming;
        let mut snapshot = session.last_snapshot();
        let is_no_nearer = snapshot.seq <= self.sender.position();
        if is_no_nearer && reason == SnapshotReason::Interrupt {
            return None;
        }
        if is_no_nearer && reason == SnapshotReason::Behind {
            // No snapshot brings this client nearer, so it gets every entry after all.
            self.sender.ignore_backlog();
            if self.is_lost || !session.reaches_back_to(self.sender.position()) {
                tracing::error!("a log has lost entries");
                self.close(close::INTERNAL, "the log has lost entries");
            }
            return None;
        }
        snapshot.reason = Some(reason);
        self.sender.moved(snapshot.seq);
        self.is_lost = false;
        session.has_jumped(self.client_id.as_ref(), snapshot.seq);
        if !self.terms.extended {
            (snapshot.cols, snapshot.rows, snapshot.reason) = (None, None, None);
        }
        Some(text(&ServerMessage::Snapshot(snapshot)))
    }

    pub(super) fn poll_entry(&mut self, session: &mut Session, now: Time) -> Option<PeerOutput> {
        if !matches!(self.phase, PeerPhase::Streaming) {
            return None;
        }
        if let Some(entry) = self.loaded_entry() {
            let output = self.send_entry(now, &entry);
            self.reads_on(session, now);
            return Some(output);
        }
        match self.sender.next(session.log()) {
            Next::Entry(entry) => {
                let output = self.send_entry(now, entry);
                self.reads_on(session, now);
                Some(output)
            }
            Next::Missing if self.may_load(session) => {
                let (epoch, after) = (session.log().epoch(), self.sender.position());
                Some(PeerOutput::Load { epoch, after })
            }
            Next::Behind | Next::Missing => {
                self.await_snapshot(session, SnapshotReason::Behind);
                let snapshot = self.poll_snapshot(session);
                if self.closing.is_some() {
                    None
                } else {
                    snapshot.or_else(|| self.poll_entry(session, now))
                }
            }
            Next::CaughtUp if session.lifecycle().is_over() => Some(self.end(session)),
            Next::CaughtUp | Next::NoCredit => None,
        }
    }

    /// Returns true if the next entry is in the store, and the peer is not too far behind for it.
    fn may_load(&self, session: &Session) -> bool {
        let position = self.sender.position();
        session.has_store()
            && !self.is_lost
            && session.reaches_back_to(position)
            && session.bytes_after(position) <= self.sender.backlog_bytes()
    }

    /// Returns the next entry, if the store has supplied it.
    fn loaded_entry(&mut self) -> Option<Entry> {
        let position = self.sender.position();
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

    fn send_entry(&mut self, now: Time, entry: &Entry) -> PeerOutput {
        self.credit.sent(now);
        self.sender.sent(entry);
        self.sent_bytes += entry.cost();
        let spent = self.terms.budget_bytes.is_some_and(|budget| self.sent_bytes > budget);
        if spent && !self.terms.extended {
            self.close(close::OVERLOADED, "reconnect and resume");
        }
        self.encoded(entry)
    }

    fn encoded(&self, entry: &Entry) -> PeerOutput {
        match entry {
            Entry::Output(frame) => PeerOutput::Frame(frame.encoded()),
            Entry::Event(event) if self.terms.extended => PeerOutput::Text(event.message().clone()),
            // IC-1 has no events; without this its numbers would have a gap.
            Entry::Event(_) => {
                PeerOutput::Frame(Bytes::copy_from_slice(&entry.seq().0.to_be_bytes()))
            }
        }
    }

    /// Ends the stream: everything is sent and nothing can follow.
    fn end(&mut self, session: &Session) -> PeerOutput {
        self.closing = Some((close::NORMAL, "the session has ended"));
        if !self.terms.extended {
            self.phase = PeerPhase::Closed;
            return PeerOutput::Close { code: close::NORMAL, reason: "the session has ended" };
        }
        let exit = session.exit().clone();
        let seq = session.log().head();
        text(&ServerMessage::Exit { seq, code: exit.code, signal: exit.signal })
    }
}
