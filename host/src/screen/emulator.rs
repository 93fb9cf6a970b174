//! A terminal emulator that can be painted.

use alacritty_terminal::vte::ansi::{Processor, Timeout};
use moorline_shared::session::Size;

use super::model::Model;
use super::paint;
use super::unfinished::Unfinished;

/// Alacritty's model behind its parser, with the end of an unfinished sequence.
pub(super) struct Emulator {
    pub(super) model: Model,
    processor: Processor<AtOnce>,
    unfinished: Unfinished,
}

/// Synchronised updates are applied as they come: a snapshot shows what is there and says that
/// an update is under way.
#[derive(Default)]
struct AtOnce;

impl Timeout for AtOnce {
    fn set_timeout(&mut self, _: std::time::Duration) {}

    fn clear_timeout(&mut self) {}

    fn pending_timeout(&self) -> bool {
        false
    }
}

impl Emulator {
    pub(super) fn new(size: Size) -> Self {
        Self {
            model: Model::new(size.clamped()),
            processor: Processor::new(),
            unfinished: Unfinished::new(),
        }
    }

    pub(super) fn feed(&mut self, output: &[u8]) {
        let seen = self.unfinished.advance(output);
        self.processor.advance(&mut self.model, seen);
    }

    pub(super) fn resize(&mut self, size: Size) {
        self.model.resize(size.clamped());
    }

    pub(super) fn size(&self) -> Size {
        self.model.size()
    }

    /// Whether [`super::fast_forward`] may skip what is fed next.
    pub(super) fn is_plain(&self) -> bool {
        self.unfinished.bytes().is_empty() && self.model.is_plain()
    }

    /// The bytes of a sequence that has not ended.
    #[cfg(test)]
    pub(super) fn unfinished(&self) -> &[u8] {
        self.unfinished.bytes()
    }

    /// Bytes that make the same of any terminal of this size: at most `most_bytes` where the
    /// screens themselves are no larger, at the cost of the oldest scrollback.
    pub(super) fn paint(&mut self, most_bytes: usize) -> Vec<u8> {
        let unfinished = self.unfinished.bytes();
        let mut picture = paint::picture(&mut self.model, most_bytes - unfinished.len());
        picture.extend_from_slice(unfinished);
        picture
    }
}
