//! Bodies of searches for files.

use serde::{Deserialize, Serialize};

use crate::id::SessionId;

/// The answer to `GET /api/session/:id/files`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FileMatches {
    /// The session whose folder was searched.
    pub session_id: SessionId,
    /// The paths that match, relative to the session's folder, best match first; at most 32.
    pub files: Vec<String>,
    /// True if the folder has more files than the host looks at, so that some may be missing.
    pub truncated: bool,
    /// When they were found, in milliseconds since 1970.
    pub timestamp: u64,
}
