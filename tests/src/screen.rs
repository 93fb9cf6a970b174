//! What a terminal shows after some output.

use std::num::NonZeroU16;

use moorline_shared::session::Size;

/// An emulator, which is not the host's.
pub struct Screen(vt100::Parser);

/// Everything that one sees of a screen, to compare two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The lines, without spaces at their ends.
    pub lines: Vec<String>,
    /// Row and column.
    pub cursor: (u16, u16),
    /// A full-screen program's screen.
    pub alternate: bool,
}

impl Screen {
    /// An empty one.
    #[must_use]
    pub fn new(size: Size) -> Self {
        let some = |cells| NonZeroU16::new(cells).unwrap_or(NonZeroU16::MIN);
        Self(vt100::Parser::new(some(size.rows), some(size.cols), 0))
    }

    /// Puts output on it.
    pub fn apply(&mut self, output: &[u8]) {
        self.0.process(output);
    }

    /// What it shows now.
    #[must_use]
    pub fn shown(&self) -> Shown {
        let screen = self.0.screen();
        let (_, cols) = screen.size();
        let lines = screen.rows(0, cols.get()).map(|line| line.trim_end().to_owned()).collect();
        let (cursor, alternate) = (screen.cursor_position(), screen.alternate_screen());
        Shown { lines, cursor, alternate }
    }
}
