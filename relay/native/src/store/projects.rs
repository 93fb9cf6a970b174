//! Rows of projects: named folders that sessions belong to.

use moorline_shared::id::ProjectId;
use rusqlite::{Row, params};

use super::{Store, StoreError, from_sql, to_sql};
use moorline_core::record::ProjectRecord;
use moorline_core::schema;

impl Store {
    /// Returns all projects.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn projects(&self) -> Result<Vec<ProjectRecord>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::PROJECTS)?;
        let records = statement.query_map([], record)?.collect::<Result<_, _>>()?;
        Ok(records)
    }

    /// Inserts or replaces a project's row.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn put_project(&self, record: &ProjectRecord) -> Result<(), StoreError> {
        self.connection.prepare_cached(schema::PUT_PROJECT)?.execute(params![
            record.id.as_str(),
            record.name,
            record.directory,
            to_sql(record.created_at_ms),
        ])?;
        Ok(())
    }

    /// Removes a project. Its sessions then belong to none. Call it within [`Store::transaction`].
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn delete_project(&self, id: &ProjectId) -> Result<(), StoreError> {
        for statement in schema::DELETE_PROJECT {
            self.connection.prepare_cached(statement)?.execute([id.as_str()])?;
        }
        Ok(())
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<ProjectRecord> {
    let id: String = row.get(0)?;
    let id = ProjectId::try_from(id).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
    })?;
    Ok(ProjectRecord {
        id,
        name: row.get(1)?,
        directory: row.get(2)?,
        created_at_ms: from_sql(row.get(3)?),
    })
}
