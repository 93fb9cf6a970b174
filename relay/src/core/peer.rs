//! One connected client, on the relay's side: sender of output, receiver of input.
//!
//! A peer holds positions and a few flags, never a queue of output: each
//! [`Peer::poll_output`] reads the session's log at the peer's cursor.

use std::collections::VecDeque;

use bytes::Bytes;
use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Epoch, Seq};
use moorline_shared::limits::{
    BACKLOG_BYTES, DEAD_AFTER, HEARTBEAT, RESUME_DEADLINE, TEXT_MESSAGE_BYTES, UNACKED_OUTPUT_BYTES,
};
use moorline_shared::link::{Next, Sender};
use moorline_shared::log::Entry;
use moorline_shared::message::{
    ClientMessage, ErrorCode, ExtendedMeta, Resume, Resumed, Scope, ServerMessage, SessionMeta,
    SnapshotReason, close,
};
use moorline_shared::session::Size;
use moorline_shared::time::Time;

use super::answer::{Answer, answer};
use super::claims::PeerId;
use super::input::InputRefused;
use super::rfc3339;
use super::session::{Session, TooManyClients};

/// Errors that wait to be told; more in one go say nothing new.
const ERRORS_WAITING: usize = 8;

/// What a client's socket must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerOutput {
    /// Send a text message: UTF-8.
    Text(Bytes),
    /// Send a binary message.
    Frame(Bytes),
    /// Send the WebSocket's own ping: the sign of life of a client that knows only IC-1.
    Ping,
    /// Close, and report nothing more.
    Close {
        /// See [`close`].
        code: u16,
        /// For people.
        reason: &'static str,
    },
}

#[derive(Debug)]
enum Phase {
    AwaitingResume {
        deadline: Time,
    },
    /// The client is ahead of the log, or the host has not told the client's input yet.
    Answering(Resume),
    AwaitingPicture {
        reason: SnapshotReason,
        answers: u64,
    },
    Streaming,
    Closed,
}

/// See the module.
#[derive(Debug)]
pub struct Peer {
    id: PeerId,
    client_id: Option<ClientId>,
    scope: Scope,
    extended: bool,
    phase: Phase,
    /// The incarnation that the cursor belongs to, once `resume` is answered.
    epoch: Option<Epoch>,
    sender: Sender,
    told_revision: Option<u64>,
    told_state: Option<Seq>,
    told_input: Option<Seq>,
    errors: VecDeque<(ErrorCode, &'static str)>,
    pong: Option<u64>,
    picture_wanted: bool,
    closing: Option<(u16, &'static str)>,
    heard: Time,
    said: Time,
}

impl Peer {
    /// A client has connected. `extended` clients offered `moorline.v1`. Call [`Peer::detach`]
    /// when it is gone.
    ///
    /// # Errors
    /// [`TooManyClients`].
    pub fn attach(
        session: &mut Session,
        now: Time,
        scope: Scope,
        extended: bool,
    ) -> Result<Self, TooManyClients> {
        Ok(Self {
            id: session.attach()?,
            client_id: None,
            scope,
            extended,
            phase: Phase::AwaitingResume { deadline: now + RESUME_DEADLINE },
            epoch: None,
            sender: Sender::new(Seq::ZERO, 0, 0),
            told_revision: None,
            told_state: None,
            told_input: None,
            errors: VecDeque::new(),
            pong: None,
            picture_wanted: false,
            closing: None,
            heard: now,
            said: now,
        })
    }

    /// The client is gone.
    pub fn detach(self, session: &mut Session) {
        session.detach(self.id, self.client_id.as_ref());
    }

    /// A text message arrived.
    pub fn text(&mut self, session: &mut Session, now: Time, text: &str) {
        self.heard = now;
        if text.len() > TEXT_MESSAGE_BYTES {
            return self.error(ErrorCode::TooLarge, "A text message has at most 256 KiB.");
        }
        match ClientMessage::from_json(text) {
            Ok(message) => self.message(session, message),
            // The wording of IC-1.
            Err(_) => self.error(ErrorCode::BadMessage, "Invalid JSON"),
        }
    }

    /// A binary message arrived: a piece of input.
    pub fn binary(&mut self, session: &mut Session, now: Time, encoded: Bytes) {
        self.heard = now;
        let Ok(piece) = Frame::decode(encoded) else {
            return self.error(
                ErrorCode::BadMessage,
                "A binary message is 8 bytes of number, from 1, and at most 64 KiB of input.",
            );
        };
        let Some(client_id) = self.client_id.clone().filter(|_| self.has_answer()) else {
            return self.error(
                ErrorCode::ResumeRequired,
                "Input needs `resume` with a clientId first, on the subprotocol moorline.v1.",
            );
        };
        if self.scope == Scope::Read {
            return self.error(ErrorCode::ReadOnly, "This token only allows to watch.");
        }
        if session.lifecycle().is_over() {
            return self.error(ErrorCode::SessionEnded, "The session has ended.");
        }
        // Input for the session's earlier incarnation must not reach this one.
        if self.epoch == Some(session.log().epoch()) {
            self.pass_on(session, &client_id, piece);
        }
    }

    fn pass_on(&mut self, session: &mut Session, client_id: &ClientId, piece: Frame) {
        let (code, message) = match session.input(client_id, piece) {
            Ok(()) => return,
            Err(InputRefused::TooMuch) => {
                (ErrorCode::TooLarge, "More than 256 KiB of input wait for the session.")
            }
            Err(InputRefused::Gap) => {
                (ErrorCode::BadMessage, "Input is numbered without gaps; see inputSeq.")
            }
        };
        self.error(code, message);
        self.close(close::PROTOCOL, "the input does not fit what was acknowledged");
    }

    /// The WebSocket's own pong, or anything else that shows that the client lives.
    pub const fn heard(&mut self, now: Time) {
        self.heard = now;
    }

    /// The relay shuts down, or a fault of its own ends this connection.
    pub const fn close(&mut self, code: u16, reason: &'static str) {
        self.closing = Some((code, reason));
    }

    /// What to send now; call until `None`. Changes by every other method, and whenever the
    /// session does.
    pub fn poll_output(&mut self, session: &mut Session, now: Time) -> Option<PeerOutput> {
        if matches!(self.phase, Phase::Closed) {
            return None;
        }
        let output = self.poll(session, now);
        if output.is_some() {
            self.said = now;
        }
        output
    }

    /// When to call [`Peer::poll_output`] again though nothing happened.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let alive = (self.heard + DEAD_AFTER).min(self.said + HEARTBEAT);
        match self.phase {
            Phase::Closed => None,
            Phase::AwaitingResume { deadline } => Some(deadline.min(alive)),
            _ => Some(alive),
        }
    }

    fn has_answer(&self) -> bool {
        matches!(self.phase, Phase::AwaitingPicture { .. } | Phase::Streaming)
    }

    fn error(&mut self, code: ErrorCode, message: &'static str) {
        if self.errors.len() < ERRORS_WAITING {
            self.errors.push_back((code, message));
        }
    }

    fn message(&mut self, session: &mut Session, message: ClientMessage) {
        match message {
            ClientMessage::Unknown => {}
            ClientMessage::Ping { t } => self.pong = Some(t),
            ClientMessage::Resume(resume) => self.resume(session, resume),
            _ if matches!(self.phase, Phase::AwaitingResume { .. }) => {
                self.error(ErrorCode::ResumeRequired, "Send `resume` first.");
            }
            ClientMessage::Ack { seq } => self.sender.ack(seq),
            ClientMessage::SnapshotRequest => self.picture_wanted = true,
            ClientMessage::Resize { cols, rows } => self.resize(session, Size { cols, rows }),
        }
    }

    fn resume(&mut self, session: &mut Session, resume: Resume) {
        if !matches!(self.phase, Phase::AwaitingResume { .. }) {
            return;
        }
        if let Some(client_id) = resume.client_id.as_ref().filter(|_| self.extended) {
            session.claim(self.id, client_id);
            self.client_id = Some(client_id.clone());
        }
        self.phase = Phase::Answering(resume);
    }

    fn resize(&mut self, session: &mut Session, size: Size) {
        if self.scope == Scope::Read {
            self.error(ErrorCode::ReadOnly, "This token only allows to watch.");
        } else if size != size.clamped() {
            self.error(
                ErrorCode::BadMessage,
                "A terminal has 2 to 1000 columns and 1 to 500 rows.",
            );
        } else {
            session.client_size(self.client_id.as_ref(), size);
        }
    }

    fn poll(&mut self, session: &mut Session, now: Time) -> Option<PeerOutput> {
        // Of a session that is deleted nothing is told but that, however its process ends.
        if !session.is_deleted()
            && let Some(news) = self.poll_meta(session).or_else(|| self.poll_state(session))
        {
            return Some(text(&news));
        }
        if let Some((code, message)) = self.errors.pop_front() {
            return Some(text(&ServerMessage::Error { code, message: message.into() }));
        }
        if let Some((code, reason)) = self.poll_close(session, now) {
            self.phase = Phase::Closed;
            return Some(PeerOutput::Close { code, reason });
        }
        if let Some(t) = self.pong.take() {
            return Some(text(&ServerMessage::Pong { t }));
        }
        self.poll_answer(session)
            .or_else(|| self.poll_input_ack(session))
            .or_else(|| self.poll_picture(session))
            .or_else(|| self.poll_entry(session))
            .or_else(|| self.poll_heartbeat(session, now))
    }

    fn poll_meta(&mut self, session: &Session) -> Option<ServerMessage> {
        let revision = Some(session.revision());
        if self.told_revision == revision || (self.told_revision.is_some() && !self.extended) {
            return None;
        }
        self.told_revision = revision;
        let extended = self.extended.then(|| ExtendedMeta {
            epoch: session.log().epoch(),
            head: session.log().head(),
            tail: session.log().tail(),
            cols: session.size().cols,
            rows: session.size().rows,
            driver: session.facts().driver.clone(),
            lifecycle: session.lifecycle(),
            scope: self.scope,
        });
        let name = session.facts().name.clone();
        let created_at = session.facts().created_at.clone();
        Some(ServerMessage::SessionMeta(Box::new(SessionMeta { name, created_at, extended })))
    }

    /// What the session does, where that is known: at first, and whenever it changes.
    fn poll_state(&mut self, session: &Session) -> Option<ServerMessage> {
        let told = session.told().filter(|told| self.told_state != Some(told.seq))?;
        self.told_state = Some(told.seq);
        Some(ServerMessage::State {
            value: told.status.status.as_str().to_owned(),
            tool: told.tool(),
            ts: rfc3339(told.timestamp),
            seq: self.extended.then_some(told.seq),
        })
    }

    fn poll_close(&mut self, session: &Session, now: Time) -> Option<(u16, &'static str)> {
        if self.closing.is_some() {
            return self.closing;
        }
        if session.is_deleted() {
            return Some((close::NOT_FOUND, "the session was deleted"));
        }
        let replaced = |id: &ClientId| !session.claims().speaks_for(self.id, id);
        if self.client_id.as_ref().is_some_and(replaced) {
            return Some((close::REPLACED, "the same clientId connected again"));
        }
        if self.epoch.is_some_and(|epoch| epoch != session.log().epoch()) {
            // The client's next `resume` is answered with a reset.
            return Some((close::GOING_AWAY, "the session began anew"));
        }
        if let Phase::AwaitingResume { deadline } = self.phase
            && now >= deadline
        {
            return Some((close::PROTOCOL, "resume did not come within 10 s"));
        }
        let silent = now >= self.heard + DEAD_AFTER;
        silent.then_some((close::PROTOCOL, "nothing was heard for 45 s"))
    }

    fn poll_answer(&mut self, session: &mut Session) -> Option<PeerOutput> {
        let Phase::Answering(resume) = &self.phase else {
            return None;
        };
        let answer = answer(session, resume)?;
        let input_seq = self.client_id.as_ref().and_then(|id| session.claims().accepted_seq(id));
        let input_is_coming = session.host_is_here() && !session.lifecycle().is_over();
        if self.client_id.is_some() && input_seq.is_none() && input_is_coming {
            return None;
        }
        self.told_input = input_seq;
        let credit = if self.extended { UNACKED_OUTPUT_BYTES } else { u64::MAX };
        self.sender = Sender::new(answer.from, credit, BACKLOG_BYTES);
        if answer.picture_first {
            self.await_picture(session, SnapshotReason::Resume);
        } else {
            self.phase = Phase::Streaming;
        }
        let Answer { outcome, from, .. } = answer;
        let (epoch, head) = (session.log().epoch(), session.log().head());
        self.epoch = Some(epoch);
        let resumed = Resumed { outcome, epoch, from, head, input_seq };
        if self.extended { Some(text(&ServerMessage::Resumed(resumed))) } else { None }
    }

    fn await_picture(&mut self, session: &mut Session, reason: SnapshotReason) {
        let fresh = reason != SnapshotReason::Requested && session.has_fresh_picture();
        let asked = !fresh && session.ask_picture();
        // An answer that is not being waited for has come already.
        let answers = if asked { session.picture_answers() } else { u64::MAX };
        self.phase = Phase::AwaitingPicture { reason, answers };
    }

    fn poll_input_ack(&mut self, session: &Session) -> Option<PeerOutput> {
        if !self.has_answer() {
            return None;
        }
        let accepted = session.claims().accepted_seq(self.client_id.as_ref()?)?;
        if self.told_input == Some(accepted) {
            return None;
        }
        self.told_input = Some(accepted);
        Some(text(&ServerMessage::InputAck { seq: accepted }))
    }

    fn poll_picture(&mut self, session: &mut Session) -> Option<PeerOutput> {
        if self.picture_wanted && matches!(self.phase, Phase::Streaming) {
            self.picture_wanted = false;
            self.await_picture(session, SnapshotReason::Requested);
        }
        let Phase::AwaitingPicture { reason, answers } = self.phase else {
            return None;
        };
        if answers == session.picture_answers() {
            return None;
        }
        self.phase = Phase::Streaming;
        let mut picture = session.last_picture();
        if reason == SnapshotReason::Behind && picture.seq <= self.sender.position() {
            // No picture brings this client nearer, so it gets every entry after all.
            self.sender.ignore_backlog();
            if !session.log().reaches_back_to(self.sender.position()) {
                self.close(close::INTERNAL, "the log has lost its beginning");
            }
            return None;
        }
        picture.reason = Some(reason);
        self.sender.sent(picture.seq);
        if !self.extended {
            (picture.cols, picture.rows, picture.reason) = (None, None, None);
        }
        Some(text(&ServerMessage::Snapshot(picture)))
    }

    fn poll_entry(&mut self, session: &mut Session) -> Option<PeerOutput> {
        if !matches!(self.phase, Phase::Streaming) {
            return None;
        }
        match self.sender.next(session.log()) {
            Next::Entry(entry) => {
                self.sender.sent(entry.seq());
                Some(self.encoded(entry))
            }
            Next::Behind => {
                self.await_picture(session, SnapshotReason::Behind);
                let picture = self.poll_picture(session);
                if self.closing.is_some() {
                    None
                } else {
                    picture.or_else(|| self.poll_entry(session))
                }
            }
            Next::CaughtUp if session.lifecycle().is_over() => Some(self.end(session)),
            Next::CaughtUp | Next::NoCredit => None,
        }
    }

    fn encoded(&self, entry: &Entry) -> PeerOutput {
        match entry {
            Entry::Output(frame) => PeerOutput::Frame(frame.encoded().clone()),
            Entry::Event(event) if self.extended => PeerOutput::Text(event.message().clone()),
            // IC-1 has no events; without this its numbers would have a gap.
            Entry::Event(_) => {
                PeerOutput::Frame(Bytes::copy_from_slice(&entry.seq().0.to_be_bytes()))
            }
        }
    }

    /// Everything is sent and nothing can follow.
    fn end(&mut self, session: &Session) -> PeerOutput {
        self.closing = Some((close::NORMAL, "the session has ended"));
        if !self.extended {
            self.phase = Phase::Closed;
            return PeerOutput::Close { code: close::NORMAL, reason: "the session has ended" };
        }
        let exit = session.exit().clone();
        let seq = session.log().head();
        text(&ServerMessage::Exit { seq, code: exit.code, signal: exit.signal })
    }

    fn poll_heartbeat(&self, session: &Session, now: Time) -> Option<PeerOutput> {
        if now < self.said + HEARTBEAT {
            return None;
        }
        let heartbeat = || text(&ServerMessage::Heartbeat { head: session.log().head() });
        Some(if self.extended { heartbeat() } else { PeerOutput::Ping })
    }
}

fn text(message: &ServerMessage) -> PeerOutput {
    PeerOutput::Text(Bytes::from(message.to_json()))
}
