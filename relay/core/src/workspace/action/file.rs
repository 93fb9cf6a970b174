//! Requests about one file.

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_RANGE, ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, IF_RANGE,
    RANGE,
};
use http::{HeaderMap, StatusCode};
use moorline_shared::limits::WORKSPACE_FILE_BYTES;
use moorline_shared::rest::WorkspaceFile;
use moorline_shared::workspace::wire::PathChange;
use moorline_shared::workspace::{EntryKind, FileEntry, MODE_BITS, WorkspacePath};

use super::range::{RangePart, parse};
use super::{ChangeBatch, ChangeRefusal, finish, refused, remove_all};
use crate::api::ApiError;
use crate::workspace::{StoredFile, WorkspaceFiles, WorkspaceReply};

/// The permission bits of a file, in octal.
const MODE: HeaderName = HeaderName::from_static("x-moorline-mode");
/// The revision that has put a file.
const REVISION: HeaderName = HeaderName::from_static("x-moorline-revision");
const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;

/// What must be there for a request to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    Always,
    /// Something, whatever it is.
    Something,
    /// Nothing.
    Nothing,
    /// A file whose tag is one of these.
    Tags(String),
}

impl Condition {
    fn parse(headers: &HeaderMap) -> Result<Self, ApiError> {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        match (text(IF_MATCH), text(IF_NONE_MATCH)) {
            (None, None) => Ok(Self::Always),
            (Some("*"), None) => Ok(Self::Something),
            (Some(tags), None) => Ok(Self::Tags(tags.to_owned())),
            (None, Some("*")) => Ok(Self::Nothing),
            _ => Err(ApiError::bad_request(
                "Send `If-Match: \"<hash>\"` to change what you know, or `If-None-Match: *` to put a \
                 new file.",
            )),
        }
    }

    fn allows(&self, present: Option<&WorkspaceFile>) -> bool {
        match self {
            Self::Always => true,
            Self::Something => present.is_some(),
            Self::Nothing => present.is_none(),
            Self::Tags(tags) => present.is_some_and(|file| names(tags, file)),
        }
    }
}

/// Returns true if a list of tags has that of a file.
fn names(tags: &str, file: &WorkspaceFile) -> bool {
    let tag = tag(file);
    tags.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
}

/// The tag of a file is its hash; a directory's is its revision.
fn tag(file: &WorkspaceFile) -> String {
    match file.hash {
        Some(hash) => format!("\"{hash}\""),
        None => format!("\"{}\"", file.revision),
    }
}

/// A request for a file's content.
#[derive(Debug)]
pub(super) struct FileRead {
    path: WorkspacePath,
    range: Option<String>,
    if_range: Option<String>,
    if_none_match: Option<String>,
}

impl FileRead {
    pub(super) fn parse(path: WorkspacePath, headers: &HeaderMap) -> Self {
        let text = |name| {
            let value: Option<&HeaderValue> = headers.get(name);
            value.and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (range, if_range) = (text(RANGE), text(IF_RANGE));
        Self { path, range, if_range, if_none_match: text(IF_NONE_MATCH) }
    }

    pub(super) fn run(&self, workspace: WorkspaceFiles<'_>) -> Result<WorkspaceReply, ApiError> {
        let path = self.path.as_str();
        let stored = workspace.live(&self.path)?.ok_or_else(|| ApiError::no_file(path))?;
        let StoredFile { file, chunks } = stored;
        if file.kind == EntryKind::Directory {
            return Err(ApiError::is_directory(path));
        }
        let kind = HeaderValue::from_static("application/octet-stream");
        if self.if_none_match.as_ref().is_some_and(|tags| tags == "*" || names(tags, &file)) {
            let reply = WorkspaceReply::bytes(StatusCode::NOT_MODIFIED, kind, Bytes::new());
            return Ok(described(reply, &file));
        }
        let size = usize::try_from(file.size).unwrap_or(usize::MAX);
        let is_same = self.if_range.as_ref().is_none_or(|wanted| names(wanted, &file));
        let range = self.range.as_deref().filter(|_| is_same);
        let (status, part) = match parse(range, size) {
            RangePart::Whole => (StatusCode::OK, 0..size),
            RangePart::Bytes(part) => (StatusCode::PARTIAL_CONTENT, part),
            RangePart::Outside => return Err(ApiError::bad_range()),
        };
        let content = workspace.content(&chunks, part.clone())?;
        let mut reply = WorkspaceReply::bytes(status, kind, content);
        if status == StatusCode::PARTIAL_CONTENT {
            let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            reply.headers.extend(HeaderValue::from_str(&range).ok().map(|it| (CONTENT_RANGE, it)));
        }
        Ok(described(reply, &file))
    }
}

/// Adds the headers that describe a file.
fn described(mut reply: WorkspaceReply, file: &WorkspaceFile) -> WorkspaceReply {
    let headers = [
        (ETAG, tag(file)),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (MODE, format!("{:o}", file.mode)),
        (REVISION, file.revision.to_string()),
    ];
    for (name, value) in headers {
        reply.headers.extend(HeaderValue::from_str(&value).ok().map(|value| (name, value)));
    }
    reply
}

/// A request that puts a file or directory.
#[derive(Debug)]
pub(super) struct FilePut {
    path: WorkspacePath,
    condition: Condition,
    mode: Option<u32>,
    /// The content; `None` for a directory.
    content: Option<(FileEntry, Bytes)>,
}

impl FilePut {
    pub(super) fn parse(
        path: WorkspacePath,
        kind: EntryKind,
        content: &Bytes,
        headers: &HeaderMap,
    ) -> Result<Self, ApiError> {
        let mode = headers.get(MODE).map(|mode| {
            let mode = mode.to_str().ok().and_then(|mode| u32::from_str_radix(mode, 8).ok());
            let mode = mode.filter(|mode| *mode <= MODE_BITS);
            mode.ok_or_else(|| {
                ApiError::bad_request(
                    "The header `X-Moorline-Mode` is a mode in octal, such as 644.",
                )
            })
        });
        let content = match kind {
            EntryKind::Directory if !content.is_empty() => {
                return Err(ApiError::bad_request("A directory has no content."));
            }
            EntryKind::Directory => None,
            EntryKind::File if content.len() > WORKSPACE_FILE_BYTES => {
                return Err(ApiError::file_too_large());
            }
            EntryKind::File => Some((FileEntry::file(FILE_MODE, content), content.clone())),
        };
        let condition = Condition::parse(headers)?;
        Ok(Self { path, condition, mode: mode.transpose()?, content })
    }

    pub(super) fn run(&self, workspace: WorkspaceFiles<'_>) -> Result<WorkspaceReply, ApiError> {
        let present = workspace.live(&self.path)?.map(|stored| stored.file);
        if !self.condition.allows(present.as_ref()) {
            return refused(&ChangeRefusal::stale(&self.path, present));
        }
        let is_new = present.is_none();
        let (mut entry, content) = match &self.content {
            Some((entry, content)) => (*entry, Some(content.clone())),
            None => (FileEntry::Directory { mode: DIRECTORY_MODE }, None),
        };
        let kept = present.as_ref().filter(|file| file.kind == entry.kind()).map(|file| file.mode);
        entry = entry.with_mode(self.mode.or(kept).unwrap_or(entry.mode()));
        let change = PathChange {
            path: self.path.clone(),
            base: present.map(|file| file.revision),
            to: Some(entry),
            conflict_of: None,
            content,
        };
        let mut batch = ChangeBatch::begin(workspace)?;
        let since = batch.revision();
        if let Err(refusal) = batch.change(&change)? {
            // That the workspace is full is stored.
            batch.finish()?;
            let error = refused::<()>(&refusal).expect_err("a refusal is an error");
            return Ok(WorkspaceReply::json(error.status(), error.body()));
        }
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        let mut reply = finish(workspace, batch, since, status)?;
        let file = workspace.live(&self.path)?;
        let tag = file.and_then(|stored| HeaderValue::from_str(&tag(&stored.file)).ok());
        reply.headers.extend(tag.map(|tag| (ETAG, tag)));
        Ok(reply)
    }
}

/// A request that deletes a file, or a directory with everything in it.
#[derive(Debug)]
pub(super) struct FileRemoval {
    path: WorkspacePath,
    condition: Condition,
}

impl FileRemoval {
    pub(super) fn parse(path: WorkspacePath, headers: &HeaderMap) -> Result<Self, ApiError> {
        Ok(Self { path, condition: Condition::parse(headers)? })
    }

    pub(super) fn run(&self, workspace: WorkspaceFiles<'_>) -> Result<WorkspaceReply, ApiError> {
        let path = &self.path;
        let Some(first) = workspace.live(path)? else {
            return Err(ApiError::no_file(path.as_str()));
        };
        if !self.condition.allows(Some(&first.file)) {
            return refused(&ChangeRefusal::stale(path, Some(first.file)));
        }
        let mut removed = vec![first];
        removed.extend(workspace.within(path)?);
        let mut batch = ChangeBatch::begin(workspace)?;
        let since = batch.revision();
        remove_all(&mut batch, removed)?;
        finish(workspace, batch, since, StatusCode::OK)
    }
}
