//! What a relay keeps on disk: one SQLite file in the data folder.

mod copies;
mod hosts;
mod log;
mod projects;
mod sessions;
mod snapshots;
#[cfg(test)]
mod tests;
mod tokens;
mod writer;

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use moorline_shared::id::Seq;
use rusqlite::{Connection, ErrorCode};

use crate::core::schema;
use crate::core::segment::SegmentError;

pub use crate::core::record::{HostRecord, ProjectRecord, SessionRecord, TokenRecord};
pub use copies::Copied;
pub use writer::{Batch, Source, Writer};

/// The database's name in the data folder.
pub const FILE_NAME: &str = "moorline.sqlite3";

/// Measured with a flood of 64 KiB entries, 64 MiB retained: 4 KiB pages store 140 MB/s at 3.3 CPU
/// seconds per GB, 16 KiB 300 at 2.0, 32 KiB 430 at 1.6, 64 KiB 450 at 1.4. But a keystroke's
/// flush writes a page at least, so the step to 64 KiB is not worth it.
const PAGE_BYTES: u32 = 32 * 1024;

/// The WAL is copied back at 16 MiB. A larger one is written to new pages of the system's cache
/// all the time and is no faster; a smaller one costs more waits for the disk.
const CHECKPOINT_PAGES: u32 = 512;

/// How long a statement waits for another process, as `moorline token`, to finish its own.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why something could not be stored or read back.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or file cannot be made or opened.
    #[error("cannot open {path}: {error}")]
    Open {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// SQLite failed.
    #[error("the database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A stored segment is damaged.
    #[error("the database is damaged: {0}")]
    Segment(#[from] SegmentError),
    /// The database was written by a newer version.
    #[error("the database has version {found}, this moorline knows up to {known}: use a newer one")]
    TooNew {
        /// The database's version.
        found: usize,
        /// The newest that this program knows.
        known: usize,
    },
    /// Entries that do not follow each other.
    #[error("entry {got} where {want} must follow")]
    OutOfOrder {
        /// The next number.
        want: Seq,
        /// The given one.
        got: Seq,
    },
    /// The writer is gone.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the disk is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull))
    }
}

/// An open database. One at a time writes much: the [`Writer`]'s.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
}

impl Store {
    /// Opens the database in `folder`, making both where they are missing: for the owner alone.
    ///
    /// # Errors
    /// [`StoreError`] where the folder cannot be used or the database is newer or damaged.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let open = |path: &Path| {
            let path = path.to_path_buf();
            move |error| StoreError::Open { path, error }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(open(folder))?;
        let path = folder.join(FILE_NAME);
        // SQLite gives its WAL files the mode of the database.
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(open(&path))?;
        let mut store = Self { connection: Connection::open(&path)? };
        store.configure()?;
        store.migrate()?;
        Ok(store)
    }

    fn configure(&self) -> Result<(), StoreError> {
        let connection = &self.connection;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        connection.pragma_update(None, "auto_vacuum", "incremental")?;
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        Ok(())
    }

    fn migrate(&mut self) -> Result<(), StoreError> {
        let transaction =
            self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let version =
            transaction.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?;
        let (found, known) =
            (usize::try_from(version).unwrap_or(usize::MAX), schema::MIGRATIONS.len());
        let Some(missing) = schema::MIGRATIONS.get(found..) else {
            return Err(StoreError::TooNew { found, known });
        };
        for migration in missing {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "user_version", known as i64)?;
        transaction.commit()?;
        Ok(())
    }

    /// Gives pages that deleted rows have left back to the file system.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn give_back_space(&self) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare("PRAGMA incremental_vacuum")?;
        let mut freed = statement.query([])?;
        // Each step frees a page.
        while freed.next()?.is_some() {}
        Ok(())
    }

    /// Runs `work` as one transaction: all of it is stored, or nothing.
    ///
    /// # Errors
    /// [`StoreError`] of `work` or of the commit.
    pub fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let result = work(self).and_then(|value| {
            self.connection.execute_batch("COMMIT")?;
            Ok(value)
        });
        if result.is_err() && !self.connection.is_autocommit() {
            // A failed rollback leaves the connection as it is: the next BEGIN tells.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        result
    }
}

/// A `u64` as SQLite keeps it.
const fn to_sql(number: u64) -> i64 {
    number.cast_signed()
}

/// See [`to_sql`].
const fn from_sql(number: i64) -> u64 {
    number.cast_unsigned()
}
