//! The agent's process: lines in both directions, what it writes to its standard error, and its
//! end.
//!
//! Its standard input and output are one socket, so that it can be started through the launcher of
//! [`crate::limits`], which makes both the same.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moorline_shared::session::ExitStatus;
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::rpc::{LineSplitter, SplitLine};
use crate::driver::pty::SpawnError;
use crate::limits::{Launch, launcher};
use crate::signals::signal_name;

/// Bytes that are read at a time.
const READ_BYTES: usize = 64 * 1024;
/// Bytes at the end of the standard error that are kept.
const ERROR_BYTES: usize = 8 * 1024;
/// Time allowed for a process to end after it was asked to.
const KILL_GRACE: Duration = Duration::from_secs(2);
/// Time allowed for the rest of the output after the process has ended. A process that it has left
/// behind may keep the output open.
const DRAIN: Duration = Duration::from_secs(1);

/// The program to start, with its folder and variables.
#[derive(Debug, Clone)]
pub(super) struct AgentProgram {
    pub(super) path: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) variables: BTreeMap<OsString, OsString>,
    pub(super) cwd: PathBuf,
}

/// A process of the agent.
#[derive(Debug)]
pub(super) struct AgentProcess {
    group: ProcessGroup,
    child: Child,
    stream: UnixStream,
    splitter: LineSplitter,
    /// Bytes that were read and not split.
    read: Vec<u8>,
    /// Bytes that are not written, from `written`.
    unwritten: Vec<u8>,
    written: usize,
    state: StreamState,
    errors: ErrorTail,
}

/// How far the end of a process has come.
#[derive(Debug, Default)]
struct StreamState {
    /// True once there is no more output.
    is_drained: bool,
    /// True once the input is closed or broken.
    is_input_over: bool,
    exit: Option<ExitStatus>,
}

/// What a process does.
#[derive(Debug)]
pub(super) enum ProcessEvent {
    /// It has written a line, up to this offset of its output.
    Line(Vec<u8>, u64),
    /// It has written a line that was too long, up to this offset.
    LineTooLong(u64),
    /// Its pipe has taken the input before this offset.
    Written(u64),
    /// It has ended, and all lines were returned.
    Exited(ExitStatus, Option<String>),
    /// It was ended because nobody used it, with the reason in a sentence. All lines were returned.
    Suspended(String),
    /// Its session is over.
    Over,
}

impl AgentProgram {
    /// Starts the program in a process group of its own. Must be called within a tokio runtime. May
    /// block.
    ///
    /// # Errors
    /// [`SpawnError`]; then nothing was started.
    pub(super) fn spawn(&self) -> Result<AgentProcess, SpawnError> {
        let failed = |error| SpawnError::of_start(error, &self.path.to_string_lossy());
        let (ours, theirs) = StdStream::pair().map_err(SpawnError::of_system)?;
        let theirs = OwnedFd::from(theirs);
        let (command, status) = match launcher() {
            None => {
                let mut command = Command::new(&self.path);
                command.args(&self.arguments);
                command.stdin(theirs.try_clone().map_err(SpawnError::of_system)?);
                (command, None)
            }
            Some(launcher) => {
                let name = self.path.as_os_str();
                let launch = launcher.command(name, name, &self.arguments).map_err(failed)?;
                let Launch { command, status, report } = launch;
                let mut command = Command::from(command);
                command.stdin(report);
                (command, Some(status))
            }
        };
        let child = self.spawn_command(command, theirs).map_err(failed)?;
        if let Some(status) = status {
            status.wait().map_err(failed)?;
        }
        AgentProcess::new(child, ours).map_err(SpawnError::of_system)
    }

    fn spawn_command(&self, mut command: Command, output: OwnedFd) -> io::Result<Child> {
        command.env_clear().envs(&self.variables).current_dir(&self.cwd);
        command.stdout(output).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        command.spawn()
    }
}

impl AgentProcess {
    fn new(mut child: Child, ours: StdStream) -> io::Result<Self> {
        ours.set_nonblocking(true)?;
        let stream = UnixStream::from_std(ours)?;
        let group = ProcessGroup::of(&child).ok_or(io::ErrorKind::NotFound)?;
        let errors = ErrorTail::follow(child.stderr.take());
        Ok(Self {
            group,
            child,
            stream,
            splitter: LineSplitter::default(),
            read: Vec::new(),
            unwritten: Vec::new(),
            written: 0,
            state: StreamState::default(),
            errors,
        })
    }

    pub(super) fn pid(&self) -> Option<u32> {
        u32::try_from(self.group.0.as_raw()).ok()
    }

    pub(super) const fn group(&self) -> ProcessGroup {
        self.group
    }

    /// Queues input for the agent.
    pub(super) fn write(&mut self, input: &[u8]) {
        if !self.state.is_input_over {
            self.unwritten.extend_from_slice(input);
        }
    }

    /// Returns the number of bytes that wait for the agent to read them.
    pub(super) fn unwritten(&self) -> usize {
        self.unwritten.len() - self.written
    }

    /// Waits for what the process does next, and writes meanwhile. Its output is only read if
    /// `reads`, and its end is only returned then. Dropping the future loses nothing.
    pub(super) async fn next(&mut self, reads: bool) -> ProcessEvent {
        loop {
            if reads && let Some(event) = self.take_line() {
                return event;
            }
            if reads
                && self.state.is_drained
                && let Some(exit) = self.state.exit.clone()
            {
                return ProcessEvent::Exited(exit, self.errors.last_words().await);
            }
            self.step(reads).await;
        }
    }

    /// Waits until one of the things has happened that lead to an event.
    async fn step(&mut self, reads: bool) {
        let reads = reads && !self.state.is_drained;
        let writes = self.written < self.unwritten.len();
        let interest = match (reads, writes) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        };
        let has_exited = self.state.exit.is_some();
        let stream = &self.stream;
        let ready = async {
            match interest {
                Some(interest) => stream.ready(interest).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            ready = ready => match ready {
                Ok(ready) => {
                    if writes && (ready.is_writable() || ready.is_write_closed()) {
                        self.write_some();
                    }
                    if reads && (ready.is_readable() || ready.is_read_closed()) {
                        self.read_some();
                    }
                }
                Err(_) => self.state.is_drained = true,
            },
            exit = self.child.wait(), if !has_exited => {
                self.state.exit = Some(exit.map(exit_status).unwrap_or_default());
                // Whatever the process has left in its group must not go on unseen.
                self.group.signal(Signal::SIGKILL);
            }
            () = sleep(DRAIN), if has_exited && reads => self.state.is_drained = true,
            // A process without output cannot be talked to.
            () = self.group.end(KILL_GRACE), if self.state.is_drained && !has_exited => {}
        }
    }

    fn write_some(&mut self) {
        match self.stream.try_write(&self.unwritten[self.written..]) {
            Ok(count) => self.written += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => {
                self.state.is_input_over = true;
                self.written = self.unwritten.len();
            }
        }
        if self.written == self.unwritten.len() {
            (self.unwritten, self.written) = (Vec::new(), 0);
        }
    }

    fn read_some(&mut self) {
        let mut buffer = vec![0; READ_BYTES];
        match self.stream.try_read(&mut buffer) {
            Ok(0) => self.state.is_drained = true,
            Ok(count) => self.read.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.state.is_drained = true,
        }
    }

    fn take_line(&mut self) -> Option<ProcessEvent> {
        let mut rest = &*self.read;
        let line = self.splitter.next(&mut rest);
        let taken = self.read.len() - rest.len();
        self.read.drain(..taken);
        Some(match line? {
            // Nobody reads the output of a child again.
            SplitLine::Whole(line) => ProcessEvent::Line(line, 0),
            SplitLine::TooLong => ProcessEvent::LineTooLong(0),
        })
    }

    /// Writes what is queued, closes the agent's input, and ends the process if it does not end by
    /// itself within `grace`. Its output is dropped.
    pub(super) async fn close(mut self, grace: Duration) -> ExitStatus {
        let group = self.group;
        let exit = match timeout(grace, self.end_politely()).await {
            Ok(exit) => exit,
            Err(_) => tokio::select! {
                exit = self.child.wait() => exit,
                // Until the child is waited for, its group exists.
                () = group.end(KILL_GRACE) => self.child.wait().await,
            },
        };
        // Whatever the process has left in its group must not go on unseen.
        group.signal(Signal::SIGKILL);
        exit.map(exit_status).unwrap_or_default()
    }

    async fn end_politely(&mut self) -> io::Result<std::process::ExitStatus> {
        while self.written < self.unwritten.len() && self.stream.writable().await.is_ok() {
            self.write_some();
        }
        _ = self.stream.shutdown().await;
        let Self { stream, child, .. } = self;
        let drain = async {
            let mut dropped = vec![0; READ_BYTES];
            while let Ok(1..) = stream.read(&mut dropped).await {}
            std::future::pending::<()>().await;
        };
        tokio::select! {
            exit = child.wait() => exit,
            // It never ends: the process must not wait for its output to be read.
            () = drain => Err(io::ErrorKind::Other.into()),
        }
    }
}

/// The processes of a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProcessGroup(Pid);

impl ProcessGroup {
    /// Returns the group of a child that was started in one of its own.
    pub(super) fn of(child: &Child) -> Option<Self> {
        let pid = i32::try_from(child.id()?).ok()?;
        Some(Self(Pid::from_raw(pid)))
    }

    /// Asks all of the group to end, and kills what is left after `grace`.
    pub(super) async fn end(self, grace: Duration) {
        self.signal(Signal::SIGTERM);
        // A stopped process only handles that once it continues.
        self.signal(Signal::SIGCONT);
        _ = timeout(grace, self.gone()).await;
        self.signal(Signal::SIGKILL);
    }

    async fn gone(self) {
        // There is no notification of the end of a process that is not a child.
        while killpg(self.0, None) != Err(Errno::ESRCH) {
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(super) fn signal(self, signal: Signal) {
        match killpg(self.0, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => tracing::warn!(group = %self.0, %signal, %error, "a signal was refused"),
        }
    }
}

/// Returns the way in which a process has ended.
pub(super) fn exit_status(status: std::process::ExitStatus) -> ExitStatus {
    ExitStatus { code: status.code(), signal: status.signal().map(signal_name), reason: None }
}

/// The end of what a process has written to its standard error.
#[derive(Debug)]
struct ErrorTail {
    tail: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl ErrorTail {
    fn follow(errors: Option<ChildStderr>) -> Self {
        let tail = Arc::new(Mutex::new(Vec::new()));
        let reader = tokio::spawn(Self::read(errors, Arc::clone(&tail)));
        Self { tail, reader }
    }

    async fn read(errors: Option<ChildStderr>, tail: Arc<Mutex<Vec<u8>>>) {
        let Some(mut errors) = errors else { return };
        let mut buffer = vec![0; 4096];
        while let Ok(count @ 1..) = errors.read(&mut buffer).await {
            let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
            tail.extend_from_slice(&buffer[..count]);
            let surplus = tail.len().saturating_sub(ERROR_BYTES);
            tail.drain(..surplus);
        }
    }

    /// Returns the last line, once all was read or a moment has passed.
    async fn last_words(&mut self) -> Option<String> {
        _ = timeout(DRAIN, &mut self.reader).await;
        self.reader.abort();
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        last_line(&String::from_utf8_lossy(&tail))
    }
}

impl Drop for ErrorTail {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Returns the last line that has a letter, without control characters.
pub(super) fn last_line(text: &str) -> Option<String> {
    let plain = |line: &str| {
        let letters = line.chars().filter(|letter| !letter.is_control());
        letters.take(400).collect::<String>().trim().to_owned()
    };
    text.lines().rev().map(plain).find(|line| line.contains(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_a_line_with_letters() {
        assert_eq!(last_line("first\nkey missing\r\n\n---\n"), Some("key missing".into()));
        assert_eq!(last_line("\n  }\n"), None);
    }
}
