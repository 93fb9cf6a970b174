//! Skips output that has scrolled away.
//!
//! Consider a stretch of text that only moves the cursor within its line or down, on the main
//! screen with nothing unusual set. At a carriage return the column is 0, whatever came before.
//! From there, as many line feeds as the screen has rows bring the cursor to the bottom line, and
//! after as many more as screen and scrollback have rows together, nothing older is left. So only
//! the attributes that are set before that carriage return matter.

use memchr::{memchr_iter, memrchr, memrchr_iter};

use super::decoder::first_control;
use super::model::SCROLLBACK;

const ESCAPE: u8 = 0x1b;

/// Final bytes of sequences that stay within the line: `m` sets attributes.
const WITHIN_LINE: &[u8] = b"mKGCDXP@";

/// A stretch of such text at the beginning of the output.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The offset at which it ends, because something else or an incomplete sequence begins.
    pub(super) end: usize,
    /// True if all of the output is such text, apart from an incomplete sequence at its end that
    /// may become so.
    pub(super) is_all: bool,
    /// The part that can be skipped, if any.
    pub(super) skip: Option<Skip>,
}

/// A part that can be skipped, with its replacement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Skip {
    /// The number of bytes to skip.
    pub(super) bytes: usize,
    /// The sequences that set the same attributes.
    pub(super) attributes: Vec<u8>,
}

/// Examines output that follows a plain state (see `Emulator::is_plain`) on a screen of `rows`.
pub(super) fn stretch(output: &[u8], rows: usize) -> Stretch {
    let (end, is_all) = scan(output);
    let skip = cut(&output[..end], rows)
        .map(|cut| Skip { bytes: cut, attributes: attributes(&output[..cut]) });
    Stretch { end, is_all, skip }
}

/// Returns the offset at which the part that matters begins.
fn cut(text: &[u8], rows: usize) -> Option<usize> {
    let line_feeds = SCROLLBACK + 2 * rows + 1;
    let first = memrchr_iter(b'\n', text).nth(line_feeds - 1)?;
    memrchr(b'\r', &text[..first])
}

/// Returns the sequences of such text that set attributes, from the last one that begins with a
/// reset.
fn attributes(text: &[u8]) -> Vec<u8> {
    let rendition = |at: usize| match sequence(&text[at..]) {
        Sequence::Complete { length } if text[at + length - 1] == b'm' => {
            Some(&text[at..at + length])
        }
        _ => None,
    };
    let resets = |at: &usize| {
        rendition(*at).is_some_and(|found| {
            matches!(found, b"\x1b[m" | b"\x1b[0m") || found.starts_with(b"\x1b[0;")
        })
    };
    let from = memrchr_iter(ESCAPE, text).find(resets).unwrap_or(0);
    let found = memchr_iter(ESCAPE, &text[from..]).filter_map(|at| rendition(from + at));
    found.flatten().copied().collect()
}

/// Returns the offset at which such text ends, and true if it ends only for lack of more output.
fn scan(output: &[u8]) -> (usize, bool) {
    let mut from = 0;
    for escape in memchr_iter(ESCAPE, output) {
        if let Some(at) = unusual(&output[from..escape]) {
            return (from + at, false);
        }
        match sequence(&output[escape..]) {
            Sequence::Complete { length } => from = escape + length,
            Sequence::Incomplete => return (escape, true),
            Sequence::Other => return (escape, false),
        }
    }
    match unusual(&output[from..]) {
        Some(at) => (from + at, false),
        None => (output.len(), true),
    }
}

enum Sequence {
    /// A sequence that stays within the line.
    Complete { length: usize },
    /// A sequence that the output cuts off.
    Incomplete,
    /// A sequence that may do anything.
    Other,
}

/// Classifies the sequence at the beginning of the output.
fn sequence(output: &[u8]) -> Sequence {
    match output.get(1) {
        Some(b'[') => {}
        Some(_) => return Sequence::Other,
        None => return Sequence::Incomplete,
    }
    let parameter = |byte: &u8| matches!(byte, b'0'..=b';');
    let parameters = output[2..].iter().take_while(|byte| parameter(byte)).count();
    match output.get(2 + parameters) {
        Some(end) if WITHIN_LINE.contains(end) => Sequence::Complete { length: parameters + 3 },
        Some(_) => Sequence::Other,
        None => Sequence::Incomplete,
    }
}

/// Returns the offset of the first control character that does more than move within the line or
/// down.
fn unusual(text: &[u8]) -> Option<usize> {
    const BLOCK: usize = 64;
    let whole = text.len();
    let is_unusual = |byte: u8| {
        let moves = matches!(byte, 0x07..=0x0a | b'\r');
        (byte < 0x20 && !moves) || byte == 0x7f
    };
    // The first control character above ASCII.
    let end = first_control(text).unwrap_or(text.len());
    let text = &text[..end];
    let odd = (end < whole).then_some(end);
    // Without a branch per byte, this compiles to vector instructions.
    let blocks = text.chunks(BLOCK);
    let mut any = blocks.map(|block| block.iter().fold(false, |any, byte| any | is_unusual(*byte)));
    let Some(block) = any.position(|any| any).map(|block| block * BLOCK) else { return odd };
    let within = text[block..].iter().position(|byte| is_unusual(*byte));
    within.map(|within| block + within).or(odd)
}
