//! The process of an agent: a child of the host, one behind a keeper, which outlives the host, or one
//! in a pod.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use moorline_shared::session::ExitStatus;
use tokio::time::timeout;

use super::kept_output::{KeptOutput, UNREAD_BYTES};
use super::launch::{AgentLaunch, AgentPlace};
use super::pod::PodProcess;
use super::process::{AgentProcess, AgentProgram, ProcessEvent};
use super::rpc::LINE_BYTES;
use super::shared::SharedMachine;
use crate::driver::kubernetes::{PodAgent, PodPosition};
use crate::driver::{DriverError, blocking};
use crate::keeper::{
    KeepError, KeeperConfig, Kept, KeptControl, KeptEvent, KeptSpec, NotTaken, OUTPUT_BYTES,
};
use crate::limits;

// Bytes are acknowledged once the line that they are in was handled.
const _: () = assert!(OUTPUT_BYTES > LINE_BYTES + UNREAD_BYTES);
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
    Pod(Box<PodProcess>),
}

/// An agent behind a keeper.
#[derive(Debug)]
pub(super) struct KeptAgent {
    socket: PathBuf,
    kept: Kept,
    control: KeptControl,
    output: KeptOutput,
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
        let program = match &launch.place {
            AgentPlace::Here(program) => program.clone(),
            AgentPlace::Pod(pod) => {
                let life = pod.wake();
                return Ok(Self::Pod(PodProcess::new(Arc::clone(pod), life, 0).into()));
            }
        };
        let Some(keeper) = keeper else {
            return Ok(Self::Child(blocking(move || program.spawn()).await??.into()));
        };
        let socket = keeper.folder.join(launch.new_socket());
        let AgentProgram { path, arguments, variables, cwd } = program;
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

    /// Connects to an agent that an earlier host has left behind in a pod.
    pub(super) fn left_in_pod(pod: &Arc<PodAgent>, position: PodPosition) -> Self {
        Self::Pod(Box::new(PodProcess::left_behind(Arc::clone(pod), position)))
    }

    pub(super) fn pid(&self) -> Option<u32> {
        match self {
            Self::Child(process) => process.pid(),
            Self::Kept(agent) => Some(agent.kept.status().pid),
            Self::Pod(_) => None,
        }
    }

    /// Returns the socket of the keeper, if there is one; in a pod, a name that says so.
    pub(super) fn keeper(&self) -> Option<PathBuf> {
        match self {
            Self::Child(_) => None,
            Self::Kept(agent) => Some(agent.socket.clone()),
            Self::Pod(_) => Some("pod".into()),
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
                agent.control.read(agent.output.acknowledged(shared.handled()));
            }
            Self::Pod(process) => process.pump(shared),
        }
    }

    /// Returns the number of bytes of input that wait for a child to read them.
    pub(super) fn unwritten(&self) -> usize {
        match self {
            Self::Child(process) => process.unwritten(),
            Self::Kept(_) | Self::Pod(_) => 0,
        }
    }

    /// Waits for what the process does next. Its output is only read if `reads`. Dropping the
    /// future loses nothing.
    pub(super) async fn next(&mut self, reads: bool) -> ProcessEvent {
        match self {
            Self::Child(process) => process.next(reads).await,
            Self::Kept(agent) => agent.next(reads).await,
            Self::Pod(process) => process.next(reads).await,
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
            Self::Pod(process) => process.kill(),
        }
    }

    /// Closes the agent's input, and ends the process if it does not end by itself within `grace`.
    /// Its output is dropped.
    pub(super) async fn close(self, grace: Duration) -> ExitStatus {
        match self {
            Self::Child(process) => process.close(grace).await,
            Self::Kept(agent) => agent.close(grace).await,
            Self::Pod(process) => process.close().await,
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
        Self { socket, control: kept.control(), kept, output: KeptOutput::new(handled), exit: None }
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
                if let Some(event) = self.output.take_line() {
                    return event;
                }
                if let Some(exit) = self.exit.clone() {
                    return ProcessEvent::Exited(exit, self.output.last_words());
                }
            }
            if self.exit.is_some() || (!reads && self.output.is_full()) {
                std::future::pending::<()>().await;
            }
            match self.kept.next().await {
                KeptEvent::Output { offset, data } => {
                    self.output.push(&data, offset + data.len() as u64);
                }
                KeptEvent::Written(up_to) => return ProcessEvent::Written(up_to),
                KeptEvent::Errors(text) => self.output.push_errors(&text),
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
