//! The HTML of a Markdown text that grows at its end, as while an agent speaks.

/// The number of blocks at the end that more text may change: the last one, and one before it, so
/// that nothing depends on where exactly a block ends.
const UNSETTLED: usize = 2;

/// The blocks of a growing text. What is settled is not parsed again.
#[derive(Debug, Clone, Default)]
pub struct GrowingText {
    blocks: Vec<String>,
    /// The number of blocks that more text does not change.
    settled: usize,
    /// The byte of the text at which the other blocks begin.
    rest: usize,
}

impl GrowingText {
    /// Returns the HTML of each block.
    #[must_use]
    pub fn blocks(&self) -> &[String] {
        &self.blocks
    }

    /// Takes the text as it is now. `before` is the text of the last call, or empty, and `blocks_of`
    /// returns the HTML of each block, with the byte at which its first line begins.
    pub fn follow(
        &mut self,
        before: &str,
        text: &str,
        blocks_of: impl FnOnce(&str) -> Vec<(usize, String)>,
    ) {
        let settled =
            text.get(..self.rest).filter(|settled| before.get(..self.rest) == Some(settled));
        // A link that is defined there may be used later.
        if settled.is_none_or(|settled| settled.contains("]:")) {
            (self.settled, self.rest) = (0, 0);
        }
        let rest = self.rest;
        let blocks = blocks_of(&text[rest..]);
        self.blocks.truncate(self.settled);
        if let Some(settled) = blocks.len().checked_sub(UNSETTLED) {
            self.settled += settled;
            self.rest += blocks[settled].0;
        }
        self.blocks.extend(blocks.into_iter().map(|(_, html)| html));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::markdown::{self, CodeStyle};
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const TEXT: &str = "# Title\n\nSome *text*\nin two lines.\n\n- a\n\n  b\n- c\n\n    code\n\n\
        1. x\n2. y\n\n```rust\nfn a() {\n\n}\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> quote\nlazy\n\n\
        <div>\n\nhtml\n\n</div>\n\nTitle\n=====\n\n    indented\n\n    code\n\nä ö ü\n\n---\n\nEnd";

    const PLAIN: CodeStyle<'_> = CodeStyle { colour: &|_, _| None, can_copy: false };

    fn follow(growing: &mut GrowingText, before: &str, text: &str) {
        growing.follow(before, text, |text| markdown::placed_blocks(text, PLAIN));
    }

    #[test]
    fn a_text_that_grows_is_as_if_it_was_read_at_once() {
        let mut growing = GrowingText::default();
        let mut before = "";
        for (end, _) in TEXT.char_indices().chain([(TEXT.len(), ' ')]) {
            let text = &TEXT[..end];
            follow(&mut growing, before, text);
            assert_eq!(growing.blocks(), markdown::blocks(text, PLAIN), "{text:?}");
            before = text;
        }
        assert!(growing.rest > TEXT.len() / 2);
    }

    #[test]
    fn another_text_is_read_anew() {
        let mut growing = GrowingText::default();
        follow(&mut growing, "", TEXT);
        for (before, text) in [(TEXT, "a\n\nb"), ("a\n\nb", ""), ("", TEXT), (TEXT, "ä")] {
            follow(&mut growing, before, text);
            assert_eq!(growing.blocks().len(), markdown::blocks(text, PLAIN).len());
        }
    }

    #[test]
    fn links_that_are_defined_early_work_late() {
        let early = "[x]: https://example.org\n\none\n\ntwo\n\nthree\n\n";
        let late = format!("{early}[x]");
        let mut growing = GrowingText::default();
        follow(&mut growing, "", early);
        follow(&mut growing, early, &late);
        assert!(growing.blocks().last().unwrap().contains("href"));
    }
}
