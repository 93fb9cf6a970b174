//! Rows of sessions. Their logs are stored apart from them.

use moorline_shared::id::{Epoch, HostId, ProjectId, Seq, SessionId, WorkspaceId};
use moorline_shared::session::{ExitStatus, Size};
use rusqlite::{Row, params};

use super::{Store, StoreError, from_sql, to_sql};
use moorline_core::record::SessionRecord;
use moorline_core::schema;

impl Store {
    /// Returns all sessions, newest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn sessions(&self) -> Result<Vec<SessionRecord>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::SESSIONS)?;
        let records = statement.query_map([], record)?.collect::<Result<_, _>>()?;
        Ok(records)
    }

    /// Inserts or replaces a session's row.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn put_session(&self, record: &SessionRecord) -> Result<(), StoreError> {
        let exit = record.exit.as_ref();
        self.connection.prepare_cached(schema::PUT_SESSION)?.execute(params![
            record.id.as_str(),
            to_sql(record.epoch.0),
            record.name,
            record.project.as_ref().map(ProjectId::as_str),
            record.driver,
            text(&record.command),
            record.cwd,
            record.size.cols,
            record.size.rows,
            to_sql(record.created_at_ms),
            to_sql(record.last_activity_ms),
            text(&record.lifecycle),
            exit.and_then(|exit| exit.code),
            exit.and_then(|exit| exit.signal.as_deref()),
            to_sql(record.head.0),
            text(&record.env),
            record.host.as_ref().map(HostId::as_str),
            text(&record.agent),
            text(&record.tmux),
            text(&exit.and_then(|exit| exit.reason)),
            record.workspace.as_ref().map(WorkspaceId::as_str),
            text(&record.pod),
            text(&record.pod_status),
        ])?;
        Ok(())
    }

    /// Stores only a session's name, or its whole row if none is stored yet.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn rename_session(&self, record: &SessionRecord) -> Result<(), StoreError> {
        let mut rename = self.connection.prepare_cached(schema::RENAME_SESSION)?;
        match rename.execute(params![record.id.as_str(), record.name])? {
            0 => self.put_session(record),
            _ => Ok(()),
        }
    }

    /// Stores only a session's project, or its whole row if none is stored yet.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn move_session(&self, record: &SessionRecord) -> Result<(), StoreError> {
        let mut move_to = self.connection.prepare_cached(schema::MOVE_SESSION)?;
        let project = record.project.as_ref().map(ProjectId::as_str);
        match move_to.execute(params![record.id.as_str(), project])? {
            0 => self.put_session(record),
            _ => Ok(()),
        }
    }

    /// Removes a session, its log and its snapshot.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn delete_session(&self, id: &SessionId) -> Result<(), StoreError> {
        for statement in schema::DELETE_SESSION {
            self.connection.prepare_cached(statement)?.execute([id.as_str()])?;
        }
        Ok(())
    }
}

/// Encodes a column as JSON.
pub(super) fn text<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value)
        .expect("texts, lists, maps and structs of them, and unit variants always encode")
}

pub(super) fn json<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error.into())
    })
}

fn record(row: &Row<'_>) -> rusqlite::Result<SessionRecord> {
    let id: String = row.get(0)?;
    let id = SessionId::try_from(id).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
    })?;
    let exit = ExitStatus { code: row.get(12)?, signal: row.get(13)?, reason: json(row, 19)? };
    Ok(SessionRecord {
        id,
        epoch: Epoch(from_sql(row.get(1)?)),
        name: row.get(2)?,
        // An older version stored a project's name here, which is not an id. Such a session belongs
        // to no project.
        project: row.get::<_, Option<String>>(3)?.and_then(|id| id.parse().ok()),
        driver: row.get(4)?,
        command: json(row, 5)?,
        cwd: row.get(6)?,
        size: Size { cols: row.get(7)?, rows: row.get(8)? },
        created_at_ms: from_sql(row.get(9)?),
        last_activity_ms: from_sql(row.get(10)?),
        lifecycle: json(row, 11)?,
        exit: (exit != ExitStatus::default()).then_some(exit),
        head: Seq(from_sql(row.get(14)?)),
        env: json(row, 15)?,
        host: row.get::<_, Option<String>>(16)?.and_then(|id| id.parse().ok()),
        agent: json(row, 17)?,
        tmux: json(row, 18)?,
        workspace: row.get::<_, Option<String>>(20)?.and_then(|id| id.parse().ok()),
        pod: json(row, 21)?,
        pod_status: json(row, 22)?,
    })
}
