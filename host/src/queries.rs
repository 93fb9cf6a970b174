//! Queries: the questions that a program asks its terminal in its output.
//!
//! A program that asks waits for the answer on its input. The host decides who answers, so it must
//! know of each query, although it does not parse output otherwise. [`Queries`] only looks at what
//! follows each escape character, which costs next to nothing compared with reading the terminal.
//!
//! The parser knows the sequences that the emulators of host and page answer: device attributes
//! (DA1, DA2, DA3), XTVERSION, status and cursor reports (DSR), modes (DECRQM), settings (DECRQSS),
//! capabilities (XTGETTCAP), colours (OSC 4, 10, 11, 12), sizes (XTWINOPS 14, 16, 18), and the
//! keyboard's state (`CSI ? u` and XTQMODKEYS).
//!
//! Only some terminals know the other queries, so the host alone answers them
//! ([`Query::is_for_host`]): DECID, the colour scheme, devices (DEC's DSR), the window (XTWINOPS
//! 11, 13, 15, 19), further colours (OSC 13 to 19), and each query that begins with U+009B instead
//! of `ESC [`. Nobody answers the queries that the parser calls silent, above all those for the
//! clipboard. A terminal that would answer must see neither kind: [`Withheld`] removes them from
//! the output.
//!
//! Sources: <https://invisible-island.net/xterm/ctlseqs/ctlseqs.html>,
//! <https://sw.kovidgoyal.net/kitty/keyboard-protocol/>.

mod parse;
#[cfg(test)]
mod tests;
mod withheld;

use memchr::memchr2;

use parse::{Parsed, parse};
pub use withheld::Withheld;

const ESCAPE: u8 = 0x1b;
/// The first byte of U+009B, which some terminals treat like `ESC [`.
const EIGHT_BIT: u8 = 0xc2;

/// The most bytes of a query; a longer sequence is not a query.
const QUERY_BYTES: usize = 4096;

/// A query of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// DA1: the kind of terminal.
    PrimaryAttributes,
    /// DA2: the version of the terminal.
    SecondaryAttributes,
    /// DA3: the unit number of the terminal.
    TertiaryAttributes,
    /// XTVERSION: the name and version of the terminal.
    Version,
    /// DSR 5: the terminal's status.
    Status,
    /// DSR 6: the position of the cursor.
    Cursor {
        /// True for the DEC form of the query.
        private: bool,
    },
    /// DECRQM: the state of a mode.
    Mode {
        /// True for a mode of DEC's.
        private: bool,
        /// The number of the mode.
        mode: u16,
    },
    /// DECRQSS: the setting of this sequence, which is given without its parameters.
    Setting(String),
    /// XTGETTCAP: terminfo capabilities, in hexadecimal digits.
    Capabilities(String),
    /// OSC 4: colours of the palette.
    Palette {
        /// The indexes of the colours.
        indexes: Vec<u8>,
        /// True if the query ends with BEL, and so must its answer.
        bell: bool,
    },
    /// OSC 10, 11, 12: the colours of text, background and cursor; up to 19, those of pointer and
    /// selection.
    Colors {
        /// The numbers of the colours.
        numbers: Vec<u8>,
        /// True if the query ends with BEL, and so must its answer.
        bell: bool,
    },
    /// XTWINOPS. 14, 16 and 18: a size. 11, 13, 15 and 19: the window's state and position, and the
    /// screen's size.
    Window(u16),
    /// The flags of the kitty keyboard protocol.
    Keyboard,
    /// XTQMODKEYS: the state of xterm's `modifyOtherKeys`.
    OtherKeys,
    /// DECID: an older form of DA1.
    Identify,
    /// DSR 996: dark or light colours.
    ColorScheme,
    /// DEC's DSR: the state of a printer, user-defined keys, a keyboard, a locator and so on.
    Device {
        /// The number of the device.
        device: u16,
        /// A label that the answer to a checksum query repeats.
        label: u16,
    },
    /// A query that begins with U+009B.
    EightBit(Box<Self>),
}

impl Query {
    /// Returns true if the host answers it even if a client could, because not every terminal knows
    /// it.
    #[must_use]
    pub fn is_for_host(&self) -> bool {
        match self {
            Self::Identify | Self::ColorScheme | Self::Device { .. } | Self::EightBit(_) => true,
            Self::Window(what) => !matches!(what, 14 | 16 | 18),
            Self::Colors { numbers, .. } => numbers.iter().any(|number| *number > 12),
            _ => false,
        }
    }

    /// Returns true if `reply`, one whole sequence from a terminal, may be the answer to this
    /// query.
    #[must_use]
    pub fn is_answered_by(&self, reply: &[u8]) -> bool {
        let ends = |end: &[u8]| reply.ends_with(end);
        match self {
            Self::PrimaryAttributes => reply.starts_with(b"\x1b[?") && ends(b"c"),
            Self::SecondaryAttributes => reply.starts_with(b"\x1b[>") && ends(b"c"),
            Self::TertiaryAttributes => reply.starts_with(b"\x1bP!|"),
            Self::Version => reply.starts_with(b"\x1bP>|"),
            Self::Status => matches!(reply, b"\x1b[0n" | b"\x1b[3n"),
            Self::Cursor { private } => {
                ends(b"R") && reply.starts_with(b"\x1b[") && (reply[2] == b'?') == *private
            }
            Self::Mode { private, .. } => ends(b"$y") && (reply.get(2) == Some(&b'?')) == *private,
            Self::Setting(_) => reply.starts_with(b"\x1bP1$r") || reply.starts_with(b"\x1bP0$r"),
            Self::Capabilities(_) => {
                reply.starts_with(b"\x1bP1+r") || reply.starts_with(b"\x1bP0+r")
            }
            Self::Palette { .. } => reply.starts_with(b"\x1b]4;"),
            Self::Colors { .. } => {
                [&b"\x1b]10;"[..], b"\x1b]11;", b"\x1b]12;"].iter().any(|b| reply.starts_with(b))
            }
            Self::Window(_) => ends(b"t"),
            Self::Keyboard => reply.starts_with(b"\x1b[?") && ends(b"u"),
            Self::OtherKeys => reply.starts_with(b"\x1b[>4;") && ends(b"m"),
            Self::Identify | Self::ColorScheme | Self::Device { .. } | Self::EightBit(_) => false,
        }
    }

    /// Returns the number of sequences in its answer.
    #[must_use]
    pub fn replies(&self) -> usize {
        match self {
            Self::Palette { indexes, .. } => indexes.len(),
            Self::Colors { numbers, .. } => numbers.len(),
            Self::Capabilities(names) => names.split(';').count(),
            _ => 1,
        }
    }
}

/// Finds queries in output that arrives in pieces. Holds at most 4 KiB, and only while a sequence
/// that may be a query is unfinished.
#[derive(Debug, Default)]
pub struct Queries {
    /// The unfinished sequence, from its escape character.
    begun: Vec<u8>,
}

impl Queries {
    /// Creates a finder for the beginning of a session's output.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls `found` with each query that ends in this piece, and with the offset at which it ends.
    pub fn push(&mut self, output: &[u8], mut found: impl FnMut(usize, Query)) {
        let mut at = if self.begun.is_empty() { 0 } else { self.go_on(output, &mut found) };
        while let Some(escape) = memchr2(ESCAPE, EIGHT_BIT, &output[at..]) {
            let begin = at + escape;
            match parse(&output[begin..]) {
                Parsed::Query { length, query } => {
                    at = begin + length;
                    found(at, query);
                }
                Parsed::Silent { length } | Parsed::Other { length } => at = begin + length,
                Parsed::Unfinished => {
                    let rest = &output[begin..];
                    if rest.len() <= QUERY_BYTES {
                        self.begun.extend_from_slice(rest);
                        return;
                    }
                    at = begin + 1;
                }
            }
        }
    }

    /// Continues the unfinished sequence. Returns the offset at which it ends.
    fn go_on(&mut self, output: &[u8], found: &mut impl FnMut(usize, Query)) -> usize {
        // A rare long sequence must not hold memory for the rest of the session.
        let mut begun = std::mem::take(&mut self.begun);
        let mut before = begun.len();
        let room = (QUERY_BYTES + 1).saturating_sub(before);
        begun.extend_from_slice(&output[..output.len().min(room)]);
        loop {
            match parse(&begun) {
                Parsed::Query { length, query } => {
                    found(length - before, query);
                    return length - before;
                }
                // An escape character before this piece broke the sequence off.
                Parsed::Other { length } if length < before => {
                    begun.drain(..length);
                    before -= length;
                }
                Parsed::Silent { length } | Parsed::Other { length } => return length - before,
                Parsed::Unfinished if begun.len() <= QUERY_BYTES => {
                    self.begun = begun;
                    return output.len();
                }
                Parsed::Unfinished => return 0,
            }
        }
    }
}
