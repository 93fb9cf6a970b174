//! The keeper's rules, without its process, pipes and socket.
//!
//! Call [`KeeperMachine::handle`] with everything that happens. After that, carry out
//! [`KeeperMachine::poll_output`] until it returns `None`, send [`KeeperMachine::poll_frame`] while
//! the connection takes frames, offer [`KeeperMachine::input`] to the program, and read at most
//! [`KeeperMachine::output_room`] bytes of its output. At [`KeeperMachine::poll_timeout`], call
//! `handle` with [`KeeperInput::Timeout`]. A keeper with a folder takes
//! [`KeeperMachine::poll_answer`], too. A call too many changes nothing.

mod attached;
mod folder;
mod life;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use bytes::Bytes;
use moorline_shared::session::Size;
use moorline_shared::time::Time;

use super::frame::{BadFrame, FROM_SNAPSHOT, HostFrame, KeeperFrame, RefusalCode, VERSION};
use super::queue::ByteQueue;
use super::{ERROR_BYTES, INPUT_BYTES, OUTPUT_BYTES};
use attached::{AttachedHost, HostStage, greet};
use folder::KeptFolder;
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
    /// Ask the host about files: see [`super::file_exchange`]. An earlier request is not answered any
    /// more. Only of a machine [with a folder](KeeperMachine::with_folder).
    Ask(Bytes),
    /// The state of the folder has changed: see [`KeeperFrame::Folder`].
    Folder(Bytes),
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
    /// Make the folder and its workspace equal, and pass on [`KeeperInput::Folder`] with this number.
    Settle(u64),
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
    /// The folder that is in sync, if there is one.
    folder: Option<KeptFolder>,
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
            folder: None,
            host: None,
            actions: VecDeque::new(),
        }
    }

    /// Creates the state of a keeper whose program has a terminal. Its hosts may ask for snapshots
    /// and sizes. It holds at most `output_bytes` of output, and lets the program run without a host.
    pub(crate) fn of_terminal(output_bytes: usize, now: Time) -> Self {
        // Its process is of no use to a host elsewhere.
        let mut machine =
            Self { output_bytes, terminal: Some(KeptTerminal::default()), ..Self::new(0, now) };
        machine.life.run_alone();
        machine
    }

    /// Creates the state of the keeper of an agent in a pod, which runs without a host, too.
    pub(crate) fn of_agent(now: Time) -> Self {
        // Hosts tell by the process that there is no terminal. It is of no other use to them.
        let mut machine = Self::new(std::process::id(), now);
        machine.life.run_alone();
        machine
    }

    /// Adds a folder that is in sync with a workspace.
    pub(crate) fn with_folder(self) -> Self {
        Self { folder: Some(KeptFolder::default()), ..self }
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
            KeeperInput::Ask(request) => {
                self.folder.iter_mut().for_each(|folder| folder.ask(request.clone()));
            }
            KeeperInput::Folder(json) => {
                self.folder.iter_mut().for_each(|folder| folder.report(json.clone()));
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

    /// Returns the answer to [`KeeperInput::Ask`], once it is complete.
    pub(crate) fn poll_answer(&mut self) -> Option<Bytes> {
        self.folder.as_mut()?.poll_answer()
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
                    syncs: self.folder.is_some(),
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
        if let Some(frame) = self.folder.as_mut().and_then(KeptFolder::next_report) {
            return Some(frame);
        }
        let files = || self.folder.as_mut().and_then(KeptFolder::next_piece);
        if let Some(frame) = host.next_data(&self.output, &self.errors, files) {
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
                self.folder.iter_mut().for_each(KeptFolder::connected);
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
            (_, HostFrame::Files { piece }) => match &mut self.folder {
                Some(folder) => folder.receive(&piece).map_err(|bad| protocol(&bad.to_string()))?,
                None => return Err(protocol("no folder is in sync")),
            },
            (_, HostFrame::Settle { number }) => {
                if self.folder.is_some() {
                    self.actions.push_back(KeeperOutput::Settle(number));
                }
            }
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

fn protocol(message: &str) -> HostRefusal {
    (RefusalCode::Protocol, message.to_owned())
}
