//! A workspace as one file, tar or zip.

mod tarball;
#[cfg(feature = "zip")]
mod zipped;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, HeaderValue};
use moorline_shared::limits::{WORKSPACE_ARCHIVE_BYTES, WORKSPACE_FILE_BYTES, WORKSPACE_FILES};
use moorline_shared::workspace::wire::PathChange;
use moorline_shared::workspace::{FileEntry, MODE_BITS, WorkspacePath};
use serde::Deserialize;
use std::io::Read;

use super::{ChangeBatch, finish, refused};
use crate::api::ApiError;
use crate::record::WorkspaceRecord;
use crate::workspace::{StoredFile, WorkspaceFiles, WorkspaceReply};

/// The kind of an archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ArchiveFormat {
    #[default]
    Tar,
    Zip,
}

impl ArchiveFormat {
    /// Returns the format if this relay has it.
    pub(super) fn supported(self) -> Result<Self, ApiError> {
        if self == Self::Zip && !cfg!(feature = "zip") {
            return Err(ApiError::no_zip());
        }
        Ok(self)
    }
}

/// Something that an archive has.
#[derive(Debug)]
struct Member {
    path: WorkspacePath,
    mode: u32,
    /// The content; `None` for a directory.
    content: Option<Bytes>,
}

/// Returns the whole workspace as an archive.
pub(super) fn download(
    workspace: WorkspaceFiles<'_>,
    record: &WorkspaceRecord,
    format: ArchiveFormat,
) -> Result<WorkspaceReply, ApiError> {
    let files = workspace.all()?;
    let bytes: u64 = files.iter().map(|stored| stored.file.size).sum();
    if bytes > WORKSPACE_ARCHIVE_BYTES as u64 {
        return Err(ApiError::archive_too_large());
    }
    let members = files.into_iter().map(|StoredFile { file, chunks }| {
        let size = usize::try_from(file.size).unwrap_or_default();
        let content = match file.entry().is_some_and(|entry| entry.is_directory()) {
            true => None,
            false => Some(workspace.content(&chunks, 0..size)?),
        };
        Ok(Member { path: file.path, mode: file.mode, content })
    });
    let (body, extension) = match format {
        ArchiveFormat::Tar => (tarball::write(members)?, "tar"),
        #[cfg(feature = "zip")]
        ArchiveFormat::Zip => (zipped::write(members)?, "zip"),
        #[cfg(not(feature = "zip"))]
        ArchiveFormat::Zip => return Err(ApiError::no_zip()),
    };
    let mut reply = WorkspaceReply::bytes(
        StatusCode::OK,
        HeaderValue::from_static("application/octet-stream"),
        body.into(),
    );
    let name = format!("attachment; filename=\"{}.{extension}\"", record.id);
    let name = HeaderValue::from_str(&name).ok();
    reply.headers.extend(name.map(|name| (CONTENT_DISPOSITION, name)));
    Ok(reply)
}

/// An archive whose files are to be put, in place of whatever is there.
#[derive(Debug)]
pub(super) struct Upload {
    members: Vec<Member>,
}

impl Upload {
    /// Unpacks an archive. The whole of it is refused if a path leads out of the workspace, a file is
    /// too large, or all of them together are.
    pub(super) fn parse(format: ArchiveFormat, archive: &Bytes) -> Result<Self, ApiError> {
        let members = match format {
            ArchiveFormat::Tar => tarball::read(archive)?,
            #[cfg(feature = "zip")]
            ArchiveFormat::Zip => zipped::read(archive.clone())?,
            #[cfg(not(feature = "zip"))]
            ArchiveFormat::Zip => return Err(ApiError::no_zip()),
        };
        Ok(Self { members })
    }

    pub(super) fn run(&self, workspace: WorkspaceFiles<'_>) -> Result<WorkspaceReply, ApiError> {
        let mut batch = ChangeBatch::begin(workspace)?;
        let since = batch.revision();
        for Member { path, mode, content } in &self.members {
            let to = match content {
                Some(content) => FileEntry::file(*mode, content),
                None => FileEntry::Directory { mode: *mode },
            };
            let base = workspace.live(path)?.map(|stored| stored.file.revision);
            let (path, content) = (path.clone(), content.clone());
            let change = PathChange { path, base, to: Some(to), conflict_of: None, content };
            if let Err(refusal) = batch.change(&change)? {
                return refused(&refusal);
            }
        }
        finish(workspace, batch, since, StatusCode::OK)
    }
}

/// The members of an archive as they are unpacked, within the limits.
#[derive(Debug, Default)]
struct Members {
    all: Vec<Member>,
    bytes: usize,
}

impl Members {
    /// Adds a member with the name that it has in the archive.
    fn add(
        &mut self,
        name: &str,
        mode: Option<u32>,
        content: Option<&mut dyn Read>,
    ) -> Result<(), ApiError> {
        let name = name.strip_prefix("./").unwrap_or(name);
        let name = if content.is_none() { name.trim_end_matches('/') } else { name };
        if name.is_empty() || name == "." {
            // The directory that was packed.
            return Ok(());
        }
        let path = name.parse().map_err(|_| ApiError::path_invalid())?;
        if self.all.len() >= WORKSPACE_FILES {
            return Err(ApiError::archive_too_large());
        }
        let default = if content.is_some() { 0o644 } else { 0o755 };
        let mode = mode.unwrap_or(default) & MODE_BITS;
        let content = content.map(|content| self.unpack(content)).transpose()?;
        self.all.push(Member { path, mode, content });
        Ok(())
    }

    /// Unpacks a content, and no more than a file may have: what the archive says of it may be wrong.
    fn unpack(&mut self, content: &mut dyn Read) -> Result<Bytes, ApiError> {
        let mut unpacked = Vec::new();
        let most = WORKSPACE_FILE_BYTES as u64 + 1;
        content.take(most).read_to_end(&mut unpacked).map_err(ApiError::bad_archive)?;
        if unpacked.len() > WORKSPACE_FILE_BYTES {
            return Err(ApiError::file_too_large());
        }
        self.bytes += unpacked.len();
        if self.bytes > WORKSPACE_ARCHIVE_BYTES {
            return Err(ApiError::archive_too_large());
        }
        Ok(unpacked.into())
    }
}
