//! The file in which a sync keeps its base.

use std::path::{Path, PathBuf};

use moorline_shared::id::WorkspaceId;
use moorline_shared::workspace::Base;
use serde::{Deserialize, Serialize};

use crate::state_file::StateFile;

/// The largest file that is read: some hundred bytes for each of 50,000 files.
const BYTES: u64 = 128 * 1024 * 1024;

/// What is kept of a sync: in the host's folder, so that a restart transfers nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct StoredBase {
    /// The folder itself: device and inode. The base of another folder means nothing.
    pub(super) folder: Option<(u64, u64)>,
    /// The base.
    pub(super) base: Base,
}

/// The file of one folder's base.
#[derive(Debug)]
pub(super) struct SyncBaseFile(StateFile<StoredBase>);

impl SyncBaseFile {
    /// Reads the base of a folder with this identity; an empty one if there is none. Blocks.
    pub(super) fn open(
        state: &Path,
        workspace: &WorkspaceId,
        folder: &Path,
        identity: (u64, u64),
    ) -> (Self, Base) {
        let (file, stored) = StateFile::<StoredBase>::open(path(state, workspace, folder), BYTES);
        let base = if stored.folder == Some(identity) { stored.base } else { Base::default() };
        (Self(file), base)
    }

    /// Stores a base. Blocks.
    pub(super) fn save(&self, identity: (u64, u64), base: &Base) -> std::io::Result<()> {
        self.0.save(|| StoredBase { folder: Some(identity), base: base.clone() })
    }
}

fn path(state: &Path, workspace: &WorkspaceId, folder: &Path) -> PathBuf {
    let hash = blake3::hash(folder.as_os_str().as_encoded_bytes()).to_hex();
    state.join(format!("{workspace}-{}.json", &hash[..16]))
}
