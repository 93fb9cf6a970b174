//! Rows of workspaces, and the database as their files use it.

use moorline_core::record::WorkspaceRecord;
use moorline_core::schema;
use moorline_core::workspace::{
    DELETE_WORKSPACE_FILES, SqlCell, SqlFailure, SqlValue, WorkspaceSql,
};
use moorline_shared::id::{ProjectId, WorkspaceId};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Row, ToSql, params, params_from_iter};
use unicode_normalization::UnicodeNormalization as _;

use super::{Store, StoreError, from_sql, to_sql};

impl Store {
    /// Returns all workspaces.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn workspaces(&self) -> Result<Vec<WorkspaceRecord>, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::WORKSPACES)?;
        let records = statement.query_map([], record)?.collect::<Result<_, _>>()?;
        Ok(records)
    }

    /// Inserts or replaces a workspace's row.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn put_workspace(&self, record: &WorkspaceRecord) -> Result<(), StoreError> {
        self.connection.prepare_cached(schema::PUT_WORKSPACE)?.execute(params![
            record.id.as_str(),
            record.name,
            record.project.as_ref().map(ProjectId::as_str),
            to_sql(record.created_at_ms),
        ])?;
        Ok(())
    }

    /// Removes a workspace with its files. Call it within [`Store::transaction`].
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn delete_workspace(&self, id: &WorkspaceId) -> Result<(), StoreError> {
        for statement in [schema::DELETE_WORKSPACE].iter().chain(&DELETE_WORKSPACE_FILES) {
            self.connection.prepare_cached(statement)?.execute([id.as_str()])?;
        }
        Ok(())
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<WorkspaceRecord> {
    let id: String = row.get(0)?;
    let id = WorkspaceId::try_from(id).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
    })?;
    Ok(WorkspaceRecord {
        id,
        name: row.get(1)?,
        project: row.get::<_, Option<String>>(2)?.and_then(|id| id.parse().ok()),
        created_at_ms: from_sql(row.get(3)?),
    })
}

impl WorkspaceSql for Store {
    fn decompose(&self, text: &str) -> String {
        text.nfd().collect()
    }

    fn run(&self, statement: &str, values: &[SqlValue<'_>]) -> Result<(), SqlFailure> {
        let mut statement = self.connection.prepare_cached(statement).map_err(failure)?;
        statement.execute(params_from_iter(values.iter().map(Bound))).map_err(failure)?;
        Ok(())
    }

    fn rows(
        &self,
        statement: &str,
        values: &[SqlValue<'_>],
    ) -> Result<Vec<Vec<SqlCell>>, SqlFailure> {
        let mut statement = self.connection.prepare_cached(statement).map_err(failure)?;
        let columns = statement.column_count();
        let values = params_from_iter(values.iter().map(Bound));
        let rows = statement.query_map(values, |row| {
            (0..columns).map(|column| row.get_ref(column).map(cell)).collect()
        });
        rows.map_err(failure)?.collect::<Result<_, _>>().map_err(failure)
    }
}

fn cell(value: ValueRef<'_>) -> SqlCell {
    match value {
        ValueRef::Integer(number) => SqlCell::Number(from_sql(number)),
        ValueRef::Text(text) => SqlCell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => SqlCell::Blob(bytes.to_vec()),
        // No column has numbers with a fraction.
        ValueRef::Null | ValueRef::Real(_) => SqlCell::Null,
    }
}

fn failure(error: rusqlite::Error) -> SqlFailure {
    let error = StoreError::from(error);
    if error.is_full() { SqlFailure::Full } else { SqlFailure::Other(error.to_string()) }
}

/// A value as SQLite takes it.
struct Bound<'a>(&'a SqlValue<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match *self.0 {
            SqlValue::Null => ToSqlOutput::Owned(Value::Null),
            SqlValue::Number(number) => to_sql(number).into(),
            SqlValue::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            SqlValue::Blob(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}
