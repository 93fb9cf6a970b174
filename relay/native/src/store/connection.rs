//! The only place that opens the database. Nothing else in this process may open its file, not even
//! to inspect it: a file's locks belong to the process, and closing any descriptor of the file drops
//! all of them. Another program that then opens the database takes itself for the only user, and
//! removes the write-ahead log when it closes.

use std::fs::Permissions;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{Store, StoreError};

/// The database's name in the data folder.
pub const FILE_NAME: &str = "moorline.sqlite3";

/// Measured with a flood of 64 KiB entries, 64 MiB retained: 4 KiB pages store 140 MB/s at 3.3 CPU
/// seconds per GB, 16 KiB 300 at 2.0, 32 KiB 430 at 1.6, 64 KiB 450 at 1.4. But a keystroke's
/// flush writes a page at least, so the step to 64 KiB is not worth it.
const PAGE_BYTES: u32 = 32 * 1024;

/// The WAL is copied back at 16 MiB. A larger one keeps being written to new pages of the system's
/// cache and is no faster; a smaller one waits for the disk more often.
const CHECKPOINT_PAGES: u32 = 512;

/// Time that a statement waits for another process, such as `moorline token`, to release the
/// database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Limit of the path's length, which leaves room for the suffixes that SQLite appends.
const PATH_BYTES: usize = 500;

/// A database, to which any number of connections can be opened.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    sharing: Sharing,
}

/// The programs that the database is shared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sharing {
    /// Other processes: the index of the write-ahead log is a file.
    Processes,
    /// Only threads of this process: the index is in memory. The database can then be read on a
    /// full disk, which has no room for the index file.
    Threads,
}

impl Database {
    /// Opens the database in `folder`, creates it if it is missing, closes it to other users, and
    /// runs missing migrations. Returns the first connection too.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be used, is too new, or is damaged.
    pub fn open(folder: &Path) -> Result<(Self, Store), StoreError> {
        let path = folder.join(FILE_NAME);
        let bytes = path.as_os_str().as_bytes().len();
        if bytes > PATH_BYTES {
            return Err(StoreError::LongPath { bytes, most: PATH_BYTES });
        }
        let open = |sharing| {
            let database = Self { path: path.clone(), sharing };
            let mut store = database.connect()?;
            store.migrate()?;
            Ok((database, store))
        };
        open(Sharing::Processes).or_else(|error: StoreError| {
            // Without the index file, an existing database can still be read.
            let is_there = std::fs::metadata(&path).is_ok_and(|found| found.len() > 0);
            let can_help = is_there && error.may_be_full();
            let alone = can_help.then(|| open(Sharing::Threads).ok()).flatten();
            alone.ok_or(error)
        })
    }

    /// Opens one more connection.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn connect(&self) -> Result<Store, StoreError> {
        // Without SQLITE_OPEN_URI, so that a path that begins with `file:` is a path too.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match self.sharing {
            Sharing::Processes => Connection::open_with_flags(&self.path, flags),
            Sharing::Threads => {
                Connection::open_with_flags_and_vfs(&self.path, flags, c"unix-excl")
            }
        };
        let connection = connection?;
        self.keep_private().map_err(|error| StoreError::Open { path: self.path.clone(), error })?;
        configure(&connection)?;
        Ok(Store { connection })
    }

    /// Closes the database to other users, without opening its file. SQLite gives the files that it
    /// makes beside the database the same mode.
    fn keep_private(&self) -> io::Result<()> {
        let found = std::fs::metadata(&self.path)?;
        if found.mode() & 0o077 == 0 {
            return Ok(());
        }
        std::fs::set_permissions(&self.path, Permissions::from_mode(0o600))
    }
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 {
        // Only for a new database: setting `auto_vacuum` on an existing one would write to it.
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        connection.pragma_update(None, "auto_vacuum", "incremental")?;
    }
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    Ok(())
}

/// An error of SQLite, displayed as one sentence that says what to do.
#[derive(Debug)]
pub struct Failure(pub(super) rusqlite::Error);

impl Failure {
    pub(super) fn code(&self) -> Option<ErrorCode> {
        self.0.sqlite_error_code()
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let advice = match self.code() {
            Some(ErrorCode::DiskFull) => {
                return f.write_str("the disk is full: free some space on it");
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                return f
                    .write_str("another program has locked the database: end it, and try again");
            }
            Some(ErrorCode::ReadOnly) => {
                "this user cannot write to it: check who owns the data folder and its files"
            }
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                "check who owns the data folder and its files, and that its disk is mounted"
            }
            Some(ErrorCode::NotADatabase) => {
                "the file is not a Moorline database: move it away, or name another data folder"
            }
            Some(ErrorCode::DatabaseCorrupt) => {
                "move it away, or restore a copy of it; `sqlite3 FILE .recover` saves what it can"
            }
            Some(ErrorCode::SystemIoFailure) => "check the system's log for errors of its disk",
            Some(ErrorCode::OutOfMemory) => "end some programs",
            _ => return write!(f, "the database failed: {}", self.0),
        };
        write!(f, "the database cannot be used ({}): {advice}", self.0)
    }
}
