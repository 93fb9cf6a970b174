//! A pane as it is now, as bytes that draw it on an empty terminal.
//!
//! tmux is asked for the pane's text with its colours, its cursor and its modes by one line of
//! commands, which no output of the pane can come between.

use moorline_shared::limits::SNAPSHOT_BYTES;
use moorline_shared::session::Size;

use super::protocol::ControlReply;

/// The most lines of history that are captured.
const HISTORY: usize = 2_000;

/// The fields of a pane's state, in the order of [`CapturedState`].
const STATE: &str = "#{pane_width} #{pane_height} #{cursor_x} #{cursor_y} #{alternate_on} \
    #{alternate_saved_x} #{alternate_saved_y} #{cursor_flag} #{insert_flag} #{keypad_cursor_flag} \
    #{keypad_flag} #{origin_flag} #{wrap_flag} #{mouse_standard_flag} #{mouse_button_flag} \
    #{mouse_any_flag} #{mouse_utf8_flag} #{mouse_sgr_flag} #{scroll_region_upper} \
    #{scroll_region_lower} #{history_size}";

/// The number of commands that [`commands`] writes, and so of replies.
pub(super) const REPLIES: usize = 5;

/// Returns the commands that capture a pane, in one line.
pub(super) fn commands(pane: &str) -> String {
    format!(
        "display-message -p -t {pane} '{STATE}' ; \
         capture-pane -p -e -J -t {pane} -S -{HISTORY} -E -1 ; \
         capture-pane -p -e -J -t {pane} -S 0 ; \
         capture-pane -p -e -J -q -a -t {pane} ; \
         capture-pane -p -P -t {pane}"
    )
}

/// What a pane shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Capture {
    pub(super) size: Size,
    /// The bytes that draw it.
    pub(super) bytes: Vec<u8>,
}

/// The state of a pane besides its text.
struct CapturedState {
    numbers: [u16; 21],
}

impl CapturedState {
    fn read(text: &str) -> Option<Self> {
        // A saved position that does not exist is u32::MAX, and some fields may be empty.
        let number = |field: &str| {
            field.parse::<u32>().map_or(0, |number| u16::try_from(number).unwrap_or(0))
        };
        let numbers: Vec<u16> = text.split(' ').map(number).collect();
        Some(Self { numbers: numbers.try_into().ok()? })
    }

    const fn size(&self) -> Size {
        Size { cols: self.numbers[0], rows: self.numbers[1] }
    }

    const fn cursor(&self) -> (u16, u16) {
        (self.numbers[2], self.numbers[3])
    }

    const fn saved_cursor(&self) -> (u16, u16) {
        (self.numbers[5], self.numbers[6])
    }

    const fn is(&self, flag: usize) -> bool {
        self.numbers[flag] == 1
    }
}

impl Capture {
    /// Reads the replies to [`commands`]. `None` if they are not what tmux answers.
    pub(super) fn read(replies: &[ControlReply]) -> Option<Self> {
        let [state, history, screen, saved, pending, ..] = replies else { return None };
        let state = CapturedState::read(&state.text())?;
        let mut bytes = Vec::new();
        // A full reset: this may follow other output. Then the character set that tmux draws lines in.
        bytes.extend_from_slice(b"\x1bc\x1b)0");
        let is_alternate = state.is(4);
        let normal = if is_alternate { &saved.lines } else { &screen.lines };
        // Without a history, tmux answers with the first line of the screen.
        let history = if state.numbers[20] == 0 { &[] } else { recent(&history.lines) };
        draw(history.iter().chain(normal), &mut bytes);
        if is_alternate {
            place(state.saved_cursor(), &mut bytes);
            bytes.extend_from_slice(b"\x1b[?1049h\x1b[H");
            draw(screen.lines.iter(), &mut bytes);
        }
        modes(&state, &mut bytes);
        bytes.extend_from_slice(&pending.lines.join(&b'\n'));
        Some(Self { size: state.size().clamped(), bytes })
    }
}

/// Returns as many of the last lines as a snapshot can hold.
fn recent(lines: &[Vec<u8>]) -> &[Vec<u8>] {
    let mut room = SNAPSHOT_BYTES / 2;
    let kept = lines.iter().rev().take_while(|line| {
        let fits = line.len() < room;
        room = room.saturating_sub(line.len() + 2);
        fits
    });
    &lines[lines.len() - kept.count()..]
}

/// Draws lines below each other. A line that is longer than the screen wraps as it has done in the
/// pane.
fn draw<'a>(lines: impl Iterator<Item = &'a Vec<u8>>, bytes: &mut Vec<u8>) {
    let mut pen = CapturedPen::default();
    for (index, line) in lines.enumerate() {
        if index > 0 {
            // A new line gets the background of the pen.
            bytes.extend_from_slice(b"\x1b[m\r\n");
            bytes.extend_from_slice(&pen.0);
        }
        bytes.extend_from_slice(line);
        pen.follow(line);
    }
    bytes.extend_from_slice(b"\x1b[m\x0f");
}

/// The sequences that give the colours at the end of a captured line. tmux only captures changes, also
/// from one line to the next.
#[derive(Debug, Default)]
struct CapturedPen(Vec<u8>);

impl CapturedPen {
    fn follow(&mut self, line: &[u8]) {
        let mut rest = line;
        while let Some(start) = memchr::memmem::find(rest, b"\x1b[") {
            rest = &rest[start + 2..];
            let end = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'));
            let Some(end) = end else { return };
            if rest[end] == b'm' {
                let first = rest[..end].split(|byte| *byte == b';').next();
                if matches!(first, None | Some(b"" | b"0")) {
                    self.0.clear();
                }
                self.0.extend_from_slice(b"\x1b[");
                self.0.extend_from_slice(&rest[..=end]);
            }
            rest = &rest[end..];
        }
    }
}

fn place((column, row): (u16, u16), bytes: &mut Vec<u8>) {
    bytes.extend(format!("\x1b[{};{}H", row + 1, column + 1).bytes());
}

/// Sets the modes, and at last the cursor, which some of them move.
fn modes(state: &CapturedState, bytes: &mut Vec<u8>) {
    let Size { rows, .. } = state.size();
    let (upper, lower) = (state.numbers[18], state.numbers[19]);
    if (upper, lower) != (0, rows.saturating_sub(1)) && upper < lower {
        bytes.extend(format!("\x1b[{};{}r", upper + 1, lower + 1).bytes());
    }
    let set: [(usize, &[u8]); 8] = [
        (8, b"\x1b[4h"),
        (9, b"\x1b[?1h"),
        (10, b"\x1b="),
        (13, b"\x1b[?1000h"),
        (14, b"\x1b[?1002h"),
        (15, b"\x1b[?1003h"),
        (16, b"\x1b[?1005h"),
        (17, b"\x1b[?1006h"),
    ];
    for (flag, sequence) in set {
        if state.is(flag) {
            bytes.extend_from_slice(sequence);
        }
    }
    if !state.is(7) {
        bytes.extend_from_slice(b"\x1b[?25l");
    }
    if !state.is(12) {
        bytes.extend_from_slice(b"\x1b[?7l");
    }
    let (column, row) = state.cursor();
    // In origin mode, rows count from the top of the scrolling region.
    let row = if state.is(11) {
        bytes.extend_from_slice(b"\x1b[?6h");
        row.saturating_sub(upper)
    } else {
        row
    };
    place((column, row), bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(lines: &[&str]) -> ControlReply {
        let lines = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
        ControlReply { is_error: false, lines }
    }

    const STATE: &str = "10 3 2 1 0 4294967295 4294967295 1 0 0 0 0 1 0 0 0 0 0 0 2 1";

    #[test]
    fn a_shell_is_drawn_with_its_history_and_cursor() {
        let replies =
            [reply(&[STATE]), reply(&["a"]), reply(&["b", "$ ", ""]), reply(&[]), reply(&[""])];
        let capture = Capture::read(&replies).unwrap();
        assert_eq!(capture.size, Size { cols: 10, rows: 3 });
        let expected = "\x1bc\x1b)0a\x1b[m\r\nb\x1b[m\r\n$ \x1b[m\r\n\x1b[m\x0f\x1b[2;3H";
        assert_eq!(String::from_utf8(capture.bytes).unwrap(), expected);
    }

    #[test]
    fn colours_go_on_in_the_next_line_but_not_beyond_its_text() {
        let mut bytes = Vec::new();
        let lines = [b"\x1b[1m\x1b[41ma".to_vec(), b"b\x1b[0;32mc".to_vec(), b"d\x1b[mx".to_vec()];
        draw(lines.iter(), &mut bytes);
        let expected = "\x1b[1m\x1b[41ma\x1b[m\r\n\x1b[1m\x1b[41mb\x1b[0;32mc\x1b[m\r\n\x1b[0;32md\
                        \x1b[mx\x1b[m\x0f";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn a_full_screen_program_is_drawn_over_what_is_below() {
        let state = "10 2 1 0 1 2 1 0 0 1 1 0 1 0 1 0 0 1 0 1 0";
        let replies = [
            reply(&[state]),
            reply(&["h"]),
            reply(&["x", "y"]),
            reply(&["$ vi", ""]),
            reply(&["\x1b[3"]),
        ];
        let text = String::from_utf8(Capture::read(&replies).unwrap().bytes).unwrap();
        let below = text.find("$ vi").unwrap();
        let switch = text.find("\x1b[2;3H\x1b[?1049h\x1b[H").unwrap();
        let above = text.find("x\x1b[m\r\ny").unwrap();
        assert!(below < switch && switch < above, "{text:?}");
        for mode in ["\x1b[?1h", "\x1b=", "\x1b[?1002h", "\x1b[?1006h", "\x1b[?25l"] {
            assert!(text.contains(mode), "{mode:?}");
        }
        assert!(text.ends_with("\x1b[1;2H\x1b[3"), "an unfinished sequence comes last");
    }

    #[test]
    fn other_replies_are_refused() {
        assert_eq!(Capture::read(&[]), None);
        let replies = vec![reply(&["can't find pane: %9"]); REPLIES];
        assert_eq!(Capture::read(&replies), None);
    }
}
