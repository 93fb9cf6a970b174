//! The process of a keeper: does what its machine decides.

use std::fs::File;
use std::future::pending;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;

use bytes::Bytes;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::stdio::dup2_stdin;
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::frame::DATA_BYTES;
use super::machine::{KeeperInput, KeeperMachine, KeeperOutput};
use super::program::{KeptProgram, waiting_bytes};
use super::socket::{self, KeeperSocket, SocketWake, is_transient};
use super::{KeepError, KeeperConfig};
use crate::clock::monotonic;
use crate::daemon::detach;
use crate::signals::unblock_endings;

/// Runs a keeper in this process until it ends. The process must not lead a process group, and must
/// have been started for this by [`Kept::start`](super::Kept::start). Blocks.
///
/// The keeper reports on its standard input whether the program was started. If that is not a
/// socket, nobody is told.
///
/// # Errors
/// [`KeepError`] if the program was not started.
pub fn run(config: &KeeperConfig) -> Result<(), KeepError> {
    let mut report = take_report()?;
    // It stays valid in another folder.
    let socket = std::path::absolute(&config.socket).unwrap_or_else(|_| config.socket.clone());
    let started = start(config);
    // A host that has ended meanwhile does not read it.
    let _ = match &started {
        Ok(_) => report.write_all(&[STARTED]),
        Err(error) => report.write_all(&error.report()),
    };
    drop(report);
    let (runtime, mut keeper) = started?;
    // A folder that a keeper is in could not be unmounted.
    let _ = std::env::set_current_dir("/");
    runtime.block_on(keeper.serve());
    // Before the connection ends, so that the host does not find it then.
    let _ = std::fs::remove_file(socket);
    drop(keeper);
    Ok(())
}

/// The report of a keeper whose program has started.
pub(super) const STARTED: u8 = 0;

/// Returns the standard input as the report, and leaves an empty input in its place.
fn take_report() -> io::Result<File> {
    let report = io::stdin().as_fd().try_clone_to_owned()?;
    dup2_stdin(File::open("/dev/null")?)?;
    Ok(report.into())
}

fn start(config: &KeeperConfig) -> Result<(tokio::runtime::Runtime, KeeperProcess), KeepError> {
    detach()?;
    if let Some(current) = config.open_files {
        let maximum = getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit { current: Some(current), maximum };
        setrlimit(Resource::Nofile, limit).map_err(io::Error::from)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let inside = runtime.enter();
    let terminated = terminations()?;
    let path = config.socket.as_path();
    let listener = socket::listen(path);
    let listener =
        listener.map_err(|source| KeepError::Socket { path: path.to_owned(), source })?;
    let program = KeptProgram::spawn(config).inspect_err(|_| {
        let _ = std::fs::remove_file(path);
    })?;
    drop(inside);
    let machine = KeeperMachine::new(program.pid(), monotonic());
    let chunk = vec![0; DATA_BYTES];
    let socket = KeeperSocket::new(machine, listener);
    let keeper = KeeperProcess { socket, program, undrained: None, terminated, chunk };
    Ok((runtime, keeper))
}

/// Handles the signals that end a keeper, so that its program does not inherit that they were
/// ignored or blocked. A keeper has no terminal that could hang up.
fn terminations() -> io::Result<Signal> {
    for kind in [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit()] {
        // The signal stays handled after its listener is dropped.
        drop(signal(kind)?);
    }
    let terminated = signal(SignalKind::terminate())?;
    unblock_endings();
    Ok(terminated)
}

/// A keeper that runs.
struct KeeperProcess {
    socket: KeeperSocket,
    program: KeptProgram,
    /// The bytes that the program left in its output when it ended, and that were not read yet;
    /// `None` while it runs and after all was read.
    undrained: Option<usize>,
    terminated: Signal,
    /// Room for one read.
    chunk: Vec<u8>,
}

/// The reason why a keeper woke up.
enum KeeperWake {
    Socket(SocketWake),
    OutputReadable,
    ErrorsReadable,
    InputWritable,
    Ended,
    Terminated,
}

impl KeeperProcess {
    /// Runs until the machine decides to leave.
    async fn serve(&mut self) {
        loop {
            self.drain();
            self.socket.fill();
            if self.carry_out() {
                return;
            }
            let wake = self.wait().await;
            self.handle(wake);
        }
    }

    async fn wait(&mut self) -> KeeperWake {
        let Self { socket, program, .. } = self;
        let machine = &socket.machine;
        let has_room = machine.output_room() > 0 && program.ended.is_some();
        tokio::select! {
            wake = socket.wait() => KeeperWake::Socket(wake),
            () = readable(program.stdout.as_ref().filter(|_| has_room)) => KeeperWake::OutputReadable,
            () = readable(program.stderr.as_ref()) => KeeperWake::ErrorsReadable,
            () = writable(program.stdin.as_ref().filter(|_| !machine.input().is_empty())) => {
                KeeperWake::InputWritable
            }
            () = ended(program.ended.as_mut()) => KeeperWake::Ended,
            _ = self.terminated.recv() => KeeperWake::Terminated,
        }
    }

    fn handle(&mut self, wake: KeeperWake) {
        match wake {
            KeeperWake::Socket(wake) => self.socket.handle(wake),
            KeeperWake::OutputReadable => self.read_output(),
            KeeperWake::ErrorsReadable => self.read_errors(),
            KeeperWake::InputWritable => self.write_input(),
            KeeperWake::Ended => self.end(),
            KeeperWake::Terminated => self.socket.tell(KeeperInput::Terminate),
        }
    }

    /// Carries out the machine's actions. Returns true if the keeper is to end.
    fn carry_out(&mut self) -> bool {
        while let Some(action) = self.socket.machine.poll_output() {
            match action {
                KeeperOutput::Signal(signal) => self.program.signal(signal),
                KeeperOutput::CloseInput => self.program.stdin = None,
                KeeperOutput::Measure => {
                    self.socket.tell(KeeperInput::Vitals(Bytes::from_static(b"{}")));
                }
                // Its program has no terminal, and its folder is not in sync.
                KeeperOutput::Resize(_) | KeeperOutput::MakeSnapshot | KeeperOutput::Settle(_) => {}
                KeeperOutput::Disconnect => self.socket.disconnect(),
                KeeperOutput::Leave => return true,
            }
        }
        false
    }

    fn read_output(&mut self) {
        let Some(stdout) = &self.program.stdout else { return };
        let room = self.socket.machine.output_room().min(self.chunk.len());
        match stdout.try_read(&mut self.chunk[..room]) {
            Ok(0) => self.program.stdout = None,
            Ok(count) => {
                self.socket.tell(KeeperInput::Output(&self.chunk[..count]));
            }
            Err(error) if is_transient(&error) => {}
            Err(_) => self.program.stdout = None,
        }
    }

    fn read_errors(&mut self) {
        let Some(stderr) = &self.program.stderr else { return };
        match stderr.try_read(&mut self.chunk) {
            Ok(0) => self.program.stderr = None,
            Ok(count) => {
                self.socket.tell(KeeperInput::Errors(&self.chunk[..count]));
            }
            Err(error) if is_transient(&error) => {}
            Err(_) => self.program.stderr = None,
        }
    }

    fn write_input(&mut self) {
        let Some(stdin) = &self.program.stdin else { return };
        let input = match stdin.try_write(self.socket.machine.input()) {
            Ok(count) => KeeperInput::InputTaken(count),
            Err(error) if is_transient(&error) => return,
            Err(_) => KeeperInput::InputBroken,
        };
        self.socket.tell(input);
    }

    /// Takes note of the program's end. Whoever has left its process group may hold its pipes open
    /// and write for ever, so only what is in them now is still read.
    fn end(&mut self) {
        let status = self.program.reap();
        self.undrained = Some(waiting_bytes(self.program.stdout.as_ref()));
        let mut rest = waiting_bytes(self.program.stderr.as_ref());
        if let Some(stderr) = self.program.stderr.take() {
            while let Some(count) = read_waiting(&stderr, &mut self.chunk, rest) {
                rest -= count;
                self.socket.tell(KeeperInput::Errors(&self.chunk[..count]));
            }
        }
        let exited = KeeperInput::Exited { code: status.code(), signal: status.signal() };
        self.socket.tell(exited);
    }

    /// Reads what the program has left in its output, as far as there is room.
    fn drain(&mut self) {
        while let Some(rest) = self.undrained {
            let room = self.socket.machine.output_room();
            if rest > 0 && room == 0 {
                return;
            }
            let stdout = self.program.stdout.as_ref();
            match stdout.and_then(|pipe| read_waiting(pipe, &mut self.chunk, rest.min(room))) {
                Some(count) => {
                    self.undrained = Some(rest - count);
                    self.socket.tell(KeeperInput::Output(&self.chunk[..count]));
                }
                None => {
                    self.undrained = None;
                    self.program.stdout = None;
                    self.socket.tell(KeeperInput::OutputEnded);
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
