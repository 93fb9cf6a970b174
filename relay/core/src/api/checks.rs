//! Checks of values that requests carry.

use moorline_shared::limits::{COLUMNS, NAME_CHARACTERS, ROWS, SIZES};
use moorline_shared::name::clean;

use super::ApiError;

/// Returns a name as it is stored: on one line, without characters that hide or reorder other text
/// (see [`clean`]). An empty name is `None`.
///
/// # Errors
/// [`ApiError::bad_request`] if no visible character is left, or the name is too long.
pub fn name(given: Option<&str>) -> Result<Option<String>, ApiError> {
    let Some(given) = given.filter(|name| !name.is_empty()) else { return Ok(None) };
    let name = clean(given);
    if name.is_empty() {
        return Err(ApiError::bad_request("The name has no visible characters: choose another."));
    }
    if name.chars().count() > NAME_CHARACTERS {
        let most = format!("A name can have at most {NAME_CHARACTERS} characters.");
        return Err(ApiError::bad_request(most));
    }
    Ok(Some(name))
}

/// Returns a project's name as it is stored. A project must have one.
///
/// # Errors
/// The errors of [`name`], and [`ApiError::bad_request`] if the name is empty.
pub fn project_name(given: &str) -> Result<String, ApiError> {
    name(Some(given))?.ok_or_else(|| ApiError::bad_request("A project needs a name."))
}

/// Parses a number in an address as seed 000's server did: the leading digits count. Text that does
/// not begin with a digit, such as a negative number, is 0.
#[must_use]
pub fn number(text: Option<&str>) -> u64 {
    let text = text.unwrap_or_default().trim_start();
    let digits = text.strip_prefix('+').unwrap_or(text);
    let end = digits.find(|char: char| !char.is_ascii_digit()).unwrap_or(digits.len());
    // A number that is too large is ahead of every log.
    if end == 0 { 0 } else { digits[..end].parse().unwrap_or(u64::MAX) }
}

/// Checks that a terminal's size is within its limits. An absent dimension passes.
///
/// # Errors
/// [`ApiError::bad_request`].
pub fn check_size(cols: Option<u16>, rows: Option<u16>) -> Result<(), ApiError> {
    let fits = cols.is_none_or(|cols| COLUMNS.contains(&cols))
        && rows.is_none_or(|rows| ROWS.contains(&rows));
    if fits {
        return Ok(());
    }
    Err(ApiError::bad_request(SIZES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_can_be_read() {
        assert_eq!(name(None).unwrap(), None);
        assert_eq!(name(Some("")).unwrap(), None);
        assert_eq!(name(Some(" b\u{202e}uild\n ")).unwrap().as_deref(), Some("build"));
        for blank in [" ", "\t\n", "\u{200b}", "\u{202e}\u{2066}"] {
            assert!(name(Some(blank)).is_err(), "{blank:?}");
            assert!(project_name(blank).is_err(), "{blank:?}");
        }
        assert!(name(Some(&"x".repeat(NAME_CHARACTERS))).is_ok());
        assert!(name(Some(&"x".repeat(NAME_CHARACTERS + 1))).is_err());
        assert!(project_name("").is_err());
    }

    #[test]
    fn a_number_is_read_as_the_seeds_server_did() {
        for (text, read) in [
            ("5", 5),
            (" 5", 5),
            ("+5", 5),
            ("5abc", 5),
            ("1e3", 1),
            ("1.9", 1),
            ("", 0),
            ("abc", 0),
            ("-5", 0),
            ("NaN", 0),
            ("null", 0),
            ("99999999999999999999999", u64::MAX),
        ] {
            assert_eq!(number(Some(text)), read, "{text:?}");
        }
        assert_eq!(number(None), 0);
    }
}
