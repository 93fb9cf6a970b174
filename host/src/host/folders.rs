//! The folders of a host that are in sync.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use moorline_shared::id::WorkspaceId;
use tokio::sync::Mutex;

use super::synced_output::SyncedOutput;
use crate::dial::Dial;
use crate::driver::OutputSource;
use crate::driver::pty::expanded;
use crate::workspace::{DialRemote, FolderSync, KeptBase, SyncFailure};

/// The folder, in the host's own, of folders that sessions have not named.
const FOLDERS: &str = "workspaces";
/// The folder, in the host's own, of what syncs keep.
const KEPT: &str = "workspace-bases";

/// The folders of a host that are in sync, each with one workspace. Sessions share them.
#[derive(Debug, Default)]
pub(crate) struct HostWorkspaces(Mutex<Vec<OpenFolder>>);

#[derive(Debug)]
struct OpenFolder {
    workspace: WorkspaceId,
    path: PathBuf,
    sync: Weak<FolderSync>,
}

/// A session's hold on its folder, which is in sync as long as a session holds it.
#[derive(Debug)]
pub(crate) struct HeldFolder {
    sync: Arc<FolderSync>,
    /// The number of conflicts before the session.
    conflicts: usize,
}

impl HeldFolder {
    /// Returns the path of the folder.
    pub(crate) fn path(&self) -> &Path {
        self.sync.path()
    }

    /// Waits until the folder has the files of the workspace.
    ///
    /// # Errors
    /// [`SyncFailure`].
    pub(crate) async fn load(&self) -> Result<(), SyncFailure> {
        self.sync.settle().await.map(drop)
    }

    /// Returns the output of the session, which tells what is not in sync, and whose end waits for its
    /// last files.
    pub(crate) fn watch(self, output: Box<dyn OutputSource>) -> Box<dyn OutputSource> {
        Box::new(SyncedOutput::new(output, self.sync, self.conflicts))
    }
}

impl From<Arc<FolderSync>> for HeldFolder {
    fn from(sync: Arc<FolderSync>) -> Self {
        let conflicts = sync.state().borrow().conflicts;
        Self { sync, conflicts }
    }
}

impl HostWorkspaces {
    /// Keeps a folder in sync for a session: the one that it names, or else one in the host's folder.
    /// A folder that is in sync with this workspace already is shared.
    ///
    /// # Errors
    /// [`SyncFailure`].
    pub(crate) async fn hold(
        &self,
        workspace: &WorkspaceId,
        cwd: Option<&Path>,
        own: Option<&Path>,
        name: &str,
        dial: &Arc<dyn Dial>,
    ) -> Result<HeldFolder, SyncFailure> {
        let own = own.ok_or(SyncFailure::NoState)?;
        let default = || own.join(FOLDERS).join(workspace.as_str());
        let wanted = cwd.map_or_else(default, expanded);
        let failed = |error| SyncFailure::Folder { path: wanted.clone(), error };
        tokio::fs::create_dir_all(&wanted).await.map_err(failed)?;
        let path = tokio::fs::canonicalize(&wanted).await.map_err(failed)?;
        let mut open = self.0.lock().await;
        open.retain(|folder| folder.sync.strong_count() > 0);
        for folder in open.iter() {
            let Some(sync) = folder.sync.upgrade() else { continue };
            if folder.path == path && folder.workspace == *workspace {
                return Ok(sync.into());
            }
            if folder.path.starts_with(&path) || path.starts_with(&folder.path) {
                return Err(SyncFailure::Overlap { path, other: folder.path.clone() });
            }
        }
        let kept = Some(KeptBase::Host(own.join(KEPT), workspace.clone()));
        let remote = Arc::new(DialRemote::new(Arc::clone(dial), workspace));
        let sync = FolderSync::begin(path.clone(), kept, name.to_owned(), remote).await?;
        let sync = Arc::new(sync);
        let (workspace, weak) = (workspace.clone(), Arc::downgrade(&sync));
        open.push(OpenFolder { workspace, path, sync: weak });
        Ok(sync.into())
    }
}
