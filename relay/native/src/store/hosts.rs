//! Rows of hosts, and of the sessions that hosts must forget.

use moorline_shared::id::{HostId, SessionId};
use rusqlite::{Row, params};

use super::sessions::{json, text};
use super::{Store, StoreError, from_sql, to_sql};
use moorline_core::record::HostRecord;
use moorline_core::schema;

impl Store {
    /// Returns all hosts.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn hosts(&self) -> Result<Vec<HostRecord>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::HOSTS)?;
        let records = statement.query_map([], record)?.collect::<Result<_, _>>()?;
        Ok(records)
    }

    /// Inserts or replaces a host's row.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn put_host(&self, record: &HostRecord) -> Result<(), StoreError> {
        self.connection.prepare_cached(schema::PUT_HOST)?.execute(params![
            record.id.as_str(),
            record.name,
            record.version,
            text(&record.drivers),
            to_sql(record.last_seen_ms),
            text(&record.missing),
        ])?;
        Ok(())
    }

    /// Returns the sessions that a host must forget when it says hello.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn deleted_of(&self, host: &HostId) -> Result<Vec<SessionId>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::DELETED)?;
        let ids = statement.query_map([host.as_str()], |row| row.get::<_, String>(0))?;
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        // Text that is not a valid id cannot name a session.
        Ok(ids.into_iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// Records that a session was deleted and that its host must forget it.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn put_deleted(
        &self,
        session: &SessionId,
        host: &HostId,
        deleted_at_ms: u64,
    ) -> Result<(), StoreError> {
        let row = params![session.as_str(), host.as_str(), to_sql(deleted_at_ms)];
        self.connection.prepare_cached(schema::PUT_DELETED)?.execute(row)?;
        Ok(())
    }

    /// Removes that record: the host has forgotten the session, or another session uses its id.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn remove_deleted(&self, session: &SessionId) -> Result<(), StoreError> {
        self.connection.prepare_cached(schema::REMOVE_DELETED)?.execute([session.as_str()])?;
        Ok(())
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<HostRecord> {
    let id: String = row.get(0)?;
    let id = HostId::try_from(id).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
    })?;
    Ok(HostRecord {
        id,
        name: row.get(1)?,
        version: row.get(2)?,
        drivers: json(row, 3)?,
        last_seen_ms: from_sql(row.get(4)?),
        missing: json(row, 5)?,
    })
}
