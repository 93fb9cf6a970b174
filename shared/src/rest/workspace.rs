//! The bodies of `/api/workspaces`.

use serde::{Deserialize, Serialize};

use crate::id::{ProjectId, WorkspaceId};
use crate::workspace::{WorkspaceFile, WorkspacePath, WorkspaceTree};

/// A workspace in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceSummary {
    /// The workspace's id.
    pub id: WorkspaceId,
    /// The name to display.
    pub name: String,
    /// The project that it belongs to, whose tokens reach it.
    pub project: Option<ProjectId>,
    /// When the workspace was created, as RFC 3339.
    pub created_at: String,
    /// The number of sessions that use it.
    pub sessions: usize,
}

/// The answer to `GET /api/workspaces`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceList {
    /// The workspaces that the caller's token reaches, sorted by name.
    pub workspaces: Vec<WorkspaceSummary>,
}

/// The body of `POST /api/workspaces`. Every field may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct CreateWorkspace {
    /// The workspace's id, if the caller chooses it; ids that are taken are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<WorkspaceId>,
    /// The name to display; the id by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub name: Option<String>,
    /// The project that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
}

/// The body of `PATCH /api/workspaces/:id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RenameWorkspace {
    /// The new name; empty to show the id instead.
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub name: String,
}

/// The answer to a change of the list of workspaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceChanged {
    /// Always true.
    pub success: bool,
    /// The workspace after the change; as it was, if it was deleted.
    pub workspace: WorkspaceSummary,
}

/// The answer to `GET /api/workspaces/:id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceDetails {
    /// The workspace's id.
    pub id: WorkspaceId,
    /// The name to display.
    pub name: String,
    /// The project that it belongs to.
    pub project: Option<ProjectId>,
    /// When the workspace was created, as RFC 3339.
    pub created_at: String,
    /// The number of the last change; 0 if there was none.
    pub revision: u64,
    /// The number of files and directories.
    pub files: u64,
    /// The bytes of all files together.
    pub bytes: u64,
    /// The most bytes that all files may have together.
    pub limit_bytes: u64,
    /// True if a file was refused because of that limit, and nothing was deleted or has become smaller
    /// since.
    pub is_full: bool,
}

/// The body of `POST /api/workspaces/:id/rename`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RenameFile {
    /// The file or directory.
    pub path: WorkspacePath,
    /// Its new path, at which nothing may be.
    pub to: WorkspacePath,
}

/// The answer to a change of files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FilesChanged {
    /// Always true.
    pub success: bool,
    /// The workspace's revision after the change.
    pub revision: u64,
    /// What was changed or deleted.
    pub files: Vec<WorkspaceFile>,
}

/// The data of the event `files-changed` of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FilesChangedEvent {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tree: everything if `full` is true, otherwise what was changed or deleted.
    #[serde(flatten)]
    pub tree: WorkspaceTree,
}

/// The data of the event `files-conflict` of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FilesConflictEvent {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The revision that has put the second version.
    pub revision: u64,
    /// The path of the version that the workspace had.
    pub path: WorkspacePath,
    /// The path of the other version.
    pub other: WorkspacePath,
}
