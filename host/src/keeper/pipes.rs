//! The streams of a program that has pipes instead of a terminal.

use std::future::pending;
use std::process::ExitStatus;

use tokio::net::unix::pipe;
use tokio::sync::oneshot;

use super::frame::DATA_BYTES;
use super::machine::{GroupSignal, KeeperInput};
use super::program::{KeptProgram, waiting_bytes};
use super::socket::{KeeperSocket, is_transient};
use super::{KeepError, KeeperConfig};

/// A program with its standard streams.
#[derive(Debug)]
pub(crate) struct ProgramPipes {
    program: KeptProgram,
    /// The bytes that the program left in its output when it ended, and that were not read yet;
    /// `None` while it runs and after all was read.
    undrained: Option<usize>,
    /// Room for one read.
    chunk: Vec<u8>,
}

/// One thing that has happened to a program.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PipesWake {
    OutputReadable,
    ErrorsReadable,
    InputWritable,
    Ended,
}

impl ProgramPipes {
    /// Starts the program. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`KeepError`].
    pub(crate) fn start(config: &KeeperConfig) -> Result<Self, KeepError> {
        let program = KeptProgram::spawn(config)?;
        Ok(Self { program, undrained: None, chunk: vec![0; DATA_BYTES] })
    }

    /// Returns the id of the program's process.
    pub(super) fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// Waits until something happens: output only if there is `room` for it, and room for input only
    /// if there `has_input`. The future may be dropped.
    pub(crate) async fn wait(&mut self, room: usize, has_input: bool) -> PipesWake {
        let program = &mut self.program;
        let reads = room > 0 && program.ended.is_some();
        tokio::select! {
            () = readable(program.stdout.as_ref().filter(|_| reads)) => PipesWake::OutputReadable,
            () = readable(program.stderr.as_ref()) => PipesWake::ErrorsReadable,
            () = writable(program.stdin.as_ref().filter(|_| has_input)) => PipesWake::InputWritable,
            () = ended(program.ended.as_mut()) => PipesWake::Ended,
        }
    }

    /// Does what follows from what has happened. Returns how the program has ended, if it has: the
    /// caller tells the machine of that.
    pub(crate) fn handle(
        &mut self,
        wake: PipesWake,
        socket: &mut KeeperSocket,
    ) -> Option<ExitStatus> {
        match wake {
            PipesWake::OutputReadable => self.read_output(socket),
            PipesWake::ErrorsReadable => self.read_errors(socket),
            PipesWake::InputWritable => self.write_input(socket),
            PipesWake::Ended => return Some(self.end(socket)),
        }
        None
    }

    pub(crate) fn signal(&self, signal: GroupSignal) {
        self.program.signal(signal);
    }

    pub(crate) fn close_input(&mut self) {
        self.program.stdin = None;
    }

    fn read_output(&mut self, socket: &mut KeeperSocket) {
        let Some(stdout) = &self.program.stdout else { return };
        let room = socket.machine.output_room().min(self.chunk.len());
        match stdout.try_read(&mut self.chunk[..room]) {
            Ok(0) => self.program.stdout = None,
            Ok(count) => socket.tell(KeeperInput::Output(&self.chunk[..count])),
            Err(error) if is_transient(&error) => {}
            Err(_) => self.program.stdout = None,
        }
    }

    fn read_errors(&mut self, socket: &mut KeeperSocket) {
        let Some(stderr) = &self.program.stderr else { return };
        match stderr.try_read(&mut self.chunk) {
            Ok(0) => self.program.stderr = None,
            Ok(count) => socket.tell(KeeperInput::Errors(&self.chunk[..count])),
            Err(error) if is_transient(&error) => {}
            Err(_) => self.program.stderr = None,
        }
    }

    fn write_input(&self, socket: &mut KeeperSocket) {
        let Some(stdin) = &self.program.stdin else { return };
        let input = match stdin.try_write(socket.machine.input()) {
            Ok(count) => KeeperInput::InputTaken(count),
            Err(error) if is_transient(&error) => return,
            Err(_) => KeeperInput::InputBroken,
        };
        socket.tell(input);
    }

    /// Records the program's end. A process that has left its group may hold the pipes open and write
    /// for ever, so only the bytes that are in them now are still read.
    fn end(&mut self, socket: &mut KeeperSocket) -> ExitStatus {
        let status = self.program.reap();
        self.undrained = Some(waiting_bytes(self.program.stdout.as_ref()));
        let mut rest = waiting_bytes(self.program.stderr.as_ref());
        if let Some(stderr) = self.program.stderr.take() {
            while let Some(count) = read_waiting(&stderr, &mut self.chunk, rest) {
                rest -= count;
                socket.tell(KeeperInput::Errors(&self.chunk[..count]));
            }
        }
        status
    }

    /// Reads what the program has left in its output, as far as there is room. Tells the machine once
    /// that was all.
    pub(crate) fn drain(&mut self, socket: &mut KeeperSocket) {
        while let Some(rest) = self.undrained {
            let room = socket.machine.output_room();
            if rest > 0 && room == 0 {
                return;
            }
            let stdout = self.program.stdout.as_ref();
            match stdout.and_then(|pipe| read_waiting(pipe, &mut self.chunk, rest.min(room))) {
                Some(count) => {
                    self.undrained = Some(rest - count);
                    socket.tell(KeeperInput::Output(&self.chunk[..count]));
                }
                None => {
                    self.undrained = None;
                    self.program.stdout = None;
                    socket.tell(KeeperInput::OutputEnded);
                }
            }
        }
    }
}

/// Reads at most `limit` of the bytes that wait in a pipe; `None` if there are none.
fn read_waiting(pipe: &pipe::Receiver, chunk: &mut [u8], limit: usize) -> Option<usize> {
    let limit = limit.min(chunk.len());
    // Not through tokio, which only reads after it was notified.
    rustix::io::read(pipe, &mut chunk[..limit]).ok().filter(|count| *count > 0)
}

async fn readable(pipe: Option<&pipe::Receiver>) {
    match pipe {
        Some(pipe) => drop(pipe.readable().await),
        None => pending().await,
    }
}

async fn writable(pipe: Option<&pipe::Sender>) {
    match pipe {
        Some(pipe) => drop(pipe.writable().await),
        None => pending().await,
    }
}

async fn ended(ended: Option<&mut oneshot::Receiver<()>>) {
    match ended {
        Some(ended) => drop(ended.await),
        None => pending().await,
    }
}
