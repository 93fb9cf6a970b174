//! Requests about a workspace's files: parsed first, and then carried out in one transaction.

mod archive;
mod file;
mod range;

use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderValue;
use http::{HeaderMap, StatusCode};
use moorline_shared::limits::WORKSPACE_WAIT;
use moorline_shared::rest::{FilesChanged, RenameFile};
use moorline_shared::workspace::WorkspacePath;
use moorline_shared::workspace::wire::{PathChange, WorkspaceAnswer, WorkspaceRequest};
use serde::Deserialize;

use super::apply::{Batch, Refusal};
use super::{Workspace, WorkspaceReply};
use crate::api::ApiError;
use crate::record::WorkspaceRecord;
use crate::routes::Request;
use archive::{ArchiveFormat, Upload};
use file::{FilePut, FileRead, FileRemoval};

/// A request about a workspace's files, parsed.
#[derive(Debug)]
pub struct Action(Kind);

#[derive(Debug)]
enum Kind {
    Details,
    Tree { since: Option<u64> },
    Read(FileRead),
    Put(FilePut),
    Remove(FileRemoval),
    Rename(RenameFile),
    Download(ArchiveFormat),
    Upload(Upload),
    Sync(WorkspaceRequest),
}

impl Action {
    /// Parses a request for the workspace itself.
    pub(crate) const fn details() -> Self {
        Self(Kind::Details)
    }

    /// Parses a request for the list of files.
    ///
    /// # Errors
    /// `bad_request`.
    pub(crate) fn tree(request: &Request) -> Result<Self, ApiError> {
        let query: TreeQuery = request.query()?;
        Ok(Self(Kind::Tree { since: query.since }))
    }

    /// Parses a request for a file.
    ///
    /// # Errors
    /// `path_invalid`.
    pub(crate) fn read(request: &Request, headers: &HeaderMap) -> Result<Self, ApiError> {
        Ok(Self(Kind::Read(FileRead::parse(path_of(request)?, headers))))
    }

    /// Parses a request that puts a file or directory.
    ///
    /// # Errors
    /// `path_invalid`, `bad_request` or `file_too_large`.
    pub(crate) fn put(request: &Request, headers: &HeaderMap) -> Result<Self, ApiError> {
        Ok(Self(Kind::Put(FilePut::parse(path_of(request)?, request, headers)?)))
    }

    /// Parses a request that deletes a file or directory.
    ///
    /// # Errors
    /// `path_invalid` or `bad_request`.
    pub(crate) fn remove(request: &Request, headers: &HeaderMap) -> Result<Self, ApiError> {
        Ok(Self(Kind::Remove(FileRemoval::parse(path_of(request)?, headers)?)))
    }

    /// Parses a request that renames a file or directory.
    ///
    /// # Errors
    /// `bad_request`.
    pub(crate) fn rename(request: &Request) -> Result<Self, ApiError> {
        Ok(Self(Kind::Rename(request.body()?)))
    }

    /// Parses a request for the workspace as an archive.
    ///
    /// # Errors
    /// `bad_request` or `not_supported`.
    pub(crate) fn download(request: &Request) -> Result<Self, ApiError> {
        Ok(Self(Kind::Download(ArchiveFormat::parse(request)?)))
    }

    /// Parses a request that puts the files of an archive, which is unpacked.
    ///
    /// # Errors
    /// `bad_archive`, `path_invalid`, `file_too_large`, `too_large` or `not_supported`.
    pub(crate) fn upload(request: &Request, headers: &HeaderMap) -> Result<Self, ApiError> {
        Ok(Self(Kind::Upload(Upload::parse(request, headers)?)))
    }

    /// Parses a message of a sync. The hashes of its contents are checked, which may take some
    /// milliseconds.
    ///
    /// # Errors
    /// `bad_request`.
    pub fn message(message: Bytes) -> Result<Self, ApiError> {
        let message = WorkspaceRequest::decode(message);
        Ok(Self(Kind::Sync(message.map_err(ApiError::bad_request)?)))
    }

    /// Returns true if the action reads the workspace's row.
    #[must_use]
    pub const fn describes(&self) -> bool {
        matches!(self.0, Kind::Details)
    }

    /// Returns true if the action may change files.
    #[must_use]
    pub const fn writes(&self) -> bool {
        match &self.0 {
            Kind::Put(_) | Kind::Remove(_) | Kind::Rename(_) | Kind::Upload(_) => true,
            Kind::Sync(request) => matches!(request, WorkspaceRequest::Apply { .. }),
            Kind::Details | Kind::Tree { .. } | Kind::Read(_) | Kind::Download(_) => false,
        }
    }

    /// Returns the longest time to wait while the reply [is early](WorkspaceReply::is_early).
    #[must_use]
    pub fn wait(&self) -> Duration {
        match &self.0 {
            Kind::Sync(WorkspaceRequest::Tree { wait_ms, .. }) => {
                Duration::from_millis(*wait_ms).min(WORKSPACE_WAIT)
            }
            _ => Duration::ZERO,
        }
    }

    /// Carries out the action.
    ///
    /// # Errors
    /// The error of the request. Nothing has changed then, except that the workspace may be full.
    pub fn run(
        &self,
        workspace: Workspace<'_>,
        record: &WorkspaceRecord,
    ) -> Result<WorkspaceReply, ApiError> {
        match &self.0 {
            Kind::Details => Ok(WorkspaceReply::json(StatusCode::OK, &workspace.details(record)?)),
            Kind::Tree { since } => {
                Ok(WorkspaceReply::json(StatusCode::OK, &workspace.tree(*since)?))
            }
            Kind::Read(read) => read.run(workspace),
            Kind::Put(put) => put.run(workspace),
            Kind::Remove(removal) => removal.run(workspace),
            Kind::Rename(wanted) => rename(workspace, wanted),
            Kind::Download(format) => archive::download(workspace, record, *format),
            Kind::Upload(upload) => upload.run(workspace),
            Kind::Sync(request) => sync(workspace, request),
        }
    }
}

#[derive(Debug, Deserialize)]
struct TreeQuery {
    since: Option<u64>,
}

fn path_of(request: &Request) -> Result<WorkspacePath, ApiError> {
    request.item.parse().map_err(|_| ApiError::path_invalid())
}

/// Carries out a message of a sync.
fn sync(workspace: Workspace<'_>, request: &WorkspaceRequest) -> Result<WorkspaceReply, ApiError> {
    let (mut changed, mut is_early) = (None, false);
    let answer = match request {
        WorkspaceRequest::Tree { since, .. } => {
            is_early =
                since.is_some_and(|since| workspace.revision().is_ok_and(|now| now == since));
            WorkspaceAnswer::Tree { tree: workspace.tree(*since)? }
        }
        WorkspaceRequest::Contents { hashes } => {
            WorkspaceAnswer::Contents { contents: workspace.contents(hashes)? }
        }
        WorkspaceRequest::Apply { changes } => {
            let mut batch = Batch::begin(workspace)?;
            let results = batch.apply(changes)?;
            changed = Some(batch.finish()?);
            WorkspaceAnswer::Applied { results }
        }
    };
    let kind = HeaderValue::from_static("application/octet-stream");
    let reply = WorkspaceReply::bytes(StatusCode::OK, kind, answer.encode());
    Ok(WorkspaceReply { changed, is_early, ..reply })
}

/// Renames a file, or a directory with everything in it.
fn rename(workspace: Workspace<'_>, wanted: &RenameFile) -> Result<WorkspaceReply, ApiError> {
    let RenameFile { path, to } = wanted;
    if path == to || to.is_in(path) {
        return Err(ApiError::bad_request(format!("`{path}` cannot be moved into itself.")));
    }
    let first = workspace.live(path)?.ok_or_else(|| ApiError::no_file(path.as_str()))?;
    if let Some(there) = workspace.live(to)? {
        return refused(&Refusal::stale(to, Some(there.file)));
    }
    let mut moved = vec![first];
    moved.extend(workspace.within(path)?);
    let mut puts = Vec::new();
    for stored in &moved {
        let to = stored.file.path.moved(path, to).map_err(|_| ApiError::path_invalid())?;
        puts.push(PathChange {
            path: to,
            base: None,
            to: stored.file.entry(),
            conflict_of: None,
            content: None,
        });
    }
    let mut batch = Batch::begin(workspace)?;
    let since = batch.revision();
    batch.remember(&puts)?;
    // First, so that a name can change in nothing but its case.
    remove_all(&mut batch, moved)?;
    for put in &puts {
        if let Err(refusal) = batch.change(put)? {
            return refused(&refusal);
        }
    }
    finish(workspace, batch, since, StatusCode::OK)
}

/// Deletes these, of which each directory comes before what is in it.
fn remove_all(batch: &mut Batch<'_>, files: Vec<super::StoredFile>) -> Result<(), ApiError> {
    for stored in files.into_iter().rev() {
        let change = PathChange {
            path: stored.file.path,
            base: Some(stored.file.revision),
            to: None,
            conflict_of: None,
            content: None,
        };
        if let Err(refusal) = batch.change(&change)? {
            return refused(&refusal);
        }
    }
    Ok(())
}

/// Ends a batch, and replies with what it has changed.
fn finish(
    workspace: Workspace<'_>,
    batch: Batch<'_>,
    since: u64,
    status: StatusCode,
) -> Result<WorkspaceReply, ApiError> {
    let revision = batch.finish()?;
    let files = workspace.tree(Some(since))?.files;
    let reply = WorkspaceReply::json(status, &FilesChanged { success: true, revision, files });
    Ok(WorkspaceReply { changed: Some(revision), ..reply })
}

fn refused<T>(refusal: &Refusal) -> Result<T, ApiError> {
    Err(ApiError::not_put(refusal.code, &refusal.message, refusal.present.clone()))
}
