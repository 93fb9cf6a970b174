//! The process of an agent: a child of the host, or one behind a keeper, which outlives the host.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use moorline_shared::session::ExitStatus;
use tokio::time::timeout;

use super::launch::AgentLaunch;
use super::process::{AgentProcess, AgentProgram, ProcessEvent, last_line};
use super::rpc::{LINE_BYTES, LineSplitter, SplitLine};
use super::shared::SharedMachine;
use crate::driver::{DriverError, blocking};
use crate::keeper::{
    KeepError, KeeperConfig, Kept, KeptControl, KeptEvent, KeptSpec, NotTaken, OUTPUT_BYTES,
};
use crate::limits;

// Bytes are acknowledged once the line that they are in was handled.
const _: () = assert!(OUTPUT_BYTES > LINE_BYTES + UNREAD_BYTES);
/// Bytes at the end of the standard error that are kept.
const ERROR_BYTES: usize = 8 * 1024;
/// Most bytes of output that wait to be split into lines while the session is not read.
const UNREAD_BYTES: usize = 1024 * 1024;
/// Time allowed for an agent's processes to end when they are to be killed.
const KILL_GRACE: Duration = Duration::from_secs(1);

/// How agents are kept, so that they outlive their host.
#[derive(Debug, Clone)]
pub struct AgentKeeper {
    /// The program of a keeper and its first arguments: see [`KeptSpec`].
    pub command: Vec<OsString>,
    /// The folder for the sockets of keepers.
    pub folder: PathBuf,
}

/// The process of an agent.
#[derive(Debug)]
pub(super) enum AgentTransport {
    Child(Box<AgentProcess>),
    Kept(Box<KeptAgent>),
}

/// An agent behind a keeper.
#[derive(Debug)]
pub(super) struct KeptAgent {
    socket: PathBuf,
    kept: Kept,
    control: KeptControl,
    splitter: LineSplitter,
    /// Output that was received and not split.
    read: BytesMut,
    /// The offset after the output that was received.
    received: u64,
    /// The offset after the last complete line.
    line_end: u64,
    errors: Vec<u8>,
    exit: Option<ExitStatus>,
}

impl AgentTransport {
    /// Starts the agent.
    ///
    /// # Errors
    /// [`DriverError`]; then nothing was started.
    pub(super) async fn start(
        launch: &AgentLaunch,
        keeper: Option<&AgentKeeper>,
    ) -> Result<Self, DriverError> {
        let Some(keeper) = keeper else {
            let program = launch.program.clone();
            return Ok(Self::Child(blocking(move || program.spawn()).await??.into()));
        };
        let socket = keeper.folder.join(launch.new_socket());
        let AgentProgram { path, arguments, variables, cwd } = launch.program.clone();
        let config = KeeperConfig {
            socket: socket.clone(),
            folder: cwd,
            program: path.into(),
            arguments,
            open_files: limits::of_programs(),
        };
        let spec = KeptSpec { keeper: keeper.command.clone(), config, variables };
        let kept = Kept::start(&spec).await?;
        Ok(Self::Kept(Box::new(KeptAgent::new(socket, kept, 0))))
    }

    /// Connects to an agent that an earlier host has left behind.
    ///
    /// # Errors
    /// A sentence that says why not.
    pub(super) async fn attach(socket: PathBuf, handled: u64) -> Result<Self, String> {
        match Kept::attach(&socket, handled).await {
            Ok(kept) => Ok(Self::Kept(Box::new(KeptAgent::new(socket, kept, handled)))),
            Err(error) => {
                // Nobody will ask for its agent again.
                end_keeper(&socket).await;
                Err(format!("{error}."))
            }
        }
    }

    pub(super) fn pid(&self) -> Option<u32> {
        match self {
            Self::Child(process) => process.pid(),
            Self::Kept(agent) => Some(agent.kept.status().pid),
        }
    }

    /// Returns the socket of the keeper, if there is one.
    pub(super) fn keeper(&self) -> Option<PathBuf> {
        match self {
            Self::Child(_) => None,
            Self::Kept(agent) => Some(agent.socket.clone()),
        }
    }

    /// Passes input on, and acknowledges output, as far as both are allowed.
    pub(super) fn pump(&mut self, shared: &SharedMachine) {
        match self {
            Self::Child(process) => {
                let mut end = 0;
                shared.write(|offset, input| {
                    end = offset + input.len() as u64;
                    process.write(input);
                    true
                });
                shared.written(end);
            }
            Self::Kept(agent) => {
                shared.write(|offset, input| agent.write(offset, input));
                // A line that is too long is dropped anyway.
                let is_dropped = agent.received > agent.line_end + LINE_BYTES as u64;
                agent.control.read(if is_dropped { agent.received } else { shared.handled() });
            }
        }
    }

    /// Returns the number of bytes of input that wait for a child to read them.
    pub(super) fn unwritten(&self) -> usize {
        match self {
            Self::Child(process) => process.unwritten(),
            Self::Kept(_) => 0,
        }
    }

    /// Waits for what the process does next. Its output is only read if `reads`. Dropping the
    /// future loses nothing.
    pub(super) async fn next(&mut self, reads: bool) -> ProcessEvent {
        match self {
            Self::Child(process) => process.next(reads).await,
            Self::Kept(agent) => agent.next(reads).await,
        }
    }

    /// Asks the process and all of its group to end, and kills them soon after.
    pub(super) fn kill(&self) {
        match self {
            Self::Child(process) => {
                let group = process.group();
                tokio::spawn(async move { group.end(KILL_GRACE).await });
            }
            Self::Kept(agent) => agent.control.kill(false),
        }
    }

    /// Closes the agent's input, and ends the process if it does not end by itself within `grace`.
    /// Its output is dropped.
    pub(super) async fn close(self, grace: Duration) -> ExitStatus {
        match self {
            Self::Child(process) => process.close(grace).await,
            Self::Kept(agent) => agent.close(grace).await,
        }
    }

    /// Lets go of a process that has ended.
    pub(super) fn forget(self) {
        if let Self::Kept(agent) = self {
            agent.control.forget();
        }
    }
}

/// Ends a keeper and its agent.
async fn end_keeper(socket: &Path) {
    if let Err(error) = Kept::end(socket).await {
        tracing::warn!(socket = %socket.display(), %error, "an agent was left behind");
    }
}

/// Ends all keepers in a folder, except for those at these sockets. A host that died while it
/// started an agent has left one behind of which nobody knows.
pub(super) async fn end_unknown(folder: &Path, known: &BTreeSet<PathBuf>) {
    let Ok(files) = std::fs::read_dir(folder) else { return };
    let sockets = files.flatten().map(|file| file.path());
    let sockets = sockets.filter(|path| path.extension().is_some_and(|it| it == "sock"));
    for socket in sockets.filter(|socket| !known.contains(socket)) {
        end_keeper(&socket).await;
    }
}

impl KeptAgent {
    fn new(socket: PathBuf, kept: Kept, handled: u64) -> Self {
        Self {
            socket,
            control: kept.control(),
            kept,
            splitter: LineSplitter::default(),
            read: BytesMut::new(),
            received: handled,
            line_end: handled,
            errors: Vec::new(),
            exit: None,
        }
    }

    fn write(&self, offset: u64, input: &[u8]) -> bool {
        match self.control.write(offset, input) {
            Ok(()) => true,
            Err(NotTaken::Full) => false,
            Err(error) => {
                // The end of the connection is reported as such.
                tracing::debug!(%error, "input for an agent was not taken");
                true
            }
        }
    }

    async fn next(&mut self, reads: bool) -> ProcessEvent {
        loop {
            if reads {
                if let Some(event) = self.take_line() {
                    return event;
                }
                if let Some(exit) = self.exit.clone() {
                    return ProcessEvent::Exited(
                        exit,
                        last_line(&String::from_utf8_lossy(&self.errors)),
                    );
                }
            }
            if self.exit.is_some() || (!reads && self.read.len() > UNREAD_BYTES) {
                std::future::pending::<()>().await;
            }
            match self.kept.next().await {
                KeptEvent::Output { offset, data } => {
                    self.received = offset + data.len() as u64;
                    self.read.extend_from_slice(&data);
                }
                KeptEvent::Written(up_to) => return ProcessEvent::Written(up_to),
                KeptEvent::Errors(text) => {
                    self.errors.extend_from_slice(&text);
                    let surplus = self.errors.len().saturating_sub(ERROR_BYTES);
                    self.errors.drain(..surplus);
                }
                // An agent has no terminal, and its keeper no folder that is in sync.
                KeptEvent::Snapshot(_)
                | KeptEvent::Status(_)
                | KeptEvent::Pong(_)
                | KeptEvent::Files(_)
                | KeptEvent::Folder(_) => {}
                KeptEvent::Exited(exit) => self.exit = Some(exit),
                KeptEvent::Lost(reason) => {
                    tracing::warn!(?reason, "the keeper of an agent is gone");
                    self.exit.get_or_insert_default();
                }
            }
        }
    }

    fn take_line(&mut self) -> Option<ProcessEvent> {
        let mut rest = &*self.read;
        let line = self.splitter.next(&mut rest);
        let taken = self.read.len() - rest.len();
        self.read.advance(taken);
        let line = line?;
        self.line_end = self.received - self.read.len() as u64;
        Some(match line {
            SplitLine::Whole(line) => ProcessEvent::Line(line, self.line_end),
            SplitLine::TooLong => ProcessEvent::LineTooLong(self.line_end),
        })
    }

    async fn close(mut self, grace: Duration) -> ExitStatus {
        self.control.close_input();
        if timeout(grace, self.ended()).await.is_err() {
            self.control.kill(false);
        }
        // The keeper kills it at last.
        let exit = timeout(grace * 2, self.ended()).await.unwrap_or_default();
        self.control.forget();
        exit
    }

    /// Waits for the end of the process, and drops its output.
    async fn ended(&mut self) -> ExitStatus {
        while self.exit.is_none() {
            match self.kept.next().await {
                KeptEvent::Output { offset, data } => {
                    self.control.read(offset + data.len() as u64);
                }
                KeptEvent::Exited(exit) => self.exit = Some(exit),
                KeptEvent::Lost(_) => self.exit = Some(ExitStatus::default()),
                _ => {}
            }
        }
        self.exit.clone().unwrap_or_default()
    }
}

impl From<KeepError> for DriverError {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::Folder { .. } | KeepError::Program { .. } => Self::Refused(error.into()),
            _ => Self::Internal(error.into()),
        }
    }
}
