//! Workspaces: the files that a relay keeps, and every decision about them.
//!
//! [`WorkspaceFiles`] works on an open database by way of [`WorkspaceSql`], which runs one statement at a
//! time: SQLite on one machine, the storage of a Durable Object at the edge. So the statements, and
//! what they mean, exist once. The caller runs each [`FileAction`] as one transaction.
//!
//! Each change gets the next revision of the workspace, and each path has the revision of its last
//! change. A deleted path stays as a tombstone, so that whoever knows everything up to a revision is
//! told exactly what came after it.

mod action;
mod apply;
mod contents;
mod events;
mod key;
mod read;
mod reply;
mod sql;
mod statements;
#[cfg(test)]
mod tests;

pub(crate) use action::ArchiveFormat;
pub use action::FileAction;
pub use events::WorkspaceEvents;
pub use reply::WorkspaceReply;
pub use sql::{SqlCell, SqlFailure, SqlValue, WorkspaceSql};
pub use statements::DELETE_WORKSPACE_FILES;

use moorline_shared::id::WorkspaceId;
use moorline_shared::rest::WorkspaceFile;
use moorline_shared::workspace::{ContentHash, EntryKind, WorkspacePath};

use sql::SqlRow;
use statements::{FILE, PUT_STATE, STATE};

type Result<T> = std::result::Result<T, SqlFailure>;

/// The files of one workspace in an open database.
#[derive(Clone, Copy)]
pub struct WorkspaceFiles<'a> {
    /// The database.
    pub sql: &'a dyn WorkspaceSql,
    /// The workspace's id.
    pub id: &'a WorkspaceId,
    /// The most bytes that its files may have together.
    pub limit_bytes: u64,
    /// The current time, in milliseconds since 1970.
    pub now_ms: u64,
}

impl std::fmt::Debug for WorkspaceFiles<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkspaceFiles").field("id", self.id).finish_non_exhaustive()
    }
}

/// The totals of a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    /// The number of the last change.
    revision: u64,
    /// The revision up to which deleted paths are not remembered.
    trimmed: u64,
    /// The bytes of all files.
    bytes: u64,
    /// The number of files and directories.
    files: u64,
    /// True if a file was refused because of the limit, and nothing has made room since.
    is_full: bool,
}

/// A stored path: what is there, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
struct StoredFile {
    file: WorkspaceFile,
    /// The hashes of the content's chunks, one after the other. Empty if it was deleted.
    chunks: Vec<u8>,
}

impl WorkspaceFiles<'_> {
    fn state(&self) -> Result<State> {
        let rows = self.sql.rows(STATE, &[self.id.as_str().into()])?;
        let Some(mut row) = rows.into_iter().next().map(SqlRow::new) else {
            return Ok(State::default());
        };
        Ok(State {
            revision: row.number()?,
            trimmed: row.number()?,
            bytes: row.number()?,
            files: row.number()?,
            is_full: row.number()? != 0,
        })
    }

    fn put_state(&self, state: &State) -> Result<()> {
        let values = [
            self.id.as_str().into(),
            state.revision.into(),
            state.trimmed.into(),
            state.bytes.into(),
            state.files.into(),
            u64::from(state.is_full).into(),
        ];
        self.sql.run(PUT_STATE, &values)
    }

    /// Returns what is at a path, or was.
    fn stored(&self, path: &WorkspacePath) -> Result<Option<StoredFile>> {
        let rows = self.sql.rows(FILE, &[self.id.as_str().into(), path.as_str().into()])?;
        rows.into_iter().next().map(StoredFile::read).transpose()
    }

    /// Returns what is at a path.
    fn live(&self, path: &WorkspacePath) -> Result<Option<StoredFile>> {
        Ok(self.stored(path)?.filter(|stored| !stored.file.deleted))
    }
}

impl StoredFile {
    /// Reads a row that has the columns of [`FILE`].
    fn read(row: Vec<SqlCell>) -> Result<Self> {
        let mut row = SqlRow::new(row);
        let path = row.parsed()?;
        let deleted = row.optional_text()?.is_none();
        let kind = if row.number()? == 1 { EntryKind::Directory } else { EntryKind::File };
        let mode = u32::try_from(row.number()?).map_err(|_| row.damaged())?;
        let size = row.number()?;
        let hash = row.optional_blob()?.map(<[u8; 32]>::try_from).transpose();
        let hash = hash.map_err(|_| row.damaged())?.map(ContentHash::from_bytes);
        let chunks = row.optional_blob()?.unwrap_or_default();
        let (revision, changed_at) = (row.number()?, row.number()?);
        let conflict_of = row.optional_text()?.map(|text| text.parse()).transpose();
        let conflict_of = conflict_of.map_err(|_| row.damaged())?;
        let file = WorkspaceFile {
            path,
            kind,
            mode,
            size,
            hash,
            revision,
            changed_at,
            conflict_of,
            deleted,
        };
        Ok(Self { file, chunks })
    }
}
