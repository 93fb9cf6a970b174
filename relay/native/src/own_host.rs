//! The relay's own host: a process of its own that outlives the relay, or a part of this one.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moorline_host::daemon::{DaemonError, Running, StateDir};
use moorline_host::host::{Config, Host};
use moorline_host::lock::Lock;
use moorline_host::marks::this_host;
use moorline_shared::control::local_host;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::clock::wall_ms;
use super::hosts::{Hosts, InProcess};
use super::registry::Registry;

/// The Unix socket that the relay's own host dials, in the data folder.
pub const SOCKET_NAME: &str = "relay.sock";
/// How often a host that is not connected is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The wait before a host that has ended is started again, and the longest.
const RESTART_FIRST: Duration = Duration::from_millis(200);
const RESTART_MOST: Duration = Duration::from_secs(30);
/// A host that ran for this long did not end because it cannot run.
const GOOD_AFTER: Duration = Duration::from_secs(10);

/// How the relay's own host runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// In the relay's process: its sessions end with it.
    InProcess,
    /// In a process of its own.
    Process {
        /// The program.
        program: PathBuf,
        /// What makes it the host of this relay.
        arguments: Vec<OsString>,
    },
}

/// Takes the folder for a host in this process. One of an earlier relay may still run there, and
/// have sessions.
///
/// # Errors
/// Another host has the folder, or it cannot be used.
pub fn lock_for_this_process(state: &StateDir) -> Result<Lock, DaemonError> {
    state.lock(&Running {
        pid: std::process::id(),
        host_id: local_host(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        relay: "this process".to_owned(),
        in_process: true,
    })
}

/// See the module.
#[derive(Debug)]
pub enum OwnHost {
    /// Within this process.
    InProcess(Arc<Host>),
    /// The task that sees to the process.
    Process(JoinHandle<()>),
}

impl OwnHost {
    /// Starts the host, or finds the one that runs. It lives in the data folder.
    #[must_use]
    pub fn start(kind: &Kind, state: StateDir, registry: &Arc<Registry>) -> Self {
        match kind {
            Kind::InProcess => {
                let config = Config {
                    name: this_host(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    integration: Some(state.integration()),
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

    /// Ends a host in this process, and its sessions with it; lets go of any other.
    pub async fn leave(&self, limit: Duration) {
        match self {
            Self::InProcess(host) => _ = host.stop(limit).await,
            Self::Process(keeper) => keeper.abort(),
        }
    }
}

/// Sees to it that the process runs.
struct Keeper {
    state: StateDir,
    program: PathBuf,
    arguments: Vec<OsString>,
    hosts: Arc<Hosts>,
    /// Where this relay has started it.
    child: Option<(Child, Instant)>,
    /// Who was found last.
    found: Option<Running>,
    wait: Duration,
}

impl Keeper {
    async fn keep(mut self) {
        let mut changed = self.hosts.subscribe();
        loop {
            changed.mark_unchanged();
            if self.hosts.is_here(&local_host()) {
                // Its link ends before it does.
                let _ = changed.changed().await;
                continue;
            }
            if let Err(error) = self.look().await {
                tracing::error!(%error, "the host cannot be started");
                self.rest().await;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Starts the process where none runs.
    async fn look(&mut self) -> Result<(), DaemonError> {
        let state = self.state.clone();
        let running = tokio::task::spawn_blocking(move || state.running()).await;
        // The runtime ends.
        let Ok(running) = running else { return Ok(()) };
        if let Err(DaemonError::Unnamed { .. }) = running {
            return Ok(());
        }
        if let Some(running) = running? {
            if self.found.as_ref() != Some(&running) {
                let Running { pid, version, .. } = &running;
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
