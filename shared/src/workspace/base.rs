//! The last state that a folder and its workspace had in common.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FileEntry, WorkspacePath};

/// The last state that a folder and its workspace had in common. It is kept beside the folder; a
/// lost one costs a comparison of all hashes, and conflicts where both sides differ, but no file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Base {
    /// What both sides had, by path.
    pub entries: BTreeMap<WorkspacePath, BaseEntry>,
    /// Files that were put beside another because of a conflict and that the relay does not have
    /// yet, each with the path that it was to have.
    #[serde(default)]
    pub conflicts: BTreeMap<WorkspacePath, WorkspacePath>,
}

/// What both sides had at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BaseEntry {
    /// The file or directory.
    pub entry: FileEntry,
    /// The workspace's revision that had put it there.
    pub revision: u64,
}
