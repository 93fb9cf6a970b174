//! The journal: what a host needs to continue sessions after its own process has died.
//!
//! It is one `SQLite` file in the host's state folder, with a row for each session whose driver can
//! continue it. A session is journaled in steps. A step holds the entries since the one before and
//! the driver's state after them. Nothing that follows from a step leaves the host before the step
//! is written: entries and acknowledgements go to the relay afterwards, and so does what the driver
//! sends to its program. So a host that is killed at any point continues as if it had only been
//! slow: what it has said is in the journal, and what is not in the journal, nobody has heard.
//!
//! A step is safe from the death of the process once it is written. A power failure may lose the
//! last ones; so a session of an earlier boot is continued in a new epoch. See
//! [`JournaledSession::is_of_earlier_boot`].

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use moorline_shared::control::Hosted;
use moorline_shared::id::{Seq, SessionId};
use moorline_shared::log::Entry;
use moorline_shared::packet::{Decode as _, Encode as _, Packet};
use moorline_shared::publish::HostMessage;
use rusqlite::{Connection, params};

use crate::driver::{DriverCheckpoint, StoredCheckpoint};
use crate::publisher::PublisherState;

/// The version of the tables. A journal of another version is set aside.
const VERSION: u32 = 2;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS session (
        id TEXT PRIMARY KEY, boot TEXT NOT NULL, hosted TEXT NOT NULL, publisher TEXT NOT NULL,
        driver BLOB NOT NULL, fold BLOB, folded INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS entry (
        session TEXT NOT NULL, seq INTEGER NOT NULL, is_event INTEGER NOT NULL,
        data BLOB NOT NULL, PRIMARY KEY (session, seq)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS content (
        session TEXT NOT NULL, key TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (session, key)
    ) WITHOUT ROWID;";

/// The names of the tables.
const TABLE_NAMES: [&str; 3] = ["session", "entry", "content"];

/// The error of a journal that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The database's error.
    #[error("the journal cannot be used: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A row that this version did not write.
    #[error("the journal has a damaged row of the session {0}")]
    Damaged(String),
}

/// The journal of a host. Every method blocks for the time of one small transaction.
#[derive(Debug)]
pub struct Journal {
    connection: Mutex<Connection>,
    /// The name of the machine's current boot.
    boot: String,
}

/// One step of a session.
#[derive(Debug, Clone, Copy)]
pub struct JournalStep<'a> {
    /// The new entries, in order.
    pub entries: &'a [Entry],
    /// The publisher's state after them.
    pub publisher: &'a PublisherState,
    /// The driver's state after them.
    pub driver: &'a DriverCheckpoint,
    /// The keys of the stored contents that are not needed any more.
    pub surplus: &'a [String],
    /// The last entry that is durable at the relay.
    pub acked: Seq,
}

/// A session that a journal has.
#[derive(Debug)]
pub struct JournaledSession {
    /// True if the machine was started since. Then entries that clients have may be missing, and the
    /// session must continue in a new epoch.
    pub is_of_earlier_boot: bool,
    /// The session as relays know it.
    pub hosted: Hosted,
    /// The publisher's state.
    pub publisher: PublisherState,
    /// The driver's state.
    pub driver: StoredCheckpoint,
    /// The folded conversation at `folded`, if one was written.
    pub fold: Option<Bytes>,
    /// The entry up to which the conversation is folded.
    pub folded: Seq,
    /// All entries after `folded`, and those that may not be durable at the relay, in order.
    pub entries: Vec<Entry>,
}

impl Journal {
    /// Opens the journal at `path`, or creates it. `boot` names the machine's current boot.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`].
    pub fn open(path: &Path, boot: &str) -> Result<Self, JournalError> {
        // SQLite's further files get the mode of this one. If it cannot be created, SQLite says so.
        let mut private = OpenOptions::new();
        _ = private.create(true).append(true).mode(0o600).open(path);
        Self::with(Connection::open(path)?, boot)
    }

    /// Opens the journal in a database.
    fn with(mut connection: Connection, boot: &str) -> Result<Self, JournalError> {
        connection.pragma_update(None, "journal_mode", "wal")?;
        // Safe from the death of the process, which is what the journal is for.
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "journal_size_limit", 4 * 1024 * 1024)?;
        let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let tables = connection.transaction()?;
        if version != VERSION {
            for table in TABLE_NAMES {
                tables.execute_batch(&format!("DROP TABLE IF EXISTS {table}"))?;
            }
            tables.pragma_update(None, "user_version", VERSION)?;
        }
        tables.execute_batch(TABLES)?;
        tables.commit()?;
        Ok(Self { connection: Mutex::new(connection), boot: boot.to_owned() })
    }

    /// Returns all sessions, and the reasons why others cannot be read.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`] if none can be read.
    pub fn sessions(&self) -> Result<Vec<Result<JournaledSession, JournalError>>, JournalError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached("SELECT id FROM session ORDER BY id")?;
        let ids = statement.query_map([], |row| row.get(0))?;
        let ids = ids.collect::<Result<Vec<String>, _>>()?;
        Ok(ids.iter().map(|id| session(&connection, id, &self.boot)).collect())
    }

    /// Writes the first step of a session, replacing an earlier one of this id.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`]; then nothing has changed.
    pub fn begin(&self, hosted: &Hosted, step: &JournalStep<'_>) -> Result<(), JournalError> {
        let id = hosted.session_id.as_str();
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        for table in ["entry", "content"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE session = ?1"), [id])?;
        }
        transaction.execute(
            "INSERT OR REPLACE INTO session
                (id, boot, hosted, publisher, driver, fold, folded)
             VALUES (?1, ?2, ?3, ?4, ?5, NULL, 0)",
            params![id, self.boot, json(hosted), json(step.publisher), &step.driver.state[..]],
        )?;
        append(&transaction, id, step)?;
        Ok(transaction.commit()?)
    }

    /// Begins another life of a session's log, which goes on after `head` with this conversation.
    /// From now on it counts as a session of this boot.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`]; then nothing has changed.
    pub fn begin_anew(
        &self,
        hosted: &Hosted,
        head: Seq,
        fold: Option<&[u8]>,
    ) -> Result<(), JournalError> {
        let id = hosted.session_id.as_str();
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        transaction.execute("DELETE FROM entry WHERE session = ?1", [id])?;
        transaction.execute(
            "UPDATE session SET hosted = ?2, boot = ?3, fold = ?4, folded = ?5 WHERE id = ?1",
            params![id, json(hosted), self.boot, fold, signed(head)],
        )?;
        Ok(transaction.commit()?)
    }

    /// Replaces what relays know of a session that was begun, such as its process.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`]; then nothing has changed.
    pub fn describe(&self, hosted: &Hosted) -> Result<(), JournalError> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached("UPDATE session SET hosted = ?2 WHERE id = ?1")?;
        statement.execute(params![hosted.session_id.as_str(), json(hosted)])?;
        Ok(())
    }

    /// Writes a step of a session that was begun.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`]; then nothing has changed.
    pub fn step(&self, id: &SessionId, step: &JournalStep<'_>) -> Result<(), JournalError> {
        let id = id.as_str();
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        transaction
            .prepare_cached("UPDATE session SET publisher = ?2, driver = ?3 WHERE id = ?1")?
            .execute(params![id, json(step.publisher), &step.driver.state[..]])?;
        append(&transaction, id, step)?;
        transaction
            .prepare_cached(
                "DELETE FROM entry WHERE session = ?1
                 AND seq <= min(?2, (SELECT folded FROM session WHERE id = ?1))",
            )?
            .execute(params![id, signed(step.acked)])?;
        Ok(transaction.commit()?)
    }

    /// Writes the conversation as it is at the entry `seq`, so that earlier events are not needed.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`]; then nothing has changed.
    pub fn fold(&self, id: &SessionId, seq: Seq, fold: &[u8]) -> Result<(), JournalError> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached("UPDATE session SET fold = ?2, folded = ?3 WHERE id = ?1")?;
        statement.execute(params![id.as_str(), fold, signed(seq)])?;
        Ok(())
    }

    /// Forgets a session, which is over.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`].
    pub fn remove(&self, id: &SessionId) -> Result<(), JournalError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        for table in ["entry", "content"] {
            let delete = format!("DELETE FROM {table} WHERE session = ?1");
            transaction.execute(&delete, [id.as_str()])?;
        }
        transaction.execute("DELETE FROM session WHERE id = ?1", [id.as_str()])?;
        Ok(transaction.commit()?)
    }

    /// Creates a journal in memory.
    #[cfg(test)]
    pub(crate) fn in_memory(boot: &str) -> Self {
        let connection = Connection::open_in_memory().expect("memory can be opened");
        Self::with(connection, boot).expect("it is new")
    }

    /// Returns a copy of this journal, in memory, as a host opens it in the boot `boot`.
    #[cfg(test)]
    pub(crate) fn copied(&self, boot: &str) -> Self {
        let copy = Connection::open_in_memory().expect("memory can be opened");
        copy.execute_batch(TABLES).expect("it is new");
        copy.pragma_update(None, "user_version", VERSION).expect("it is new");
        let from = self.lock();
        for table in TABLE_NAMES {
            let select = format!("SELECT * FROM {table}");
            let mut rows = from.prepare(&select).expect("the table exists");
            let columns = rows.column_count();
            let marks = vec!["?"; columns].join(", ");
            let insert = format!("INSERT INTO {table} VALUES ({marks})");
            let mut rows = rows.query([]).expect("it can be read");
            while let Some(row) = rows.next().expect("it can be read") {
                let values = (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at));
                let values = values.collect::<Result<Vec<_>, _>>().expect("it can be read");
                copy.execute(&insert, rusqlite::params_from_iter(values)).expect("it is new");
            }
        }
        Self::with(copy, boot).expect("it is as it was written")
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic interrupts is rolled back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the rows of a step beside the session's own.
fn append(connection: &Connection, id: &str, step: &JournalStep<'_>) -> Result<(), JournalError> {
    for (key, content) in &step.driver.fresh {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO content (session, key, data) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![id, key, &content[..]])?;
    }
    for key in step.surplus {
        connection
            .prepare_cached("DELETE FROM content WHERE session = ?1 AND key = ?2")?
            .execute([id, key])?;
    }
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO entry (session, seq, is_event, data) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for entry in step.entries {
        let (is_event, data) = match HostMessage::Entry(entry.clone()).encode() {
            Packet::Text(text) => (true, text),
            Packet::Binary(frame) => (false, frame),
        };
        insert.execute(params![id, signed(entry.seq()), is_event, &data[..]])?;
    }
    Ok(())
}

fn session(
    connection: &Connection,
    id: &str,
    this_boot: &str,
) -> Result<JournaledSession, JournalError> {
    let damaged = || JournalError::Damaged(id.to_owned());
    let mut statement = connection.prepare_cached(
        "SELECT hosted, publisher, driver, fold, folded, boot FROM session WHERE id = ?1",
    )?;
    let row = statement.query_row([id], |row| {
        let (hosted, publisher): (String, String) = (row.get(0)?, row.get(1)?);
        let (driver, fold): (Vec<u8>, Option<Vec<u8>>) = (row.get(2)?, row.get(3)?);
        let (folded, boot): (i64, String) = (row.get(4)?, row.get(5)?);
        Ok((hosted, publisher, driver, fold, folded, boot))
    })?;
    let (hosted, publisher, driver, fold, folded, boot) = row;
    let mut statement = connection
        .prepare_cached("SELECT is_event, data FROM entry WHERE session = ?1 ORDER BY seq")?;
    let rows = statement.query_map([id], |row| {
        let (is_event, data): (bool, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let data = Bytes::from(data);
        Ok(if is_event { Packet::Text(data) } else { Packet::Binary(data) })
    })?;
    let mut entries = Vec::new();
    for packet in rows {
        match HostMessage::decode(packet?) {
            Ok(HostMessage::Entry(entry)) => entries.push(entry),
            _ => return Err(damaged()),
        }
    }
    let mut statement =
        connection.prepare_cached("SELECT key, data FROM content WHERE session = ?1")?;
    let contents = statement.query_map([id], |row| {
        let (key, data): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
        Ok((key, Bytes::from(data)))
    })?;
    let driver =
        StoredCheckpoint { state: driver.into(), contents: contents.collect::<Result<_, _>>()? };
    Ok(JournaledSession {
        is_of_earlier_boot: boot != this_boot,
        hosted: serde_json::from_str(&hosted).map_err(|_| damaged())?,
        publisher: serde_json::from_str(&publisher).map_err(|_| damaged())?,
        driver,
        fold: fold.map(Bytes::from),
        folded: Seq(folded.unsigned_abs()),
        entries,
    })
}

fn json(value: &impl serde::Serialize) -> String {
    // Texts, numbers, lists and maps of texts always encode.
    serde_json::to_string(value).unwrap_or_default()
}

/// Returns a number as `SQLite` stores it. No log has 2^63 entries.
const fn signed(seq: Seq) -> i64 {
    seq.0.cast_signed()
}

#[cfg(test)]
mod tests;
