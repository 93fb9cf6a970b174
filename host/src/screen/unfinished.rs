//! The raw bytes of an unfinished sequence.
//!
//! An entry may end inside an escape sequence, a string or a UTF-8 character. A snapshot must then
//! end with the bytes so far, so that the following output is interpreted correctly. The states are
//! those of the `vte` parser.

/// The most bytes of a string that are kept. A longer one has no effect, and only the fact that it
/// is unfinished is kept.
const LONGEST: usize = 64 * 1024;

const ESCAPE: u8 = 0x1b;
const CANCEL: u8 = 0x18;
const SUBSTITUTE: u8 = 0x1a;
const BELL: u8 = 0x07;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SequenceState {
    /// Text, or a part of a character.
    Ground,
    Escape,
    EscapeIntermediate,
    Csi,
    DcsStart,
    DcsParameters,
    DcsIntermediate,
    DcsIgnored,
    DcsData,
    Osc,
    /// SOS, PM and APC strings, which have no effect.
    Other,
}

/// Follows the parser's state, and keeps the bytes of an unfinished sequence.
#[derive(Debug)]
pub(super) struct Unfinished {
    state: SequenceState,
    bytes: Vec<u8>,
    too_long: bool,
}

impl Unfinished {
    pub(super) fn new() -> Self {
        Self { state: SequenceState::Ground, bytes: Vec::new(), too_long: false }
    }

    /// Returns the bytes that must follow a snapshot.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes the next bytes, and returns those that the parser should see: the rest of a string
    /// that is too long is withheld from it.
    pub(super) fn advance<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let ends = |byte: &u8| matches!(*byte, ESCAPE | CANCEL | SUBSTITUTE | BELL);
        let seen = if self.too_long && self.state == SequenceState::Osc {
            &bytes[bytes.iter().position(ends).unwrap_or(bytes.len())..]
        } else {
            bytes
        };
        let mut rest = seen;
        if let Some(last) = memchr::memrchr(ESCAPE, rest) {
            // An escape character starts anew in any state.
            self.begin(SequenceState::Escape, &[ESCAPE]);
            rest = &rest[last + 1..];
        }
        while self.state != SequenceState::Ground {
            let Some((byte, after)) = rest.split_first() else {
                return seen;
            };
            self.step(*byte);
            rest = after;
        }
        self.end_in_text(rest);
        seen
    }

    fn begin(&mut self, state: SequenceState, bytes: &[u8]) {
        self.state = state;
        self.too_long = false;
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
    }

    fn keep(&mut self, state: SequenceState, byte: u8) {
        self.state = state;
        if self.bytes.len() < LONGEST && !self.too_long {
            self.bytes.push(byte);
            return;
        }
        // The parser has long stopped looking at parameters and intermediates.
        let neutral: &[u8] = match state {
            SequenceState::Osc => b"\x1b]9999;",
            SequenceState::DcsData => b"\x1bP9999q",
            _ => return,
        };
        if !self.too_long {
            self.begin(state, neutral);
            self.too_long = true;
        }
    }

    /// Processes one byte of a sequence.
    fn step(&mut self, byte: u8) {
        use SequenceState::{
            Csi, DcsData, DcsIgnored, DcsIntermediate, DcsParameters, DcsStart, Escape,
            EscapeIntermediate, Ground, Osc, Other,
        };
        if matches!(byte, CANCEL | SUBSTITUTE) {
            return self.begin(Ground, &[]);
        }
        match (self.state, byte) {
            (Osc, BELL) | (DcsData, 0x9c) => self.begin(Ground, &[]),
            (Osc, 0x20..) | (DcsData, _) => self.keep(self.state, byte),
            // Elsewhere, control characters are executed at once or ignored, so they are not kept.
            (_, ..0x20 | 0x7f..) | (Ground | Other | DcsIgnored, _) => {}

            (Escape, 0x20..=0x2f) => self.keep(EscapeIntermediate, byte),
            (Escape, b'[') => self.keep(Csi, byte),
            (Escape, b']') => self.keep(Osc, byte),
            (Escape, b'P') => self.keep(DcsStart, byte),
            (Escape, b'X' | b'^' | b'_') => self.keep(Other, byte),
            (EscapeIntermediate, 0x20..=0x2f) => self.keep(EscapeIntermediate, byte),
            (Escape | EscapeIntermediate, _) => self.begin(Ground, &[]),
            (Csi, 0x20..=0x3f) => self.keep(Csi, byte),
            (Csi, _) => self.begin(Ground, &[]),

            (DcsStart | DcsParameters | DcsIntermediate, 0x40..) => self.keep(DcsData, byte),
            (DcsStart | DcsParameters | DcsIntermediate, 0x20..=0x2f) => {
                self.keep(DcsIntermediate, byte);
            }
            (DcsIntermediate, 0x30..=0x3f) | (DcsParameters, 0x3c..=0x3f) => {
                self.keep(DcsIgnored, byte);
            }
            (DcsStart | DcsParameters, 0x30..=0x3f) => self.keep(DcsParameters, byte),
        }
    }

    /// Processes the text at the end, of which only an unfinished character is kept.
    fn end_in_text(&mut self, text: &[u8]) {
        let mut end = [0; 6];
        let mut length = 0;
        for byte in self.bytes.iter().chain(&text[text.len().saturating_sub(3)..]) {
            end[length] = *byte;
            length += 1;
        }
        if text.len() >= 3 {
            end.copy_within(length - 3..length, 0);
            length = 3;
        }
        let end = &end[..length];
        let begins = |at: &usize| {
            let unfinished = std::str::from_utf8(&end[*at..]).err();
            unfinished.is_some_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        };
        let start = (0..length).find(begins).unwrap_or(length);
        self.bytes.clear();
        self.bytes.extend_from_slice(&end[start..]);
    }
}
