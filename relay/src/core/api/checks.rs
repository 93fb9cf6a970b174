//! What may be asked for.

use moorline_shared::limits::{COLUMNS, NAME_CHARACTERS, ROWS};

use super::ApiError;

/// A name for people is short.
///
/// # Errors
/// [`ApiError::bad_request`].
pub fn check_name(name: Option<&str>) -> Result<(), ApiError> {
    if name.is_none_or(|name| name.chars().count() <= NAME_CHARACTERS) {
        return Ok(());
    }
    Err(ApiError::bad_request(format!("A name has at most {NAME_CHARACTERS} characters.")))
}

/// A terminal's size is within its limits.
///
/// # Errors
/// [`ApiError::bad_request`].
pub fn check_size(cols: Option<u16>, rows: Option<u16>) -> Result<(), ApiError> {
    let fits = cols.is_none_or(|cols| COLUMNS.contains(&cols))
        && rows.is_none_or(|rows| ROWS.contains(&rows));
    if fits {
        return Ok(());
    }
    let (cols, rows) = (COLUMNS, ROWS);
    Err(ApiError::bad_request(format!(
        "A terminal has {} to {} cols and {} to {} rows.",
        cols.start(),
        cols.end(),
        rows.start(),
        rows.end()
    )))
}
