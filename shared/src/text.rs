//! Decodes output to text, without ever cutting a character.

use crate::name::{is_hidden, is_joiner};
use serde::{Deserialize, Serialize};

/// Most bytes of a character whose end is missing.
const MOST_CARRIED: usize = 3;

/// Decodes pieces of output as UTF-8. A character that is cut at the end of a piece waits for the
/// next piece; bytes that are not UTF-8 become U+FFFD.
///
/// The state depends on the last three bytes only. So a decoder that is given these
/// ([`TextDecoder::after`]) continues exactly where another one stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextDecoder {
    carried: Vec<u8>,
}

impl TextDecoder {
    /// Creates a decoder at the beginning of the output.
    #[must_use]
    pub const fn new() -> Self {
        Self { carried: Vec::new() }
    }

    /// Creates a decoder that continues after output that ended with `last`: at least three bytes,
    /// or all there are.
    #[must_use]
    pub fn after(last: &[u8]) -> Self {
        Self { carried: last[last.len() - unfinished(last)..].to_vec() }
    }

    /// Returns the text of the next piece, up to its last complete character.
    pub fn decode(&mut self, piece: &[u8]) -> String {
        let mut bytes = std::mem::take(&mut self.carried);
        bytes.extend_from_slice(piece);
        self.carried = bytes.split_off(bytes.len() - unfinished(&bytes));
        match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }
    }

    /// Ends the output, and returns the text of the bytes that still wait.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.carried)).into_owned()
    }
}

/// Returns a text that others chose as one line that is safe to show anywhere, of at most `most`
/// characters. Control characters, and characters that change the direction of what follows, are
/// removed; any run of white space becomes one space.
#[must_use]
pub fn plain_text(text: &str, most: usize) -> String {
    let mut plain = String::new();
    let mut count = 0;
    let mut space = false;
    for character in text.chars() {
        if character.is_whitespace() {
            space = count > 0;
        } else if !character.is_control() && !is_invisible(character) {
            if count + usize::from(space) >= most {
                break;
            }
            if std::mem::take(&mut space) {
                plain.push(' ');
                count += 1;
            }
            plain.push(character);
            count += 1;
        }
    }
    plain
}

/// Returns true for hidden characters, except joiners and variation selectors, which emoji and some scripts need.
const fn is_invisible(character: char) -> bool {
    let is_needed = is_joiner(character) || matches!(character, '\u{fe00}'..='\u{fe0f}');
    is_hidden(character) && !is_needed
}

/// Returns the number of bytes at the end that begin an incomplete character.
fn unfinished(bytes: &[u8]) -> usize {
    let last = &bytes[bytes.len().saturating_sub(MOST_CARRIED)..];
    let begins = |byte: &u8| byte & 0b1100_0000 != 0b1000_0000;
    let Some(start) = last.iter().rposition(begins) else { return 0 };
    match std::str::from_utf8(&last[start..]) {
        Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => last.len() - start,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_one_line_that_stays_in_its_place() {
        for (text, shown) in [
            ("plain", "plain"),
            ("  two\n\tlines \u{2028} ", "two lines"),
            ("a\u{202e}txt.exe\u{202c}", "atxt.exe"),
            ("\u{1b}[31mred\u{7}\u{9b}0m", "[31mred0m"),
            ("\u{2066}\u{200f}\u{feff}", ""),
            ("soft\u{ad}ly\u{e0041}", "softly"),
            ("\u{2764}\u{fe0f}", "\u{2764}\u{fe0f}"),
            ("\u{1f469}\u{200d}\u{1f4bb} שלום", "\u{1f469}\u{200d}\u{1f4bb} שלום"),
        ] {
            assert_eq!(plain_text(text, 200), shown, "{text:?}");
        }
        assert_eq!(plain_text("äöü xyz", 4), "äöü");
        assert_eq!(plain_text("äöü xyz", 5), "äöü x");
    }
    use proptest::prelude::*;

    #[test]
    fn a_cut_character_waits_for_its_end() {
        let text = "a€𝄞ü";
        for cut in 0..=text.len() {
            let mut decoder = TextDecoder::new();
            let (one, two) = text.as_bytes().split_at(cut);
            assert_eq!(decoder.decode(one) + &decoder.decode(two), text);
            assert_eq!(decoder.finish(), "");
        }
    }

    #[test]
    fn what_never_ends_is_replaced() {
        let mut decoder = TextDecoder::new();
        assert_eq!(decoder.decode(b"a\xe2\x82"), "a");
        assert_eq!(decoder.decode(b"b"), "\u{fffd}b");
        assert_eq!(decoder.decode(b"\xf0"), "");
        assert_eq!(decoder.finish(), "\u{fffd}");
    }

    proptest! {
        #[test]
        fn pieces_give_the_text_of_the_whole(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0xe2), Just(0x82), Just(0xf0)], 0..40),
            cuts in prop::collection::vec(0_usize..40, 0..6),
        ) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let (mut text, mut decoder, mut start) = (String::new(), TextDecoder::new(), 0);
            for cut in cuts.into_iter().chain([bytes.len()]) {
                text += &decoder.decode(&bytes[start..cut]);
                start = cut;
                // Another decoder can continue from here.
                prop_assert_eq!(&TextDecoder::after(&bytes[..cut]), &decoder);
                prop_assert_eq!(
                    &TextDecoder::after(&bytes[cut.saturating_sub(MOST_CARRIED)..cut]), &decoder
                );
            }
            prop_assert_eq!(text + &decoder.finish(), String::from_utf8_lossy(&bytes));
        }
    }
}
