//! The key by which names are told apart on every system.

use moorline_shared::workspace::WorkspacePath;

/// Returns the key of a path. Two paths with one key would be one file on a system that ignores case
/// or the form in which letters with marks are written.
pub(super) fn key(path: &WorkspacePath, decompose: impl Fn(&str) -> String) -> String {
    if path.as_str().is_ascii() {
        return path.as_str().to_ascii_lowercase();
    }
    let lower: String = decompose(path.as_str()).chars().flat_map(char::to_lowercase).collect();
    decompose(&lower)
}

#[cfg(test)]
mod tests {
    use unicode_normalization::UnicodeNormalization as _;

    use super::*;

    #[test]
    fn names_that_differ_by_case_or_form_have_one_key() {
        let key = |text: &str| key(&text.parse().unwrap(), |text| text.nfd().collect());
        for (one, other) in
            [("Makefile", "makeFILE"), ("\u{e9}", "e\u{301}"), ("É/x", "e\u{301}/X")]
        {
            assert_eq!(key(one), key(other), "{one}");
        }
        assert_ne!(key("é"), key("e"));
        assert_ne!(key("a/b"), key("a-b"));
    }
}
