//! An object's own SQLite: the statements of `core::schema`, row by row.
//!
//! All writes within one event are committed together, and no message leaves the object before
//! that. So a message sent after a write can rely on its being durable.

mod held;
mod log;
mod records;

use js_sys::Number;
use moorline_core::schema::MIGRATIONS;
use moorline_core::segment::SegmentError;
use moorline_core::workspace::SqlCell;
use wasm_bindgen::JsValue;
use worker::{SqlStorage, SqlStorageValue};

pub(crate) use log::OpenSegment;

/// Table of the number of migrations done; SQLite's own `user_version` is not accessible.
const VERSION_TABLE: &str = "CREATE TABLE IF NOT EXISTS migrations (done INTEGER NOT NULL)";

/// Error of storing or reading.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqlError {
    /// SQLite reports an error.
    #[error("{0}")]
    Sqlite(#[from] worker::Error),
    /// A number that JavaScript cannot represent exactly.
    #[error("the number {0} is too large to be stored")]
    TooLarge(u64),
    /// A column with a type or value that this version does not write.
    #[error("column {0} of a stored row is not valid")]
    Column(usize),
    /// The database was written by a newer version.
    #[error("the database has version {0}, which this moorline does not know: deploy a newer one")]
    TooNew(usize),
    /// A segment's data is damaged.
    #[error(transparent)]
    Segment(#[from] SegmentError),
}

pub(crate) type Result<T> = std::result::Result<T, SqlError>;

/// A value that is bound to a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Null,
    Number(u64),
    Signed(i32),
    Text(&'a str),
    Blob(&'a [u8]),
}

impl Value<'_> {
    fn to_js(self) -> Result<JsValue> {
        Ok(match self {
            Self::Null => JsValue::NULL,
            Self::Number(number) if number as f64 > Number::MAX_SAFE_INTEGER => {
                return Err(SqlError::TooLarge(number));
            }
            Self::Number(number) => JsValue::from_f64(number as f64),
            Self::Signed(number) => JsValue::from(number),
            Self::Text(text) => JsValue::from_str(text),
            Self::Blob(bytes) => js_sys::Uint8Array::from(bytes).into(),
        })
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Blob(bytes)
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<Option<u64>> for Value<'_> {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::Null, Self::Number)
    }
}

/// The object's database.
#[derive(Debug)]
pub(crate) struct ObjectDatabase {
    sql: SqlStorage,
}

impl ObjectDatabase {
    /// Opens the object's database, and applies missing migrations.
    pub(crate) fn open(sql: SqlStorage) -> Result<Self> {
        let database = Self { sql };
        database.migrate()?;
        Ok(database)
    }

    fn migrate(&self) -> Result<()> {
        self.run(VERSION_TABLE, &[])?;
        let row = self.row("SELECT done FROM migrations", &[])?;
        let done = row.as_ref().map_or(Ok(0), |row| row.number(0))?;
        let done = usize::try_from(done).unwrap_or(usize::MAX);
        let missing = MIGRATIONS.get(done..).ok_or(SqlError::TooNew(done))?;
        if missing.is_empty() {
            return Ok(());
        }
        for statements in missing {
            self.run(statements, &[])?;
        }
        self.run("DELETE FROM migrations", &[])?;
        let all = Value::Number(MIGRATIONS.len() as u64);
        self.run("INSERT INTO migrations (done) VALUES (?1)", &[all])
    }

    /// Runs a statement and ignores its rows.
    pub(crate) fn run(&self, statement: &str, values: &[Value<'_>]) -> Result<()> {
        self.exec(statement, values).map(drop)
    }

    /// Returns the first row of a statement's result.
    pub(crate) fn row(&self, statement: &str, values: &[Value<'_>]) -> Result<Option<ResultRow>> {
        self.exec(statement, values)?.next().transpose()
    }

    /// Returns all rows of a statement's result.
    pub(crate) fn rows(&self, statement: &str, values: &[Value<'_>]) -> Result<Vec<ResultRow>> {
        self.exec(statement, values)?.collect()
    }

    fn exec(
        &self,
        statement: &str,
        values: &[Value<'_>],
    ) -> Result<impl Iterator<Item = Result<ResultRow>> + use<>> {
        let values: Vec<_> = values.iter().map(|value| value.to_js()).collect::<Result<_>>()?;
        let cursor = self.sql.exec_raw(statement, values)?;
        Ok(cursor.raw().map(|row| Ok(ResultRow(row?))))
    }
}

/// One row of a result.
#[derive(Debug)]
pub(crate) struct ResultRow(Vec<SqlStorageValue>);

impl ResultRow {
    /// The values, as workspaces take them.
    pub(crate) fn into_cells(self) -> Vec<SqlCell> {
        let cell = |value| match value {
            SqlStorageValue::Integer(number) => SqlCell::Number(number.cast_unsigned()),
            SqlStorageValue::String(text) => SqlCell::Text(text),
            SqlStorageValue::Blob(bytes) => SqlCell::Blob(bytes),
            _ => SqlCell::Null,
        };
        self.0.into_iter().map(cell).collect()
    }

    /// A column that must be a number.
    pub(crate) fn number(&self, column: usize) -> Result<u64> {
        self.optional_number(column)?.ok_or(SqlError::Column(column))
    }

    /// A column that is a number or null.
    pub(crate) fn optional_number(&self, column: usize) -> Result<Option<u64>> {
        match self.0.get(column) {
            Some(SqlStorageValue::Integer(number)) => {
                u64::try_from(*number).map(Some).map_err(|_| SqlError::Column(column))
            }
            Some(SqlStorageValue::Null) => Ok(None),
            _ => Err(SqlError::Column(column)),
        }
    }

    /// A column that is null or a number within the range of `T`.
    pub(crate) fn optional<T: TryFrom<i64>>(&self, column: usize) -> Result<Option<T>> {
        match self.0.get(column) {
            Some(SqlStorageValue::Integer(number)) => {
                T::try_from(*number).map(Some).map_err(|_| SqlError::Column(column))
            }
            Some(SqlStorageValue::Null) => Ok(None),
            _ => Err(SqlError::Column(column)),
        }
    }

    /// A column that must be a text.
    pub(crate) fn text(&self, column: usize) -> Result<&str> {
        self.optional_text(column)?.ok_or(SqlError::Column(column))
    }

    /// A column that is a text or null.
    pub(crate) fn optional_text(&self, column: usize) -> Result<Option<&str>> {
        match self.0.get(column) {
            Some(SqlStorageValue::String(text)) => Ok(Some(text)),
            Some(SqlStorageValue::Null) => Ok(None),
            _ => Err(SqlError::Column(column)),
        }
    }

    /// A column whose text is parsed as a `T`.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, column: usize) -> Result<T> {
        self.text(column)?.parse().map_err(|_| SqlError::Column(column))
    }

    /// A column of JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: usize) -> Result<T> {
        serde_json::from_str(self.text(column)?).map_err(|_| SqlError::Column(column))
    }

    /// A column that must be a blob, which is moved out of the row.
    pub(crate) fn take_blob(&mut self, column: usize) -> Result<Vec<u8>> {
        match self.0.get_mut(column).map(|value| std::mem::replace(value, SqlStorageValue::Null)) {
            Some(SqlStorageValue::Blob(bytes)) => Ok(bytes),
            _ => Err(SqlError::Column(column)),
        }
    }
}
