//! What a workspace has, as the relay tells it.

use serde::{Deserialize, Serialize};

use super::{ContentHash, EntryKind, FileEntry, MODE_BITS, WorkspacePath};

/// A file or directory of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceFile {
    /// The path.
    pub path: WorkspacePath,
    /// The kind.
    pub kind: EntryKind,
    /// The permission bits.
    #[cfg_attr(feature = "openapi", schema(maximum = 511))]
    pub mode: u32,
    /// The length of a file's content, in bytes; 0 for a directory.
    pub size: u64,
    /// The hash of a file's content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<ContentHash>,
    /// The revision of the workspace that has put or deleted this.
    pub revision: u64,
    /// When that was, in milliseconds since 1970.
    pub changed_at: u64,
    /// The path that this file was to have, if another one was there already that its writer had not
    /// seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict_of: Option<WorkspacePath>,
    /// True if it was deleted. The other fields then say what it was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

impl WorkspaceFile {
    /// Returns what is at the path; `None` if it was deleted, or if the fields do not agree.
    #[must_use]
    pub fn entry(&self) -> Option<FileEntry> {
        if self.deleted {
            return None;
        }
        let mode = self.mode & MODE_BITS;
        match (self.kind, self.hash) {
            (EntryKind::Directory, _) => Some(FileEntry::Directory { mode }),
            (EntryKind::File, hash) => Some(FileEntry::File { mode, size: self.size, hash: hash? }),
        }
    }
}

/// The answer to `GET /api/workspaces/:id/files`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceTree {
    /// The number of the last change.
    pub revision: u64,
    /// True if `files` has everything; false if it has only what was changed or deleted since the
    /// revision that the query names. It is true even then if the workspace does not remember
    /// everything that was deleted since.
    pub full: bool,
    /// Files and directories: everything sorted by path, or changes in their order.
    pub files: Vec<WorkspaceFile>,
}
