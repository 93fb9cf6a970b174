//! Notes on sessions: named texts that are stored besides their rows.

use moorline_shared::id::SessionId;
use rusqlite::OptionalExtension as _;

use super::{Store, StoreError};
use moorline_core::schema;
use moorline_core::session::AgentDocument;

/// Name of the note that holds a session's agent.
const AGENT: &str = "agent";

impl Store {
    /// Returns a session's agent; `None` if none is stored, or if it was stored by a version that
    /// this one cannot read.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn agent(&self, session: &SessionId) -> Result<Option<AgentDocument>, StoreError> {
        let Some(note) = self.note(session, AGENT)? else { return Ok(None) };
        let document = serde_json::from_str(&note);
        let document = document.inspect_err(|error| {
            tracing::error!(%session, %error, "the stored state of an agent cannot be read");
        });
        Ok(document.ok())
    }

    /// Stores a session's agent. Does nothing if the session does not exist.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn put_agent(&self, session: &SessionId, agent: &AgentDocument) -> Result<(), StoreError> {
        // Texts, numbers and JSON values always encode.
        let note = serde_json::to_string(agent).unwrap_or_default();
        self.put_note(session, AGENT, &note)
    }

    /// Returns a session's note of this name.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn note(&self, session: &SessionId, name: &str) -> Result<Option<String>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::SESSION_NOTE)?;
        Ok(statement.query_row([session.as_str(), name], |row| row.get(0)).optional()?)
    }

    /// Stores a note on a session. Does nothing if the session does not exist.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn put_note(&self, session: &SessionId, name: &str, value: &str) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(schema::PUT_SESSION_NOTE)?;
        statement.execute([session.as_str(), name, value])?;
        Ok(())
    }

    /// Returns the note of this name for each session that has it.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn notes(&self, name: &str) -> Result<Vec<(SessionId, String)>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::SESSION_NOTES)?;
        let rows =
            statement.query_map([name], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        // Text that is not a valid id cannot name a session.
        Ok(rows.into_iter().filter_map(|(id, value)| Some((id.parse().ok()?, value))).collect())
    }
}
