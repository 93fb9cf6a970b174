//! The bodies of `/api/session/:id/changes`.

use serde::{Deserialize, Serialize};

use crate::change::{ChangeResult, ListedChanges, PlannedChange};
use crate::id::SessionId;

/// The answer to `GET /api/session/:id/changes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SessionChangeList {
    /// Always true.
    pub success: bool,
    /// The session whose agent has changed the files.
    pub session_id: SessionId,
    /// The changes.
    #[serde(flatten)]
    pub changes: ListedChanges,
    /// When they were listed, in milliseconds since 1970.
    pub timestamp: u64,
}

/// The body of `POST /api/session/:id/changes`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct SettleChanges {
    /// The files or hunks to keep: they are not listed any more.
    #[cfg_attr(feature = "openapi", schema(max_items = 200))]
    pub keep: Vec<PlannedChange>,
    /// The files or hunks to revert: their old content is put back.
    #[cfg_attr(feature = "openapi", schema(max_items = 200))]
    pub revert: Vec<PlannedChange>,
}

/// The answer to `POST /api/session/:id/changes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChangesSettled {
    /// Always true: the results say what was done.
    pub success: bool,
    /// The session whose agent has changed the files.
    pub session_id: SessionId,
    /// The results: those of `keep`, then those of `revert`.
    pub results: Vec<ChangeResult>,
    /// The number of `results`.
    pub count: usize,
    /// The number of those that were done.
    pub done: usize,
    /// When they were done, in milliseconds since 1970.
    pub timestamp: u64,
}
