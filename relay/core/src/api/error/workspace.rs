//! Errors about workspaces.

use http::StatusCode;
use moorline_shared::id::WorkspaceId;
use moorline_shared::limits::{
    BAD_WORKSPACE_PATH, WORKSPACE_ARCHIVE_TOO_LARGE, WORKSPACE_FILE_TOO_LARGE,
};
use moorline_shared::rest::WorkspaceFile;
use moorline_shared::workspace::wire::codes;

use super::ApiError;

impl ApiError {
    /// The workspace does not exist.
    #[must_use]
    pub fn no_workspace(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_workspace", "Workspace not found").with_message(
            format!("There is no workspace `{id}`: `GET /api/workspaces` lists them."),
        )
    }

    /// The id of a workspace is not valid.
    #[must_use]
    pub fn invalid_workspace_id() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_id", "Invalid workspace ID format").of_id()
    }

    /// A new workspace's id is taken.
    #[must_use]
    pub fn workspace_exists(id: &WorkspaceId) -> Self {
        Self::new(StatusCode::CONFLICT, super::EXISTS, "Workspace already exists")
            .with_message(format!("There is a workspace `{id}` already: choose another id."))
    }

    /// The limit of workspaces is reached.
    #[must_use]
    pub fn too_many_workspaces(message: String) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", "Too many workspaces")
            .with_message(message)
    }

    /// Sessions use the workspace that is to be deleted.
    #[must_use]
    pub fn workspace_in_use(sessions: usize) -> Self {
        Self::new(StatusCode::CONFLICT, "in_use", "Workspace in use").with_message(format!(
            "{sessions} sessions that run use this workspace: end them first."
        ))
    }

    /// There is nothing at the path.
    #[must_use]
    pub fn no_file(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_file", "File not found")
            .with_message(format!("The workspace has nothing at `{path}`."))
    }

    /// The path leads to a directory, which has no content.
    #[must_use]
    pub fn is_directory(path: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "is_directory", "Not a file")
            .with_message(format!("`{path}` is a directory."))
    }

    /// The path is not valid.
    #[must_use]
    pub fn path_invalid() -> Self {
        Self::new(StatusCode::BAD_REQUEST, codes::PATH_INVALID, "Invalid path")
            .with_message(BAD_WORKSPACE_PATH)
    }

    /// The file is too large.
    #[must_use]
    pub fn file_too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, codes::FILE_TOO_LARGE, "File too large")
            .with_message(WORKSPACE_FILE_TOO_LARGE)
    }

    /// The range of a read is not in the file.
    #[must_use]
    pub fn bad_range() -> Self {
        Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "bad_range", "Range not in the file")
    }

    /// The archive cannot be read.
    #[must_use]
    pub fn bad_archive(why: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_archive", "Archive not valid")
            .with_message(format!("The archive cannot be unpacked: {why}."))
    }

    /// The archive, or what it holds, is too large.
    #[must_use]
    pub fn archive_too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Archive too large")
            .with_message(WORKSPACE_ARCHIVE_TOO_LARGE)
    }

    /// The relay does not pack or unpack zip.
    #[must_use]
    pub fn no_zip() -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "not_supported", "No zip here")
            .with_message("A relay at the edge has no room for zip: use `format=tar`.")
    }

    /// The disk of the relay is full.
    #[must_use]
    pub fn disk_full() -> Self {
        Self::new(StatusCode::INSUFFICIENT_STORAGE, codes::DISK_FULL, "Disk full")
            .with_message("The disk of the relay is full: free some space on it.")
    }

    /// A change of a file was refused for the reason of this code.
    #[must_use]
    pub fn not_put(code: &str, message: &str, present: Option<Box<WorkspaceFile>>) -> Self {
        let (status, error) = match code {
            codes::STALE => (StatusCode::PRECONDITION_FAILED, "File has changed"),
            codes::PATH_COLLISION => (StatusCode::CONFLICT, "Path is taken"),
            codes::NOT_EMPTY => (StatusCode::CONFLICT, "Directory is not empty"),
            codes::FILE_TOO_LARGE => (StatusCode::PAYLOAD_TOO_LARGE, "File too large"),
            codes::WORKSPACE_FULL => (StatusCode::INSUFFICIENT_STORAGE, "Workspace full"),
            _ => (StatusCode::CONFLICT, "File not put"),
        };
        let mut error = Self::new(status, code, error).with_message(message);
        error.body.file = present;
        error
    }
}
