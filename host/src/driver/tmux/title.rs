//! The titles of tmux in output.
//!
//! Programs in tmux may name their window by `ESC k`, the name and `ESC \`. No other terminal knows
//! that sequence: most would print the name. So it becomes the usual one for a title, which every
//! terminal knows. All other bytes pass unchanged.

/// The most bytes of a name. A longer one is given up: what was held back of it passes unchanged.
const NAME_BYTES: usize = 512;

/// Replaces the titles of tmux in output that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct TitleTranslator {
    /// What is held back: the beginning of a sequence whose end has not come. Empty otherwise.
    held: Vec<u8>,
}

impl TitleTranslator {
    /// Appends the output that follows from `bytes` to `output`.
    pub(super) fn push(&mut self, bytes: &[u8], output: &mut Vec<u8>) {
        let mut rest = bytes;
        loop {
            if self.held.is_empty() {
                let Some(at) = memchr::memchr(0x1b, rest) else {
                    return output.extend_from_slice(rest);
                };
                output.extend_from_slice(&rest[..at]);
                self.held.push(0x1b);
                rest = &rest[at + 1..];
            }
            let Some((&byte, after)) = rest.split_first() else { return };
            if self.held.len() == 1 && byte != b'k' {
                // Another sequence, or a further escape that may begin a title.
                output.append(&mut self.held);
                continue;
            }
            rest = after;
            self.held.push(byte);
            if self.held.ends_with(b"\x1b\\") {
                let name = &self.held[2..self.held.len() - 2];
                output.extend_from_slice(b"\x1b]2;");
                output.extend_from_slice(name);
                output.extend_from_slice(b"\x1b\\");
                self.held.clear();
            } else if self.is_broken() {
                output.append(&mut self.held);
            }
        }
    }

    /// Returns true if these bytes follow unchanged, and nothing of them would be held back.
    pub(super) fn passes(&self, bytes: &[u8]) -> bool {
        let has_title = || memchr::memmem::find(bytes, b"\x1bk").is_some();
        self.held.is_empty() && bytes.last() != Some(&0x1b) && !has_title()
    }

    /// Returns what is held back, because nothing follows.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Returns true if what is held back is no name.
    fn is_broken(&self) -> bool {
        let name = self.held.get(2..).unwrap_or_default();
        let (last, before) = name.split_last().unwrap_or((&b'x', &[]));
        let ends_escape = before.last() == Some(&0x1b);
        name.len() > NAME_BYTES || ends_escape || (*last < 0x20 && *last != 0x1b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(pieces: &[&[u8]]) -> Vec<u8> {
        let mut titles = TitleTranslator::default();
        let mut output = Vec::new();
        for piece in pieces {
            let start = output.len();
            let passes = titles.passes(piece);
            titles.push(piece, &mut output);
            assert!(!passes || (output[start..] == **piece && titles.held.is_empty()));
        }
        output.extend(titles.finish());
        output
    }

    #[test]
    fn a_title_is_the_usual_one_wherever_it_is_cut() {
        let text = b"a\x1b[1mb\x1bkvim x\x1b\\c\x1b]2;y\x1b\\\xc3\xa4\x1b";
        let expected = b"a\x1b[1mb\x1b]2;vim x\x1b\\c\x1b]2;y\x1b\\\xc3\xa4\x1b";
        for at in 0..text.len() {
            assert_eq!(translated(&[&text[..at], &text[at..]]), expected, "cut at {at}");
        }
    }

    #[test]
    fn what_is_no_title_passes_unchanged() {
        let long = [&b"\x1bk"[..], &[b'x'; NAME_BYTES + 9], b"\x1b\\"].concat();
        for text in
            [&b"\x1b\x1b[A"[..], b"\x1bkab\ncd", b"\x1bkab\x1b[1m", b"\x1bk", b"\x1bkab\x1b", &long]
        {
            assert_eq!(translated(&[text]), text);
        }
        assert_eq!(translated(&[b"\x1b\x1bkx\x1b\\"]), b"\x1b\x1b]2;x\x1b\\");
    }
}
