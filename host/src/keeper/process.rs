//! The process of a keeper: does what its machine decides.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;

use bytes::Bytes;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::stdio::dup2_stdin;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::machine::{KeeperInput, KeeperMachine, KeeperOutput};
use super::pipes::{PipesWake, ProgramPipes};
use super::socket::{self, KeeperSocket, SocketWake};
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
    let pipes = ProgramPipes::start(config).inspect_err(|_| {
        let _ = std::fs::remove_file(path);
    })?;
    drop(inside);
    let machine = KeeperMachine::new(pipes.pid(), monotonic());
    let socket = KeeperSocket::new(machine, listener);
    let keeper = KeeperProcess { socket, pipes, terminated };
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
    pipes: ProgramPipes,
    terminated: Signal,
}

/// The reason why a keeper woke up.
enum KeeperWake {
    Socket(SocketWake),
    Pipes(PipesWake),
    Terminated,
}

impl KeeperProcess {
    /// Runs until the machine decides to leave.
    async fn serve(&mut self) {
        loop {
            self.pipes.drain(&mut self.socket);
            self.socket.fill();
            if self.carry_out() {
                return;
            }
            let wake = self.wait().await;
            self.handle(wake);
        }
    }

    async fn wait(&mut self) -> KeeperWake {
        let Self { socket, pipes, terminated } = self;
        let (room, has_input) = (socket.machine.output_room(), !socket.machine.input().is_empty());
        tokio::select! {
            wake = socket.wait() => KeeperWake::Socket(wake),
            wake = pipes.wait(room, has_input) => KeeperWake::Pipes(wake),
            _ = terminated.recv() => KeeperWake::Terminated,
        }
    }

    fn handle(&mut self, wake: KeeperWake) {
        match wake {
            KeeperWake::Socket(wake) => self.socket.handle(wake),
            KeeperWake::Pipes(wake) => {
                if let Some(status) = self.pipes.handle(wake, &mut self.socket) {
                    let (code, signal) = (status.code(), status.signal());
                    self.socket.tell(KeeperInput::Exited { code, signal });
                }
            }
            KeeperWake::Terminated => self.socket.tell(KeeperInput::Terminate),
        }
    }

    /// Carries out the machine's actions. Returns true if the keeper is to end.
    fn carry_out(&mut self) -> bool {
        while let Some(action) = self.socket.machine.poll_output() {
            match action {
                KeeperOutput::Signal(signal) => self.pipes.signal(signal),
                KeeperOutput::CloseInput => self.pipes.close_input(),
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
}
