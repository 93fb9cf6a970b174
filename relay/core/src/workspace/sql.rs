//! The database as workspaces see it.

use std::str::FromStr;

/// Runs statements of a workspace. All statements between two calls of the owner belong to one
/// transaction, which the owner begins and ends.
pub trait WorkspaceSql {
    /// Runs a statement that returns nothing.
    ///
    /// # Errors
    /// [`SqlFailure`].
    fn run(&self, statement: &str, values: &[SqlValue<'_>]) -> Result<(), SqlFailure>;

    /// Runs a statement, and returns its rows.
    ///
    /// # Errors
    /// [`SqlFailure`].
    fn rows(
        &self,
        statement: &str,
        values: &[SqlValue<'_>],
    ) -> Result<Vec<Vec<SqlCell>>, SqlFailure>;

    /// Returns a text in the normalisation form D of Unicode, in which letters are apart from their
    /// marks. Not every relay has room for the tables that this takes, or needs to: some systems have
    /// them.
    fn decompose(&self, text: &str) -> String;
}

/// A value that is bound to a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlValue<'a> {
    /// No value.
    Null,
    /// A number.
    Number(u64),
    /// A text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlCell {
    /// No value.
    Null,
    /// A number.
    Number(u64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// The reason why a statement failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlFailure {
    /// The disk is full.
    #[error("the disk is full: free some space on it")]
    Full,
    /// Another reason.
    #[error("{0}")]
    Other(String),
}

impl From<u64> for SqlValue<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl<'a> From<&'a str> for SqlValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for SqlValue<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Blob(bytes)
    }
}

impl<'a, T: Into<Self>> From<Option<T>> for SqlValue<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row, whose values are taken one after the other.
pub(super) struct SqlRow {
    cells: std::vec::IntoIter<SqlCell>,
    column: usize,
}

impl SqlRow {
    pub(super) fn new(cells: Vec<SqlCell>) -> Self {
        Self { cells: cells.into_iter(), column: 0 }
    }

    /// Returns the failure of a row that this version does not write.
    pub(super) fn damaged(&self) -> SqlFailure {
        SqlFailure::Other(format!("column {} of a workspace's row is not valid", self.column))
    }

    fn next(&mut self) -> SqlCell {
        self.column += 1;
        self.cells.next().unwrap_or(SqlCell::Null)
    }

    pub(super) fn number(&mut self) -> Result<u64, SqlFailure> {
        match self.next() {
            SqlCell::Number(number) => Ok(number),
            _ => Err(self.damaged()),
        }
    }

    pub(super) fn optional_text(&mut self) -> Result<Option<String>, SqlFailure> {
        match self.next() {
            SqlCell::Text(text) => Ok(Some(text)),
            SqlCell::Null => Ok(None),
            _ => Err(self.damaged()),
        }
    }

    pub(super) fn optional_blob(&mut self) -> Result<Option<Vec<u8>>, SqlFailure> {
        match self.next() {
            SqlCell::Blob(bytes) => Ok(Some(bytes)),
            SqlCell::Null => Ok(None),
            _ => Err(self.damaged()),
        }
    }

    pub(super) fn parsed<T: FromStr>(&mut self) -> Result<T, SqlFailure> {
        let text = self.optional_text()?;
        text.and_then(|text| text.parse().ok()).ok_or_else(|| self.damaged())
    }
}
