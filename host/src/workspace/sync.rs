//! Keeps a folder in sync.

mod engine;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use moorline_shared::failure::HostFailure;
use moorline_shared::workspace::RoundReport;
use tokio::sync::{mpsc, oneshot, watch};

use super::{KeptBase, SyncFailure, SyncedFolder, WorkspaceRemote};
use engine::{Command, Engine};

/// Requests that may wait for the sync.
const COMMANDS: usize = 16;

/// The direction of a single transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Into the folder: what is only there stays, and what differs there gets another name.
    Pull,
    /// Into the workspace: what is only there stays, and what differs there is replaced.
    Push,
}

/// Returns the name of this machine.
#[must_use]
pub fn machine_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.unwrap_or_else(|| "host".to_owned())
}

/// The state of a sync.
#[derive(Debug, Clone, Default)]
pub struct SyncState {
    /// The number of changes of the workspace so far.
    pub pushed: usize,
    /// The number of changes of the folder so far.
    pub pulled: usize,
    /// The number of conflicts so far.
    pub conflicts: usize,
    /// The path of the last one, and the name that the folder's version got.
    pub last_conflict: Option<(String, String)>,
    /// The number of places of the folder that are not synced.
    pub left_out: usize,
    /// The files that the workspace does not take, those that the folder does not, and those that are
    /// too large or cannot be read, each with the reason.
    pub problems: Vec<(String, HostFailure)>,
    /// The reason why nothing is synced now.
    pub failure: Option<HostFailure>,
}

impl SyncState {
    /// Returns the reason why not everything is in sync, if there is one: why nothing is, or else the
    /// first of the problems.
    #[must_use]
    pub fn problem(&self) -> Option<HostFailure> {
        let first = self.problems.first();
        let first = first
            .map(|(path, why)| HostFailure::new(&why.code, format!("{path}: {}", why.message)));
        self.failure.clone().or(first)
    }
}

/// A folder that is kept in sync, until this is dropped.
#[derive(Debug)]
pub struct FolderSync {
    path: PathBuf,
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<SyncState>,
}

impl FolderSync {
    /// Begins to keep a folder in sync, which is made if it is missing. `kept` is where what both
    /// sides have in common is kept. `host` names this side in the names of files that are
    /// moved aside. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`SyncFailure::Folder`].
    pub async fn begin(
        path: PathBuf,
        kept: Option<KeptBase>,
        host: String,
        remote: Arc<dyn WorkspaceRemote>,
    ) -> Result<Self, SyncFailure> {
        let at = path.clone();
        let failed = |error| SyncFailure::Folder { path: at, error };
        let opened = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&path)?;
            let folder = SyncedFolder::open(&path)?;
            Engine::new(folder, kept, host, remote)
        });
        let engine = opened.await.map_err(|_| SyncFailure::Ended)?.map_err(failed)?;
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let (path, state) = (engine.path().to_owned(), engine.state());
        tokio::spawn(engine.run(receiver));
        Ok(Self { path, commands, state })
    }

    /// Transfers files in one direction, once. Returns what was not possible.
    ///
    /// # Errors
    /// [`SyncFailure`].
    pub async fn once(
        folder: SyncedFolder,
        direction: Direction,
        host: String,
        remote: Arc<dyn WorkspaceRemote>,
    ) -> Result<RoundReport, SyncFailure> {
        let path = folder.path().to_owned();
        let prepared = move || Engine::new(folder, None, host, remote);
        let engine = tokio::task::spawn_blocking(prepared).await.map_err(|_| SyncFailure::Ended)?;
        engine.map_err(|error| SyncFailure::Folder { path, error })?.once(direction).await
    }

    /// Returns the path of the folder, without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the state, with every change of it.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<SyncState> {
        self.state.clone()
    }

    /// Scans the whole folder, and makes both sides equal as they are now. Returns what was not
    /// possible.
    ///
    /// # Errors
    /// [`SyncFailure`]. The sync goes on all the same, and tries again.
    pub async fn settle(&self) -> Result<RoundReport, SyncFailure> {
        let (reply, settled) = oneshot::channel();
        self.commands.send(Command::Settle(reply)).await.map_err(|_| SyncFailure::Ended)?;
        settled.await.map_err(|_| SyncFailure::Ended)?
    }

    /// [`FolderSync::settle`], for `limit` at most. Returns true if both sides are equal.
    pub async fn settle_within(&self, limit: Duration) -> bool {
        matches!(tokio::time::timeout(limit, self.settle()).await, Ok(Ok(_)))
    }
}
