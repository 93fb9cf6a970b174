//! The file in which a sync keeps its base: the state that both sides had in common.

use std::path::{Path, PathBuf};

use moorline_shared::id::WorkspaceId;
use moorline_shared::workspace::Base;
use serde::{Deserialize, Serialize};

use crate::folder::keep_private;
use crate::state_file::StateFile;

/// The largest file that is read: some hundred bytes for each of 50,000 files.
const BYTES: u64 = 128 * 1024 * 1024;

/// What is kept of a sync: in the host's folder, so that a restart transfers nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct StoredBase {
    /// The folder itself: device and inode. The base of another folder means nothing. `None` if it
    /// is kept in the folder.
    pub(super) folder: Option<(u64, u64)>,
    /// The base.
    pub(super) base: Base,
}

/// Where the base of a folder is kept.
#[derive(Debug, Clone)]
pub enum KeptBase {
    /// In this private folder of the host, which is made if it is missing.
    Host(PathBuf, WorkspaceId),
    /// In the folder itself, under a name that is not synced: it goes wherever the folder goes.
    Inside(WorkspaceId),
}

/// The folder, within one that is in sync, of its base.
const INSIDE: &str = ".moorline-sync";

/// The file of one folder's base.
#[derive(Debug)]
pub(super) struct SyncBaseFile {
    file: StateFile<StoredBase>,
    /// What the base belongs to; `None` if it is in the folder that it is of.
    identity: Option<(u64, u64)>,
}

impl SyncBaseFile {
    /// Reads the base of a folder with this identity; an empty one if there is none. Blocks.
    pub(super) fn open(
        kept: &KeptBase,
        folder: &Path,
        identity: (u64, u64),
    ) -> std::io::Result<(Self, Base)> {
        let (path, identity) = match kept {
            KeptBase::Host(state, workspace) => {
                keep_private(state)?;
                (path(state, workspace, folder), Some(identity))
            }
            // A volume has another device number in each pod.
            KeptBase::Inside(workspace) => {
                let inside = folder.join(INSIDE);
                keep_private(&inside)?;
                (inside.join(format!("{workspace}.json")), None)
            }
        };
        let (file, stored) = StateFile::<StoredBase>::open(path, BYTES);
        let base = if stored.folder == identity { stored.base } else { Base::default() };
        Ok((Self { file, identity }, base))
    }

    /// Stores a base. Blocks.
    pub(super) fn save(&self, base: &Base) -> std::io::Result<()> {
        self.file.save(|| StoredBase { folder: self.identity, base: base.clone() })
    }
}

fn path(state: &Path, workspace: &WorkspaceId, folder: &Path) -> PathBuf {
    let hash = blake3::hash(folder.as_os_str().as_encoded_bytes()).to_hex();
    state.join(format!("{workspace}-{}.json", &hash[..16]))
}
