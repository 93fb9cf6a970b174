//! What the terminal emulator reports to the page, and what it is asked to do.

/// What the terminal tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScreenEvent {
    /// Typed or pasted.
    Data(String),
    /// Like `Data`, but each character is one byte (old mouse reports).
    Binary(String),
    /// The bell rang.
    Bell,
    /// The program named the window.
    Title(String),
    /// Something was drawn; whether what is seen is the end of the buffer.
    Drawn {
        /// The view is scrolled to the bottom.
        at_bottom: bool,
    },
    /// The user scrolls up, and the view is at the first line that the terminal holds.
    BeyondTop,
    /// A finger has selected something, or nothing any more.
    Selected(bool),
    /// How many matches the search has, and which one is shown, from 0.
    Matches {
        /// The match that is shown; `None` where there is none or there are too many.
        index: Option<u32>,
        /// All matches.
        count: u32,
    },
}

/// Whether the terminal may see a key (`false` keeps it from it), and whether the browser may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRoute {
    /// To the terminal.
    Terminal,
    /// To the browser, which pastes on it, say.
    Browser,
    /// To neither: it was handled.
    Taken,
}

/// A target for scrolling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scroll {
    /// A screen up.
    PageUp,
    /// A screen down.
    PageDown,
    /// To the first line.
    Start,
    /// To the end.
    End,
}
