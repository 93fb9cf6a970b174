//! The terminal of a supervisor: its program, once it is started, and the screen.

use std::io;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use moorline_shared::control::Facts;
use moorline_shared::frame::Frame;
use moorline_shared::id::{Seq, SessionId};
use moorline_shared::session::{ExitStatus, Size};
use nix::sys::signal::Signal as SignalName;
use tokio::sync::mpsc;

use crate::driver::pty::PtyDriver;
use crate::driver::{
    Driver as _, DriverError, DriverOutput, OutputSource, SessionControl, SessionSpec,
    StartedSession,
};
use crate::keeper::machine::KeeperInput;
use crate::screen::{CATCH_UP_BYTES, Screen};

/// The program to start on a terminal.
#[derive(Debug)]
pub(super) struct ProgramSpec {
    pub(super) session_id: SessionId,
    pub(super) folder: PathBuf,
    pub(super) integration: PathBuf,
    pub(super) command: Vec<String>,
}

/// A terminal, and the program on it.
pub(super) struct SupervisedTerminal {
    screen: Screen,
    /// Entries that the screen was given.
    seq: Seq,
    size: Size,
    /// The program to start; `None` once it was.
    spec: Option<ProgramSpec>,
    program: Option<RunningProgram>,
}

/// One thing that has happened on a terminal.
pub(super) enum TerminalWake {
    /// Output; `None` once there is no more.
    Output(Option<DriverOutput>),
    /// The program takes input, or never will again.
    Writable(bool),
}

struct RunningProgram {
    output: mpsc::Receiver<DriverOutput>,
    control: Arc<dyn SessionControl>,
}

impl SupervisedTerminal {
    pub(super) fn new(spec: ProgramSpec, size: Size) -> Self {
        Self { screen: Screen::new(size), seq: Seq::ZERO, size, spec: Some(spec), program: None }
    }

    /// Starts the program, unless it was started.
    ///
    /// # Errors
    /// [`DriverError`].
    pub(super) async fn start(&mut self) -> Result<(), DriverError> {
        let Some(spec) = self.spec.take() else { return Ok(()) };
        let ProgramSpec { session_id, folder, integration, command } = spec;
        let spec = SessionSpec {
            session_id,
            facts: Facts { command, size: self.size, ..Facts::default() },
            cwd: Some(folder),
            fork: None,
            variables: std::collections::BTreeMap::new(),
            opener: None,
            workspace: None,
        };
        let started = PtyDriver::new(Some(integration)).start(spec).await?;
        let StartedSession { output, control, .. } = started;
        self.program = Some(RunningProgram { output: read_ahead(output), control });
        Ok(())
    }

    /// Waits for output, if there is room for it, and until the program takes input, if there is
    /// some; for ever if the program does not run. The future may be dropped.
    pub(super) async fn next(&mut self, has_room: bool, has_input: bool) -> TerminalWake {
        let Some(RunningProgram { output, control }) = &mut self.program else {
            return std::future::pending().await;
        };
        tokio::select! {
            read = output.recv(), if has_room && !output.is_closed() => TerminalWake::Output(read),
            open = control.writable(), if has_input => TerminalWake::Writable(open),
            else => std::future::pending().await,
        }
    }

    /// Takes no more output.
    pub(super) fn close_output(&mut self) {
        if let Some(program) = &mut self.program {
            program.output.close();
        }
    }

    /// Shows bytes that were output.
    pub(super) fn show(&mut self, buffer: BytesMut) {
        self.seq = self.seq.next();
        match Frame::seal(self.seq, 0, buffer) {
            Ok(frame) => self.screen.push(&frame),
            Err(error) => tracing::error!(%error, "the screen misses output"),
        }
        if self.screen.pending_bytes() > CATCH_UP_BYTES {
            self.screen.catch_up();
        }
    }

    /// Returns what repaints the terminal.
    pub(super) fn snapshot(&self) -> Bytes {
        self.screen.snapshot().data
    }

    /// Writes as much input as the terminal takes now.
    pub(super) fn write(&self, input: &[u8]) -> io::Result<usize> {
        self.program.as_ref().map_or(Ok(0), |program| program.control.write(input))
    }

    pub(super) fn resize(&mut self, size: Size) {
        self.size = size;
        self.screen.resize(size);
        let Some(program) = &self.program else { return };
        if let Err(error) = program.control.resize(size) {
            tracing::debug!(%error, "the terminal could not be resized");
        }
    }

    /// Hangs up. Returns false if there is no program that could end, and there never will be.
    pub(super) fn hang_up(&mut self) -> bool {
        self.spec = None;
        self.program.iter().for_each(|program| program.control.close());
        self.program.is_some()
    }
}

/// Returns the end of a program as a machine is told it.
pub(super) fn exited(status: ExitStatus) -> KeeperInput<'static> {
    let ExitStatus { code, signal, .. } = status;
    let signal = signal.and_then(|name| SignalName::from_str(&name).ok());
    KeeperInput::Exited { code, signal: signal.map(|signal| signal as i32) }
}

/// Returns a line of the supervisor's own, as output.
pub(super) fn line(text: &str) -> BytesMut {
    let clean: String = text.chars().filter(|character| !character.is_control()).collect();
    let text = format!("{clean}\r\n");
    let mut buffer = Frame::buffer(text.len());
    buffer.put_slice(text.as_bytes());
    buffer
}

/// Reads one output ahead, in a task of its own: the future of a read must not be dropped.
fn read_ahead(mut source: Box<dyn OutputSource>) -> mpsc::Receiver<DriverOutput> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok(room) = sender.reserve().await {
            let output = source.next().await;
            let is_last = matches!(output, DriverOutput::End(_));
            room.send(output);
            if is_last {
                return;
            }
        }
    });
    receiver
}
