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
//! last ones; so a journal of an earlier boot is continued in a new epoch. See
//! [`Journal::sessions`].

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
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::publisher::PublisherState;

/// The version of the tables. A journal of another version is set aside.
const VERSION: u32 = 1;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS boot (id TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS session (
        id TEXT PRIMARY KEY, hosted TEXT NOT NULL, publisher TEXT NOT NULL,
        driver BLOB NOT NULL, fold BLOB, folded INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS entry (
        session TEXT NOT NULL, seq INTEGER NOT NULL, is_event INTEGER NOT NULL,
        data BLOB NOT NULL, PRIMARY KEY (session, seq)
    ) WITHOUT ROWID;";

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
    /// True if the machine was started since the journal was written last.
    is_of_earlier_boot: bool,
}

/// Returns a name of the machine's current boot; empty if the system has none.
#[must_use]
pub fn this_boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// One step of a session.
#[derive(Debug, Clone, Copy)]
pub struct JournalStep<'a> {
    /// The new entries, in order.
    pub entries: &'a [Entry],
    /// The publisher's state after them.
    pub publisher: &'a PublisherState,
    /// The driver's state after them.
    pub driver: &'a [u8],
    /// The last entry that is durable at the relay.
    pub acked: Seq,
}

/// A session that a journal has.
#[derive(Debug)]
pub struct JournaledSession {
    /// The session as relays know it.
    pub hosted: Hosted,
    /// The publisher's state.
    pub publisher: PublisherState,
    /// The driver's state.
    pub driver: Bytes,
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
        let mut connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        // Safe from the death of the process, which is what the journal is for.
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "journal_size_limit", 4 * 1024 * 1024)?;
        let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let tables = connection.transaction()?;
        if version != VERSION {
            tables.execute_batch(
                "DROP TABLE IF EXISTS boot; DROP TABLE IF EXISTS session;
                 DROP TABLE IF EXISTS entry;",
            )?;
            tables.pragma_update(None, "user_version", VERSION)?;
        }
        tables.execute_batch(TABLES)?;
        let written: Option<String> =
            tables.query_row("SELECT id FROM boot", [], |row| row.get(0)).optional()?;
        tables.execute("DELETE FROM boot", [])?;
        tables.execute("INSERT INTO boot (id) VALUES (?1)", [boot])?;
        tables.commit()?;
        let is_of_earlier_boot = written.is_some_and(|written| written != boot);
        Ok(Self { connection: Mutex::new(connection), is_of_earlier_boot })
    }

    /// Returns true if the machine was started since the journal was written last. Then entries
    /// that clients have may be missing, and sessions must continue in a new epoch.
    #[must_use]
    pub const fn is_of_earlier_boot(&self) -> bool {
        self.is_of_earlier_boot
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
        Ok(ids.iter().map(|id| session(&connection, id)).collect())
    }

    /// Writes the first step of a session, replacing an earlier one of this id.
    ///
    /// # Errors
    /// [`JournalError::Sqlite`]; then nothing has changed.
    pub fn begin(&self, hosted: &Hosted, step: &JournalStep<'_>) -> Result<(), JournalError> {
        let id = hosted.session_id.as_str();
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        transaction.execute("DELETE FROM entry WHERE session = ?1", [id])?;
        transaction.execute(
            "INSERT OR REPLACE INTO session
                (id, hosted, publisher, driver, fold, folded)
             VALUES (?1, ?2, ?3, ?4, NULL, 0)",
            params![id, json(hosted), json(step.publisher), step.driver],
        )?;
        append(&transaction, id, step.entries)?;
        Ok(transaction.commit()?)
    }

    /// Replaces what relays know of a session that was begun, such as its epoch.
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
            .execute(params![id, json(step.publisher), step.driver])?;
        append(&transaction, id, step.entries)?;
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
        transaction.execute("DELETE FROM entry WHERE session = ?1", [id.as_str()])?;
        transaction.execute("DELETE FROM session WHERE id = ?1", [id.as_str()])?;
        Ok(transaction.commit()?)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic interrupts is rolled back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append(connection: &Connection, id: &str, entries: &[Entry]) -> Result<(), JournalError> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO entry (session, seq, is_event, data) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for entry in entries {
        let (is_event, data) = match HostMessage::Entry(entry.clone()).encode() {
            Packet::Text(text) => (true, text),
            Packet::Binary(frame) => (false, frame),
        };
        insert.execute(params![id, signed(entry.seq()), is_event, &data[..]])?;
    }
    Ok(())
}

fn session(connection: &Connection, id: &str) -> Result<JournaledSession, JournalError> {
    let damaged = || JournalError::Damaged(id.to_owned());
    let mut statement = connection.prepare_cached(
        "SELECT hosted, publisher, driver, fold, folded FROM session WHERE id = ?1",
    )?;
    let row = statement.query_row([id], |row| {
        let (hosted, publisher): (String, String) = (row.get(0)?, row.get(1)?);
        let (driver, fold): (Vec<u8>, Option<Vec<u8>>) = (row.get(2)?, row.get(3)?);
        let folded: i64 = row.get(4)?;
        Ok((hosted, publisher, driver, fold, folded))
    })?;
    let (hosted, publisher, driver, fold, folded) = row;
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
    Ok(JournaledSession {
        hosted: serde_json::from_str(&hosted).map_err(|_| damaged())?,
        publisher: serde_json::from_str(&publisher).map_err(|_| damaged())?,
        driver: driver.into(),
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
mod tests {
    use super::*;
    use moorline_shared::agent::action::ActionNumber;
    use moorline_shared::control::Facts;
    use moorline_shared::event::Event;
    use moorline_shared::frame::Frame;
    use moorline_shared::id::Epoch;
    use moorline_shared::log::EventEntry;
    use moorline_shared::session::Size;

    fn hosted(id: &str) -> Hosted {
        Hosted {
            session_id: id.parse().unwrap(),
            epoch: Epoch(5),
            facts: Facts::default(),
            cwd: "/srv".into(),
            pid: None,
            created_at: 5,
        }
    }

    fn publisher(head: u64) -> PublisherState {
        PublisherState {
            head: Seq(head),
            time_ms: 7,
            last_action: ActionNumber(3),
            accepted: vec![("client_1".parse().unwrap(), Seq(2))],
            size: Size::default(),
            exit: None,
        }
    }

    fn event(seq: u64) -> Entry {
        let event = Event::of_kind("session_1".parse().unwrap(), "x", 9, ());
        Entry::Event(EventEntry::new(Seq(seq), event))
    }

    fn output(seq: u64) -> Entry {
        Entry::Output(Frame::copy(Seq(seq), b"out").unwrap().at(8))
    }

    fn step<'a>(
        entries: &'a [Entry],
        publisher: &'a PublisherState,
        acked: u64,
    ) -> JournalStep<'a> {
        JournalStep { entries, publisher, driver: b"state", acked: Seq(acked) }
    }

    fn only(journal: &Journal) -> JournaledSession {
        let mut sessions = journal.sessions().unwrap();
        assert_eq!(sessions.len(), 1);
        sessions.remove(0).unwrap()
    }

    #[test]
    fn a_session_reads_as_it_was_written_by_a_host_that_died() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let entries = [output(1), event(2)];
        {
            let journal = Journal::open(&path, "boot").unwrap();
            journal.begin(&hosted("session_1"), &step(&entries[..1], &publisher(1), 0)).unwrap();
            let id = "session_1".parse().unwrap();
            journal.step(&id, &step(&entries[1..], &publisher(2), 0)).unwrap();
        }
        let journal = Journal::open(&path, "boot").unwrap();
        assert!(!journal.is_of_earlier_boot());
        let session = only(&journal);
        assert_eq!(session.hosted, hosted("session_1"));
        assert_eq!((session.publisher, &session.driver[..]), (publisher(2), &b"state"[..]));
        assert_eq!(session.entries, entries);
        drop(journal);
        assert!(Journal::open(&path, "later boot").unwrap().is_of_earlier_boot());
    }

    #[test]
    fn entries_are_dropped_once_they_are_durable_and_folded() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.db"), "boot").unwrap();
        let entries: Vec<_> = (1..=5).map(event).collect();
        let id = "session_1".parse().unwrap();
        journal.begin(&hosted("session_1"), &step(&entries, &publisher(5), 0)).unwrap();
        journal.step(&id, &step(&[], &publisher(5), 4)).unwrap();
        assert_eq!(only(&journal).entries.len(), 5, "nothing is folded");
        journal.fold(&id, Seq(3), b"{}").unwrap();
        journal.step(&id, &step(&[], &publisher(5), 4)).unwrap();
        let session = only(&journal);
        assert_eq!((session.entries.len(), session.folded), (2, Seq(3)));
        assert_eq!(session.fold.as_deref(), Some(&b"{}"[..]));
        journal.remove(&id).unwrap();
        assert!(journal.sessions().unwrap().is_empty());
    }

    #[test]
    fn a_damaged_session_does_not_cost_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.db"), "boot").unwrap();
        for id in ["session_1", "session_2"] {
            journal.begin(&hosted(id), &step(&[], &publisher(0), 0)).unwrap();
        }
        let damage = "UPDATE session SET hosted = '{' WHERE id = 'session_1'";
        journal.lock().execute(damage, []).unwrap();
        let sessions = journal.sessions().unwrap();
        assert!(matches!(sessions[..], [Err(JournalError::Damaged(_)), Ok(_)]));
    }
}
