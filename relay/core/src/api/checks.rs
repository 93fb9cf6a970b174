//! What may be asked for.

use moorline_shared::limits::{COLUMNS, NAME_CHARACTERS, ROWS, SIZES};
use moorline_shared::name::clean;

use super::ApiError;

/// A name as it is kept: on one line, without what hides or reorders other text (see
/// [`clean`]). An empty one is none.
///
/// # Errors
/// [`ApiError::bad_request`] if nothing of it can be seen, or it is too long.
pub fn name(given: Option<&str>) -> Result<Option<String>, ApiError> {
    let Some(given) = given.filter(|name| !name.is_empty()) else { return Ok(None) };
    let name = clean(given);
    if name.is_empty() {
        return Err(ApiError::bad_request("Nothing of this name can be seen: choose another."));
    }
    if name.chars().count() > NAME_CHARACTERS {
        let most = format!("A name has at most {NAME_CHARACTERS} characters.");
        return Err(ApiError::bad_request(most));
    }
    Ok(Some(name))
}

/// The same of a project, which has one.
///
/// # Errors
/// As [`name`], and if there is none.
pub fn project_name(given: &str) -> Result<String, ApiError> {
    name(Some(given))?.ok_or_else(|| ApiError::bad_request("A project has a name."))
}

/// A number in an address, as seed 000's server read it: what does not begin with one is 0, and so is
/// one below.
#[must_use]
pub fn number(text: Option<&str>) -> u64 {
    let text = text.unwrap_or_default().trim_start();
    let digits = text.strip_prefix('+').unwrap_or(text);
    let end = digits.find(|char: char| !char.is_ascii_digit()).unwrap_or(digits.len());
    // What is too large is ahead of every log.
    if end == 0 { 0 } else { digits[..end].parse().unwrap_or(u64::MAX) }
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
