//! One connected client, on the relay's side: sender of output, receiver of input.
//!
//! A peer holds positions and a few flags, never a queue of output: each [`Peer::poll_output`]
//! reads the session's log at the peer's cursor. It asks for entries that are no longer in memory
//! with [`PeerOutput::Load`].

mod input;
mod place;
mod requests;
mod saved;
mod sending;

use std::collections::VecDeque;

use bytes::Bytes;
use moorline_shared::fold::ReportedState;
use moorline_shared::id::{ClientId, Cursor, Epoch, Seq};
use moorline_shared::limits::{
    NO_RESUME, RESUME_DEADLINE, SILENT, TEXT_MESSAGE_BYTES, TEXT_MESSAGE_TOO_LARGE,
    TOO_MANY_REQUESTS,
};
use moorline_shared::link::{Credit, Liveness, Sender};
use moorline_shared::message::{
    CatchUp, ClientMessage, ErrorCode, ExtendedMeta, Resume, Scope, ServerMessage, SessionMeta,
    SnapshotReason, close,
};
use moorline_shared::rest::AuditKind;
use moorline_shared::session::{AGENT_DRIVER, Size};
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use input::PeerInput;
use place::PeerPlace;
use requests::PeerRequests;
pub use saved::SavedPeer;

use super::auth::Grant;
use super::client_table::PeerId;
use super::pending::PendingReport;
use super::profile::Profile;
use super::rfc3339;
use super::session::{Session, TooManyClients};

/// The name of a client that has none.
const UNKNOWN_USER: &str = "a user";
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
    /// True if the relay sends signs of life and expects them: see [`Profile::keepalive`].
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
    phase: PeerPhase,
    /// The epoch that the place belongs to; `None` until `resume` is answered.
    epoch: Option<Epoch>,
    place: PeerPlace,
    input: PeerInput,
    told: Told,
    /// The client's rights; `None` for a client without a name.
    grant: Option<Grant>,
    requests: PeerRequests,
    errors: VecDeque<(ErrorCode, &'static str)>,
    pong: Option<u64>,
    snapshot_wanted: Option<SnapshotReason>,
    closing: Option<(u16, &'static str)>,
    liveness: Liveness,
}

/// The values that the client was told last, of those that replace each other.
#[derive(Debug, Default)]
struct Told {
    /// [`Session::revision`] at the last facts.
    revision: Option<u64>,
    /// The entry of the last status.
    status: Option<Seq>,
    /// The last acknowledgement of input.
    input: Option<Seq>,
    /// What waits for the host.
    pending: PendingReport,
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
            phase: PeerPhase::AwaitingResume { deadline: now + RESUME_DEADLINE },
            epoch: None,
            place: PeerPlace::new(Sender::new(Seq::ZERO, 0, 0), Credit::default(), 0, false),
            input: PeerInput::default(),
            told: Told::default(),
            grant: None,
            requests: PeerRequests::default(),
            errors: VecDeque::new(),
            pong: None,
            snapshot_wanted: None,
            closing: None,
            liveness: Liveness::new(now),
        })
    }

    /// Says what the client's token gives. Its holder is named as whoever sends the client's prompts
    /// and decides.
    pub fn set_grant(&mut self, grant: Grant) {
        self.grant = Some(grant);
    }

    /// Returns what the client's token gives.
    #[must_use]
    pub const fn grant(&self) -> Option<&Grant> {
        self.grant.as_ref()
    }

    fn by(&self) -> String {
        self.grant.as_ref().map_or_else(|| UNKNOWN_USER.to_owned(), Grant::holder)
    }

    /// Unregisters a client that has gone.
    pub fn detach(self, session: &mut Session) {
        session.detach(self.id, self.client_id.as_ref());
    }

    /// Handles a text message. `wall_ms` is the time in milliseconds since 1970.
    pub fn text(&mut self, session: &mut Session, now: Time, wall_ms: u64, text: &str) {
        self.liveness.heard(now);
        if text.len() > TEXT_MESSAGE_BYTES {
            return self.error(ErrorCode::TooLarge, TEXT_MESSAGE_TOO_LARGE);
        }
        match ClientMessage::from_json(text) {
            Ok(message) => self.message(session, (now, wall_ms), message),
            // IC-1 prescribes these words.
            Err(_) => self.error(ErrorCode::BadMessage, "Invalid JSON"),
        }
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

    fn message(
        &mut self,
        session: &mut Session,
        (now, wall_ms): (Time, u64),
        message: ClientMessage,
    ) {
        match message {
            ClientMessage::Unknown => {}
            ClientMessage::Ping { t } => self.pong = Some(t),
            ClientMessage::Resume(resume) => self.resume(session, resume, wall_ms),
            _ if matches!(self.phase, PeerPhase::AwaitingResume { .. }) => {
                self.error(ErrorCode::ResumeRequired, "Send `resume` first.");
            }
            ClientMessage::Ack { seq } => self.acked(session, now, seq),
            ClientMessage::SnapshotRequest => {
                self.snapshot_wanted = Some(SnapshotReason::Requested);
            }
            ClientMessage::Resize { cols, rows } => self.resize(session, Size { cols, rows }),
            ClientMessage::Reply { seq, data, more } => self.reply(session, seq, data, more),
            // The errors of IC-1 have no number of a request.
            _ if !self.terms.extended => {}
            ClientMessage::Prompt(message) => self.prompt(session, message, wall_ms),
            ClientMessage::Decide(message) => self.decide(message, wall_ms),
            ClientMessage::Cancel(message) => self.cancel(session, message, wall_ms),
        }
    }

    fn resume(&mut self, session: &mut Session, mut resume: Resume, wall_ms: u64) {
        if !matches!(self.phase, PeerPhase::AwaitingResume { .. }) {
            return;
        }
        if session.driver() == AGENT_DRIVER && !resume.conversation {
            // The snapshot is no screen. The transcript is.
            (resume.catch_up, resume.jump) = (Some(CatchUp::Replay), false);
        }
        self.input.hold = resume.hold;
        if let Some(client_id) = resume.client_id.as_ref().filter(|_| self.terms.extended) {
            let epoch = resume.input_epoch.unwrap_or(session.log().epoch());
            self.input.sent = resume.input_sent.map(|seq| Cursor { epoch, seq });
            session.claim(self.id, client_id, self.input.sent);
            self.client_id = Some(client_id.clone());
            self.input.answers = resume.answers && self.terms.scope == Scope::Write;
        }
        if let (Some(grant), Some(seq)) = (&self.grant, resume.last_seq.filter(|seq| seq.0 > 0)) {
            let record = grant.event(wall_ms, AuditKind::Resumed);
            session.audit(record.with(format!("after entry {}", seq.0)));
        }
        self.phase = PeerPhase::Answering(resume);
    }

    fn poll(&mut self, session: &mut Session, now: Time) -> Option<PeerOutput> {
        // A client of a deleted session learns only of the deletion, however the process ends.
        if !session.is_deleted()
            && let Some(news) = self.poll_news(session)
        {
            return Some(text(&news));
        }
        if let Some(done) = self.requests.poll(session) {
            return Some(text(&done));
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

    fn poll_news(&mut self, session: &Session) -> Option<ServerMessage> {
        let news = self.poll_meta(session).or_else(|| self.poll_state(session));
        news.or_else(|| {
            let reads = self.terms.extended && self.has_answer();
            let pending =
                reads.then(|| self.told.pending.poll(session, self.place.position())).flatten()?;
            match serde_json::to_value(pending) {
                Ok(Value::Object(pending)) => Some(ServerMessage::Pending { pending }),
                _ => None,
            }
        })
    }

    fn poll_meta(&mut self, session: &Session) -> Option<ServerMessage> {
        let revision = Some(session.revision());
        if self.told.revision == revision || (self.told.revision.is_some() && !self.terms.extended)
        {
            return None;
        }
        self.told.revision = revision;
        let extended = self.terms.extended.then(|| ExtendedMeta {
            epoch: session.log().epoch(),
            head: session.log().head(),
            tail: session.oldest(),
            cols: session.size().cols,
            rows: session.size().rows,
            driver: session.driver().to_owned(),
            lifecycle: session.lifecycle(),
            scope: self.terms.scope,
        });
        let name = session.name().to_owned();
        let created_at = rfc3339(session.created_at_ms());
        Some(ServerMessage::SessionMeta(Box::new(SessionMeta { name, created_at, extended })))
    }

    /// Returns the session's state at first, and whenever it changes; `None` until one is known. It
    /// is the last status, or a state that the agent or a program has reported since.
    fn poll_state(&mut self, session: &Session) -> Option<ServerMessage> {
        let last = session.last_status();
        let reported = session.reported_state();
        let reported = reported.filter(|it| last.is_none_or(|last| last.seq < it.seq));
        let (seq, timestamp, value, tool) = match (reported, last) {
            (Some(ReportedState { seq, timestamp, state }), _) => {
                (*seq, *timestamp, state.value.clone(), state.tool.clone())
            }
            (None, Some(last)) => {
                (last.seq, last.timestamp, last.status.status.as_str().to_owned(), last.tool())
            }
            (None, None) => return None,
        };
        if self.told.status == Some(seq) {
            return None;
        }
        self.told.status = Some(seq);
        let seq = self.terms.extended.then_some(seq);
        Some(ServerMessage::State { value, tool, ts: rfc3339(timestamp), seq })
    }

    fn poll_close(&mut self, session: &Session, now: Time) -> Option<(u16, &'static str)> {
        if self.closing.is_some() {
            return self.closing;
        }
        if session.is_deleted() {
            return Some((close::NOT_FOUND, "the session was deleted"));
        }
        if self.requests.is_overrun() {
            return Some((close::OVERLOADED, TOO_MANY_REQUESTS));
        }
        let replaced = |id: &ClientId| !session.claims().speaks_for(self.id, id);
        if self.client_id.as_ref().is_some_and(replaced) {
            return Some((close::REPLACED, "the same clientId connected again"));
        }
        if self.epoch.is_some_and(|epoch| epoch != session.log().epoch()) {
            // The client's next `resume` is answered with a reset.
            return Some((close::GOING_AWAY, "the session was started again"));
        }
        if self.input.is_refused && session.host_is_here() {
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
        if self.told.input == Some(accepted) {
            return None;
        }
        self.told.input = Some(accepted);
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

fn text(message: &ServerMessage) -> PeerOutput {
    PeerOutput::Text(Bytes::from(message.to_json()))
}
