//! What a supervisor tells of the folder that it keeps in sync.

use moorline_shared::failure::HostFailure;
use serde::{Deserialize, Serialize};

/// The state of a folder that a supervisor keeps in sync with a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FolderReport {
    /// The number of the last [`KeptControl::settle`](super::KeptControl::settle) that is done, well
    /// or not; 0 before the first.
    pub settled: u64,
    /// The reason why not everything is in sync, such as `workspace_full`; `None` if everything is,
    /// or will be.
    pub problem: Option<HostFailure>,
}
