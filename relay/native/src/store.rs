//! The relay's storage: one SQLite file in the data folder.

mod audit;
mod connection;
mod copies;
mod directory;
mod hosts;
mod log;
mod notes;
mod packed;
mod passkeys;
mod projects;
mod push;
mod sessions;
mod snapshots;
#[cfg(test)]
mod tests;
mod tokens;
mod workspaces;
mod writer;

use std::io;
use std::path::{Path, PathBuf};

use moorline_shared::id::Seq;
use rusqlite::{Connection, ErrorCode};

use moorline_core::schema;
use moorline_core::segment::SegmentError;

pub use connection::{Database, FILE_NAME, Failure};
pub use copies::LogCopy;
pub(crate) use directory::BESIDE;
pub use moorline_core::record::{HostRecord, ProjectRecord, SessionRecord, TokenRecord};
pub use packed::BadPacking;
pub use push::PushSubscription;
pub use writer::{StoreSource, Writer};

/// The reason that something could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database's file cannot be closed to other users.
    #[error("cannot use {}: {error}", path.display())]
    Open {
        /// The path of the database.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The path is longer than SQLite accepts.
    #[error(
        "the path of the data folder is too long for its database, {bytes} bytes of {most}: \
         name another with `--data-dir`"
    )]
    LongPath {
        /// The length of the path, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        most: usize,
    },
    /// SQLite reported an error.
    #[error("{0}")]
    Sqlite(Failure),
    /// A stored segment is damaged.
    #[error("the database is damaged: {0}")]
    Segment(#[from] SegmentError),
    /// A stored segment cannot be decompressed.
    #[error("the database is damaged: {0}")]
    Packing(#[from] BadPacking),
    /// The database was written by a newer version.
    #[error("the database has version {found}, this moorline knows up to {known}: use a newer one")]
    TooNew {
        /// The version of the database.
        found: usize,
        /// The newest version that this program knows.
        known: usize,
    },
    /// Entries are not consecutive.
    #[error("entry {got} cannot follow: entry {want} is next")]
    OutOfOrder {
        /// The expected number.
        want: Seq,
        /// The number that was found.
        got: Seq,
    },
    /// The writer has stopped.
    #[error("the store is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(Failure(error))
    }
}

impl StoreError {
    /// Returns true if the disk is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.code() == Some(ErrorCode::DiskFull)
    }

    /// Returns true if another program has locked the database.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }

    /// Returns true if a full disk may be the cause. SQLite also reports it by other codes if it
    /// fails to create the files beside the database.
    fn may_be_full(&self) -> bool {
        let codes = [ErrorCode::DiskFull, ErrorCode::SystemIoFailure, ErrorCode::CannotOpen];
        self.code().is_some_and(|code| codes.contains(&code))
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sqlite(failure) => failure.code(),
            _ => None,
        }
    }
}

/// An open database. Only the [`Writer`]'s connection writes large amounts.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
}

impl Store {
    /// Opens the database in `folder` as [`Database::open`] does, and returns one connection.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be used, is too new, or is damaged.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Database::open(folder).map(|(_, store)| store)
    }

    /// Runs the missing migrations. Does not write if none are missing.
    fn migrate(&mut self) -> Result<(), StoreError> {
        let version = |connection: &Connection| -> Result<usize, StoreError> {
            let version: i64 =
                connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            Ok(usize::try_from(version).unwrap_or(usize::MAX))
        };
        let known = schema::MIGRATIONS.len();
        if version(&self.connection)? == known {
            return Ok(());
        }
        let transaction =
            self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Another process may have migrated it meanwhile.
        let found = version(&transaction)?;
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

    /// Checks that the database can be written, by writing a value that it has already.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    pub fn try_to_write(&mut self) -> Result<(), StoreError> {
        self.transaction(|store| {
            let version = schema::MIGRATIONS.len() as i64;
            Ok(store.connection.pragma_update(None, "user_version", version)?)
        })
    }

    /// Returns the pages of deleted rows to the file system.
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

    /// Runs `work` as one transaction: either all of it is stored, or nothing.
    ///
    /// # Errors
    /// The error of `work`, or [`StoreError`] if the commit fails.
    pub fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.transaction_of(work)
    }

    /// [`Store::transaction`] of work with errors of its own.
    ///
    /// # Errors
    /// The error of `work`, or [`StoreError`] if the commit fails.
    pub fn transaction_of<T, E: From<StoreError>>(
        &mut self,
        work: impl FnOnce(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(StoreError::from)?;
        let result = work(self).and_then(|value| {
            self.connection.execute_batch("COMMIT").map_err(StoreError::from)?;
            Ok(value)
        });
        if result.is_err() && !self.connection.is_autocommit() {
            // If the rollback fails too, the next BEGIN reports it.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        result
    }
}

/// Converts a `u64` to the `i64` that SQLite stores, bit for bit.
const fn to_sql(number: u64) -> i64 {
    number.cast_signed()
}

/// Reverses [`to_sql`].
const fn from_sql(number: i64) -> u64 {
    number.cast_unsigned()
}
