//! The host's end of a session's link to a relay: it numbers the output, keeps what is not durable
//! yet, and takes each piece of input once.
//!
//! No I/O happens here. The owner passes in output ([`Publisher::append`]) and the relay's commands
//! ([`Publisher::command`]), carries out the tasks of [`Publisher::poll_task`], sends the messages
//! of [`Publisher::poll_message`] while its link has room, and writes [`Publisher::input`] to the session.
//!
//! The publisher also decides who answers the program's queries. The owner reports each query
//! ([`Publisher::asked`]), passes in the emulator's answer ([`Publisher::answered`]), and calls
//! [`Publisher::tick`] at [`Publisher::poll_timeout`].
//!
//! # Example
//!
//! A session that outputs a line, is published to a relay, and takes a piece of input.
//!
//! ```
//! use moorline_host::publisher::Publisher;
//! use moorline_shared::frame::Frame;
//! use moorline_shared::id::{Epoch, Seq};
//! use moorline_shared::publish::{HostCommand, HostMessage};
//! use moorline_shared::session::Size;
//!
//! let now_ms = 1_767_323_045_000;
//! let mut publisher = Publisher::new(Epoch(now_ms), Size { cols: 80, rows: 24 });
//!
//! // Output is numbered whether or not a relay is connected.
//! let mut buffer = Frame::buffer(5);
//! buffer.extend_from_slice(b"hello");
//! assert_eq!(publisher.append(now_ms, buffer)?.seq(), Seq(1));
//! assert_eq!(publisher.poll_message(), None);
//!
//! // A relay connects and has nothing of this session: it gets the answer, then the entry.
//! let resume = HostCommand::Resume { cursor: None, window: 1 << 20, times: true };
//! publisher.command(now_ms, resume);
//! assert!(matches!(publisher.poll_message(), Some(HostMessage::Resumed { head: Seq(1), .. })));
//! assert!(matches!(publisher.poll_message(), Some(HostMessage::Entry(_))));
//! assert_eq!(publisher.poll_message(), None);
//!
//! // The entry is kept until the relay has made it durable.
//! assert!(publisher.unacked_bytes() > 0);
//! publisher.command(now_ms, HostCommand::Ack { seq: Seq(1) });
//! assert_eq!(publisher.unacked_bytes(), 0);
//!
//! // A piece of input is taken once, and acknowledged when the program has all of it.
//! let client_id: moorline_shared::id::ClientId = "client_1".parse()?;
//! let input = HostCommand::Input { client_id, piece: Frame::copy(Seq(1), b"ls\r")? };
//! publisher.command(now_ms, input.clone());
//! publisher.command(now_ms, input);
//! assert_eq!(publisher.input(), Some(&b"ls\r"[..]));
//! publisher.input_taken(3);
//! assert_eq!(publisher.input(), None);
//! let acknowledged = publisher.poll_message();
//! assert!(matches!(acknowledged, Some(HostMessage::InputAck { seq: Seq(1), .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod actions;
mod answers;
mod gate;
mod input;
mod queries;
mod sending;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::event::Event;
use moorline_shared::frame::{Frame, FrameError};
use moorline_shared::id::{ClientId, Cursor, Epoch, Seq};
use moorline_shared::link::Sender;
use moorline_shared::log::Log;
use moorline_shared::message::Snapshot;
use moorline_shared::publish::{HostCommand, HostMessage, RequestId, WriteAnswer, WriteRefused};
use moorline_shared::session::{ExitStatus, Size};
use moorline_shared::time::Time;

use answers::QueryAnswers;
pub use answers::QueryId;

use gate::JournalGate;
pub use gate::PublisherState;
use input::PendingInput;

/// Longest step back of a clock that counts as an adjustment: the entries meanwhile keep the time
/// of the one before them. A clock that steps back further was wrong before, and is believed.
const STEP_BACK_MS: u64 = 2000;

/// An output of a [`Publisher`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this message to the relay.
    Message(HostMessage),
    /// Carry out this task, with or without a relay.
    Task(PublisherTask),
}

/// A task for the owner on its own side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublisherTask {
    /// Count this entry on the screen: an event was appended that the owner did not pass in.
    Appended(Seq),
    /// Resize the session's terminal.
    Resize(Size),
    /// Note whether a client shows the session.
    Watched(bool),
    /// Make a snapshot of the screen, and pass it to [`Publisher::snapshot`].
    MakeSnapshot,
    /// Ask the emulator for its answers to the pending queries, and pass them to
    /// [`Publisher::answered`].
    Answer,
    /// Carry out this action, and then call [`Publisher::acted`].
    Act(ActionNumber, Box<SessionAction>),
    /// End the session's process.
    Close,
    /// Close the link: the relay sent more input than allowed.
    CutLink,
}

/// The log, input and query state of one session that is published to a relay.
#[derive(Debug)]
pub struct Publisher {
    log: Log,
    /// When the last entry was appended.
    time_ms: u64,
    /// True if the relay reads the times of output entries.
    tells_times: bool,
    /// Sends the log to the relay; `None` while no relay is connected.
    sender: Option<Sender>,
    size: Size,
    /// True if clients do not decide the size.
    size_is_fixed: bool,
    exit: Option<ExitStatus>,
    exit_told: bool,
    input: PendingInput,
    /// The last action that was passed to the owner.
    last_action: ActionNumber,
    /// The last action up to which the owner has carried out all.
    acted: ActionNumber,
    /// Decides who answers the program's queries.
    queries: QueryAnswers,
    tasks: VecDeque<PublisherTask>,
    /// Replies to the relay, which go before entries. Empty while no relay is connected.
    answers: VecDeque<HostMessage>,
    /// A snapshot that waits until every entry that it contains is sent.
    snapshot: Option<Snapshot>,
    /// Holds back what is not in the journal; `None` for a session without one.
    gate: Option<JournalGate>,
}

impl Publisher {
    /// Creates the publisher of a session without output.
    #[must_use]
    pub fn new(epoch: Epoch, size: Size) -> Self {
        Self::starting_after(epoch, Seq::ZERO, size)
    }

    /// Creates the publisher of a fork: the relay has the first entries of its log, the host has
    /// not.
    #[must_use]
    pub fn starting_after(epoch: Epoch, seq: Seq, size: Size) -> Self {
        Self {
            log: Log::starting_after(epoch, seq),
            time_ms: 0,
            tells_times: false,
            sender: None,
            size,
            size_is_fixed: false,
            exit: None,
            exit_told: false,
            input: PendingInput::new(),
            last_action: ActionNumber::default(),
            acted: ActionNumber::default(),
            queries: QueryAnswers::default(),
            tasks: VecDeque::new(),
            answers: VecDeque::new(),
            snapshot: None,
            gate: None,
        }
    }

    /// Numbers output in a buffer that [`Frame::buffer`] created. Copies nothing. `now_ms` is the
    /// time in milliseconds since 1970.
    ///
    /// # Errors
    /// [`FrameError`] if the buffer is not a valid frame; then nothing was appended.
    pub fn append(&mut self, now_ms: u64, buffer: BytesMut) -> Result<Frame, FrameError> {
        let time_ms = self.time(now_ms);
        self.log.append(time_ms, buffer)
    }

    /// Numbers an event whose timestamp is the current time.
    pub fn event(&mut self, event: Event) -> Seq {
        let timestamp = self.time(event.timestamp);
        self.log.append_event(Event { timestamp, ..event })
    }

    /// Records that the session's process ended; no output follows.
    pub fn exited(&mut self, status: ExitStatus) {
        self.exit = Some(status);
        self.drop_input();
        self.queries.clear();
    }

    /// Handles the passing of time.
    pub fn tick(&mut self, now: Time) {
        self.queries.tick(now);
        self.answer();
    }

    /// Returns when to call [`Publisher::tick`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.queries.poll_timeout()
    }

    /// Takes a snapshot; `None` if it failed. It is dropped if its relay has left.
    pub fn snapshot(&mut self, snapshot: Option<Snapshot>) {
        match snapshot {
            // A relay cannot use a snapshot of entries that it does not have.
            Some(snapshot) if self.sender.is_some() => self.snapshot = Some(snapshot),
            Some(_) => {}
            None => self.say(HostMessage::SnapshotFailed),
        }
    }

    /// Handles a command of the relay. `now_ms` is the time in milliseconds since 1970.
    pub fn command(&mut self, now_ms: u64, command: HostCommand) {
        match command {
            HostCommand::Resume { cursor, window, times } => {
                self.tells_times = times;
                self.resume(cursor, window);
            }
            HostCommand::Ack { seq } => {
                // The relay may still lose entries that are not durable, so only durable ones are
                // dropped.
                if let Some(sender) = &mut self.sender {
                    sender.ack(seq);
                    self.log.trim(0, seq.min(sender.position()));
                }
            }
            HostCommand::ClientResumed { client_id } => {
                let seq = self.input.accepted(&client_id);
                self.say_journaled(HostMessage::InputAck { client_id, seq });
            }
            HostCommand::Input { client_id, piece } => {
                self.queries.typed(&client_id, self.log.head());
                self.queue(client_id, &piece);
            }
            HostCommand::Answerer { client_id, after } => {
                self.queries.appoint(client_id, after, self.log.head());
                self.answer();
            }
            HostCommand::Reply { client_id, seq, data, more } => {
                if self.queries.reply(&client_id, seq, more) {
                    self.type_unnumbered(data);
                }
                self.answer();
            }
            HostCommand::Write { request, data, event, answer } => {
                let event = event.map(|event| Event { timestamp: now_ms, ..event });
                self.write(request, data, event, answer);
            }
            HostCommand::Append { event } => self.append_told(Event { timestamp: now_ms, ..event }),
            HostCommand::Act { number, action } => self.act(number, action),
            HostCommand::Watched { watched } => {
                self.tasks.push_back(PublisherTask::Watched(watched));
            }
            HostCommand::Resize { size } => {
                if size != self.size && !self.size_is_fixed {
                    self.size = size;
                    self.tasks.push_back(PublisherTask::Resize(size));
                    self.say(HostMessage::Resized { size });
                }
            }
            HostCommand::SnapshotRequest => self.tasks.push_back(PublisherTask::MakeSnapshot),
            HostCommand::Close => {
                self.drop_input();
                self.tasks.push_back(PublisherTask::Close);
            }
            // A refusal ends the link, not the session: that is its owner's affair.
            HostCommand::Refused { .. } | HostCommand::Unknown => {}
        }
    }

    /// Records that the relay is gone. Unacknowledged entries are kept for its return.
    pub fn relay_left(&mut self) {
        self.sender = None;
        self.exit_told = false;
        self.answers.clear();
        self.snapshot = None;
        self.gate.iter_mut().for_each(JournalGate::relay_left);
        self.input.relay_left();
        self.tasks
            .retain(|task| !matches!(task, PublisherTask::MakeSnapshot | PublisherTask::CutLink));
        self.queries.appoint(None, Seq::ZERO, self.log.head());
        self.answer();
    }

    /// Returns the next output; call until `None`. Only for an owner that can send at any time:
    /// others call [`Publisher::poll_task`] and [`Publisher::poll_message`].
    pub fn poll_output(&mut self) -> Option<Output> {
        let task = self.poll_task().map(Output::Task);
        task.or_else(|| self.poll_message().map(Output::Message))
    }

    /// Returns the next task; call until `None`.
    pub fn poll_task(&mut self) -> Option<PublisherTask> {
        self.tasks.pop_front()
    }

    /// Returns the oldest input that the session has not taken.
    #[must_use]
    pub fn input(&self) -> Option<&[u8]> {
        self.input.front()
    }

    /// Records that the session has taken the first `bytes` of [`Publisher::input`]. A piece counts
    /// as accepted once its last byte is taken, or confirmed after
    /// [`Publisher::await_confirmations`].
    pub fn input_taken(&mut self, bytes: usize) {
        let (input, say) = self.input_and_answers();
        input.taken(bytes, say);
    }

    /// Makes a piece of input count as accepted only once [`Publisher::input_confirmed`] covers it. Must
    /// be called before any input has come.
    pub fn await_confirmations(&mut self) {
        self.input.await_confirmations();
    }

    /// Records that the first `bytes` of all input that the session has ever taken cannot be lost any
    /// more.
    pub fn input_confirmed(&mut self, bytes: u64) {
        let (input, say) = self.input_and_answers();
        input.confirmed(bytes, say);
    }

    /// Returns the bytes of output that no relay has made durable yet.
    #[must_use]
    pub fn unacked_bytes(&self) -> u64 {
        self.log.bytes()
    }

    /// Returns the last entry's number.
    #[must_use]
    pub const fn head(&self) -> Seq {
        self.log.head()
    }

    /// Makes the terminal decide its size: clients no longer do.
    pub fn fix_size(&mut self) {
        self.size_is_fixed = true;
    }

    /// Records the size that the terminal has decided.
    pub fn terminal_resized(&mut self, size: Size) {
        if size != self.size {
            self.size = size;
            self.say(HostMessage::Resized { size });
        }
    }

    /// Returns the terminal's size.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.size
    }

    /// Returns the time for an entry that is appended now.
    fn time(&mut self, now_ms: u64) -> u64 {
        let back_ms = self.time_ms.saturating_sub(now_ms);
        if back_ms == 0 || back_ms > STEP_BACK_MS {
            self.time_ms = now_ms;
        }
        self.time_ms
    }

    fn resume(&mut self, cursor: Option<Cursor>, window: u64) {
        let oldest = Seq(self.log.tail().0 - 1);
        let usable = |cursor: &Cursor| {
            cursor.epoch == self.log.epoch()
                && self.log.reaches_back_to(cursor.seq)
                && cursor.seq <= self.log.head()
        };
        let from = cursor.filter(usable).map_or(oldest, |cursor| cursor.seq);
        self.sender = Some(Sender::new(from, window, u64::MAX));
        self.exit_told = false;
        let last = self.gate.as_ref().map_or(Seq(u64::MAX), JournalGate::last);
        let (epoch, head, size) = (self.log.epoch(), self.log.head().min(last), self.size);
        self.say(HostMessage::Resumed { epoch, from, head, size });
    }

    /// Returns the pending input, and what takes answers about it.
    fn input_and_answers(&mut self) -> (&mut PendingInput, impl FnMut(HostMessage) + use<'_>) {
        let is_linked = self.sender.is_some();
        let answers = self.gate.as_mut().map_or(&mut self.answers, JournalGate::answers);
        let say = move |message| {
            if is_linked {
                answers.push_back(message);
            }
        };
        (&mut self.input, say)
    }

    fn say(&mut self, message: HostMessage) {
        if self.sender.is_some() {
            self.answers.push_back(message);
        }
    }

    fn queue(&mut self, client_id: ClientId, piece: &Frame) {
        if self.exit.is_some() {
            return;
        }
        if self.input.queue(client_id, piece).is_err() {
            self.tasks.push_back(PublisherTask::CutLink);
        }
        // An empty piece counts as taken at once.
        self.input_taken(0);
    }

    fn write(
        &mut self,
        request: RequestId,
        data: Bytes,
        event: Option<Event>,
        answer: WriteAnswer,
    ) {
        let result = if self.exit.is_some() {
            Err(WriteRefused::Ended)
        } else if self.is_full() {
            Err(WriteRefused::TooMuch)
        } else {
            self.input.write(request, data, answer)
        };
        if result.is_ok() {
            // The event must be in the log before any output that the input causes.
            event.into_iter().for_each(|event| self.append_told(event));
        }
        match result {
            Err(_) => self.say(HostMessage::Written { request, result }),
            Ok(()) if answer == WriteAnswer::Queued => {
                self.say_journaled(HostMessage::Written { request, result });
            }
            Ok(()) => {}
        }
        self.input_taken(0);
    }

    /// Drops all pending input, which never reaches the session.
    fn drop_input(&mut self) {
        let (is_linked, answers) = (self.sender.is_some(), &mut self.answers);
        self.input.clear(|message| {
            if is_linked {
                answers.push_back(message);
            }
        });
    }

    /// Queues the answer of a terminal.
    fn type_unnumbered(&mut self, data: Bytes) {
        self.input.reply(data);
        self.input_taken(0);
    }
}
