//! The keeper's rules, without its process, pipes and socket.
//!
//! Call [`KeeperMachine::handle`] with everything that happens. After that, carry out
//! [`KeeperMachine::poll_output`] until it returns `None`, send [`KeeperMachine::poll_frame`] while
//! the connection takes frames, offer [`KeeperMachine::input`] to the program, and read at most
//! [`KeeperMachine::output_room`] bytes of its output. At [`KeeperMachine::poll_timeout`], call
//! `handle` with [`KeeperInput::Timeout`]. A call too many changes nothing.

mod life;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use bytes::Bytes;
use moorline_shared::session::Size;
use moorline_shared::time::Time;

use super::frame::{
    BadFrame, DATA_BYTES, FROM_SNAPSHOT, HostFrame, KeeperFrame, RefusalCode, VERSION,
};
use super::queue::ByteQueue;
use super::{ERROR_BYTES, INPUT_BYTES, OUTPUT_BYTES};
use life::{ExitNumbers, KeeperLife};

/// One thing that has happened to a keeper.
#[derive(Debug)]
pub(crate) enum KeeperInput<'a> {
    /// A host has connected. It replaces the one that was connected.
    Connected,
    /// The connection of the host has ended.
    Disconnected,
    /// The host has sent this frame.
    Frame(HostFrame),
    /// The host has sent something that is not a frame.
    BadFrame(BadFrame),
    /// The program has written these bytes, at most [`KeeperMachine::output_room`].
    Output(&'a [u8]),
    /// The program has written these bytes to its standard error.
    Errors(&'a [u8]),
    /// The program's pipe has taken this many bytes of [`KeeperMachine::input`].
    InputTaken(usize),
    /// The program has closed its input.
    InputBroken,
    /// The program's status has changed: see [`KeeperFrame::Status`].
    Status(Bytes),
    /// The snapshot of [`KeeperOutput::MakeSnapshot`], of the terminal after all output so far.
    Snapshot(Bytes),
    /// The answer to [`KeeperOutput::Measure`]: see [`KeeperFrame::Pong`].
    Vitals(Bytes),
    /// The program has ended. Some of its output may still be in the pipe.
    Exited { code: Option<i32>, signal: Option<i32> },
    /// Everything that the program has written before its end was read.
    OutputEnded,
    /// The keeper itself is asked to end.
    Terminate,
    /// The time of [`KeeperMachine::poll_timeout`] has come.
    Timeout,
}

/// An action that a keeper must take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeeperOutput {
    /// Signal the program's process group, unless the program has ended.
    Signal(GroupSignal),
    /// Close the program's input.
    CloseInput,
    /// Set the terminal's size.
    Resize(Size),
    /// Pass on [`KeeperInput::Snapshot`], before any more output.
    MakeSnapshot,
    /// Pass on [`KeeperInput::Vitals`].
    Measure,
    /// Send what [`KeeperMachine::poll_frame`] has returned, and close the connection.
    Disconnect,
    /// Remove the socket and end. Comes last.
    Leave,
}

/// A signal to the program's process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupSignal {
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// The state of a keeper. See the module.
#[derive(Debug)]
pub(crate) struct KeeperMachine {
    /// The program's process.
    pid: u32,
    /// Output that no host has acknowledged.
    output: ByteQueue,
    /// The most bytes of it that are held.
    output_bytes: usize,
    /// True once no output will follow.
    output_ended: bool,
    /// The last of the standard error.
    errors: ByteQueue,
    input: ProgramInput,
    life: KeeperLife,
    /// The program's terminal, if it has one.
    terminal: Option<KeptTerminal>,
    host: Option<AttachedHost>,
    actions: VecDeque<KeeperOutput>,
}

/// Input that was taken from hosts and waits for the program.
#[derive(Debug)]
struct ProgramInput {
    queue: ByteQueue,
    state: InputState,
}

/// What a keeper knows of its program's terminal.
#[derive(Debug, Default)]
struct KeptTerminal {
    /// The last status of the program; `None` before the first.
    status: Option<Bytes>,
}

#[derive(Debug, PartialEq, Eq)]
enum InputState {
    Open,
    /// Closes once the queue is empty.
    Closing,
    /// Whatever is written is dropped.
    Closed,
}

/// What the connected host was sent.
#[derive(Debug, Default)]
struct AttachedHost {
    stage: HostStage,
    /// The offset after the output that was sent.
    output: u64,
    /// The offset after the standard error that was sent.
    errors: u64,
    /// The last offset of the input that was reported; `None` before the first report.
    written: Option<u64>,
    /// True if output was sent more recently than standard error, which is then due.
    output_was_last: bool,
    is_told_exit: bool,
    /// The rest of the snapshot that precedes all output; `None` if there is none to send.
    snapshot: Option<Bytes>,
    /// True until the snapshot that the host has asked for is there.
    awaits_snapshot: bool,
    /// The last status is not sent yet.
    owes_status: bool,
    /// The answer to a ping.
    pong: Option<Bytes>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum HostStage {
    /// The host has not said hello.
    #[default]
    New,
    /// The host has said hello, and is not answered yet.
    Greeted,
    Welcomed,
    /// The host is to be told the reason, and disconnected.
    Refused(RefusalCode, String),
    /// Nothing is sent and accepted any more.
    Closed,
}

/// The reason to disconnect a host.
type HostRefusal = (RefusalCode, String);

impl KeeperMachine {
    /// Creates the state of a keeper that has just started its program.
    pub(crate) fn new(pid: u32, now: Time) -> Self {
        Self {
            pid,
            output: ByteQueue::default(),
            output_bytes: OUTPUT_BYTES,
            output_ended: false,
            errors: ByteQueue::default(),
            input: ProgramInput { queue: ByteQueue::default(), state: InputState::Open },
            life: KeeperLife::new(now),
            terminal: None,
            host: None,
            actions: VecDeque::new(),
        }
    }

    /// Creates the state of a keeper whose program has a terminal. Its hosts may ask for snapshots
    /// and sizes. It holds at most `output_bytes` of output, and lets the program run without a host.
    pub(crate) fn of_terminal(pid: u32, output_bytes: usize, now: Time) -> Self {
        let mut machine =
            Self { output_bytes, terminal: Some(KeptTerminal::default()), ..Self::new(pid, now) };
        machine.life.run_alone();
        machine
    }

    /// Takes note of what has happened. See the module.
    pub(crate) fn handle(&mut self, now: Time, input: KeeperInput<'_>) {
        match input {
            KeeperInput::Connected => {
                self.life.host_left(now);
                self.host = Some(AttachedHost::default());
            }
            KeeperInput::Disconnected => {
                self.life.host_left(now);
                self.host = None;
            }
            KeeperInput::Frame(frame) => {
                if let Err((code, message)) = self.handle_frame(now, frame) {
                    self.refuse(code, message);
                }
            }
            KeeperInput::BadFrame(error) => self.refuse(RefusalCode::Protocol, error.to_string()),
            KeeperInput::Output(bytes) => self.output.push(bytes),
            KeeperInput::Errors(bytes) => {
                self.errors.push(bytes);
                self.errors.forget(self.errors.end().saturating_sub(ERROR_BYTES as u64));
            }
            KeeperInput::InputTaken(count) => {
                self.input.queue.forget(self.input.queue.start() + count as u64);
                self.close_input_if_due();
            }
            KeeperInput::InputBroken => self.input.close(&mut self.actions),
            KeeperInput::Status(json) => {
                if let Some(terminal) = &mut self.terminal {
                    terminal.status = Some(json);
                }
                self.host.iter_mut().for_each(|host| host.owes_status = true);
            }
            KeeperInput::Snapshot(data) => {
                if let Some(host) = self.host.as_mut().filter(|host| host.awaits_snapshot) {
                    host.awaits_snapshot = false;
                    host.snapshot = Some(data);
                }
            }
            KeeperInput::Vitals(json) => {
                self.host.iter_mut().for_each(|host| host.pong = Some(json.clone()));
            }
            KeeperInput::Exited { code, signal } => {
                self.input.close(&mut self.actions);
                self.life.exited(now, ExitNumbers { code, signal }, &mut self.actions);
            }
            KeeperInput::OutputEnded => self.output_ended = true,
            KeeperInput::Terminate => self.life.leave(now, false, &mut self.actions),
            KeeperInput::Timeout => self.life.elapse(now, &mut self.actions),
        }
    }

    /// Returns the next action. Changes only after [`KeeperMachine::handle`] and
    /// [`KeeperMachine::poll_frame`].
    pub(crate) fn poll_output(&mut self) -> Option<KeeperOutput> {
        self.actions.pop_front()
    }

    /// Returns when [`KeeperInput::Timeout`] is due, if ever.
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.life.timeout()
    }

    /// Returns how many bytes of output may be read from the program.
    pub(crate) fn output_room(&self) -> usize {
        self.output_bytes.saturating_sub(self.output.len())
    }

    /// Holds less output.
    #[cfg(test)]
    pub(crate) fn holding(self, output_bytes: usize) -> Self {
        Self { output_bytes, ..self }
    }

    /// Returns the input that the program should get next.
    pub(crate) fn input(&self) -> &[u8] {
        self.input.queue.front()
    }

    /// Returns the next frame for the connected host, which is sent unless the connection ends.
    /// Call it when the connection can take a frame, not before: newer values replace those that
    /// were not sent yet.
    pub(crate) fn poll_frame(&mut self) -> Option<KeeperFrame> {
        let host = self.host.as_mut()?;
        match std::mem::replace(&mut host.stage, HostStage::Closed) {
            HostStage::Refused(code, message) => {
                self.actions.push_back(KeeperOutput::Disconnect);
                return Some(KeeperFrame::Refused { code, message });
            }
            HostStage::Greeted => {
                host.stage = HostStage::Welcomed;
                return Some(KeeperFrame::Welcome {
                    version: VERSION,
                    pid: self.pid,
                    written: self.input.queue.end(),
                    start: self.output.start(),
                    end: self.output.end(),
                });
            }
            HostStage::Welcomed => host.stage = HostStage::Welcomed,
            other => {
                host.stage = other;
                return None;
            }
        }
        if let Some(json) = host.pong.take() {
            return Some(KeeperFrame::Pong { json });
        }
        let taken = self.input.taken();
        if host.written != Some(taken) {
            host.written = Some(taken);
            return Some(KeeperFrame::Written { offset: taken });
        }
        if host.awaits_snapshot {
            return None;
        }
        if let Some(frame) = host.next_snapshot() {
            return Some(frame);
        }
        if std::mem::take(&mut host.owes_status)
            && let Some(json) = self.terminal.as_ref().and_then(|it| it.status.clone())
        {
            return Some(KeeperFrame::Status { json });
        }
        if let Some(frame) = host.next_data(&self.output, &self.errors) {
            return Some(frame);
        }
        let ExitNumbers { code, signal } = self.life.exit()?;
        if !self.output_ended || std::mem::replace(&mut host.is_told_exit, true) {
            return None;
        }
        Some(KeeperFrame::Exited { code, signal })
    }

    fn handle_frame(&mut self, now: Time, frame: HostFrame) -> Result<(), HostRefusal> {
        let Some(host) = &mut self.host else { return Ok(()) };
        match (&host.stage, frame) {
            (HostStage::Refused(..) | HostStage::Closed, _) => {}
            (HostStage::New, HostFrame::Hello { version, read_from }) => {
                let from_snapshot = read_from == FROM_SNAPSHOT && self.terminal.is_some();
                let read_from = if from_snapshot { self.output.end() } else { read_from };
                greet(host, version, read_from, &self.output)?;
                host.owes_status = self.terminal.is_some();
                if from_snapshot {
                    // The snapshot stands for all of it.
                    self.output.clear();
                    host.awaits_snapshot = true;
                    self.actions.push_back(KeeperOutput::MakeSnapshot);
                }
                self.life.host_came();
            }
            (HostStage::New, _) => return Err(protocol("the first frame is not a hello")),
            (_, HostFrame::Hello { .. }) => return Err(protocol("a second hello")),
            (_, HostFrame::Write { offset, data }) => self.input.write(offset, &data)?,
            (_, HostFrame::Read { up_to }) => {
                if up_to > host.output {
                    return Err(protocol("output is acknowledged that was not sent"));
                }
                self.output.forget(up_to);
            }
            (_, HostFrame::CloseInput) => {
                if self.input.state == InputState::Open {
                    self.input.state = InputState::Closing;
                    self.close_input_if_due();
                }
            }
            (_, HostFrame::Kill { force }) => self.life.kill(now, force, &mut self.actions),
            (_, HostFrame::Forget) => self.life.leave(now, true, &mut self.actions),
            (_, HostFrame::Resize { size }) => {
                if self.terminal.is_some() {
                    self.actions.push_back(KeeperOutput::Resize(size.clamped()));
                }
            }
            (_, HostFrame::Ping) => self.actions.push_back(KeeperOutput::Measure),
        }
        Ok(())
    }

    fn refuse(&mut self, code: RefusalCode, message: String) {
        if let Some(host) = &mut self.host
            && host.stage != HostStage::Closed
        {
            host.stage = HostStage::Refused(code, message);
        }
    }

    fn close_input_if_due(&mut self) {
        if self.input.state == InputState::Closing && self.input.queue.len() == 0 {
            self.input.close(&mut self.actions);
        }
    }
}

impl ProgramInput {
    /// Takes the bytes that were not taken yet.
    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), HostRefusal> {
        if self.state != InputState::Open {
            return Ok(());
        }
        let end = self.queue.end();
        let Some(known) = end.checked_sub(offset) else {
            return Err(protocol(&format!("input is missing between {end} and {offset}")));
        };
        let fresh = data.get(usize::try_from(known).unwrap_or(usize::MAX)..).unwrap_or_default();
        if self.queue.len() + fresh.len() > INPUT_BYTES {
            return Err(protocol(&format!("more than {INPUT_BYTES} bytes of input wait")));
        }
        self.queue.push(fresh);
        Ok(())
    }

    /// Returns the offset after the input that the program's pipe has taken.
    fn taken(&self) -> u64 {
        self.queue.start()
    }

    /// Drops what the program will not take any more. Its offset stays as it was.
    fn close(&mut self, actions: &mut VecDeque<KeeperOutput>) {
        if std::mem::replace(&mut self.state, InputState::Closed) != InputState::Closed {
            self.queue = ByteQueue::at(self.queue.start());
            actions.push_back(KeeperOutput::CloseInput);
        }
    }
}

impl AttachedHost {
    /// Returns the next part of the snapshot.
    fn next_snapshot(&mut self) -> Option<KeeperFrame> {
        let mut rest = self.snapshot.take()?;
        let data = rest.split_to(rest.len().min(DATA_BYTES));
        let is_last = rest.is_empty();
        self.snapshot = (!is_last).then_some(rest);
        Some(KeeperFrame::Snapshot { is_last, data })
    }

    /// Returns the next piece of the output or the standard error, in turns.
    fn next_data(&mut self, output: &ByteQueue, errors: &ByteQueue) -> Option<KeeperFrame> {
        self.errors = self.errors.max(errors.start());
        let has_output = self.output < output.end();
        let has_errors = self.errors < errors.end();
        self.output_was_last = has_output && !(has_errors && self.output_was_last);
        if self.output_was_last {
            let (offset, data) = (self.output, output.copy(self.output, DATA_BYTES));
            self.output += data.len() as u64;
            return Some(KeeperFrame::Output { offset, data });
        }
        has_errors.then(|| {
            let data = errors.copy(self.errors, DATA_BYTES);
            self.errors += data.len() as u64;
            KeeperFrame::Errors { data }
        })
    }
}

/// Accepts a host that says hello.
fn greet(
    host: &mut AttachedHost,
    version: u16,
    read_from: u64,
    output: &ByteQueue,
) -> Result<(), HostRefusal> {
    if version != VERSION {
        let message = format!("the keeper speaks version {VERSION}, and the host {version}");
        return Err((RefusalCode::Version, message));
    }
    let (start, end) = (output.start(), output.end());
    if !(start..=end).contains(&read_from) {
        let message = format!("output from {read_from} on is not held, but from {start} to {end}");
        return Err((RefusalCode::Range, message));
    }
    *host =
        AttachedHost { stage: HostStage::Greeted, output: read_from, ..AttachedHost::default() };
    Ok(())
}

fn protocol(message: &str) -> HostRefusal {
    (RefusalCode::Protocol, message.to_owned())
}
