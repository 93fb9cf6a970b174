//! Reading a workspace.

use moorline_shared::limits::WORKSPACE_CONTENTS_BYTES;
use moorline_shared::rest::{WorkspaceDetails, WorkspaceFile, WorkspaceTree};
use moorline_shared::workspace::wire::SizedContent;
use moorline_shared::workspace::{ContentHash, WorkspacePath};

use super::apply::bounds;
use super::statements::{FILES, FILES_IN, FILES_SINCE};
use super::{Result, StoredFile, WorkspaceFiles};
use crate::record::WorkspaceRecord;
use crate::rfc3339;

impl WorkspaceFiles<'_> {
    /// Describes the workspace.
    pub(super) fn details(&self, record: &WorkspaceRecord) -> Result<WorkspaceDetails> {
        let state = self.state()?;
        Ok(WorkspaceDetails {
            id: record.id.clone(),
            name: record.shown_name().to_owned(),
            project: record.project.clone(),
            created_at: rfc3339(record.created_at_ms),
            revision: state.revision,
            files: state.files,
            bytes: state.bytes,
            limit_bytes: self.limit_bytes,
            is_full: state.is_full,
        })
    }

    /// Returns the number of the last change.
    pub(super) fn revision(&self) -> Result<u64> {
        Ok(self.state()?.revision)
    }

    /// Returns what was changed or deleted since a revision; everything if that is not known, or if
    /// there is none.
    pub(super) fn tree(&self, since: Option<u64>) -> Result<WorkspaceTree> {
        let state = self.state()?;
        // A relay that lost its newest changes counts anew.
        let since = since.filter(|since| (state.trimmed..=state.revision).contains(since));
        let id = self.id.as_str();
        let rows = match since {
            Some(since) => self.sql.rows(FILES_SINCE, &[id.into(), since.into()])?,
            None => self.sql.rows(FILES, &[id.into()])?,
        };
        let files = rows.into_iter().map(|row| Ok(StoredFile::read(row)?.file));
        let files = files.collect::<Result<Vec<WorkspaceFile>>>()?;
        Ok(WorkspaceTree { revision: state.revision, full: since.is_none(), files })
    }

    /// Returns what is in a directory, at any depth, outermost first.
    pub(super) fn within(&self, directory: &WorkspacePath) -> Result<Vec<StoredFile>> {
        let (from, to) = bounds(directory);
        let values = [self.id.as_str().into(), (&*from).into(), (&*to).into()];
        self.sql.rows(FILES_IN, &values)?.into_iter().map(StoredFile::read).collect()
    }

    /// Returns every file and directory, outermost first.
    pub(super) fn all(&self) -> Result<Vec<StoredFile>> {
        let rows = self.sql.rows(FILES, &[self.id.as_str().into()])?;
        rows.into_iter().map(StoredFile::read).collect()
    }

    /// Returns as many of these contents as fit into a message. One that no file has any more is left
    /// out.
    pub(super) fn contents(&self, hashes: &[ContentHash]) -> Result<Vec<SizedContent>> {
        let (mut contents, mut bytes) = (Vec::new(), 0);
        for hash in hashes {
            let Some((chunks, size)) = self.chunks_of(hash)? else { continue };
            bytes += size;
            if bytes > WORKSPACE_CONTENTS_BYTES && !contents.is_empty() {
                break;
            }
            let content = self.content(&chunks, 0..size)?;
            contents.push(SizedContent { hash: *hash, size: size as u64, content });
        }
        Ok(contents)
    }
}
