//! The relay's own host: a separate process that outlives the relay, or a part of this process.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moorline_host::daemon::{DaemonError, RunningHost, StateDir};
use moorline_host::driver::kubernetes::KubernetesConfig;
use moorline_host::host::{Config, Host, SessionThreads};
use moorline_host::lock::Lock;
use moorline_host::marks::this_host;
use moorline_shared::control::local_host;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::clock::wall_ms;
use super::host_links::InProcess;
use super::hosts::Hosts;
use super::registry::Registry;

/// The name of the Unix socket in the data folder that the relay's own host dials.
pub const SOCKET_NAME: &str = "relay.sock";
/// Interval between checks for a host that is not connected.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The first and the longest wait before a host that has ended is started again.
const RESTART_FIRST: Duration = Duration::from_millis(200);
const RESTART_MOST: Duration = Duration::from_secs(30);
/// A host that ran for this long is able to run, so the wait starts over.
const GOOD_AFTER: Duration = Duration::from_secs(10);

/// The way in which the relay's own host runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// In the relay's process. Its sessions end with the relay.
    InProcess,
    /// In a separate process, which outlives the relay.
    Process {
        /// The program to run.
        program: PathBuf,
        /// The arguments that make it the host of this relay.
        arguments: Vec<OsString>,
    },
}

/// Locks the state folder for a host in this process. The host process of an earlier relay may
/// still run there, and have sessions.
///
/// # Errors
/// Another host uses the folder, or it cannot be used.
pub fn lock_for_this_process(state: &StateDir) -> Result<Lock, DaemonError> {
    state.lock(&RunningHost {
        pid: std::process::id(),
        host_id: local_host(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        relay: "this process".to_owned(),
        in_process: true,
    })
}

/// Returns the command of a keeper, without its options: this program. Empty if its path is unknown.
#[must_use]
pub fn keeper_command() -> Vec<OsString> {
    let program = std::env::current_exe().inspect_err(|error| {
        tracing::warn!(%error, "agents end with their host");
    });
    program.map(|program| vec![program.into(), "keep".into()]).unwrap_or_default()
}

/// Returns the command by which tmux hands the output of a pane over to this process, without its
/// options. Empty if the path of this program is unknown.
#[must_use]
pub fn pane_pipe_command() -> Vec<OsString> {
    // It stays valid if an update replaces the program, and it names this very version.
    let itself = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    let itself = if itself.exists() { Some(itself) } else { std::env::current_exe().ok() };
    itself.map(|program| vec![program.into(), "pane-pipe".into()]).unwrap_or_default()
}

/// The relay's own host while the relay runs.
#[derive(Debug)]
pub enum OwnHost {
    /// A host within this process.
    InProcess(Arc<Host>),
    /// The task that keeps the host process running.
    Process(JoinHandle<()>),
}

impl OwnHost {
    /// Starts the host, or finds the process that runs already. `state` is its folder. `kubernetes`
    /// has the settings of pods for a host in this process.
    #[must_use]
    pub fn start(
        kind: &Kind,
        kubernetes: KubernetesConfig,
        state: StateDir,
        registry: &Arc<Registry>,
    ) -> Self {
        match kind {
            Kind::InProcess => {
                let threads = SessionThreads::start().unwrap_or_else(|error| {
                    tracing::warn!(%error, "sessions run on the relay's own threads");
                    SessionThreads::default()
                });
                let config = Config {
                    name: this_host(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    integration: Some(state.integration()),
                    folder: Some(state.path().to_owned()),
                    keeper: keeper_command(),
                    pane_pipe: pane_pipe_command(),
                    kubernetes,
                    threads,
                    seed: wall_ms(),
                };
                let dial = Arc::new(InProcess::new(registry));
                Self::InProcess(Host::start(config, dial))
            }
            Kind::Process { program, arguments } => {
                let keeper = Keeper {
                    state,
                    program: program.clone(),
                    arguments: arguments.clone(),
                    hosts: Arc::clone(registry.hosts()),
                    child: None,
                    found: None,
                    wait: RESTART_FIRST,
                };
                Self::Process(tokio::spawn(keeper.keep()))
            }
        }
    }

    /// Stops a host in this process and its sessions, within `limit`. A host process keeps running.
    pub async fn leave(&self, limit: Duration) {
        match self {
            Self::InProcess(host) => _ = host.stop(limit).await,
            Self::Process(keeper) => keeper.abort(),
        }
    }
}

/// Keeps the host process running.
struct Keeper {
    state: StateDir,
    program: PathBuf,
    arguments: Vec<OsString>,
    hosts: Arc<Hosts>,
    /// The process and when it was started, if this relay has started it.
    child: Option<(Child, Instant)>,
    /// The host that was found running last.
    found: Option<RunningHost>,
    wait: Duration,
}

impl Keeper {
    async fn keep(mut self) {
        let mut changed = self.hosts.subscribe();
        loop {
            changed.mark_unchanged();
            if self.hosts.is_here(&local_host()) {
                // Its link closes before the process ends.
                let _ = changed.changed().await;
                continue;
            }
            if let Err(error) = self.look().await {
                tracing::error!(%error, "the host could not be started");
                self.rest().await;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Starts the process if none runs.
    async fn look(&mut self) -> Result<(), DaemonError> {
        let state = self.state.clone();
        let running = tokio::task::spawn_blocking(move || state.running()).await;
        // The runtime is shutting down.
        let Ok(running) = running else { return Ok(()) };
        if let Err(DaemonError::Unnamed { .. }) = running {
            return Ok(());
        }
        if let Some(running) = running? {
            if self.found.as_ref() != Some(&running) {
                let RunningHost { pid, version, .. } = &running;
                tracing::info!(pid, version, "the host runs");
                self.found = Some(running);
            }
            return Ok(());
        }
        if let Some((child, since)) = &mut self.child {
            let Ok(Some(status)) = child.try_wait() else { return Ok(()) };
            if since.elapsed() > GOOD_AFTER {
                self.wait = RESTART_FIRST;
            }
            tracing::warn!(%status, "the host has ended, and its sessions: see host.log");
            self.child = None;
            self.rest().await;
        } else if self.found.is_some() {
            tracing::warn!("the host has ended, and its sessions: see host.log");
            self.rest().await;
        }
        self.found = None;
        self.child = Some((self.state.spawn(&self.program, &self.arguments)?, Instant::now()));
        Ok(())
    }

    async fn rest(&mut self) {
        sleep(self.wait).await;
        self.wait = (self.wait * 2).min(RESTART_MOST);
    }
}
