//! Files of a session's folder, found by some letters of their paths.

use serde::{Deserialize, Serialize};

/// The answer of a host to [`ToHost::FindFiles`](crate::control::ToHost::FindFiles).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundFiles {
    /// The paths, relative to the session's folder, best match first.
    pub files: Vec<String>,
    /// True if the folder has more files than the host looks at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}
