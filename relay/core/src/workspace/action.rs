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
use moorline_shared::workspace::wire::{PathChange, WorkspaceAnswer, WorkspaceRequest};
use moorline_shared::workspace::{EntryKind, WorkspacePath};

use super::apply::{ChangeBatch, ChangeRefusal};
use super::{WorkspaceFiles, WorkspaceReply};
use crate::api::ApiError;
use crate::record::WorkspaceRecord;
pub(crate) use archive::ArchiveFormat;
use archive::Upload;
use file::{FilePut, FileRead, FileRemoval};

/// A request about a workspace's files, parsed.
#[derive(Debug)]
pub struct FileAction(ActionKind);

#[derive(Debug)]
enum ActionKind {
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

impl FileAction {
    /// Parses a request for the workspace itself.
    pub(crate) const fn details() -> Self {
        Self(ActionKind::Details)
    }

    /// Parses a request for the list of files.
    pub(crate) const fn tree(since: Option<u64>) -> Self {
        Self(ActionKind::Tree { since })
    }

    /// Parses a request for a file.
    ///
    /// # Errors
    /// `path_invalid`.
    pub(crate) fn read(path: &str, headers: &HeaderMap) -> Result<Self, ApiError> {
        Ok(Self(ActionKind::Read(FileRead::parse(parsed(path)?, headers))))
    }

    /// Parses a request that puts a file or directory.
    ///
    /// # Errors
    /// `path_invalid`, `bad_request` or `file_too_large`.
    pub(crate) fn put(
        path: &str,
        kind: EntryKind,
        content: &Bytes,
        headers: &HeaderMap,
    ) -> Result<Self, ApiError> {
        Ok(Self(ActionKind::Put(FilePut::parse(parsed(path)?, kind, content, headers)?)))
    }

    /// Parses a request that deletes a file or directory.
    ///
    /// # Errors
    /// `path_invalid` or `bad_request`.
    pub(crate) fn remove(path: &str, headers: &HeaderMap) -> Result<Self, ApiError> {
        Ok(Self(ActionKind::Remove(FileRemoval::parse(parsed(path)?, headers)?)))
    }

    /// Parses a request that renames a file or directory.
    pub(crate) const fn rename(wanted: RenameFile) -> Self {
        Self(ActionKind::Rename(wanted))
    }

    /// Parses a request for the workspace as an archive.
    ///
    /// # Errors
    /// `bad_request` or `not_supported`.
    pub(crate) fn download(format: ArchiveFormat) -> Result<Self, ApiError> {
        Ok(Self(ActionKind::Download(format.supported()?)))
    }

    /// Parses a request that puts the files of an archive, which is unpacked.
    ///
    /// # Errors
    /// `bad_archive`, `path_invalid`, `file_too_large`, `too_large` or `not_supported`.
    pub(crate) fn upload(format: ArchiveFormat, archive: &Bytes) -> Result<Self, ApiError> {
        Ok(Self(ActionKind::Upload(Upload::parse(format.supported()?, archive)?)))
    }

    /// Parses a message of a sync. The hashes of its contents are checked, which may take some
    /// milliseconds.
    ///
    /// # Errors
    /// `bad_request`.
    pub fn message(message: Bytes) -> Result<Self, ApiError> {
        let message = WorkspaceRequest::decode(message);
        Ok(Self(ActionKind::Sync(message.map_err(ApiError::bad_request)?)))
    }

    /// Returns true if the action reads the workspace's row.
    #[must_use]
    pub const fn describes(&self) -> bool {
        matches!(self.0, ActionKind::Details)
    }

    /// Returns true if the action may change files.
    #[must_use]
    pub const fn writes(&self) -> bool {
        match &self.0 {
            ActionKind::Put(_)
            | ActionKind::Remove(_)
            | ActionKind::Rename(_)
            | ActionKind::Upload(_) => true,
            ActionKind::Sync(request) => matches!(request, WorkspaceRequest::Apply { .. }),
            ActionKind::Details
            | ActionKind::Tree { .. }
            | ActionKind::Read(_)
            | ActionKind::Download(_) => false,
        }
    }

    /// Returns the longest time to wait while the reply [is early](WorkspaceReply::is_early).
    #[must_use]
    pub fn wait(&self) -> Duration {
        match &self.0 {
            ActionKind::Sync(WorkspaceRequest::Tree { wait_ms, .. }) => {
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
        workspace: WorkspaceFiles<'_>,
        record: &WorkspaceRecord,
    ) -> Result<WorkspaceReply, ApiError> {
        match &self.0 {
            ActionKind::Details => {
                Ok(WorkspaceReply::json(StatusCode::OK, &workspace.details(record)?))
            }
            ActionKind::Tree { since } => {
                Ok(WorkspaceReply::json(StatusCode::OK, &workspace.tree(*since)?))
            }
            ActionKind::Read(read) => read.run(workspace),
            ActionKind::Put(put) => put.run(workspace),
            ActionKind::Remove(removal) => removal.run(workspace),
            ActionKind::Rename(wanted) => rename(workspace, wanted),
            ActionKind::Download(format) => archive::download(workspace, record, *format),
            ActionKind::Upload(upload) => upload.run(workspace),
            ActionKind::Sync(request) => sync(workspace, request),
        }
    }
}

fn parsed(path: &str) -> Result<WorkspacePath, ApiError> {
    path.parse().map_err(|_| ApiError::path_invalid())
}

/// Carries out a message of a sync.
fn sync(
    workspace: WorkspaceFiles<'_>,
    request: &WorkspaceRequest,
) -> Result<WorkspaceReply, ApiError> {
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
            let mut batch = ChangeBatch::begin(workspace)?;
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
fn rename(workspace: WorkspaceFiles<'_>, wanted: &RenameFile) -> Result<WorkspaceReply, ApiError> {
    let RenameFile { path, to } = wanted;
    if path == to || to.is_in(path) {
        return Err(ApiError::bad_request(format!("`{path}` cannot be moved into itself.")));
    }
    let first = workspace.live(path)?.ok_or_else(|| ApiError::no_file(path.as_str()))?;
    if let Some(there) = workspace.live(to)? {
        return refused(&ChangeRefusal::stale(to, Some(there.file)));
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
    let mut batch = ChangeBatch::begin(workspace)?;
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
fn remove_all(batch: &mut ChangeBatch<'_>, files: Vec<super::StoredFile>) -> Result<(), ApiError> {
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
    workspace: WorkspaceFiles<'_>,
    batch: ChangeBatch<'_>,
    since: u64,
    status: StatusCode,
) -> Result<WorkspaceReply, ApiError> {
    let revision = batch.finish()?;
    let files = workspace.tree(Some(since))?.files;
    let reply = WorkspaceReply::json(status, &FilesChanged { success: true, revision, files });
    Ok(WorkspaceReply { changed: Some(revision), ..reply })
}

fn refused<T>(refusal: &ChangeRefusal) -> Result<T, ApiError> {
    Err(ApiError::not_put(refusal.code, &refusal.message, refusal.present.clone()))
}
