//! The contents of files: chunks that are named by their hashes and shared by the files of a
//! workspace.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use moorline_shared::limits::SEGMENT_BYTES;
use moorline_shared::workspace::ContentHash;

use super::sql::SqlRow;
use super::statements::{CHUNK, CHUNKS_OF, DROP_CHUNK, LEAVE_CHUNK, PUT_CHUNK, USE_CHUNK};
use super::{Result, SqlFailure, WorkspaceFiles};

/// The most bytes of a chunk: a row.
const CHUNK_BYTES: usize = SEGMENT_BYTES;
/// The bytes of a hash.
const HASH_BYTES: usize = 32;

impl WorkspaceFiles<'_> {
    /// Stores a content once more, and returns the hashes of its chunks.
    pub(super) fn put_content(&self, content: &[u8], hash: &ContentHash) -> Result<Vec<u8>> {
        let mut chunks = Vec::new();
        for chunk in content.chunks(CHUNK_BYTES) {
            let name = if chunk.len() == content.len() { *hash } else { ContentHash::of(chunk) };
            let values = [self.id.as_str().into(), name.as_bytes()[..].into(), chunk.into()];
            self.sql.run(PUT_CHUNK, &values)?;
            chunks.extend_from_slice(name.as_bytes());
        }
        Ok(chunks)
    }

    /// Uses the chunks of a content once more.
    pub(super) fn use_content(&self, chunks: &[u8]) -> Result<()> {
        self.for_chunks(USE_CHUNK, chunks)
    }

    /// Uses the chunks of a content once less. [`Self::drop_chunks`] removes those that nothing uses.
    pub(super) fn leave_content(&self, chunks: &[u8]) -> Result<()> {
        self.for_chunks(LEAVE_CHUNK, chunks)
    }

    /// Removes those of these chunks that nothing uses.
    pub(super) fn drop_chunks(&self, chunks: &[u8]) -> Result<()> {
        self.for_chunks(DROP_CHUNK, chunks)
    }

    fn for_chunks(&self, statement: &str, chunks: &[u8]) -> Result<()> {
        let mut each = chunks.chunks(HASH_BYTES);
        each.try_for_each(|hash| self.sql.run(statement, &[self.id.as_str().into(), hash.into()]))
    }

    /// Returns the chunks and the length of a content, if a file has it.
    pub(super) fn chunks_of(&self, hash: &ContentHash) -> Result<Option<(Vec<u8>, usize)>> {
        let values = [self.id.as_str().into(), hash.as_bytes()[..].into()];
        let rows = self.sql.rows(CHUNKS_OF, &values)?;
        let Some(mut row) = rows.into_iter().next().map(SqlRow::new) else { return Ok(None) };
        let chunks = row.optional_blob()?.unwrap_or_default();
        let size = usize::try_from(row.number()?).map_err(|_| row.damaged())?;
        Ok(Some((chunks, size)))
    }

    /// Reads a part of a content.
    pub(super) fn content(&self, chunks: &[u8], part: Range<usize>) -> Result<Bytes> {
        let first = part.start / CHUNK_BYTES;
        let mut content = BytesMut::with_capacity(part.len());
        for (number, hash) in chunks.chunks(HASH_BYTES).enumerate().skip(first) {
            let begin = number * CHUNK_BYTES;
            if begin >= part.end {
                break;
            }
            let data = self.chunk(hash)?;
            let from = part.start.saturating_sub(begin).min(data.len());
            let to = (part.end - begin).min(data.len());
            if (from, to) == (0, data.len()) && content.is_empty() && data.len() == part.len() {
                return Ok(data.into());
            }
            content.extend_from_slice(&data[from..to]);
        }
        if content.len() == part.len() { Ok(content.freeze()) } else { Err(missing()) }
    }

    fn chunk(&self, hash: &[u8]) -> Result<Vec<u8>> {
        let rows = self.sql.rows(CHUNK, &[self.id.as_str().into(), hash.into()])?;
        let data = rows.into_iter().next().map(|row| SqlRow::new(row).optional_blob());
        data.transpose()?.flatten().ok_or_else(missing)
    }
}

fn missing() -> SqlFailure {
    SqlFailure::Other("a chunk of a workspace's file is missing".to_owned())
}
