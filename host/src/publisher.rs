//! The host's end of a session's link to a relay: numbers the output, keeps what is not durable
//! yet, and takes each piece of input once.
//!
//! No I/O happens here. The owner brings in output ([`Publisher::append`]) and the relay's commands
//! ([`Publisher::command`]), does what [`Publisher::poll_task`] says, sends what
//! [`Publisher::poll_message`] gives whenever its link has room, and writes [`Publisher::input`] to
//! the session.
//!
//! It also decides who answers the queries of the program: the owner tells of each
//! ([`Publisher::asked`]), has the emulator say what it would ([`Publisher::answered`]), and calls
//! [`Publisher::tick`] at [`Publisher::poll_timeout`].
//!
//! # Example
//!
//! A session that puts out a line, is published to a relay and takes a piece of input.
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

mod answers;
mod input;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use moorline_shared::event::Event;
use moorline_shared::frame::{Frame, FrameError};
use moorline_shared::id::{ClientId, Cursor, Epoch, Seq};
use moorline_shared::limits::HOST_KEEPS_BYTES;
use moorline_shared::link::{Next, Sender};
use moorline_shared::log::{Entry, Log};
use moorline_shared::message::Snapshot;
use moorline_shared::publish::{HostCommand, HostMessage, RequestId, WriteAnswer, WriteRefused};
use moorline_shared::session::{ExitStatus, Size};
use moorline_shared::time::Time;

use answers::Answers;
pub use answers::QueryId;

use input::PendingInput;

/// A clock that steps back by less is being adjusted: the entries meanwhile have the time of the one
/// before them. One that steps back further was wrong before, and is believed.
const STEP_BACK_MS: u64 = 2000;

/// What the owner must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Tell the relay.
    Message(HostMessage),
    /// Do this, whether there is a relay or not.
    Task(Task),
}

/// What the owner must do on its own side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// An event was appended that the owner did not bring: the screen must count it.
    Appended(Seq),
    /// Give the session's terminal this size.
    Resize(Size),
    /// Make a picture of the screen, and bring it to [`Publisher::picture`].
    MakePicture,
    /// Have the emulator say what it answers to the queries that it was asked, and bring that to
    /// [`Publisher::answered`].
    Answer,
    /// End the session's process.
    Close,
    /// Close the link: the relay sent more input than it may.
    CutLink,
}

/// See the module.
#[derive(Debug)]
pub struct Publisher {
    log: Log,
    /// When the last entry was appended.
    time_ms: u64,
    /// Whether the relay reads the times of output entries.
    tells_times: bool,
    /// `None` while no relay is connected.
    sender: Option<Sender>,
    size: Size,
    exit: Option<ExitStatus>,
    exit_told: bool,
    input: PendingInput,
    /// Who answers the program's queries.
    queries: Answers,
    tasks: VecDeque<Task>,
    /// Answers, which go before entries. Empty while no relay is connected.
    answers: VecDeque<HostMessage>,
    /// A picture that waits until every entry that it contains is sent.
    picture: Option<Snapshot>,
}

impl Publisher {
    /// A session that has put out nothing.
    #[must_use]
    pub fn new(epoch: Epoch, size: Size) -> Self {
        Self::starting_after(epoch, Seq::ZERO, size)
    }

    /// A session whose log begins with entries that its relay has and its host has not: a fork.
    #[must_use]
    pub fn starting_after(epoch: Epoch, seq: Seq, size: Size) -> Self {
        Self {
            log: Log::starting_after(epoch, seq),
            time_ms: 0,
            tells_times: false,
            sender: None,
            size,
            exit: None,
            exit_told: false,
            input: PendingInput::new(),
            queries: Answers::default(),
            tasks: VecDeque::new(),
            answers: VecDeque::new(),
            picture: None,
        }
    }

    /// Numbers output in a buffer that was begun by [`Frame::buffer`]. Copies nothing. `now_ms` is
    /// the time in milliseconds since 1970.
    ///
    /// # Errors
    /// [`FrameError`] where the buffer is no frame; nothing was appended.
    pub fn append(&mut self, now_ms: u64, buffer: BytesMut) -> Result<Frame, FrameError> {
        let time_ms = self.time(now_ms);
        self.log.append(time_ms, buffer)
    }

    /// Numbers an event, whose timestamp is the present time.
    pub fn event(&mut self, event: Event) -> Seq {
        let timestamp = self.time(event.timestamp);
        self.log.append_event(Event { timestamp, ..event })
    }

    /// The session's process ended; no output follows.
    pub fn exited(&mut self, status: ExitStatus) {
        self.exit = Some(status);
        self.drop_input();
        self.queries.clear();
    }

    /// The entry `seq` asks something of the terminal: the emulator is to find out what it would
    /// answer there, and to do that now once [`Task::Answer`] says so. `None` where nobody is to
    /// answer. Call it in the order of the queries, with the output that ends with them appended.
    pub fn asked(&mut self, now: Time, seq: Seq) -> Option<QueryId> {
        self.ask(|queries| queries.asked(now, seq))
    }

    /// As [`Publisher::asked`], for a query that the host answers even if a client could.
    pub fn asked_of_host(&mut self, now: Time, seq: Seq) -> Option<QueryId> {
        self.ask(|queries| queries.asked_of_host(now, seq))
    }

    fn ask(&mut self, ask: impl FnOnce(&mut Answers) -> Option<QueryId>) -> Option<QueryId> {
        if self.exit.is_some() {
            return None;
        }
        let id = ask(&mut self.queries);
        self.answer();
        id
    }

    /// What the emulator answers to a query; nothing where it is not to be answered.
    pub fn answered(&mut self, id: QueryId, answer: Bytes) {
        self.queries.answered(id, answer);
        self.answer();
    }

    /// The emulator has failed: what it was asked so far is not answered.
    pub fn unanswerable(&mut self) {
        self.queries.unanswerable();
        self.answer();
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Time) {
        self.queries.tick(now);
        self.answer();
    }

    /// When to call [`Publisher::tick`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.queries.poll_timeout()
    }

    /// A picture was made, or could not be. One for a relay that left meanwhile is dropped.
    pub fn picture(&mut self, picture: Option<Snapshot>) {
        match picture {
            // A relay has no use for a picture of what it does not have.
            Some(picture) if self.sender.is_some() => self.picture = Some(picture),
            Some(_) => {}
            None => self.say(HostMessage::SnapshotFailed),
        }
    }

    /// The relay says something. `now_ms` is the time in milliseconds since 1970.
    pub fn command(&mut self, now_ms: u64, command: HostCommand) {
        match command {
            HostCommand::Resume { cursor, window, times } => {
                self.tells_times = times;
                self.resume(cursor, window);
            }
            HostCommand::Ack { seq } => {
                // What the relay merely has, it may still lose: only what is durable can go.
                if let Some(sender) = &mut self.sender {
                    sender.ack(seq);
                    self.log.trim(0, seq.min(sender.position()));
                }
            }
            HostCommand::ClientResumed { client_id } => {
                let seq = self.input.accepted(&client_id);
                self.say(HostMessage::InputAck { client_id, seq });
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
            HostCommand::Resize { size } => {
                if size != self.size {
                    self.size = size;
                    self.tasks.push_back(Task::Resize(size));
                    self.say(HostMessage::Resized { size });
                }
            }
            HostCommand::SnapshotRequest => self.tasks.push_back(Task::MakePicture),
            HostCommand::Close | HostCommand::Refused { .. } => {
                self.drop_input();
                self.tasks.push_back(Task::Close);
            }
            HostCommand::Unknown => {}
        }
    }

    /// The relay is gone: what it has not acknowledged is kept for its return.
    pub fn relay_left(&mut self) {
        self.sender = None;
        self.exit_told = false;
        self.answers.clear();
        self.picture = None;
        self.input.relay_left();
        self.tasks.retain(|task| !matches!(task, Task::MakePicture | Task::CutLink));
        self.queries.appoint(None, Seq::ZERO, self.log.head());
        self.answer();
    }

    /// What to do now; call until `None`. For an owner that can send at any time: any other calls
    /// [`Publisher::poll_task`] and [`Publisher::poll_message`].
    pub fn poll_output(&mut self) -> Option<Output> {
        let task = self.poll_task().map(Output::Task);
        task.or_else(|| self.poll_message().map(Output::Message))
    }

    /// What to do now; call until `None`.
    pub fn poll_task(&mut self) -> Option<Task> {
        self.tasks.pop_front()
    }

    /// What to tell the relay next. Call it when there is room for a message: it counts as sent.
    pub fn poll_message(&mut self) -> Option<HostMessage> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(answer);
        }
        let sender = self.sender.as_mut()?;
        if let Some(picture) = self.picture.take_if(|picture| picture.seq <= sender.position()) {
            return Some(HostMessage::Snapshot(picture));
        }
        match sender.next(&self.log) {
            Next::Entry(entry) => {
                sender.sent(entry);
                Some(HostMessage::Entry(match entry.clone() {
                    Entry::Output(frame) if !self.tells_times => Entry::Output(frame.at(0)),
                    entry => entry,
                }))
            }
            Next::CaughtUp if !self.exit_told => {
                let status = self.exit.clone()?;
                self.exit_told = true;
                Some(HostMessage::Exited { status })
            }
            Next::CaughtUp | Next::NoCredit | Next::Behind | Next::Missing => None,
        }
    }

    /// How many answers wait to be sent: an owner that hears no commands while there are many
    /// bounds them.
    #[must_use]
    pub fn waiting_answers(&self) -> usize {
        self.answers.len()
    }

    /// Whether the relay that is connected was told all, up to the process's end, and has made it
    /// durable.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let silent = self.answers.is_empty() && self.picture.is_none();
        self.exit_told && silent && self.unacked_bytes() == 0
    }

    /// The oldest input that the session has not taken.
    #[must_use]
    pub fn input(&self) -> Option<&[u8]> {
        self.input.front()
    }

    /// The session has taken the first `bytes` of [`Publisher::input`]. A piece counts as accepted
    /// when its last byte is taken.
    pub fn input_taken(&mut self, bytes: usize) {
        let (is_linked, answers) = (self.sender.is_some(), &mut self.answers);
        self.input.taken(bytes, |message| {
            if is_linked {
                answers.push_back(message);
            }
        });
    }

    /// Bytes of output that no relay has made durable yet.
    #[must_use]
    pub fn unacked_bytes(&self) -> u64 {
        self.log.bytes()
    }

    /// The last entry's number.
    #[must_use]
    pub const fn head(&self) -> Seq {
        self.log.head()
    }

    /// The terminal's size.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.size
    }

    /// The time of an entry that is appended now.
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
        let (epoch, head, size) = (self.log.epoch(), self.log.head(), self.size);
        self.say(HostMessage::Resumed { epoch, from, head, size });
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
            self.tasks.push_back(Task::CutLink);
        }
        // A piece without bytes needs no one to take it.
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
            // In the log before whatever it makes the program put out.
            event.into_iter().for_each(|event| self.append_told(event));
        }
        if result.is_err() || answer == WriteAnswer::Queued {
            self.say(HostMessage::Written { request, result });
        }
        self.input_taken(0);
    }

    /// What waits for the session never reaches it.
    fn drop_input(&mut self) {
        let (is_linked, answers) = (self.sender.is_some(), &mut self.answers);
        self.input.clear(|message| {
            if is_linked {
                answers.push_back(message);
            }
        });
    }

    /// Whether so much waits to become durable that no event may be added.
    fn is_full(&self) -> bool {
        self.log.bytes() > 2 * HOST_KEEPS_BYTES
    }

    /// Queues what a terminal answers.
    fn type_unnumbered(&mut self, data: Bytes) {
        self.input.reply(data);
        self.input_taken(0);
    }

    /// Types the answers that are the host's to give, and has the emulator make those that lack. A
    /// program that asks and does not read loses what there is no room for.
    fn answer(&mut self) {
        while let Some(answer) = self.queries.poll() {
            self.type_unnumbered(answer);
        }
        if self.queries.wants_emulator() && !self.tasks.contains(&Task::Answer) {
            self.tasks.push_back(Task::Answer);
        }
    }

    /// A session that has ended says nothing more.
    fn append_told(&mut self, event: Event) {
        if self.exit.is_none() && !self.is_full() {
            let seq = self.event(event);
            self.tasks.push_back(Task::Appended(seq));
        }
    }
}
