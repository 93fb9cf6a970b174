//! The handlers of `/api/workspaces`.

use http::{HeaderMap, StatusCode};
use moorline_shared::limits::{
    REQUEST_BODY_BYTES, WORKSPACE_ARCHIVE_BYTES, WORKSPACE_FILE_BYTES, WORKSPACE_MESSAGE_BYTES,
};
use moorline_shared::rest::{
    CreateWorkspace, RenameWorkspace, WorkspaceChanged, WorkspaceList, WorkspaceSummary,
};

use super::{Decision, DecisionAnswer, Reply, Request, View};
use crate::api::ApiError;
#[cfg(feature = "openapi")]
use crate::api::responses::{
    BadQuery, Guarded, OfFile, OfProject, OfWorkspace, PuttingFiles, WithBody,
};
use crate::directory::Directory;
use crate::workspace::{ArchiveFormat, FileAction};
use moorline_shared::workspace::EntryKind;
#[cfg(feature = "openapi")]
use moorline_shared::{
    id::WorkspaceId,
    rest::{FilesChanged, RenameFile, WorkspaceDetails, WorkspaceTree},
    workspace::WorkspacePath,
};
use serde::Deserialize;

/// Parses requests about the files of a workspace.
#[derive(Debug, Clone, Copy)]
pub struct WorkspaceHandler {
    /// Parses a request with these headers.
    pub parse: fn(&Request, &HeaderMap) -> Result<FileAction, ApiError>,
    /// The most bytes of a request's body.
    pub body_bytes: usize,
    /// Returns the error for a larger body.
    pub too_large: fn() -> ApiError,
}

#[derive(Debug, Deserialize)]
struct TreeQuery {
    /// Readers of an event stream that cannot send headers say it by the other name.
    #[serde(alias = "lastEventId")]
    since: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct PutQuery {
    kind: Option<EntryKind>,
}

#[derive(Debug, Deserialize)]
struct ArchiveQuery {
    #[serde(default)]
    format: ArchiveFormat,
}

/// Returns the revision after which a request wants to know what has changed, if it names one.
///
/// # Errors
/// `bad_request`.
pub fn since(request: &Request) -> Result<Option<u64>, ApiError> {
    Ok(request.query::<TreeQuery>()?.since)
}

impl WorkspaceHandler {
    const fn new(parse: fn(&Request, &HeaderMap) -> Result<FileAction, ApiError>) -> Self {
        Self { parse, body_bytes: REQUEST_BODY_BYTES, too_large: ApiError::too_large }
    }
}

pub(super) const GET: WorkspaceHandler = WorkspaceHandler::new(get);
pub(super) const TREE: WorkspaceHandler = WorkspaceHandler::new(tree);
pub(super) const READ_FILE: WorkspaceHandler = WorkspaceHandler::new(read_file);
pub(super) const PUT_FILE: WorkspaceHandler = WorkspaceHandler {
    parse: put_file,
    body_bytes: WORKSPACE_FILE_BYTES,
    too_large: ApiError::file_too_large,
};
pub(super) const DELETE_FILE: WorkspaceHandler = WorkspaceHandler::new(delete_file);
pub(super) const RENAME_FILE: WorkspaceHandler = WorkspaceHandler::new(rename_file);
pub(super) const DOWNLOAD: WorkspaceHandler = WorkspaceHandler::new(download);
pub(super) const UPLOAD: WorkspaceHandler = WorkspaceHandler {
    parse: upload,
    // With what tar adds to each file.
    body_bytes: WORKSPACE_ARCHIVE_BYTES * 2,
    too_large: ApiError::archive_too_large,
};
pub(super) const SYNC: WorkspaceHandler =
    WorkspaceHandler { body_bytes: WORKSPACE_MESSAGE_BYTES, ..WorkspaceHandler::new(sync) };

/// List workspaces, by name
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/workspaces", tag = "Workspaces", operation_id = "listWorkspaces",
    responses(Guarded,
        (status = 200, description = "The workspaces that the token reaches.", body = WorkspaceList)),
))]
pub(crate) fn list(view: &View<'_>, request: &Request) -> Result<Reply, ApiError> {
    let workspaces = view.directory.workspaces(&request.grant.access);
    Ok(Reply::ok(&WorkspaceList { workspaces }))
}

/// Create a workspace
///
/// A token of a project creates it in that project.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/workspaces", tag = "Workspaces", operation_id = "createWorkspace",
    request_body = Option<CreateWorkspace>,
    responses(Guarded, OfProject, WithBody,
        (status = 201, description = "The workspace was created.", body = WorkspaceChanged),
        (status = 409, description = "The id is taken: `exists`.",
            body = moorline_shared::rest::ErrorBody)),
))]
pub(crate) fn create(directory: &Directory, request: &Request) -> Result<Decision, ApiError> {
    let wanted: CreateWorkspace = request.body()?;
    let id = wanted.id.clone().unwrap_or_else(|| request.new_workspace());
    let access = &request.grant.access;
    let change = directory.create_workspace(wanted, id, access, request.now_ms)?;
    let answer = DecisionAnswer::Read(|directory, request| {
        let wanted: CreateWorkspace = request.body()?;
        let id = wanted.id.unwrap_or_else(|| request.new_workspace());
        let workspace = directory.workspace(&id)?;
        Ok(Reply::new(StatusCode::CREATED, &WorkspaceChanged { success: true, workspace }))
    });
    Ok(Decision { change, answer })
}

/// Rename a workspace
#[cfg_attr(feature = "openapi", utoipa::path(
    patch, path = "/api/workspaces/{id}", tag = "Workspaces", operation_id = "renameWorkspace",
    params(("id" = WorkspaceId, Path, description = "The workspace.")),
    request_body = RenameWorkspace,
    responses(Guarded, OfWorkspace, WithBody,
        (status = 200, description = "The workspace was renamed.", body = WorkspaceChanged)),
))]
pub(crate) fn rename(directory: &Directory, request: &Request) -> Result<Decision, ApiError> {
    let (id, wanted): (_, RenameWorkspace) = (request.workspace()?, request.body()?);
    let change = directory.rename_workspace(&id, &wanted)?;
    let answer = DecisionAnswer::Read(|directory, request| {
        Ok(changed(directory.workspace(&request.workspace()?)?))
    });
    Ok(Decision { change, answer })
}

/// Delete a workspace with its files
///
/// Sessions that use it must have ended.
#[cfg_attr(feature = "openapi", utoipa::path(
    delete, path = "/api/workspaces/{id}", tag = "Workspaces", operation_id = "deleteWorkspace",
    params(("id" = WorkspaceId, Path, description = "The workspace.")),
    responses(Guarded, OfWorkspace,
        (status = 200, description = "The workspace was deleted.", body = WorkspaceChanged),
        (status = 409, description = "Sessions use it: `in_use`.",
            body = moorline_shared::rest::ErrorBody)),
))]
pub(crate) fn delete(directory: &Directory, request: &Request) -> Result<Decision, ApiError> {
    let id = request.workspace()?;
    let was = directory.workspace(&id)?;
    let change = directory.remove_workspace(&id)?;
    Ok(Decision { change, answer: DecisionAnswer::Known(changed(was)) })
}

fn changed(workspace: WorkspaceSummary) -> Reply {
    Reply::ok(&WorkspaceChanged { success: true, workspace })
}

/// Get a workspace, with how full it is
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/workspaces/{id}", tag = "Workspaces", operation_id = "getWorkspace",
    params(("id" = WorkspaceId, Path, description = "The workspace.")),
    responses(Guarded, OfWorkspace,
        (status = 200, description = "The workspace.", body = WorkspaceDetails)),
))]
pub(crate) fn get(_: &Request, _: &HeaderMap) -> Result<FileAction, ApiError> {
    Ok(FileAction::details())
}

/// List the files of a workspace
///
/// With `since`, only what was changed or deleted after that revision, unless the workspace does not
/// remember all of it.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/workspaces/{id}/files", tag = "Workspaces", operation_id = "listFiles",
    params(
        ("id" = WorkspaceId, Path, description = "The workspace."),
        ("since" = Option<u64>, Query, description = "A revision."),
    ),
    responses(Guarded, OfWorkspace, BadQuery,
        (status = 200, description = "The files and directories.", body = WorkspaceTree)),
))]
pub(crate) fn tree(request: &Request, _: &HeaderMap) -> Result<FileAction, ApiError> {
    let query: TreeQuery = request.query()?;
    Ok(FileAction::tree(query.since))
}

/// Read a file
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/workspaces/{id}/files/{path}", tag = "Workspaces", operation_id = "readFile",
    params(
        ("id" = WorkspaceId, Path, description = "The workspace."),
        ("path" = WorkspacePath, Path, description = "The file; its slashes need no escape."),
        ("Range" = Option<String>, Header, description = "One range of bytes."),
        ("If-None-Match" = Option<String>, Header, description = "Hashes that are known."),
    ),
    responses(Guarded, OfWorkspace, OfFile,
        (status = 200, description = "The content. `ETag` has its hash, `X-Moorline-Mode` its mode \
            and `X-Moorline-Revision` the revision that has put it.", body = Vec<u8>,
            content_type = "application/octet-stream"),
        (status = 206, description = "The part that `Range` names.", body = Vec<u8>,
            content_type = "application/octet-stream"),
        (status = 304, description = "The content is known."),
        (status = 416, description = "The range is not in the file: `bad_range`.",
            body = moorline_shared::rest::ErrorBody)),
))]
pub(crate) fn read_file(request: &Request, headers: &HeaderMap) -> Result<FileAction, ApiError> {
    FileAction::read(&request.item, headers)
}

/// Put a file or a directory
///
/// Directories that lead to it come into being. Without `If-Match` and `If-None-Match`, it replaces
/// whatever is there.
#[cfg_attr(feature = "openapi", utoipa::path(
    put, path = "/api/workspaces/{id}/files/{path}", tag = "Workspaces", operation_id = "putFile",
    params(
        ("id" = WorkspaceId, Path, description = "The workspace."),
        ("path" = WorkspacePath, Path, description = "The file; its slashes need no escape."),
        ("kind" = Option<moorline_shared::workspace::EntryKind>, Query,
            description = "`directory` to put one, without a body."),
        ("X-Moorline-Mode" = Option<String>, Header,
            description = "The permission bits in octal; as they were, or 644, or 755 for a directory."),
        ("If-Match" = Option<String>, Header, description = "The hash of the file as it is."),
        ("If-None-Match" = Option<String>, Header, description = "`*` if nothing may be there."),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(Guarded, OfWorkspace, PuttingFiles,
        (status = 200, description = "It was replaced, or was the same.", body = FilesChanged),
        (status = 201, description = "It was created.", body = FilesChanged)),
))]
pub(crate) fn put_file(request: &Request, headers: &HeaderMap) -> Result<FileAction, ApiError> {
    let query: PutQuery = request.query()?;
    let kind = query.kind.unwrap_or(EntryKind::File);
    FileAction::put(&request.item, kind, &request.body, headers)
}

/// Delete a file, or a directory with everything in it
#[cfg_attr(feature = "openapi", utoipa::path(
    delete, path = "/api/workspaces/{id}/files/{path}", tag = "Workspaces",
    operation_id = "deleteFile",
    params(
        ("id" = WorkspaceId, Path, description = "The workspace."),
        ("path" = WorkspacePath, Path, description = "The file; its slashes need no escape."),
        ("If-Match" = Option<String>, Header, description = "The hash of the file as it is."),
    ),
    responses(Guarded, OfWorkspace, OfFile,
        (status = 200, description = "It was deleted.", body = FilesChanged),
        (status = 412, description = "It is not as `If-Match` says: `stale`, with the `file`.",
            body = moorline_shared::rest::ErrorBody)),
))]
pub(crate) fn delete_file(request: &Request, headers: &HeaderMap) -> Result<FileAction, ApiError> {
    FileAction::remove(&request.item, headers)
}

/// Rename a file, or a directory with everything in it
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/workspaces/{id}/rename", tag = "Workspaces", operation_id = "renameFile",
    params(("id" = WorkspaceId, Path, description = "The workspace.")),
    request_body = RenameFile,
    responses(Guarded, OfWorkspace, WithBody, PuttingFiles,
        (status = 200, description = "It was renamed.", body = FilesChanged)),
))]
pub(crate) fn rename_file(request: &Request, _: &HeaderMap) -> Result<FileAction, ApiError> {
    Ok(FileAction::rename(request.body()?))
}

/// Download a workspace as an archive
///
/// At most 32 MiB of files. A relay at the edge has no zip.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/workspaces/{id}/archive", tag = "Workspaces",
    operation_id = "downloadArchive",
    params(
        ("id" = WorkspaceId, Path, description = "The workspace."),
        ("format" = Option<String>, Query, description = "`tar`, the default, or `zip`."),
    ),
    responses(Guarded, OfWorkspace, BadQuery,
        (status = 200, description = "The archive.", body = Vec<u8>,
            content_type = "application/octet-stream"),
        (status = 413, description = "The files are too large together: `too_large`.",
            body = moorline_shared::rest::ErrorBody),
        (status = 501, description = "The relay has no zip: `not_supported`.",
            body = moorline_shared::rest::ErrorBody)),
))]
pub(crate) fn download(request: &Request, _: &HeaderMap) -> Result<FileAction, ApiError> {
    FileAction::download(request.query::<ArchiveQuery>()?.format)
}

/// Put the files of an archive
///
/// They replace what is there; what is only in the workspace stays. Nothing is put if a path leads out
/// of the workspace or a limit is exceeded. Links and devices are left out.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/workspaces/{id}/archive", tag = "Workspaces",
    operation_id = "uploadArchive",
    params(
        ("id" = WorkspaceId, Path, description = "The workspace."),
        ("format" = Option<String>, Query, description = "`tar`, the default, or `zip`."),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(Guarded, OfWorkspace, PuttingFiles,
        (status = 200, description = "The files were put.", body = FilesChanged),
        (status = 501, description = "The relay has no zip: `not_supported`.",
            body = moorline_shared::rest::ErrorBody)),
))]
pub(crate) fn upload(request: &Request, _: &HeaderMap) -> Result<FileAction, ApiError> {
    FileAction::upload(request.query::<ArchiveQuery>()?.format, &request.body)
}

/// Carry out a message of a sync
///
/// For hosts and `moorline workspace`: the protocol is in `docs/WORKSPACES.md`.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/workspaces/{id}/sync", tag = "Workspaces", operation_id = "syncWorkspace",
    params(("id" = WorkspaceId, Path, description = "The workspace.")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(Guarded, OfWorkspace, PuttingFiles,
        (status = 200, description = "The answer.", body = Vec<u8>,
            content_type = "application/octet-stream")),
))]
pub(crate) fn sync(request: &Request, _: &HeaderMap) -> Result<FileAction, ApiError> {
    FileAction::message(request.body.clone())
}
