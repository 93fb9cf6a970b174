//! Screens of terminals, to compare them.

use std::num::NonZeroU16;

use moorline_shared::session::Size;

/// A terminal emulator other than the host's.
pub struct Screen(vt100::Parser);

/// Visible state of a screen, to compare two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The lines, without trailing spaces.
    pub lines: Vec<String>,
    /// Row and column of the cursor, from 0.
    pub cursor: (u16, u16),
    /// True on the alternate screen of full-screen programs.
    pub alternate: bool,
}

impl Screen {
    /// An empty screen of this size.
    #[must_use]
    pub fn new(size: Size) -> Self {
        let some = |cells| NonZeroU16::new(cells).unwrap_or(NonZeroU16::MIN);
        Self(vt100::Parser::new(some(size.rows), some(size.cols), 0))
    }

    /// Applies output to the screen.
    pub fn apply(&mut self, output: &[u8]) {
        self.0.process(output);
    }

    /// The screen's current visible state.
    #[must_use]
    pub fn shown(&self) -> Shown {
        let screen = self.0.screen();
        let (_, cols) = screen.size();
        let lines = screen.rows(0, cols.get()).map(|line| line.trim_end().to_owned()).collect();
        let (cursor, alternate) = (screen.cursor_position(), screen.alternate_screen());
        Shown { lines, cursor, alternate }
    }
}
