//! One connected client, on the relay's side: sender of output, receiver of input.
//!
//! A peer holds positions and a few flags, never a queue of output: each [`Peer::poll_output`]
//! reads the session's log at the peer's cursor. It asks for entries that are no longer in memory
//! with [`PeerOutput::Load`].

mod saved;
mod sending;

use std::collections::VecDeque;

use bytes::Bytes;
use const_format::formatcp;
use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Epoch, Seq};
use moorline_shared::limits::{
    INPUT_WAITS, NO_RESUME, NOT_A_FRAME, RESUME_DEADLINE, SESSION_INPUT_WAITS, SILENT, SIZES,
    TEXT_MESSAGE_BYTES, TEXT_MESSAGE_TOO_LARGE,
};
use moorline_shared::link::{Credit, Liveness, Sender};
use moorline_shared::log::Entry;
use moorline_shared::message::{
    ClientMessage, ErrorCode, ExtendedMeta, Resume, Scope, ServerMessage, SessionMeta,
    SnapshotReason, close,
};
use moorline_shared::session::Size;
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};

pub use saved::SavedPeer;

use super::client_table::PeerId;
use super::input::InputRefused;
use super::profile::Profile;
use super::rfc3339;
use super::session::{Session, TooManyClients};

/// The most errors that wait to be sent; more at once would say nothing new.
const ERRORS_WAITING: usize = 8;

/// A task for the owner of a client's socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerOutput {
    /// Send a text message: UTF-8.
    Text(Bytes),
    /// Send a binary message.
    Frame(Bytes),
    /// Pass stored entries after `after` to [`Peer::loaded`]: those of its segment, or more.
    Load {
        /// The log's epoch.
        epoch: Epoch,
        /// The last entry that was sent.
        after: Seq,
    },
    /// Send a WebSocket ping: the sign of life for a client that knows only IC-1.
    Ping,
    /// Close, and report nothing more.
    Close {
        /// The close code, one of [`close`].
        code: u16,
        /// The reason, in words for people.
        reason: &'static str,
    },
}

/// The rights of a client, and the services of its relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The scope of its token.
    pub scope: Scope,
    /// True if the client offered `moorline.v1`.
    pub extended: bool,
    /// [`Profile::keepalive`].
    pub keepalive: bool,
    /// [`Profile::budget_bytes`]. At this limit, the client has to reconnect and resume.
    pub budget_bytes: Option<u64>,
}

impl Terms {
    /// Returns the terms on a relay of this profile.
    #[must_use]
    pub const fn new(profile: &Profile, scope: Scope, extended: bool) -> Self {
        let Profile { keepalive, budget_bytes, .. } = *profile;
        Self { scope, extended, keepalive, budget_bytes }
    }
}

#[derive(Debug)]
enum PeerPhase {
    AwaitingResume {
        deadline: Time,
    },
    /// The client is ahead of the log, or the host has not reported the client's input yet.
    Answering(Resume),
    AwaitingSnapshot {
        reason: SnapshotReason,
        answers: u64,
    },
    Streaming,
    Closed,
}

/// One connected client. Poll it after each call, after each change of the session, and at
/// [`Peer::poll_timeout`].
#[derive(Debug)]
pub struct Peer {
    id: PeerId,
    client_id: Option<ClientId>,
    terms: Terms,
    /// True if input waits while the host is away.
    hold: bool,
    /// True if its terminal answers queries.
    answers: bool,
    /// Its place in the order in which clients typed or resized; 0 if it never did.
    active: u64,
    phase: PeerPhase,
    /// The epoch that the cursor belongs to; `None` until `resume` is answered.
    epoch: Option<Epoch>,
    sender: Sender,
    told_revision: Option<u64>,
    told_state: Option<Seq>,
    told_input: Option<Seq>,
    /// The last piece of input that arrived on this connection.
    received_input: Option<Seq>,
    /// True once input was refused because the host is away.
    refused: bool,
    sent_bytes: u64,
    /// True if the client prefers a snapshot to a long backlog.
    jumps: bool,
    /// The credit of a client that acknowledges.
    credit: Credit,
    /// The last call of `Session::reads_on`, and the bytes sent by then; `None` before the first.
    reads_at: Option<(Time, u64)>,
    /// Stored entries after the position.
    loaded: VecDeque<Entry>,
    /// True if the store does not have the entry after the position.
    is_lost: bool,
    errors: VecDeque<(ErrorCode, &'static str)>,
    pong: Option<u64>,
    snapshot_wanted: Option<SnapshotReason>,
    closing: Option<(u16, &'static str)>,
    liveness: Liveness,
}

impl Peer {
    /// Registers a client that has connected. Call [`Peer::detach`] once it has gone.
    ///
    /// # Errors
    /// [`TooManyClients`].
    pub fn attach(session: &mut Session, now: Time, terms: Terms) -> Result<Self, TooManyClients> {
        Ok(Self {
            id: session.attach()?,
            client_id: None,
            terms,
            hold: false,
            answers: false,
            active: 0,
            phase: PeerPhase::AwaitingResume { deadline: now + RESUME_DEADLINE },
            epoch: None,
            sender: Sender::new(Seq::ZERO, 0, 0),
            told_revision: None,
            told_state: None,
            told_input: None,
            received_input: None,
            refused: false,
            sent_bytes: 0,
            jumps: false,
            credit: Credit::default(),
            reads_at: None,
            loaded: VecDeque::new(),
            is_lost: false,
            errors: VecDeque::new(),
            pong: None,
            snapshot_wanted: None,
            closing: None,
            liveness: Liveness::new(now),
        })
    }

    /// Unregisters a client that has gone.
    pub fn detach(self, session: &mut Session) {
        session.detach(self.id, self.client_id.as_ref());
    }

    /// Handles a text message.
    pub fn text(&mut self, session: &mut Session, now: Time, text: &str) {
        self.liveness.heard(now);
        if text.len() > TEXT_MESSAGE_BYTES {
            return self.error(ErrorCode::TooLarge, TEXT_MESSAGE_TOO_LARGE);
        }
        match ClientMessage::from_json(text) {
            Ok(message) => self.message(session, now, message),
            // IC-1 prescribes these words.
            Err(_) => self.error(ErrorCode::BadMessage, "Invalid JSON"),
        }
    }

    /// Handles a binary message: a piece of input.
    pub fn binary(&mut self, session: &mut Session, now: Time, encoded: Bytes) {
        self.liveness.heard(now);
        if self.closing.is_some() {
            // The client sends unacknowledged input again on its next connection.
            return;
        }
        let Ok(piece) = Frame::decode(encoded) else {
            return self.error(ErrorCode::BadMessage, NOT_A_FRAME);
        };
        let Some(client_id) = self.client_id.clone().filter(|_| self.has_answer()) else {
            return self.error(
                ErrorCode::ResumeRequired,
                "Send `resume` with a clientId before input, on the subprotocol moorline.v1.",
            );
        };
        if self.terms.scope == Scope::Read {
            return self.error(ErrorCode::ReadOnly, "This token is read-only.");
        }
        if session.lifecycle().is_over() {
            return self.error(ErrorCode::SessionEnded, "The session has ended.");
        }
        // Input for an earlier epoch of the session must not reach this one.
        if self.epoch == Some(session.log().epoch()) {
            self.received_input = Some(piece.seq());
            if interrupts(piece.data()) {
                self.interrupted(session);
            }
            self.active = session.is_active(&client_id);
            self.pass_on(session, &client_id, piece);
        }
    }

    fn pass_on(&mut self, session: &mut Session, client_id: &ClientId, piece: Frame) {
        if self.refused && session.host_is_here() {
            // An earlier piece was refused: this connection is about to close, and the client sends
            // both again.
            return;
        }
        let (code, message) = match session.input(client_id, piece, self.hold) {
            Ok(()) => return,
            Err(InputRefused::HostAway) => {
                self.refused = true;
                return self.error(
                    ErrorCode::HostOffline,
                    "The session's host is offline: resume with `hold` to keep input until it is \
                     back.",
                );
            }
            Err(InputRefused::TooMuch) => {
                (ErrorCode::TooLarge, formatcp!("More than {INPUT_WAITS}."))
            }
            Err(InputRefused::SessionFull) => (ErrorCode::Overloaded, SESSION_INPUT_WAITS),
            Err(InputRefused::Gap) => {
                (ErrorCode::BadMessage, "A piece of input is missing: continue after inputSeq.")
            }
        };
        self.error(code, message);
        if code == ErrorCode::Overloaded {
            // The client sends unacknowledged input again on its next connection.
            return self.close(close::OVERLOADED, "the session does not read its input");
        }
        self.close(close::PROTOCOL, "the input does not follow what was acknowledged");
    }

    /// Records a WebSocket pong, or anything else that shows that the client is alive.
    pub const fn heard(&mut self, now: Time) {
        self.liveness.heard(now);
    }

    /// Closes this connection, because the relay shuts down or has a fault.
    pub const fn close(&mut self, code: u16, reason: &'static str) {
        self.closing = Some((code, reason));
    }

    /// Returns what to send now; call until `None`. Every other method may change the answer, and
    /// so may every change of the session.
    pub fn poll_output(&mut self, session: &mut Session, now: Time) -> Option<PeerOutput> {
        if matches!(self.phase, PeerPhase::Closed) {
            return None;
        }
        let output = self.poll(session, now);
        // A client of IC-1 shows that it is alive only by its answers to pings, so nothing else may
        // stand in for one.
        let counts = |output: &PeerOutput| self.terms.extended || *output == PeerOutput::Ping;
        if output.as_ref().is_some_and(counts) {
            self.liveness.said(now);
        }
        output
    }

    /// Returns when to call [`Peer::poll_output`] again if nothing happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let alive = self.terms.keepalive.then(|| self.liveness.poll_timeout());
        match self.phase {
            PeerPhase::Closed => None,
            PeerPhase::AwaitingResume { deadline } => {
                Some(alive.map_or(deadline, |alive| deadline.min(alive)))
            }
            _ => alive,
        }
    }

    fn has_answer(&self) -> bool {
        matches!(self.phase, PeerPhase::AwaitingSnapshot { .. } | PeerPhase::Streaming)
    }

    fn error(&mut self, code: ErrorCode, message: &'static str) {
        if self.errors.len() < ERRORS_WAITING {
            self.errors.push_back((code, message));
        }
    }

    fn message(&mut self, session: &mut Session, now: Time, message: ClientMessage) {
        match message {
            ClientMessage::Unknown => {}
            ClientMessage::Ping { t } => self.pong = Some(t),
            ClientMessage::Resume(resume) => self.resume(session, resume),
            _ if matches!(self.phase, PeerPhase::AwaitingResume { .. }) => {
                self.error(ErrorCode::ResumeRequired, "Send `resume` first.");
            }
            ClientMessage::Ack { seq } => self.acked(session, now, seq),
            ClientMessage::SnapshotRequest => {
                self.snapshot_wanted = Some(SnapshotReason::Requested);
            }
            ClientMessage::Resize { cols, rows } => self.resize(session, Size { cols, rows }),
            ClientMessage::Reply { seq, data, more } => self.reply(session, seq, data, more),
        }
    }

    fn resume(&mut self, session: &mut Session, resume: Resume) {
        if !matches!(self.phase, PeerPhase::AwaitingResume { .. }) {
            return;
        }
        self.hold = resume.hold;
        if let Some(client_id) = resume.client_id.as_ref().filter(|_| self.terms.extended) {
            session.claim(self.id, client_id);
            self.client_id = Some(client_id.clone());
            self.answers = resume.answers && self.terms.scope == Scope::Write;
        }
        self.phase = PeerPhase::Answering(resume);
    }

    fn resize(&mut self, session: &mut Session, size: Size) {
        if self.terms.scope == Scope::Read {
            self.error(ErrorCode::ReadOnly, "This token is read-only.");
        } else if size != size.clamped() {
            self.error(ErrorCode::BadMessage, SIZES);
        } else {
            if let Some(client_id) = &self.client_id {
                self.active = session.is_active(client_id);
            }
            session.client_size(self.client_id.as_ref(), size);
        }
    }

    /// Passes on a terminal's answer to a query. Drops it if the client may not type, or if it is
    /// for another epoch.
    fn reply(&self, session: &mut Session, seq: Seq, data: Bytes, more: bool) {
        let is_current = self.has_answer() && self.epoch == Some(session.log().epoch());
        if let Some(client_id) = self.client_id.as_ref().filter(|_| self.answers && is_current) {
            session.reply(client_id, seq, data, more);
        }
    }

    fn poll(&mut self, session: &mut Session, now: Time) -> Option<PeerOutput> {
        // A client of a deleted session learns only of the deletion, however the process ends.
        if !session.is_deleted()
            && let Some(news) = self.poll_meta(session).or_else(|| self.poll_state(session))
        {
            return Some(text(&news));
        }
        if let Some((code, message)) = self.errors.pop_front() {
            return Some(text(&ServerMessage::Error { code, message: message.into() }));
        }
        if let Some((code, reason)) = self.poll_close(session, now) {
            self.phase = PeerPhase::Closed;
            return Some(PeerOutput::Close { code, reason });
        }
        if let Some(t) = self.pong.take() {
            return Some(text(&ServerMessage::Pong { t }));
        }
        self.poll_answer(session, now)
            .or_else(|| self.poll_input_ack(session))
            .or_else(|| self.poll_snapshot(session))
            .or_else(|| self.poll_heartbeat(session, now))
            .or_else(|| self.poll_entry(session, now))
    }

    fn poll_meta(&mut self, session: &Session) -> Option<ServerMessage> {
        let revision = Some(session.revision());
        if self.told_revision == revision || (self.told_revision.is_some() && !self.terms.extended)
        {
            return None;
        }
        self.told_revision = revision;
        let extended = self.terms.extended.then(|| ExtendedMeta {
            epoch: session.log().epoch(),
            head: session.log().head(),
            tail: session.oldest(),
            cols: session.size().cols,
            rows: session.size().rows,
            driver: session.facts().driver.clone(),
            lifecycle: session.lifecycle(),
            scope: self.terms.scope,
        });
        let name = session.facts().name.clone();
        let created_at = rfc3339(session.facts().created_at_ms);
        Some(ServerMessage::SessionMeta(Box::new(SessionMeta { name, created_at, extended })))
    }

    /// Returns the session's status at first, and whenever it changes; `None` until one is known.
    fn poll_state(&mut self, session: &Session) -> Option<ServerMessage> {
        let last = session.last_status().filter(|last| self.told_state != Some(last.seq))?;
        self.told_state = Some(last.seq);
        Some(ServerMessage::State {
            value: last.status.status.as_str().to_owned(),
            tool: last.tool(),
            ts: rfc3339(last.timestamp),
            seq: self.terms.extended.then_some(last.seq),
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
            return Some((close::GOING_AWAY, "the session was started again"));
        }
        if self.refused && session.host_is_here() {
            // Refused input is not acknowledged: the client sends it again.
            return Some((close::GOING_AWAY, "the session's host is back"));
        }
        if let PeerPhase::AwaitingResume { deadline } = self.phase
            && now >= deadline
        {
            return Some((close::PROTOCOL, NO_RESUME));
        }
        let silent = self.terms.keepalive && self.liveness.is_dead(now);
        silent.then_some((close::PROTOCOL, SILENT))
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

    fn poll_heartbeat(&self, session: &Session, now: Time) -> Option<PeerOutput> {
        if !self.terms.keepalive || !self.liveness.is_ping_due(now) {
            return None;
        }
        let heartbeat = || text(&ServerMessage::Heartbeat { head: session.log().head() });
        Some(if self.terms.extended { heartbeat() } else { PeerOutput::Ping })
    }
}

/// Returns true if the input asks the program to stop: ^C or ^\ as a byte, or as a key sequence if
/// the program has asked for those.
fn interrupts(input: &[u8]) -> bool {
    const KEYS: [&[u8]; 2] = [b"\x1b[99;5u", b"\x1b[92;5u"];
    let is_key = |keys: &[u8]| KEYS.contains(&keys);
    input.iter().any(|byte| matches!(byte, 0x03 | 0x1c)) || input.windows(7).any(is_key)
}

fn text(message: &ServerMessage) -> PeerOutput {
    PeerOutput::Text(Bytes::from(message.to_json()))
}
