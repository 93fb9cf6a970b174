//! The client's role: one connection, a receiver of output and a sender of input.

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::Event;
use crate::frame::Frame;
use crate::id::{ClientId, Cursor, Seq};
use crate::link::connection::{Connection, ConnectionOutput, Generation, Phase};
use crate::link::input::{InputQueue, SavedInput};
use crate::link::receiver::{Receiver, Verdict};
use crate::link::status::{ClientStatus, Refusal};
use crate::message::{
    CatchUp, ClientMessage, ErrorCode, ExtendedMeta, Resume, Resumed, Scope, ServerMessage,
    SessionMeta, Snapshot,
};
use crate::session::{ExitStatus, Lifecycle, Size};
use crate::time::Time;

/// Time after which input or a request without an answer makes the client ask for a sign of life. A
/// dead connection is most often discovered by typing into it.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);

/// An input of a [`Client`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Dials: at the start, and when the user does not want to wait.
    Dial,
    /// The network changed, or the page became visible again.
    Wake,
    /// The network went away, as far as the browser knows.
    NetworkLost,
    /// The socket is open.
    Opened(Generation),
    /// A text message arrived.
    Message(Generation, ServerMessage),
    /// The socket closed or could not be opened. The code is
    /// [`ABNORMAL`](crate::message::close::ABNORMAL) if none is known.
    Closed(Generation, u16),
    /// The terminal has a new size.
    Resize(Size),
    /// The user asks for a fresh snapshot.
    Repaint,
    /// Ends on purpose: the client dials no more.
    Stop,
}

/// A task for a client's owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Open a socket, and report its events with this generation.
    Dial(Generation),
    /// Close the socket.
    HangUp,
    /// Send a text message.
    Send(ClientMessage),
    /// Send a piece of input.
    SendFrame(Frame),
    /// Clear the screen: everything on it is void.
    Clear,
    /// Write the snapshot to the terminal, then call [`Client::applied`] with its seq.
    Paint(Snapshot),
    /// Handle an event of the session, in order with the output, then call [`Client::applied`].
    Event(Seq, Event),
    /// Show an error that the relay reported.
    Error(ErrorCode, String),
    /// Report that this many pieces of input were given up: either they may already have been
    /// delivered, or the session's host is away and must not get them late.
    GaveUp(usize),
}

/// Follows and steers one session over any number of connections.
///
/// After every call, take [`Client::poll_output`] until `None`; call [`Client::tick`] at
/// [`Client::poll_timeout`]. The [module](crate::link) has an example. Output stays outside: ask
/// [`Client::frame`] whether to apply a frame, apply it, and report it with [`Client::applied`].
#[derive(Debug, Clone)]
pub struct Client {
    id: ClientId,
    connection: Connection,
    output: Receiver,
    input: InputQueue,
    /// True if input is to wait for a host that is away.
    hold: bool,
    /// True if the terminal answers queries.
    answers: bool,
    /// True if the client reads conversations.
    conversation: bool,
    meta: Option<SessionMeta>,
    answered: bool,
    replay: Option<Replay>,
    ended: Option<ExitStatus>,
    offline_since: Option<Time>,
    size: Option<Size>,
    size_sent: Option<Size>,
    /// When the oldest unacknowledged input was sent, or when it last prompted a sign of life.
    input_sent: Option<Time>,
    /// When the owner sent the oldest request without an answer, or when that last prompted a sign
    /// of life.
    request_sent: Option<Time>,
    resume_due: bool,
    repaint_due: bool,
    ping_due: bool,
    outbox: VecDeque<Output>,
}

/// Entries that were in the log before this connection. The terminal's replies to them are stale.
#[derive(Debug, Clone, Copy)]
struct Replay {
    from: Seq,
    to: Seq,
}

impl Client {
    /// Creates a client that is idle until it gets [`Input::Dial`]. `seed` spreads its waits;
    /// `saved` is the input that an earlier page of the same client id left behind.
    #[must_use]
    pub fn new(id: ClientId, seed: u64, saved: &SavedInput) -> Self {
        Self {
            id,
            connection: Connection::new(seed),
            output: Receiver::new(None),
            input: InputQueue::new(saved),
            hold: false,
            answers: false,
            conversation: false,
            meta: None,
            answered: false,
            replay: None,
            ended: None,
            offline_since: None,
            size: None,
            size_sent: None,
            input_sent: None,
            request_sent: None,
            resume_due: false,
            repaint_due: false,
            ping_due: false,
            outbox: VecDeque::new(),
        }
    }

    /// Handles an input of the owner.
    pub fn handle(&mut self, now: Time, input: Input) {
        match input {
            Input::Dial if self.ended.is_none() => self.connection.dial(now),
            Input::Wake if self.ended.is_none() => self.connection.wake(now),
            Input::NetworkLost => self.connection.network_lost(now),
            Input::Dial | Input::Wake => {}
            Input::Opened(generation) => self.opened(now, generation),
            Input::Message(generation, message) => {
                if self.connection.heard(now, generation) {
                    self.message(now, message);
                }
            }
            Input::Closed(generation, code) => {
                if self.connection.is_current(generation) {
                    self.connection.closed(now, generation, code);
                    self.disconnected(now);
                }
            }
            Input::Resize(size) => self.size = Some(size.clamped()),
            Input::Repaint => self.repaint_due = true,
            Input::Stop => {
                self.connection.stop();
                self.disconnected(now);
            }
        }
    }

    /// Returns what to do with a frame that arrived. After a gap the client dials anew.
    pub fn frame(&mut self, now: Time, generation: Generation, seq: Seq) -> Verdict {
        if !self.connection.heard(now, generation) {
            return Verdict::Duplicate;
        }
        let verdict = self.output.entry(seq);
        if verdict == Verdict::Gap {
            self.give_up(now);
        }
        verdict
    }

    /// Records that the frame, snapshot or event `seq`, of `bytes` bytes, is on the screen.
    pub fn applied(&mut self, now: Time, seq: Seq, bytes: usize) {
        self.output.applied(now, seq, bytes);
        if self.replay.is_some_and(|replay| self.output.applied_seq() >= replay.to) {
            self.replay = None;
        }
    }

    /// Queues input that the user typed.
    ///
    /// # Errors
    /// [`Refusal`]; then none of it was taken.
    pub fn type_input(&mut self, data: &[u8]) -> Result<(), Refusal> {
        if self.ended.is_some() {
            return Err(Refusal::Ended);
        }
        if self.extended().is_some_and(|extended| extended.scope == Scope::Read) {
            return Err(Refusal::ReadOnly);
        }
        if self.is_host_away() && !self.hold {
            return Err(Refusal::HostOffline);
        }
        self.input.push(data).map_err(|_| Refusal::Full)
    }

    /// Handles the passing of time.
    pub fn tick(&mut self, now: Time) {
        let open = self.connection.phase() == Phase::Open;
        if self.impatient_at().is_some_and(|at| now >= at) {
            self.input_sent = self.input_sent.and(Some(now));
            self.request_sent = self.request_sent.and(Some(now));
            self.connection.wake(now);
        }
        self.connection.tick(now);
        if open && self.connection.phase() != Phase::Open {
            self.disconnected(now);
        }
    }

    /// Returns the next task for the owner; call until `None`.
    pub fn poll_output(&mut self, now: Time) -> Option<Output> {
        match self.connection.poll_output() {
            Some(ConnectionOutput::Dial(generation)) => return Some(Output::Dial(generation)),
            Some(ConnectionOutput::HangUp) => return Some(Output::HangUp),
            Some(ConnectionOutput::Ping) => self.ping_due = true,
            None => {}
        }
        if let Some(output) = self.outbox.pop_front() {
            return Some(output);
        }
        let send = self.poll_send(now);
        if send.is_some() {
            self.connection.said(now);
        }
        send
    }

    /// Returns when to call [`Client::tick`] and poll again.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let ack = self.output.poll_timeout();
        [self.connection.poll_timeout(), ack, self.impatient_at()].into_iter().flatten().min()
    }

    /// Returns the client's status, for its user.
    #[must_use]
    pub fn status(&self) -> ClientStatus {
        if let Some(status) = &self.ended {
            return ClientStatus::Ended(status.clone());
        }
        match self.connection.phase() {
            Phase::Idle => ClientStatus::Idle,
            Phase::Dialing { .. } => ClientStatus::Connecting,
            Phase::Open if !self.answered => ClientStatus::Connecting,
            Phase::Open if self.connection.is_doubtful() => ClientStatus::Silent,
            Phase::Open => self.replay.map_or(ClientStatus::Live, |replay| {
                let done = self.output.applied_seq().0.saturating_sub(replay.from.0);
                let total = replay.to.0 - replay.from.0;
                ClientStatus::CatchingUp { done: done.min(total), total }
            }),
            Phase::Waiting { until } => {
                ClientStatus::Waiting { until, attempt: self.connection.attempt() }
            }
            Phase::Refused { code } => ClientStatus::Refused { code },
        }
    }

    /// Returns since when nothing arrives from the relay, or `None` if the client is connected.
    #[must_use]
    pub const fn offline_since(&self) -> Option<Time> {
        self.offline_since
    }

    /// Returns true while the output being applied was in the log before this connection. Then the
    /// terminal's answers to it must not be sent.
    #[must_use]
    pub const fn is_replaying(&self) -> bool {
        self.replay.is_some()
    }

    /// Returns the session's description, once the relay has sent it.
    #[must_use]
    pub const fn meta(&self) -> Option<&SessionMeta> {
        self.meta.as_ref()
    }

    /// Returns the last entry that was received, with its epoch; `None` before the first answer.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        self.output.cursor()
    }

    /// Returns the last entry that is on the screen.
    #[must_use]
    pub const fn applied_seq(&self) -> Seq {
        self.output.applied_seq()
    }

    /// Returns the state that a later page of the same client id needs to deliver this one's input.
    #[must_use]
    pub fn save_input(&self) -> SavedInput {
        self.input.save()
    }

    fn extended(&self) -> Option<&ExtendedMeta> {
        self.meta.as_ref()?.extended.as_ref()
    }

    fn is_host_away(&self) -> bool {
        self.extended().is_some_and(|extended| extended.lifecycle == Lifecycle::Detached)
    }

    /// Returns when an answer is overdue. Input has none while the host is away and cannot accept it.
    fn impatient_at(&self) -> Option<Time> {
        let input = self.input_sent.filter(|_| !self.is_host_away());
        let sent = [input, self.request_sent].into_iter().flatten().min()?;
        Some(sent + ANSWER_PATIENCE)
    }

    fn opened(&mut self, now: Time, generation: Generation) {
        if self.connection.is_current(generation) {
            self.connection.opened(now, generation);
            self.resume_due = true;
        }
    }

    fn disconnected(&mut self, now: Time) {
        self.output.disconnected();
        self.input.disconnected();
        self.answered = false;
        self.replay = None;
        (self.input_sent, self.request_sent) = (None, None);
        (self.resume_due, self.ping_due) = (false, false);
        self.offline_since.get_or_insert(now);
    }

    fn give_up(&mut self, now: Time) {
        self.connection.give_up(now);
        self.disconnected(now);
    }

    fn message(&mut self, now: Time, message: ServerMessage) {
        match message {
            ServerMessage::SessionMeta(meta) => self.told_meta(now, *meta),
            ServerMessage::Resumed(resumed) => self.resumed(&resumed),
            ServerMessage::Snapshot(snapshot) => self.snapshot(now, snapshot),
            ServerMessage::InputAck { seq } => self.input_ack(seq),
            ServerMessage::Event { seq, event } => match self.output.entry(seq) {
                Verdict::Apply => self.outbox.push_back(Output::Event(seq, event)),
                Verdict::Duplicate => {}
                Verdict::Gap => self.give_up(now),
            },
            ServerMessage::Exit { status, .. } => {
                self.ended = Some(status);
                self.connection.stop();
                self.disconnected(now);
                self.offline_since = None;
            }
            ServerMessage::Error { code: ErrorCode::HostOffline, .. } if !self.input.is_empty() => {
                self.host_is_offline();
            }
            ServerMessage::Error { code, message } => {
                self.outbox.push_back(Output::Error(code, message));
            }
            // The others are no part of the session's output or of its input.
            _ => {}
        }
    }

    fn told_meta(&mut self, now: Time, meta: SessionMeta) {
        let was_away = self.is_host_away();
        self.meta = Some(meta);
        if self.is_host_away() {
            self.host_is_offline();
        } else if was_away && self.input_sent.is_some() {
            self.input_sent = Some(now);
        }
    }

    /// Marks the host as away. Input that is not held must not arrive late, so it is given up.
    fn host_is_offline(&mut self) {
        if let Some(extended) = self.meta.as_mut().and_then(|meta| meta.extended.as_mut()) {
            extended.lifecycle = Lifecycle::Detached;
        }
        let given_up = if self.hold { 0 } else { self.input.blank() };
        self.gave_up(given_up);
    }

    fn resumed(&mut self, resumed: &Resumed) {
        self.connection.settled();
        self.answered = true;
        self.offline_since = None;
        if self.output.answer(resumed) {
            self.outbox.push_back(Output::Clear);
        }
        let from = self.output.applied_seq();
        self.replay = (resumed.head > from).then_some(Replay { from, to: resumed.head });
        if let Some(given) = resumed.input_given {
            let given_up = self.input.continue_in(resumed.epoch, given);
            self.gave_up(given_up);
        }
        match resumed.input_seq {
            Some(seq) => self.input_ack(seq),
            None if self.hold && self.is_host_away() => self.input.hold(resumed.epoch),
            None => {}
        }
    }

    fn snapshot(&mut self, now: Time, snapshot: Snapshot) {
        if !self.output.snapshot(snapshot.seq) {
            return self.give_up(now);
        }
        let from = self.replay.map_or(self.output.applied_seq(), |replay| replay.from);
        let to = self.replay.map_or(snapshot.seq, |replay| replay.to.max(snapshot.seq));
        self.replay = (to > from).then_some(Replay { from, to });
        self.outbox.push_back(Output::Paint(snapshot));
    }

    /// Handles an ack of the input up to `seq`. The first on a connection opens the queue.
    fn input_ack(&mut self, seq: Seq) {
        let Some(cursor) = self.output.cursor() else { return };
        if self.input.is_open() {
            self.input.ack(seq);
            if self.input.is_empty() {
                self.input_sent = None;
            }
            return;
        }
        let given_up = self.input.answer(cursor.epoch, seq);
        self.gave_up(given_up);
    }

    fn gave_up(&mut self, pieces: usize) {
        if pieces > 0 {
            self.outbox.push_back(Output::GaveUp(pieces));
        }
    }

    fn poll_send(&mut self, now: Time) -> Option<Output> {
        if self.connection.phase() != Phase::Open {
            return None;
        }
        if std::mem::take(&mut self.resume_due) {
            return Some(Output::Send(ClientMessage::Resume(self.resume())));
        }
        if std::mem::take(&mut self.ping_due) {
            return Some(Output::Send(ClientMessage::Ping { t: 0 }));
        }
        if !self.answered {
            return None;
        }
        if let Some(seq) = self.output.poll_ack(now) {
            return Some(Output::Send(ClientMessage::Ack { seq }));
        }
        if let Some(size) = self.size.filter(|_| self.size != self.size_sent) {
            self.size_sent = self.size;
            if self.extended().is_none_or(ExtendedMeta::may_resize) {
                let Size { cols, rows } = size;
                return Some(Output::Send(ClientMessage::Resize { cols, rows }));
            }
        }
        if std::mem::take(&mut self.repaint_due) {
            return Some(Output::Send(ClientMessage::SnapshotRequest));
        }
        let piece = self.input.poll_frame()?;
        self.input_sent.get_or_insert(now);
        Some(Output::SendFrame(piece))
    }

    /// Builds a resume. A client with a screen continues from it; a new one wants a snapshot.
    fn resume(&self) -> Resume {
        let cursor = self.output.cursor();
        let has_screen = cursor.is_some_and(|cursor| cursor.seq > Seq::ZERO);
        Resume {
            last_seq: cursor.map(|cursor| cursor.seq),
            epoch: cursor.map(|cursor| cursor.epoch),
            client_id: Some(self.id.clone()),
            catch_up: Some(if has_screen { CatchUp::Replay } else { CatchUp::Snapshot }),
            jump: true,
            hold: self.hold,
            input_sent: Some(self.input.sent()),
            input_epoch: self.input.epoch(),
            answers: self.answers,
            conversation: self.conversation,
        }
    }
}

mod replies;
#[cfg(test)]
mod tests;
