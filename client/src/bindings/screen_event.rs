//! Events that the terminal emulator reports, and requests that it takes.

/// An event of the terminal emulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScreenEvent {
    /// Text was typed or pasted.
    Data(String),
    /// Like `Data`, but each character stands for one byte (old mouse reports).
    Binary(String),
    /// The program rang the bell.
    Bell,
    /// The program set the window's title.
    Title(String),
    /// The terminal drew something.
    Drawn {
        /// True if the view is at the end of the buffer.
        at_bottom: bool,
    },
    /// The user scrolls up, and the view is at the first line that the terminal holds.
    BeyondTop,
    /// True if a finger has selected text, false once its selection is gone.
    Selected(bool),
    /// The search's result changed.
    Matches {
        /// The index of the match that is shown, from 0. `None` if there are none or too many.
        index: Option<u32>,
        /// The number of matches.
        count: u32,
    },
}

/// The destination of a key event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRoute {
    /// The terminal handles the key.
    Terminal,
    /// The browser handles the key, for example to paste.
    Browser,
    /// The page has handled the key: neither of them sees it.
    Taken,
}

/// A target for scrolling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scroll {
    /// One page towards the start.
    PageUp,
    /// One page towards the end.
    PageDown,
    /// The first line of the buffer.
    Start,
    /// The end of the buffer.
    End,
}
