//! The statements of workspaces. Every table is in [`crate::schema`].

use const_format::formatcp;

/// Removes everything that a workspace has: each with (workspace).
pub const DELETE_WORKSPACE_FILES: [&str; 3] = [
    "DELETE FROM workspace_states WHERE workspace = ?1",
    "DELETE FROM workspace_files WHERE workspace = ?1",
    "DELETE FROM workspace_chunks WHERE workspace = ?1",
];

/// Selects the totals: (workspace) gives (revision, trimmed, bytes, files, `is_full`).
pub(super) const STATE: &str = "
SELECT revision, trimmed, bytes, files, is_full FROM workspace_states WHERE workspace = ?1";

/// Replaces the totals: (workspace), then the columns of [`STATE`].
pub(super) const PUT_STATE: &str = "
INSERT OR REPLACE INTO workspace_states (workspace, revision, trimmed, bytes, files, is_full)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

const COLUMNS: &str =
    "path, name_key, kind, mode, size, hash, chunks, revision, changed_at, conflict_of";

/// Selects a path: (workspace, path). The key is null if it was deleted.
pub(super) const FILE: &str =
    formatcp!("SELECT {COLUMNS} FROM workspace_files WHERE workspace = ?1 AND path = ?2");

/// Selects every path that was not deleted, sorted: (workspace).
pub(super) const FILES: &str = formatcp!(
    "SELECT {COLUMNS} FROM workspace_files
WHERE workspace = ?1 AND name_key IS NOT NULL ORDER BY path"
);

/// Selects what was changed or deleted after a revision, in that order: (workspace, revision).
pub(super) const FILES_SINCE: &str = formatcp!(
    "SELECT {COLUMNS} FROM workspace_files WHERE workspace = ?1 AND revision > ?2 ORDER BY revision"
);

/// Selects what is in a directory, at any depth, sorted: (workspace, directory with `/`, directory
/// with the character after `/`).
pub(super) const FILES_IN: &str = formatcp!(
    "SELECT {COLUMNS} FROM workspace_files
WHERE workspace = ?1 AND path > ?2 AND path < ?3 AND name_key IS NOT NULL ORDER BY path"
);

/// Selects one path of [`FILES_IN`].
pub(super) const ANY_IN: &str = "
SELECT path FROM workspace_files
WHERE workspace = ?1 AND path > ?2 AND path < ?3 AND name_key IS NOT NULL LIMIT 1";

/// Selects the path that has a key: (workspace, key).
pub(super) const PATH_OF_KEY: &str =
    "SELECT path FROM workspace_files WHERE workspace = ?1 AND name_key = ?2";

/// Selects a content that a file has: (workspace, hash) gives (chunks, size).
pub(super) const CHUNKS_OF: &str = "
SELECT chunks, size FROM workspace_files
WHERE workspace = ?1 AND hash = ?2 AND name_key IS NOT NULL LIMIT 1";

/// Inserts or replaces a path: (workspace), then the columns.
pub(super) const PUT_FILE: &str = formatcp!(
    "INSERT OR REPLACE INTO workspace_files (workspace, {COLUMNS})
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
);

/// Counts the deleted paths: (workspace).
pub(super) const TOMBSTONES: &str =
    "SELECT count(*) FROM workspace_files WHERE workspace = ?1 AND name_key IS NULL";

/// Selects the revision of the last of the oldest deleted paths: (workspace, number - 1).
pub(super) const OLD_TOMBSTONE: &str = "
SELECT revision FROM workspace_files WHERE workspace = ?1 AND name_key IS NULL
ORDER BY revision LIMIT 1 OFFSET ?2";

/// Forgets deleted paths up to a revision: (workspace, revision).
pub(super) const TRIM_TOMBSTONES: &str = "
DELETE FROM workspace_files WHERE workspace = ?1 AND name_key IS NULL AND revision <= ?2";

/// Adds a chunk, or another use of it: (workspace, hash, data).
pub(super) const PUT_CHUNK: &str = "
INSERT INTO workspace_chunks (workspace, hash, uses, data) VALUES (?1, ?2, 1, ?3)
ON CONFLICT (workspace, hash) DO UPDATE SET uses = uses + 1";

/// Adds another use of a chunk: (workspace, hash).
pub(super) const USE_CHUNK: &str =
    "UPDATE workspace_chunks SET uses = uses + 1 WHERE workspace = ?1 AND hash = ?2";

/// Removes a use of a chunk: (workspace, hash).
pub(super) const LEAVE_CHUNK: &str =
    "UPDATE workspace_chunks SET uses = uses - 1 WHERE workspace = ?1 AND hash = ?2";

/// Removes a chunk that nothing uses: (workspace, hash).
pub(super) const DROP_CHUNK: &str =
    "DELETE FROM workspace_chunks WHERE workspace = ?1 AND hash = ?2 AND uses <= 0";

/// Selects a chunk's data: (workspace, hash).
pub(super) const CHUNK: &str =
    "SELECT data FROM workspace_chunks WHERE workspace = ?1 AND hash = ?2";
