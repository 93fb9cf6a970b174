//! Skips what is only scrolled away.
//!
//! Take a stretch of text that moves the cursor within its line or down only, on the main screen
//! with nothing unusual set. At a carriage return the column is 0 whatever came before. From
//! there, as many line feeds as the screen has rows bring the cursor to the bottom line, and
//! after as many more as screen and scrollback have rows together nothing older is left. So what
//! comes before that carriage return only matters by the attributes that it sets.

use memchr::{memchr_iter, memrchr, memrchr_iter};

use super::decoder::first_control;
use super::model::SCROLLBACK;

const ESCAPE: u8 = 0x1b;

/// Finals of sequences that stay within the line: `m` sets attributes.
const WITHIN_LINE: &[u8] = b"mKGCDXP@";

/// A stretch of text from the beginning of the output.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Where it ends: where something else begins, or a sequence that is not complete.
    pub(super) end: usize,
    /// Whether all of the output is such text, but for a sequence at its end that may become so.
    pub(super) is_all: bool,
    /// What of it can be skipped.
    pub(super) skip: Option<Skip>,
}

/// What can be skipped, and what has to be fed in its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Skip {
    /// How many bytes.
    pub(super) bytes: usize,
    /// The attributes that they set.
    pub(super) attributes: Vec<u8>,
}

/// Looks at output that follows a plain state (see `Emulator::is_plain`) on a screen of `rows`.
pub(super) fn stretch(output: &[u8], rows: usize) -> Stretch {
    let (end, is_all) = scan(output);
    let skip = cut(&output[..end], rows)
        .map(|cut| Skip { bytes: cut, attributes: attributes(&output[..cut]) });
    Stretch { end, is_all, skip }
}

/// Where the last stretch that matters begins.
fn cut(text: &[u8], rows: usize) -> Option<usize> {
    let line_feeds = SCROLLBACK + 2 * rows + 1;
    let first = memrchr_iter(b'\n', text).nth(line_feeds - 1)?;
    memrchr(b'\r', &text[..first])
}

/// The sequences of such text that set attributes, from the last that begins with a reset.
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

/// Where such text ends, and whether that is for want of more.
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
    /// It stays within the line.
    Complete { length: usize },
    /// The output ends within it.
    Incomplete,
    /// It may do anything.
    Other,
}

/// What the escape character at the beginning begins.
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

/// The first control character that does more than move within the line or down.
fn unusual(text: &[u8]) -> Option<usize> {
    const BLOCK: usize = 64;
    let whole = text.len();
    let is_unusual = |byte: u8| {
        let moves = matches!(byte, 0x07..=0x0a | b'\r');
        (byte < 0x20 && !moves) || byte == 0x7f
    };
    // One that is not ASCII's.
    let end = first_control(text).unwrap_or(text.len());
    let text = &text[..end];
    let odd = (end < whole).then_some(end);
    // Without a branch for each byte this compiles to vector instructions.
    let blocks = text.chunks(BLOCK);
    let mut any = blocks.map(|block| block.iter().fold(false, |any, byte| any | is_unusual(*byte)));
    let Some(block) = any.position(|any| any).map(|block| block * BLOCK) else { return odd };
    let within = text[block..].iter().position(|byte| is_unusual(*byte));
    within.map(|within| block + within).or(odd)
}
