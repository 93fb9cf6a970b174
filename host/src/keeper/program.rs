//! The program of a keeper: its process group, and its standard streams.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::io::{Errno, ioctl_fionread};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::net::unix::pipe;
use tokio::sync::oneshot;

use super::machine::GroupSignal;
use super::{KeepError, KeeperConfig};

/// A program that was started, in a process group of its own.
#[derive(Debug)]
pub(super) struct KeptProgram {
    child: Child,
    /// Its process and its process group.
    group: Pid,
    /// Its input; `None` once that is closed.
    pub(super) stdin: Option<pipe::Sender>,
    /// Its output; `None` once that has ended.
    pub(super) stdout: Option<pipe::Receiver>,
    /// Its standard error; `None` once that has ended.
    pub(super) stderr: Option<pipe::Receiver>,
    /// Resolves once the process has ended; `None` once it was waited for.
    pub(super) ended: Option<oneshot::Receiver<()>>,
}

impl KeptProgram {
    /// Starts the program. Must be called within a tokio runtime.
    pub(super) fn spawn(config: &KeeperConfig) -> Result<Self, KeepError> {
        let folder = config.folder.as_path();
        // Looking up the dot requires the right to enter the folder.
        std::fs::metadata(folder.join("."))
            .map_err(|source| KeepError::Folder { path: folder.to_owned(), source })?;
        let mut command = Command::new(&config.program);
        command.args(&config.arguments).current_dir(folder).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| KeepError::Program {
            program: config.program.to_string_lossy().into_owned(),
            source,
        })?;
        let group = Pid::from_child(&child);
        let stdin = child.stdin.take().map(OwnedFd::from).map(pipe::Sender::from_owned_fd);
        let stdout = child.stdout.take().map(OwnedFd::from).map(pipe::Receiver::from_owned_fd);
        let stderr = child.stderr.take().map(OwnedFd::from).map(pipe::Receiver::from_owned_fd);
        Ok(Self {
            child,
            group,
            stdin: stdin.transpose()?,
            stdout: stdout.transpose()?,
            stderr: stderr.transpose()?,
            ended: Some(watch(group)?),
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Signals the process group, unless the program was waited for: then another group may have
    /// its number.
    pub(super) fn signal(&self, signal: GroupSignal) {
        if self.ended.is_none() {
            return;
        }
        match signal {
            GroupSignal::Terminate => {
                send(self.group, Signal::TERM);
                // A stopped process only handles the signal once it continues.
                send(self.group, Signal::CONT);
            }
            GroupSignal::Kill => send(self.group, Signal::KILL),
        }
    }

    /// Ends the rest of the process group, and returns the program's exit status. Call it once
    /// [`KeptProgram::ended`] has resolved.
    pub(super) fn reap(&mut self) -> ExitStatus {
        // The group keeps its number until its leader was waited for.
        send(self.group, Signal::KILL);
        self.ended = None;
        self.child.wait().unwrap_or_else(|error| {
            tracing::error!(%error, "a program cannot be waited for");
            ExitStatus::from_raw(0)
        })
    }
}

/// Returns the number of bytes that wait in a pipe.
pub(super) fn waiting_bytes(pipe: Option<&pipe::Receiver>) -> usize {
    let count = pipe.map_or(0, |pipe| ioctl_fionread(pipe.as_fd()).unwrap_or(0));
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Waits on a thread of its own until a process has ended, and leaves it to be waited for.
fn watch(process: Pid) -> io::Result<oneshot::Receiver<()>> {
    let (sender, ended) = oneshot::channel();
    std::thread::Builder::new().name("program's end".into()).spawn(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(process), options), Err(Errno::INTR)) {}
        let _ = sender.send(());
    })?;
    Ok(ended)
}

fn send(group: Pid, signal: Signal) {
    match kill_process_group(group, signal) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => tracing::warn!(?group, ?signal, %error, "a signal was refused"),
    }
}
