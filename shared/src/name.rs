//! Cleans the names of things, so that they can be shown on one line anywhere.
//!
//! A name can hide what it says: control characters, characters that change the direction of the
//! text around them, and invisible characters. [`clean`] removes them.

/// Returns `text` on one line, without characters that hide or reorder others. White space is
/// collapsed, and trimmed at both ends; the result is empty if nothing of `text` is visible.
///
/// Joiners stay between the characters that they join: without them some scripts and most emoji
/// read differently.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut space = false;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if is_blank(char) {
            space = true;
            continue;
        }
        let before = cleaned.chars().next_back().filter(|_| !space);
        if char.is_control() || (is_hidden(char) && !joins(before, char, chars.peek().copied())) {
            continue;
        }
        if std::mem::take(&mut space) && !cleaned.is_empty() {
            cleaned.push(' ');
        }
        cleaned.push(char);
    }
    // A joiner without a right-hand side joins nothing.
    let end = cleaned.trim_end_matches(is_joiner).len();
    cleaned.truncate(end);
    cleaned
}

/// Like [`clean`], but cuts the result off after `characters` characters.
#[must_use]
pub fn bounded(text: &str, characters: usize) -> String {
    let cleaned = clean(text);
    match cleaned.char_indices().nth(characters) {
        Some((end, _)) => clean(&cleaned[..end]),
        None => cleaned,
    }
}

/// Returns true for white space and characters that look like it.
fn is_blank(char: char) -> bool {
    char.is_whitespace() || looks_blank(char)
}

/// Returns true for characters that look like white space without being any.
#[must_use]
pub const fn looks_blank(char: char) -> bool {
    matches!(char, '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{115f}' | '\u{1160}')
}

/// Returns true for the zero-width joiner and non-joiner.
#[must_use]
pub const fn is_joiner(char: char) -> bool {
    matches!(char, '\u{200c}' | '\u{200d}')
}

/// Returns true if the character takes no room, or changes how others are shown.
#[must_use]
pub const fn is_hidden(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
        | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Returns true if a hidden character belongs to its neighbours: a joiner between letters or
/// symbols, or a variation selector after a symbol.
fn joins(before: Option<char>, char: char, after: Option<char>) -> bool {
    let is_symbol = |char: char| !char.is_ascii() && !is_blank(char) && !is_hidden(char);
    match char {
        '\u{200c}' | '\u{200d}' => {
            let before = before.is_some_and(|before| is_symbol(before) || before == '\u{fe0f}');
            before && after.is_some_and(is_symbol)
        }
        '\u{fe0e}' | '\u{fe0f}' => before.is_some_and(is_symbol) || after == Some('\u{20e3}'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_hides_or_reorders_is_left_out() {
        for (given, shown) in [
            ("plain", "plain"),
            ("  two \t\n words\u{a0}", "two words"),
            ("\u{202e}gnp.exe", "gnp.exe"),
            ("a\u{2066}b\u{2069}\u{200e}\u{200f}\u{61c}c", "abc"),
            ("ze\u{200b}ro\u{2060}\u{feff}width", "zerowidth"),
            ("a\u{200d}b\u{200c}c\u{ad}d\u{fe0f}", "abcd"),
            ("\x1b[31mred\x07\u{9b}\0", "[31mred"),
            ("line\u{2028}and\u{2029}paragraph\u{85}", "line and paragraph"),
            ("tag\u{e0041}", "tag"),
            (" \u{200b}\u{2800}\u{3164}\t", ""),
            ("", ""),
        ] {
            assert_eq!(clean(given), shown, "{given:?}");
        }
    }

    #[test]
    fn scripts_and_emoji_stay_as_they_are() {
        let persian = "می\u{200c}خواهم";
        for name in [
            persian,
            "שלום",
            "名前",
            "é",
            "👩\u{200d}💻",
            "1\u{fe0f}\u{20e3}",
            "❤\u{fe0f}\u{200d}🔥",
        ] {
            assert_eq!(clean(name), name);
        }
    }

    #[test]
    fn a_long_one_is_cut_between_characters() {
        assert_eq!(bounded("äöü", 2), "äö");
        assert_eq!(bounded("a b", 2), "a");
        assert_eq!(bounded("👩\u{200d}💻", 2), "👩");
        assert_eq!(bounded(&"x".repeat(300), 200).len(), 200);
    }

    proptest! {
        #[test]
        fn cleaning_twice_changes_nothing(text in "\\PC*|[\u{200c}\u{200d}\u{fe0f}❤👩a1 \u{20e3}\u{200b}]{0,12}") {
            let once = clean(&text);
            prop_assert_eq!(clean(&once), once);
        }
    }
}
