//! The messages that a peer sends of its session: the answer to `resume`, snapshots and entries.

use bytes::Bytes;
use moorline_shared::id::{Cursor, Seq};
use moorline_shared::log::Entry;
use moorline_shared::message::{Resumed, ServerMessage, SnapshotReason, close};
use moorline_shared::time::Time;

use super::place::NextEntry;
use super::{Peer, PeerOutput, PeerPhase, text};
use crate::answer::{ResumeAnswer, answer};
use crate::session::Session;

impl Peer {
    /// Takes the stored entries after the one that [`PeerOutput::Load`] named, in order.
    pub fn loaded(&mut self, session: &Session, entries: Vec<Entry>) {
        self.place.loaded(session, entries);
    }

    /// Records that the client has applied everything up to `seq`.
    pub(super) fn acked(&mut self, session: &mut Session, now: Time, seq: Seq) {
        if self.terms.extended && self.place.acked(now, seq) {
            self.report(session, now);
        }
    }

    /// Handles an interrupt that the client typed. If more than a second of output is ahead of the
    /// client, it skips to a snapshot, so that it soon sees the effect.
    pub(super) fn interrupted(&mut self, session: &Session) {
        let is_streaming = matches!(self.phase, PeerPhase::Streaming);
        if is_streaming && self.place.is_a_second_behind(session) {
            self.snapshot_wanted.get_or_insert(SnapshotReason::Interrupt);
        }
    }

    /// Reports now and then to the session that a client that replays takes what it is sent.
    pub(super) fn report(&mut self, session: &mut Session, now: Time) {
        if matches!(self.phase, PeerPhase::Streaming)
            && let Some(position) = self.place.poll_report(now)
        {
            session.reads_on(self.id, position, now);
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
        self.told.input = input_seq;
        self.place.begin(answer.from, jumps, self.terms.extended);
        if answer.snapshot_first {
            self.await_snapshot(session, SnapshotReason::Resume);
        } else {
            self.phase = PeerPhase::Streaming;
            self.report(session, now);
        }
        let ResumeAnswer { outcome, from, .. } = answer;
        let (epoch, head) = (session.log().epoch(), session.log().head());
        self.epoch = Some(epoch);
        if let Some(client_id) = self.client_id.as_ref().filter(|_| self.input.answers) {
            session.can_answer(self.id, client_id);
        }
        let input_given = self.take_input_over(session);
        let resumed = Resumed { outcome, epoch, from, head, input_seq, input_given };
        if self.terms.extended { Some(text(&ServerMessage::Resumed(resumed))) } else { None }
    }

    /// If the client's input is of an earlier epoch, continues it in this one. Returns the last piece
    /// of that epoch that a host may have been given, if that is known.
    fn take_input_over(&mut self, session: &Session) -> Option<Seq> {
        let (epoch, before) = (session.log().epoch(), self.input.sent?);
        if before.epoch == epoch {
            return None;
        }
        let given = session.claims().given_before(self.client_id.as_ref()?, before.epoch);
        let sent = given.map_or(0, |given| before.seq.0.saturating_sub(given.0));
        self.input.sent = Some(Cursor { epoch, seq: Seq(sent) });
        given
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
        let is_no_nearer = snapshot.seq <= self.place.position();
        if is_no_nearer && reason == SnapshotReason::Interrupt {
            return None;
        }
        if is_no_nearer && reason == SnapshotReason::Behind {
            // No snapshot brings this client nearer, so it gets every entry after all.
            if !self.place.read_on(session) {
                tracing::error!("a log has lost entries");
                self.close(close::INTERNAL, "the log has lost entries");
            }
            return None;
        }
        snapshot.reason = Some(reason);
        self.place.jump(snapshot.seq);
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
        match self.place.next(session, now) {
            NextEntry::Entry(entry) => {
                self.report(session, now);
                let sent_bytes = self.place.sent_bytes;
                let spent = self.terms.budget_bytes.is_some_and(|budget| sent_bytes > budget);
                if spent && !self.terms.extended {
                    self.close(close::OVERLOADED, "reconnect and resume");
                }
                Some(self.encoded(&entry))
            }
            NextEntry::Load(after) => {
                Some(PeerOutput::Load { epoch: session.log().epoch(), after })
            }
            NextEntry::Behind => {
                self.await_snapshot(session, SnapshotReason::Behind);
                let snapshot = self.poll_snapshot(session);
                if self.closing.is_some() {
                    None
                } else {
                    snapshot.or_else(|| self.poll_entry(session, now))
                }
            }
            NextEntry::CaughtUp if session.lifecycle().is_over() => Some(self.end(session)),
            NextEntry::CaughtUp | NextEntry::NoCredit => None,
        }
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
        let seq = session.log().head();
        text(&ServerMessage::Exit { seq, status: session.exit() })
    }
}
