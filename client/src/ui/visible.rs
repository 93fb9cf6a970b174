//! Characters that nobody sees, or that change how the text around them reads.
//!
//! Somebody who allows a command or a change must see exactly what it is. "Trojan Source"
//! (CVE-2021-42574) describes how such characters hide that.

use std::borrow::Cow;
use std::fmt::Write as _;

use moorline_shared::name;

/// Returns a text in which each hidden character is written out, as `⟨U+202E⟩`.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    written_out(text, is_hidden)
}

/// Like [`visible`], for a name: line breaks and tabs are written out as well.
#[must_use]
pub fn visible_name(name: &str) -> Cow<'_, str> {
    written_out(name, |letter| is_hidden(letter) || letter.is_control())
}

/// Like [`visible`], for prose: writes out only what overrides the direction of other characters. Marks
/// of direction and joiners belong to the writing of some languages.
#[must_use]
pub fn visible_prose(text: &str) -> Cow<'_, str> {
    written_out(text, |letter| matches!(letter, '\u{202d}' | '\u{202e}'))
}

/// Returns true if [`visible`] changes the text.
#[must_use]
pub fn has_hidden(text: &str) -> bool {
    text.chars().any(is_hidden)
}

/// Returns true for a character without a glyph that is not white space, and for those that set the
/// direction of text. What emoji and some scripts need to join or to vary others does not count.
fn is_hidden(letter: char) -> bool {
    let is_needed = name::is_joiner(letter) || matches!(letter, '\u{fe00}'..='\u{fe0f}');
    let is_separator = matches!(letter, '\u{2028}' | '\u{2029}');
    let is_control = letter.is_control() && !matches!(letter, '\t' | '\n' | '\r');
    let is_blank = name::looks_blank(letter);
    is_separator || is_control || is_blank || name::is_hidden(letter) && !is_needed
}

fn written_out(text: &str, is_hidden: fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if is_hidden(letter) {
            // Writing to a text cannot fail.
            let _ = write!(shown, "⟨U+{:04X}⟩", u32::from(letter));
        } else {
            shown.push(letter);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn hidden_characters_are_written_out() {
        assert_eq!(
            visible("cat a\u{202e}txt.hs \u{200b}x\u{7}"),
            "cat a⟨U+202E⟩txt.hs ⟨U+200B⟩x⟨U+0007⟩"
        );
        for hidden in
            ['\u{feff}', '\u{e0041}', '\u{34f}', '\u{ad}', '\u{3164}', '\u{2028}', '\u{e0100}']
        {
            assert!(is_hidden(hidden), "{hidden:?}");
        }
        for plain in ["a\tb\r\n", "שלום", "👨\u{200d}👩\u{fe0f}", "نیم\u{200c}فاصله", ""]
        {
            assert!(!has_hidden(plain) && matches!(visible(plain), Cow::Borrowed(_)), "{plain}");
        }
        assert_eq!(visible_name("a\n\u{202e}b"), "a⟨U+000A⟩⟨U+202E⟩b");
        assert_eq!(visible_prose("a\u{200f}b\u{202e}c"), "a\u{200f}b⟨U+202E⟩c");
    }
}
