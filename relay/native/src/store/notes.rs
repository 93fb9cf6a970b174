//! What is noted of sessions besides their rows.

use moorline_shared::id::SessionId;
use rusqlite::OptionalExtension as _;

use super::{Store, StoreError};
use moorline_core::schema;

impl Store {
    /// One note of a session.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn note(&self, session: &SessionId, name: &str) -> Result<Option<String>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::SESSION_NOTE)?;
        Ok(statement.query_row([session.as_str(), name], |row| row.get(0)).optional()?)
    }

    /// Notes something of a session, unless that is gone.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn put_note(&self, session: &SessionId, name: &str, value: &str) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(schema::PUT_SESSION_NOTE)?;
        statement.execute([session.as_str(), name, value])?;
        Ok(())
    }

    /// One note of all sessions that have it.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn notes(&self, name: &str) -> Result<Vec<(SessionId, String)>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::SESSION_NOTES)?;
        let rows =
            statement.query_map([name], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        // What is no id was never a session's.
        Ok(rows.into_iter().filter_map(|(id, value)| Some((id.parse().ok()?, value))).collect())
    }
}
