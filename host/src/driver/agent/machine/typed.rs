//! The line that users type.

use moorline_shared::limits::PROMPT_BYTES;
use serde::{Deserialize, Serialize};

/// What typing has led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TypedEvent {
    /// A line was completed.
    Line(String),
    /// The running turn is to stop.
    Interrupt,
}

/// A line that is being typed. It knows what a plain terminal knows: backspace, Ctrl-U, Ctrl-C and
/// pasted text of many lines.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct TypedLine {
    /// What was typed so far. It may end within a character.
    bytes: Vec<u8>,
    /// The control sequence that is incomplete.
    sequence: Vec<u8>,
    /// True within pasted text, in which line ends do not end the line.
    is_pasting: bool,
    /// True after a CR, whose LF is not another line.
    after_return: bool,
}

const ESCAPE: u8 = 0x1b;

impl TypedLine {
    /// Takes one byte.
    pub(super) fn take(&mut self, byte: u8) -> Option<TypedEvent> {
        let after_return = std::mem::take(&mut self.after_return);
        if !self.sequence.is_empty() {
            self.take_sequence(byte);
            return None;
        }
        match byte {
            ESCAPE => self.sequence.push(byte),
            b'\r' | b'\n' if self.is_pasting => self.add(b'\n'),
            b'\n' if after_return => {}
            b'\r' | b'\n' => {
                self.after_return = byte == b'\r';
                let line = String::from_utf8_lossy(&std::mem::take(&mut self.bytes)).into_owned();
                return (!line.trim().is_empty()).then_some(TypedEvent::Line(line));
            }
            0x03 => {
                self.bytes.clear();
                return Some(TypedEvent::Interrupt);
            }
            0x15 => self.bytes.clear(),
            0x08 | 0x7f => self.erase(),
            b'\t' => self.add(byte),
            0..0x20 => {}
            byte => self.add(byte),
        }
        None
    }

    /// Takes a byte of a control sequence, which ends as all of them do.
    fn take_sequence(&mut self, byte: u8) {
        self.sequence.push(byte);
        let is_over = match (self.sequence.len(), self.sequence[1]) {
            (2, first) => !matches!(first, b'[' | b'O'),
            (3, b'O') => true,
            (len, _) => (0x40..=0x7e).contains(&byte) || len > 32,
        };
        if is_over {
            match &*std::mem::take(&mut self.sequence) {
                b"\x1b[200~" => self.is_pasting = true,
                b"\x1b[201~" => self.is_pasting = false,
                _ => {}
            }
        }
    }

    fn add(&mut self, byte: u8) {
        if self.bytes.len() < PROMPT_BYTES {
            self.bytes.push(byte);
        }
    }

    /// Removes the last character.
    fn erase(&mut self) {
        while let Some(byte) = self.bytes.pop()
            && byte & 0xc0 == 0x80
        {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> Vec<TypedEvent> {
        let mut line = TypedLine::default();
        bytes.iter().filter_map(|byte| line.take(*byte)).collect()
    }

    fn lines(lines: &[&str]) -> Vec<TypedEvent> {
        lines.iter().map(|line| TypedEvent::Line((*line).into())).collect()
    }

    #[test]
    fn a_line_is_edited_as_on_a_terminal() {
        assert_eq!(typed("hellö\x7f\x7fp\r\n\nnext\n".as_bytes()), lines(&["help", "next"]));
        assert_eq!(typed(b"wrong\x15right\r"), lines(&["right"]));
        assert_eq!(typed(b"a\x1b[A\x1bOP\x1b[1;5Cb\x01\r"), lines(&["ab"]));
        assert_eq!(typed(b"\x7f\x7f  \r"), []);
        assert_eq!(typed(b"half\x03\r"), [TypedEvent::Interrupt]);
    }

    #[test]
    fn pasted_lines_are_one_prompt() {
        assert_eq!(typed(b"\x1b[200~one\rtwo\x1b[201~\r"), lines(&["one\ntwo"]));
    }

    #[test]
    fn a_line_has_a_bound() {
        let mut bytes = vec![b'x'; PROMPT_BYTES + 10];
        bytes.push(b'\r');
        let TypedEvent::Line(line) = typed(&bytes).remove(0) else { panic!("no line") };
        assert_eq!(line.len(), PROMPT_BYTES);
        assert_eq!(typed(&[&b"\x1b["[..], &[b'1'; 100], b"x\r"].concat()).len(), 1);
    }
}
