//! Decodes bytes like the page's emulator: bytes that are not UTF-8 are dropped, and control
//! characters above ASCII become their seven-bit equivalents.

use std::borrow::Cow;

use memchr::{memchr_iter, memmem};

/// The first byte of the UTF-8 form of U+0080 to U+009F, which are control characters, and of
/// others.
const LEAD: u8 = 0xc2;
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Decodes output, and keeps an incomplete character at its end.
#[derive(Debug, Default)]
pub(super) struct OutputDecoder {
    pending: Vec<u8>,
}

impl OutputDecoder {
    /// Returns the bytes of an incomplete character.
    pub(super) fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// Decodes the next bytes to whole characters of UTF-8.
    pub(super) fn decode<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let bytes = if self.pending.is_empty() {
            Cow::Borrowed(bytes)
        } else {
            let mut all = std::mem::take(&mut self.pending);
            all.extend_from_slice(bytes);
            Cow::Owned(all)
        };
        if std::str::from_utf8(&bytes).is_ok() && !has_odd(&bytes) {
            return bytes;
        }
        Cow::Owned(self.decode_slowly(&bytes))
    }

    fn decode_slowly(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut decoded = Vec::with_capacity(bytes.len());
        let mut read = 0;
        for chunk in bytes.utf8_chunks() {
            write(chunk.valid(), &mut decoded);
            read += chunk.valid().len() + chunk.invalid().len();
            let unfinished = read == bytes.len()
                && std::str::from_utf8(chunk.invalid())
                    .is_err_and(|error| error.error_len().is_none());
            if unfinished {
                self.pending = chunk.invalid().to_vec();
            }
        }
        decoded
    }
}

/// Returns the offset of the first control character that is not ASCII.
pub(super) fn first_control(text: &[u8]) -> Option<usize> {
    memchr_iter(LEAD, text)
        .find(|at| text.get(at + 1).is_none_or(|next| (0x80..0xa0).contains(next)))
}

fn has_odd(bytes: &[u8]) -> bool {
    first_control(bytes).is_some() || memmem::find(bytes, BYTE_ORDER_MARK.as_bytes()).is_some()
}

fn write(text: &str, decoded: &mut Vec<u8>) {
    for character in text.chars() {
        let escaped = match character {
            '\u{84}' => b'D',
            '\u{85}' => b'E',
            '\u{88}' => b'H',
            // The control characters that begin or end a string or a sequence.
            '\u{90}' | '\u{98}' | '\u{9b}'..='\u{9f}' => (u32::from(character) - 0x40) as u8,
            '\u{80}'..='\u{9f}' | '\u{feff}' => continue,
            _ => {
                let mut buffer = [0; 4];
                decoded.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                continue;
            }
        };
        decoded.extend_from_slice(&[0x1b, escaped]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> (String, Vec<u8>) {
        let mut decoder = OutputDecoder::default();
        let text = decoder.decode(bytes).into_owned();
        (String::from_utf8(text).unwrap(), decoder.pending().to_vec())
    }

    #[test]
    fn what_is_no_text_is_nothing() {
        assert_eq!(decoded(b"a\xffb\xe4\xb8c\xed\xa0\x80d"), ("abcd".into(), vec![]));
        assert_eq!(decoded("a\u{feff}b\u{fffd}é\u{a0}".as_bytes()).0, "ab\u{fffd}é\u{a0}");
        assert_eq!(
            decoded("\u{9b}31mx\u{9d}0;t\u{9c}\u{85}\u{8d}".as_bytes()).0,
            "\x1b[31mx\x1b]0;t\x1b\\\x1bE"
        );
    }

    #[test]
    fn a_character_may_be_cut_anywhere() {
        let whole = "a世🦀é\u{9b}m".as_bytes();
        for cut in 0..whole.len() {
            let mut decoder = OutputDecoder::default();
            let mut all = decoder.decode(&whole[..cut]).into_owned();
            all.extend_from_slice(&decoder.decode(&whole[cut..]));
            assert_eq!((all, decoder.pending()), ("a世🦀é\x1b[m".as_bytes().to_vec(), &b""[..]));
        }
        assert_eq!(decoded(b"a\xe4\xb8"), ("a".into(), b"\xe4\xb8".to_vec()));
    }
}
