//! Tracks and undoes what the session's programs change on this terminal.
//!
//! Modes have defaults that every shell expects, and are reset to them. Titles, colours and the
//! keyboard's protocol are the user's own, and are restored only if they were changed.

use vte::{Params, Parser, Perform};

/// Saves the title on the terminal's own stack.
const SAVE_TITLE: &[u8] = b"\x1b[22;0t";
/// Restores the title that was saved last.
const RESTORE_TITLE: &[u8] = b"\x1b[23;0t";

/// Ends an unfinished sequence or string.
const ABORT: &[u8] = b"\x18\x1b\\";
/// Ends what a program may have begun, without moving the cursor: synchronized output, the alternate
/// screen (the cursor that it restores is saved right before, in case no such screen is active),
/// margins and origin mode (which move the cursor home).
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[?47l\x1b7\x1b[?1049l\x1b7\x1b[?69l\x1b[?6l\x1b[r\x1b8";

/// Resets modes to their defaults: soft reset, keypad, character sets, attributes and links; insert
/// mode, newlines, a locked keyboard; cursor keys, reverse video, blinking, wrapping back, mice of
/// every kind, focus, pastes, reports of sizes and colours; wrapping and the cursor on; the
/// cursor's shape, the pointer's, protected characters, and xterm's own keys.
const MODES: &[u8] =
    b"\x1b[!p\x1b>\x1b(B\x1b)B\x0f\x1b[0\"q\x1b[m\x1b]8;;\x1b\\\x1b[2;4;20l\x1b[12h\
    \x1b[?1;5;9;12;45;66;1000;1001;1002;1003;1004;1005;1006;1015;1016;2004;2031;2048l\
    \x1b[?7;25h\x1b[0 q\x1b[>4m";

/// Changes of the terminal that have no default to reset to.
#[derive(Default)]
pub(super) struct Changes {
    parser: Parser,
    seen: ScreenChanges,
}

/// Changes found in the output so far.
#[derive(Default)]
struct ScreenChanges {
    /// The number of titles that programs have saved on the terminal's stack, above ours.
    titles: u32,
    /// True if a program has just taken our title off the stack.
    took_title: bool,
    /// The number of entries on the stack of the kitty keyboard protocol.
    keyboards: u32,
    has_keyboard: bool,
    palette: bool,
    /// Colours that were changed by OSC 10 to 19, one bit each.
    colours: u16,
    pointer: bool,
    progress: bool,
}

impl Changes {
    /// Returns the bytes to write before anything else.
    pub(super) const fn begin() -> &'static [u8] {
        SAVE_TITLE
    }

    /// Calls `write` with a session's output, in pieces, and with what else must be written.
    ///
    /// # Errors
    /// The errors of `write`.
    pub(super) fn pass<E>(
        &mut self,
        output: &[u8],
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut from = 0;
        // Sequences that save or restore titles end with this byte.
        for end in memchr::memchr_iter(b't', output).chain([output.len()]) {
            let end = output.len().min(end + 1);
            self.parser.advance(&mut self.seen, &output[from..end]);
            if std::mem::take(&mut self.seen.took_title) {
                write(&output[from..end])?;
                write(SAVE_TITLE)?;
            } else if from < end {
                write(&output[from..end])?;
            }
            from = end;
        }
        Ok(())
    }

    /// Returns the bytes to write after everything else. They do not move the cursor.
    pub(super) fn undo(&mut self) -> Vec<u8> {
        [&*self.reset(), RESTORE_TITLE].concat()
    }

    /// Returns the bytes to write before a snapshot: those of [`Changes::undo`] without restoring
    /// the title.
    pub(super) fn reset(&mut self) -> Vec<u8> {
        let ScreenChanges {
            titles,
            keyboards,
            has_keyboard,
            palette,
            colours,
            pointer,
            progress,
            ..
        } = std::mem::take(&mut self.seen);
        self.parser = Parser::new();
        let mut bytes = Vec::from(ABORT);
        if has_keyboard {
            // For the screen that is left, which has its own stack.
            bytes.extend(b"\x1b[=0u");
        }
        bytes.extend(LEAVE);
        if has_keyboard {
            if keyboards > 0 {
                bytes.extend(format!("\x1b[<{keyboards}u").into_bytes());
            }
            bytes.extend(b"\x1b[=0u");
        }
        bytes.extend(MODES);
        if palette {
            bytes.extend(b"\x1b]104\x1b\\\x1b]105\x1b\\");
        }
        for number in (0..10).filter(|number| colours & (1 << number) != 0) {
            bytes.extend(format!("\x1b]{}\x1b\\", 110 + number).into_bytes());
        }
        if pointer {
            bytes.extend(b"\x1b]22;\x1b\\");
        }
        if progress {
            bytes.extend(b"\x1b]9;4;0\x1b\\");
        }
        for _ in 0..titles {
            bytes.extend(RESTORE_TITLE);
        }
        bytes
    }
}

impl Perform for ScreenChanges {
    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _: bool, action: char) {
        let first = params.iter().next().and_then(|param| param.first()).copied().unwrap_or(0);
        match (intermediates, action, first) {
            ([], 't', 22) => self.titles = self.titles.saturating_add(1).min(MOST),
            ([], 't', 23) if self.titles == 0 => self.took_title = true,
            ([], 't', 23) => self.titles -= 1,
            ([b'>'], 'u', _) => {
                self.has_keyboard = true;
                self.keyboards = self.keyboards.saturating_add(1).min(MOST);
            }
            ([b'<'], 'u', number) => {
                self.keyboards = self.keyboards.saturating_sub(u32::from(number.max(1)));
            }
            ([b'='], 'u', _) => self.has_keyboard = true,
            _ => {}
        }
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], _: bool) {
        let number = params.first().and_then(|first| std::str::from_utf8(first).ok());
        match number.and_then(|number| number.parse::<u16>().ok()) {
            Some(4 | 5) => self.palette = true,
            Some(number @ 10..=19) => self.colours |= 1 << (number - 10),
            Some(22) => self.pointer = true,
            Some(9) if params.get(1) == Some(&&b"4"[..]) => self.progress = true,
            _ => {}
        }
    }
}

/// Limit of the saved titles and keyboard modes that are counted. Terminals keep no more.
const MOST: u32 = 64;

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Returns the pieces that are written for some output, and the bytes that undo it.
    fn passed(pieces: &[&[u8]]) -> (String, String) {
        let (mut changes, mut written) = (Changes::default(), Vec::new());
        for piece in pieces {
            let write = |bytes: &[u8]| {
                written.extend_from_slice(bytes);
                Ok::<_, Infallible>(())
            };
            changes.pass(piece, write).unwrap();
        }
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(written), text(changes.undo()))
    }

    #[test]
    fn output_passes_as_it_is() {
        let output = b"text\x1b[22;2t and \x1b]0;title\x07 more\x1b[23;2t";
        for cut in 0..output.len() {
            let (written, _) = passed(&[&output[..cut], &output[cut..]]);
            assert_eq!(written.as_bytes(), output);
        }
    }

    #[test]
    fn a_reset_starts_anew_and_keeps_the_title() {
        let mut changes = Changes::default();
        let pass = |changes: &mut Changes, output: &[u8]| {
            changes.pass(output, |_| Ok::<_, Infallible>(())).unwrap();
        };
        pass(&mut changes, b"\x1b[>1u\x1b]4;1;#123456\x07\x1b[22;0t");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let reset = text(changes.reset());
        assert!(reset.contains("\x1b[<1u") && reset.contains("\x1b]104\x1b\\"), "{reset:?}");
        assert_eq!(reset.matches("\x1b[23;0t").count(), 1, "{reset:?}");
        let undo = text(changes.undo());
        assert!(!undo.contains("\x1b[<") && !undo.contains("\x1b]104"), "{undo:?}");
        assert_eq!(undo.matches("\x1b[23;0t").count(), 1, "{undo:?}");
    }

    #[test]
    fn a_title_is_given_back_whatever_programs_saved() {
        let restores = |undo: &str| undo.matches("\x1b[23;0t").count();
        assert_eq!(restores(&passed(&[b"\x1b]2;x\x07"]).1), 1);
        assert_eq!(restores(&passed(&[b"\x1b[22;0t\x1b[22", b";1t\x1b[23;0t"]).1), 2);
        // The program takes a title that it saved before the attachment: it takes ours, which is
        // saved again.
        let (written, undo) = passed(&[b"a\x1b[23;0tb\x1b]2;x\x07"]);
        assert_eq!(written, "a\x1b[23;0t\x1b[22;0tb\x1b]2;x\x07");
        assert_eq!(restores(&undo), 1);
    }

    #[test]
    fn only_what_was_changed_of_the_users_own_is_taken_back() {
        let (_, undo) = passed(&[b"plain"]);
        assert!(undo.contains("\x1b[0 q") && undo.contains("2004"), "{undo:?}");
        for sequence in ["\x1b]1", "\x1b]22", "\x1b]9;4", "\x1b[=0u"] {
            assert!(!undo.contains(sequence), "{sequence:?} in {undo:?}");
        }
        let cases: [(&[u8], &str); 7] = [
            (b"\x1b]4;1;#123456\x07", "\x1b]104\x1b\\"),
            (b"\x1b]10;#ffffff\x07", "\x1b]110\x1b\\"),
            (b"\x1b]12;red\x1b\\", "\x1b]112\x1b\\"),
            (b"\x1b]22;pointer\x07", "\x1b]22;\x1b\\"),
            (b"\x1b]9;4;1;50\x07", "\x1b]9;4;0\x1b\\"),
            (b"\x1b[>1u\x1b[>5u", "\x1b[<2u\x1b[=0u"),
            (b"\x1b[=3;1u", "\x1b[=0u"),
        ];
        for (output, expected) in cases {
            let (_, undo) = passed(&[output]);
            assert!(undo.contains(expected), "{expected:?} not in {undo:?}");
        }
    }
}
