//! The program of a supervisor: on a terminal, or an agent with pipes.

use bytes::{Bytes, BytesMut};
use moorline_shared::frame::Frame;
use moorline_shared::limits::FRAME_DATA_BYTES;
use moorline_shared::session::{ExitStatus, Size};

use super::terminal::{SupervisedTerminal, TerminalWake, line};
use crate::driver::DriverError;
use crate::keeper::KeeperConfig;
use crate::keeper::machine::{GroupSignal, KeeperInput};
use crate::keeper::pipes::{PipesWake, ProgramPipes};
use crate::keeper::socket::KeeperSocket;

/// The program of a supervisor.
pub(super) enum SupervisedProgram {
    /// A program on a terminal.
    Terminal(Box<SupervisedTerminal>),
    /// An agent, whose standard streams are lines of its protocol.
    Agent(SupervisedAgent),
}

/// An agent, once it is started.
pub(super) struct SupervisedAgent {
    /// The program to start; `None` once it was started.
    config: Option<Box<KeeperConfig>>,
    pipes: Option<Box<ProgramPipes>>,
}

/// One thing that has happened to a program.
pub(super) enum ProgramWake {
    Terminal(TerminalWake),
    Pipes(PipesWake),
}

impl SupervisedProgram {
    pub(super) fn agent(config: KeeperConfig) -> Self {
        Self::Agent(SupervisedAgent { config: Some(Box::new(config)), pipes: None })
    }

    pub(super) const fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    /// Starts the program, unless it was started.
    ///
    /// # Errors
    /// [`DriverError`].
    pub(super) async fn start(&mut self) -> Result<(), DriverError> {
        match self {
            Self::Terminal(terminal) => terminal.start().await,
            Self::Agent(agent) => {
                let Some(config) = agent.config.take() else { return Ok(()) };
                let pipes = ProgramPipes::start(&config);
                let pipes = pipes.map_err(|error| DriverError::Refused(error.into()))?;
                agent.pipes = Some(Box::new(pipes));
                Ok(())
            }
        }
    }

    /// Waits until the program has done something, or takes input. The future may be dropped.
    pub(super) async fn next(&mut self, room: usize, has_input: bool) -> ProgramWake {
        match self {
            Self::Terminal(terminal) => {
                // An output is at most one frame.
                let has_room = room >= FRAME_DATA_BYTES;
                ProgramWake::Terminal(terminal.next(has_room, has_input).await)
            }
            Self::Agent(SupervisedAgent { pipes: Some(pipes), .. }) => {
                ProgramWake::Pipes(pipes.wait(room, has_input).await)
            }
            Self::Agent(_) => std::future::pending().await,
        }
    }

    /// Does what follows from what has happened to an agent. Returns how it has ended, if it has.
    pub(super) fn pipe(
        &mut self,
        wake: PipesWake,
        socket: &mut KeeperSocket,
    ) -> Option<ExitStatus> {
        use std::os::unix::process::ExitStatusExt as _;
        let Self::Agent(SupervisedAgent { pipes: Some(pipes), .. }) = self else { return None };
        let status = pipes.handle(wake, socket)?;
        let signal = status.signal().map(crate::signals::signal_name);
        Some(ExitStatus { code: status.code(), signal, reason: None })
    }

    /// Reads what an agent has left when it ended.
    pub(super) fn drain(&mut self, socket: &mut KeeperSocket) {
        if let Self::Agent(SupervisedAgent { pipes: Some(pipes), .. }) = self {
            pipes.drain(socket);
        }
    }

    /// Shows bytes of a terminal.
    pub(super) fn show(&mut self, buffer: BytesMut) {
        if let Self::Terminal(terminal) = self {
            terminal.show(buffer);
        }
    }

    /// Tells a line of the supervisor's own: on the terminal, or as the agent's standard error.
    pub(super) fn say(&mut self, text: &str, socket: &mut KeeperSocket) {
        let buffer = line(text);
        let bytes = &buffer[Frame::DATA_START..];
        match self {
            Self::Terminal(terminal) => {
                socket.tell(KeeperInput::Output(bytes));
                terminal.show(buffer);
            }
            Self::Agent(_) => socket.tell(KeeperInput::Errors(bytes)),
        }
    }

    /// Takes no more output.
    pub(super) fn close_output(&mut self) {
        if let Self::Terminal(terminal) = self {
            terminal.close_output();
        }
    }

    /// Closes the input of an agent.
    pub(super) fn close_input(&mut self) {
        if let Self::Agent(SupervisedAgent { pipes: Some(pipes), .. }) = self {
            pipes.close_input();
        }
    }

    /// Returns what repaints the terminal.
    pub(super) fn snapshot(&self) -> Bytes {
        match self {
            Self::Terminal(terminal) => terminal.snapshot(),
            Self::Agent(_) => Bytes::new(),
        }
    }

    /// Writes as much input as a terminal takes now.
    pub(super) fn write(&self, input: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Terminal(terminal) => terminal.write(input),
            // Its pipe tells when it takes some.
            Self::Agent(_) => Ok(0),
        }
    }

    pub(super) fn resize(&mut self, size: Size) {
        if let Self::Terminal(terminal) = self {
            terminal.resize(size);
        }
    }

    /// Ends the program. Returns false if none runs and none will be started.
    pub(super) fn end(&mut self, signal: GroupSignal) -> bool {
        match self {
            Self::Terminal(terminal) => terminal.hang_up(),
            Self::Agent(agent) => {
                agent.config = None;
                agent.pipes.iter().for_each(|pipes| pipes.signal(signal));
                agent.pipes.is_some()
            }
        }
    }
}
