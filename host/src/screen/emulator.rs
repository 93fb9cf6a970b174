//! A terminal emulator whose content can be painted.

use alacritty_terminal::vte::Parser;
use moorline_shared::session::Size;

use super::decoder::OutputDecoder;
use super::dispatch::Dispatch;
use super::model::Model;
use super::paint;
use super::unfinished::Unfinished;

/// Alacritty's model behind a parser, with the bytes of an unfinished sequence.
pub(super) struct Emulator {
    pub(super) model: Model,
    decoder: OutputDecoder,
    parser: Parser,
    unfinished: Unfinished,
}

impl Emulator {
    pub(super) fn new(size: Size) -> Self {
        Self {
            model: Model::new(size.clamped()),
            decoder: OutputDecoder::default(),
            parser: Parser::new(),
            unfinished: Unfinished::new(),
        }
    }

    pub(super) fn feed(&mut self, output: &[u8]) {
        let text = self.decoder.decode(output);
        let seen = self.unfinished.advance(&text);
        self.parser.advance(&mut Dispatch(&mut self.model), seen);
    }

    pub(super) fn resize(&mut self, size: Size) {
        self.model.resize(size.clamped());
    }

    pub(super) fn size(&self) -> Size {
        self.model.size()
    }

    /// Returns true if [`super::fast_forward`] may skip the next output.
    pub(super) fn is_plain(&self) -> bool {
        self.unfinished.bytes().is_empty()
            && self.decoder.pending().is_empty()
            && self.model.is_plain()
    }

    /// Returns the bytes of an unfinished sequence and an incomplete character.
    pub(super) fn unfinished(&self) -> Vec<u8> {
        [self.unfinished.bytes(), self.decoder.pending()].concat()
    }

    /// Returns bytes that recreate this screen on any terminal of its size, at most `most_bytes` of
    /// them. If that is not enough, the least important parts are left out.
    pub(super) fn paint(&mut self, most_bytes: usize) -> Vec<u8> {
        let unfinished = self.unfinished();
        let mut snapshot = paint::snapshot(&mut self.model, most_bytes - unfinished.len());
        snapshot.extend_from_slice(&unfinished);
        snapshot
    }

    /// Returns the bytes of [`super::Screen::paint_over`].
    pub(super) fn paint_over(&mut self, scrollback: bool) -> Vec<u8> {
        let unfinished = self.unfinished();
        let mut snapshot = paint::over(&mut self.model, scrollback);
        snapshot.extend_from_slice(&unfinished);
        snapshot
    }
}
