//! The database of a session's changes: one `SQLite` file for each session.
//!
//! `base` has each file as it was before the agent changed it, `seen` the files as they were when
//! the folders were listed last, and `touched` the turns in which files have changed since.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use bytes::Bytes;
use moorline_shared::id::TurnId;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::ChangesError;
use super::listing::ListedStamp;
use crate::operations::FileState;

/// Most bytes of old files that are kept of a session, before they are compressed.
const KEPT_BYTES: u64 = 128 * 1024 * 1024;
/// Most turns of a file that are known.
const TURNS: usize = 16;
/// The version of the tables. Those of another version are dropped.
const VERSION: u32 = 1;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS base (
        path TEXT PRIMARY KEY, mark TEXT NOT NULL, mode INTEGER NOT NULL, size INTEGER NOT NULL,
        content BLOB
    );
    CREATE TABLE IF NOT EXISTS seen (
        path TEXT PRIMARY KEY, mark TEXT NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL,
        changed INTEGER NOT NULL, inode INTEGER NOT NULL, is_settled INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS touched (path TEXT NOT NULL, turn TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS touched_path ON touched (path);";

/// A fact about the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fact {
    /// The turn that runs.
    Turn,
    /// When the folders were listed for it, in nanoseconds since 1970.
    Began,
    /// Set if the last listing was cut.
    Cut,
    /// Set if the last listing lacked a part.
    Partial,
    /// Set if an agent could begin before its files were known.
    Late,
}

impl Fact {
    const fn name(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Began => "began",
            Self::Cut => "cut",
            Self::Partial => "partial",
            Self::Late => "late",
        }
    }
}

/// A file when the folders were listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SeenFile {
    /// Tells its content from others: see [`super::sight::mark_of`].
    pub(super) mark: String,
    pub(super) stamp: ListedStamp,
    /// True if a later change of it would change its stamp, too.
    pub(super) is_settled: bool,
}

/// A file before the agent changed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BaseFile {
    pub(super) mark: String,
    pub(super) mode: u32,
    /// Its content, if it is kept.
    pub(super) content: Option<Bytes>,
}

/// Opens the tables of a session, at a path or, if that is empty, in a file that ends with them.
///
/// # Errors
/// [`ChangesError`].
pub(super) fn open(path: &Path) -> Result<Connection, ChangesError> {
    if !path.as_os_str().is_empty() {
        // SQLite's further files get the mode of this one. If it cannot be created, SQLite says so.
        let mut private = OpenOptions::new();
        _ = private.create(true).append(true).mode(0o600).open(path);
    }
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // Safe from the death of the process, as the host's journal is.
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "journal_size_limit", 4 * 1024 * 1024)?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != VERSION {
        connection.execute_batch(
            "DROP TABLE IF EXISTS fact; DROP TABLE IF EXISTS base; DROP TABLE IF EXISTS seen;
             DROP TABLE IF EXISTS touched;",
        )?;
        connection.pragma_update(None, "user_version", VERSION)?;
    }
    connection.execute_batch(TABLES)?;
    Ok(connection)
}

/// Removes the file of a session, and those that SQLite keeps beside it.
pub(super) fn remove(file: &Path) {
    if file.as_os_str().is_empty() {
        return;
    }
    for end in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "the files of a session that is over stay");
            }
            _ => {}
        }
    }
}

/// The tables, within a transaction or without.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChangeTables<'a>(pub(super) &'a Connection);

impl ChangeTables<'_> {
    pub(super) fn fact(self, fact: Fact) -> Result<Option<String>, ChangesError> {
        let mut statement = self.0.prepare_cached("SELECT value FROM fact WHERE name = ?1")?;
        Ok(statement.query_row([fact.name()], |row| row.get(0)).optional()?)
    }

    pub(super) fn is_set(self, fact: Fact) -> Result<bool, ChangesError> {
        Ok(self.fact(fact)?.is_some())
    }

    /// Records a fact; `None` removes it.
    pub(super) fn set(self, fact: Fact, value: Option<&str>) -> Result<(), ChangesError> {
        match value {
            Some(value) => self.0.execute(
                "INSERT OR REPLACE INTO fact (name, value) VALUES (?1, ?2)",
                [fact.name(), value],
            )?,
            None => self.0.execute("DELETE FROM fact WHERE name = ?1", [fact.name()])?,
        };
        Ok(())
    }

    pub(super) fn seen(self) -> Result<BTreeMap<String, SeenFile>, ChangesError> {
        let mut statement = self.0.prepare_cached(
            "SELECT path, mark, size, modified, changed, inode, is_settled FROM seen",
        )?;
        let rows = statement.query_map([], |row| {
            let stamp = ListedStamp {
                size: row.get::<_, i64>(2)?.cast_unsigned(),
                modified: row.get(3)?,
                changed: row.get(4)?,
                inode: row.get::<_, i64>(5)?.cast_unsigned(),
            };
            let seen = SeenFile { mark: row.get(1)?, stamp, is_settled: row.get(6)? };
            Ok((row.get(0)?, seen))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Records a file of the last listing; `None` if it is not in it.
    pub(super) fn see(self, path: &str, seen: Option<&SeenFile>) -> Result<(), ChangesError> {
        let Some(SeenFile { mark, stamp, is_settled }) = seen else {
            self.0.prepare_cached("DELETE FROM seen WHERE path = ?1")?.execute([path])?;
            return Ok(());
        };
        let (size, inode) = (stamp.size.cast_signed(), stamp.inode.cast_signed());
        let mut statement = self.0.prepare_cached(
            "INSERT OR REPLACE INTO seen (path, mark, size, modified, changed, inode, is_settled)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let ListedStamp { modified, changed, .. } = *stamp;
        statement.execute(params![path, mark, size, modified, changed, inode, is_settled])?;
        Ok(())
    }

    pub(super) fn base(self, path: &str) -> Result<Option<BaseFile>, ChangesError> {
        let mut statement =
            self.0.prepare_cached("SELECT mark, mode, content FROM base WHERE path = ?1")?;
        let row = statement.query_row([path], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<Vec<u8>>>(2)?))
        });
        let Some((mark, mode, packed)) = row.optional()? else { return Ok(None) };
        let content = packed.map(|packed| unpack(&packed)).transpose()?;
        Ok(Some(BaseFile { mark, mode, content: content.map(Bytes::from) }))
    }

    pub(super) fn base_mark(self, path: &str) -> Result<Option<String>, ChangesError> {
        let mut statement = self.0.prepare_cached("SELECT mark FROM base WHERE path = ?1")?;
        Ok(statement.query_row([path], |row| row.get(0)).optional()?)
    }

    /// Makes a file part of the base. `file` is its content, unless that is not read.
    pub(super) fn put_base(
        self,
        path: &str,
        mark: &str,
        file: Option<&FileState>,
    ) -> Result<(), ChangesError> {
        self.drop_base(path)?;
        let size = file.map_or(0, |file| file.content.len() as u64);
        let kept = file.filter(|_| self.kept_bytes().is_ok_and(|kept| kept + size <= KEPT_BYTES));
        let packed = kept.map(|file| lz4_flex::block::compress_prepend_size(&file.content));
        let mode = file.map_or(0o644, |file| file.mode.as_raw_mode() & 0o7777);
        let mut statement = self.0.prepare_cached(
            "INSERT INTO base (path, mark, mode, size, content) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        statement.execute(params![path, mark, mode, size.cast_signed(), packed])?;
        if kept.is_some() {
            self.count_kept(size.cast_signed())?;
        }
        Ok(())
    }

    pub(super) fn drop_base(self, path: &str) -> Result<(), ChangesError> {
        let mut statement = self.0.prepare_cached(
            "DELETE FROM base WHERE path = ?1 RETURNING CASE WHEN content IS NULL THEN 0 ELSE size END",
        )?;
        let freed: Option<i64> = statement.query_row([path], |row| row.get(0)).optional()?;
        match freed {
            Some(freed @ 1..) => self.count_kept(-freed),
            _ => Ok(()),
        }
    }

    fn kept_bytes(self) -> Result<u64, ChangesError> {
        let mut statement =
            self.0.prepare_cached("SELECT CAST(value AS INTEGER) FROM fact WHERE name = 'kept'")?;
        let kept: Option<i64> = statement.query_row([], |row| row.get(0)).optional()?;
        Ok(kept.unwrap_or_default().max(0).cast_unsigned())
    }

    fn count_kept(self, more: i64) -> Result<(), ChangesError> {
        let mut statement = self.0.prepare_cached(
            "INSERT INTO fact (name, value) VALUES ('kept', ?1)
             ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + ?1",
        )?;
        statement.execute([more])?;
        Ok(())
    }

    /// Returns true if the content of a file in the base is not kept.
    pub(super) fn lacks_content(self) -> Result<bool, ChangesError> {
        let found = "SELECT EXISTS (SELECT 1 FROM base WHERE content IS NULL)";
        Ok(self.0.prepare_cached(found)?.query_row([], |row| row.get(0))?)
    }

    /// Returns the files that have changed, in order.
    pub(super) fn touched(self) -> Result<Vec<String>, ChangesError> {
        let mut statement =
            self.0.prepare_cached("SELECT DISTINCT path FROM touched ORDER BY path")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(super) fn is_touched(self, path: &str) -> Result<bool, ChangesError> {
        let found = "SELECT EXISTS (SELECT 1 FROM touched WHERE path = ?1)";
        Ok(self.0.prepare_cached(found)?.query_row([path], |row| row.get(0))?)
    }

    /// Returns the turns in which a file has changed, oldest first.
    pub(super) fn turns(self, path: &str) -> Result<Vec<TurnId>, ChangesError> {
        let mut statement =
            self.0.prepare_cached("SELECT turn FROM touched WHERE path = ?1 ORDER BY rowid")?;
        let rows = statement.query_map([path], |row| row.get::<_, String>(0))?;
        let turns = rows.collect::<Result<Vec<_>, _>>()?;
        Ok(turns.iter().filter_map(|turn| turn.parse().ok()).collect())
    }

    pub(super) fn touch(self, path: &str, turn: &str) -> Result<(), ChangesError> {
        self.0
            .prepare_cached(
                "INSERT INTO touched (path, turn) SELECT ?1, ?2
                 WHERE NOT EXISTS (SELECT 1 FROM touched WHERE path = ?1 AND turn = ?2)",
            )?
            .execute([path, turn])?;
        self.0
            .prepare_cached(
                "DELETE FROM touched WHERE path = ?1 AND rowid NOT IN
                 (SELECT rowid FROM touched WHERE path = ?1 ORDER BY rowid DESC LIMIT ?2)",
            )?
            .execute(params![path, TURNS as i64])?;
        Ok(())
    }

    pub(super) fn untouch(self, path: &str) -> Result<(), ChangesError> {
        self.0.prepare_cached("DELETE FROM touched WHERE path = ?1")?.execute([path])?;
        Ok(())
    }
}

/// Decompresses a file of the base. More than is ever kept is damage, which must not cost memory.
fn unpack(packed: &[u8]) -> Result<Vec<u8>, ChangesError> {
    let (size, block) =
        lz4_flex::block::uncompressed_size(packed).map_err(|_| ChangesError::Damaged)?;
    if size as u64 > KEPT_BYTES {
        return Err(ChangesError::Damaged);
    }
    lz4_flex::block::decompress(block, size).map_err(|_| ChangesError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_that_claims_to_be_huge_is_damaged() {
        let packed = lz4_flex::block::compress_prepend_size(b"fn main() {}");
        assert_eq!(unpack(&packed).unwrap(), b"fn main() {}");
        for size in [u32::MAX, u32::try_from(KEPT_BYTES).unwrap() + 1, 11] {
            let claimed = [&size.to_le_bytes()[..], &packed[4..]].concat();
            assert!(matches!(unpack(&claimed), Err(ChangesError::Damaged)), "{size}");
        }
        for cut in [&[][..], &packed[..3], &packed[..packed.len() - 1]] {
            assert!(matches!(unpack(cut), Err(ChangesError::Damaged)), "{cut:?}");
        }
    }
}
