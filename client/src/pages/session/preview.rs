//! The last lines of a session's output, to recognise it by. This is not a terminal: it follows
//! lines, colours and the small movements of prompts and progress bars, and ignores programs that
//! take the whole screen.

use std::collections::VecDeque;
use std::fmt::Write as _;

use moorline_shared::session::Size;
use vte::{Params, Parser, Perform};

/// The maximum number of lines shown.
pub const SHOWN_LINES: usize = 40;
const TAB: usize = 8;

/// The style of a character.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Look {
    /// The colour, 1 to 6: red, green, yellow, blue, magenta, cyan. 0 is the text's own colour,
    /// which also stands for black and white.
    hue: u8,
    /// The background: the same numbers, 7 for any other colour, and 0 for none.
    ground: u8,
    bold: bool,
    dim: bool,
    inverse: bool,
    underline: bool,
}

impl Look {
    /// Returns true if a space in this style is visible.
    const fn marks_space(self) -> bool {
        self.ground > 0 || self.inverse || self.underline
    }
}

type Line = Vec<(char, Look)>;

/// A preview of the last lines of output.
#[derive(Default)]
pub struct Preview {
    parser: Parser,
    page: Page,
}

#[derive(Debug)]
struct Page {
    lines: VecDeque<Line>,
    row: usize,
    col: usize,
    look: Look,
    size: Size,
    /// True while a program has the whole screen.
    full_screen: bool,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            lines: VecDeque::from([Line::new()]),
            row: 0,
            col: 0,
            look: Look::default(),
            size: Size::default(),
            full_screen: false,
        }
    }
}

impl Preview {
    /// Appends output of the session.
    pub fn push(&mut self, text: &str) {
        self.parser.advance(&mut self.page, text.as_bytes());
    }

    /// Sets the size of the session's screen, at which lines wrap and to which movements refer.
    pub const fn resize(&mut self, size: Size) {
        self.page.size = size;
    }

    /// Drops all output and keeps the size.
    pub fn clear(&mut self) {
        let size = self.page.size;
        *self = Self::default();
        self.resize(size);
    }

    /// Returns true while a program has the whole screen. The lines shown are then from before.
    #[must_use]
    pub const fn is_full_screen(&self) -> bool {
        self.page.full_screen
    }

    /// Returns the last lines as HTML: escaped text and `<span>`s with classes.
    #[must_use]
    pub fn html(&self) -> String {
        let lines = &self.page.lines;
        let is_blank = |(letter, look): &(char, Look)| *letter == ' ' && !look.marks_space();
        let blank = |line: &&Line| line.iter().all(is_blank);
        let end = lines.len() - lines.iter().rev().take_while(blank).count();
        let mut html = String::new();
        for line in lines.range(end.saturating_sub(SHOWN_LINES)..end) {
            write_line(&mut html, line);
            html.push('\n');
        }
        html
    }
}

fn write_line(html: &mut String, line: &Line) {
    let mut look = Look::default();
    for (letter, next) in line {
        if *next != look {
            close(html, look);
            open(html, *next);
            look = *next;
        }
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            letter => html.push(*letter),
        }
    }
    close(html, look);
}

fn open(html: &mut String, look: Look) {
    if look != Look::default() {
        let mark = |set: bool, name: &'static str| if set { name } else { "" };
        let (bold, dim) = (mark(look.bold, " bold"), mark(look.dim, " dim"));
        let (inverse, underline) =
            (mark(look.inverse, " inverse"), mark(look.underline, " underline"));
        let (hue, ground) = (look.hue, look.ground);
        // Writing to a String cannot fail.
        let _ =
            write!(html, "<span class=\"hue{hue} ground{ground}{bold}{dim}{inverse}{underline}\">");
    }
}

fn close(html: &mut String, look: Look) {
    if look != Look::default() {
        html.push_str("</span>");
    }
}

impl Page {
    /// Returns the index of the first line that is on the screen.
    fn top(&self) -> usize {
        self.lines.len().saturating_sub(usize::from(self.size.rows))
    }

    fn go_to_row(&mut self, row: usize) {
        let last = self.top() + usize::from(self.size.rows).saturating_sub(1);
        self.row = row.min(last);
        while self.lines.len() <= self.row {
            self.lines.push_back(Line::new());
        }
    }

    fn line(&mut self) -> &mut Line {
        &mut self.lines[self.row]
    }

    fn feed(&mut self) {
        self.row += 1;
        if self.row == self.lines.len() {
            self.lines.push_back(Line::new());
        }
        if self.lines.len() > SHOWN_LINES.max(usize::from(self.size.rows)) {
            self.lines.pop_front();
            self.row -= 1;
        }
    }

    fn blank(&mut self, from: usize, to: usize) {
        // Erased cells get the background.
        let look = Look { ground: self.look.ground, ..Look::default() };
        let cols = usize::from(self.size.cols);
        let line = self.line();
        if look.ground > 0 && from < cols && line.len() < to.min(cols) {
            line.resize(to.min(cols), (' ', Look::default()));
        }
        let to = to.min(line.len());
        if to == line.len() && look.ground == 0 {
            line.truncate(from);
        } else if from < to {
            line[from..to].fill((' ', look));
        }
    }

    fn erase_screen(&mut self, how: usize) {
        match how {
            0 => {
                self.blank(self.col, usize::MAX);
                self.lines.truncate(self.row + 1);
            }
            1 => {}
            _ => {
                let (look, size) = (self.look, self.size);
                *self = Self { look, size, ..Self::default() };
            }
        }
    }

    fn paint(&mut self, params: &Params) {
        let mut params = params.iter();
        while let Some(param) = params.next() {
            let first = param.first().copied().unwrap_or(0);
            let look = &mut self.look;
            match first {
                0 => *look = Look::default(),
                1 => look.bold = true,
                2 => look.dim = true,
                // `4:0` is none; the others differ only in how the line is drawn.
                4 => look.underline = param.get(1) != Some(&0),
                7 => look.inverse = true,
                21 => look.underline = true,
                22 => (look.bold, look.dim) = (false, false),
                24 => look.underline = false,
                27 => look.inverse = false,
                30..=37 | 90..=97 => look.hue = hue(first % 10),
                40..=47 | 100..=107 => look.ground = ground(Some(first % 10)),
                38 | 48 | 58 => {
                    let color = match param {
                        [_] => listed(&mut params),
                        [_, rest @ ..] => indexed(rest),
                        [] => None,
                    };
                    match first {
                        38 => look.hue = color.map_or(0, hue),
                        48 => look.ground = ground(color),
                        _ => {}
                    }
                }
                39 => look.hue = 0,
                49 => look.ground = 0,
                _ => {}
            }
        }
    }
}

/// Reads an extended colour from parameters of their own: `5;n` or `2;r;g;b`. Returns one of the
/// eight basic colours for the first sixteen, and `None` for any other.
fn listed<'a>(params: &mut impl Iterator<Item = &'a [u16]>) -> Option<u16> {
    let mut number = || params.next().and_then(|param| param.first().copied());
    match number()? {
        5 => number().and_then(of_sixteen),
        2 => {
            number();
            number();
            number();
            None
        }
        _ => None,
    }
}

/// Reads an extended colour from the parts of one parameter: `5:n` or `2::r:g:b`.
fn indexed(parts: &[u16]) -> Option<u16> {
    match parts {
        [5, color, ..] => of_sixteen(*color),
        _ => None,
    }
}

fn of_sixteen(color: u16) -> Option<u16> {
    (color < 16).then_some(color % 8)
}

const fn hue(color: u16) -> u8 {
    if color < 7 { color as u8 } else { 0 }
}

const fn ground(color: Option<u16>) -> u8 {
    match color {
        Some(color @ 1..=6) => color as u8,
        _ => 7,
    }
}

impl Perform for Page {
    fn print(&mut self, letter: char) {
        if self.full_screen {
            return;
        }
        if self.col >= usize::from(self.size.cols) {
            self.col = 0;
            self.feed();
        }
        let (col, look) = (self.col, self.look);
        let line = self.line();
        if line.len() <= col {
            line.resize(col + 1, (' ', Look::default()));
        }
        line[col] = (letter, look);
        self.col += 1;
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            _ if self.full_screen => {}
            b'\n' | 0x0b | 0x0c => self.feed(),
            b'\r' => self.col = 0,
            0x08 => self.col = self.col.saturating_sub(1),
            b'\t' => self.col = (self.col / TAB + 1) * TAB,
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _: bool, action: char) {
        let number = |index: usize| {
            let param = params.iter().nth(index);
            usize::from(param.and_then(|param| param.first().copied()).unwrap_or(0))
        };
        let (count, cols) = (number(0).max(1), usize::from(self.size.cols));
        match (intermediates, action) {
            ([b'?'], 'h' | 'l')
                if params.iter().any(|param| matches!(param, [47 | 1047 | 1049])) =>
            {
                self.full_screen = action == 'h';
            }
            _ if self.full_screen || !intermediates.is_empty() => {}
            (_, 'm') => self.paint(params),
            (_, 'A') => self.row = self.row.saturating_sub(count).max(self.top()),
            (_, 'B') => self.go_to_row(self.row.saturating_add(count)),
            (_, 'C') => self.col = self.col.saturating_add(count).min(cols),
            (_, 'D') => self.col = self.col.saturating_sub(count),
            (_, 'G') => self.col = (count - 1).min(cols),
            (_, 'H' | 'f') => {
                self.go_to_row(self.top().saturating_add(count - 1));
                self.col = (number(1).max(1) - 1).min(cols);
            }
            (_, 'J') => self.erase_screen(number(0)),
            (_, 'K') => match number(0) {
                0 => self.blank(self.col, usize::MAX),
                1 => self.blank(0, self.col + 1),
                _ => self.blank(0, usize::MAX),
            },
            (_, 'X') => self.blank(self.col, self.col.saturating_add(count)),
            (_, 'P') => {
                let (from, end) = (self.col, self.line().len());
                self.line().drain(from.min(end)..from.saturating_add(count).min(end));
            }
            (_, '@') => {
                let (from, end) = (self.col, self.line().len());
                let blanks = std::iter::repeat_n((' ', Look::default()), count.min(cols));
                self.line().splice(from.min(end)..from.min(end), blanks);
                self.line().truncate(cols);
            }
            _ => {}
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], _: bool, byte: u8) {
        if intermediates.is_empty() && byte == b'c' {
            *self = Self { size: self.size, ..Self::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn shown(output: &str) -> String {
        let mut preview = Preview::default();
        preview.push(output);
        preview.html()
    }

    #[test]
    fn lines_and_small_movements_are_followed() {
        assert_eq!(shown("one\r\ntwo\r\n"), "one\ntwo\n");
        assert_eq!(shown("10 %\r20 %\r\ndone"), "20 %\ndone\n");
        assert_eq!(shown("abc\x08\x08X\x1b[K"), "aX\n");
        assert_eq!(shown("a\tb"), "a       b\n");
        assert_eq!(shown("one\r\ntwo\x1b[A\rON\x1b[B\x1b[2P"), "ONe\ntw\n");
        assert_eq!(shown("old\r\n\x1b[H\x1b[2Jnew\x1b]0;title\x07"), "new\n");
    }

    #[test]
    fn text_is_never_markup() {
        assert_eq!(shown("<b>&\"</b>"), "&lt;b&gt;&amp;\"&lt;/b&gt;\n");
        let colours = shown("\x1b[1;32mok\x1b[0m \x1b[38;5;9mred\x1b[38;2;1;2;3mx\x1b[m");
        assert_eq!(
            colours,
            "<span class=\"hue2 ground0 bold\">ok</span> \
             <span class=\"hue1 ground0\">red</span>x\n"
        );
    }

    #[test]
    fn backgrounds_and_underlines_are_shown() {
        let marked = |class: &str, text: &str| format!("<span class=\"{class}\">{text}</span>");
        for (output, class) in [
            ("\x1b[44mx", "hue0 ground4"),
            ("\x1b[4;101mx", "hue0 ground1 underline"),
            ("\x1b[4:3;48:5:2mx", "hue0 ground2 underline"),
            ("\x1b[48;5;200;38;2;1;2;3mx", "hue0 ground7"),
            ("\x1b[48:2::1:2:3;38:5:1mx", "hue1 ground7"),
            ("\x1b[4m\x1b[4:0;41;24;7mx", "hue0 ground1 inverse"),
        ] {
            assert_eq!(shown(output), marked(class, "x") + "\n", "{output:?}");
        }
        assert_eq!(shown("\x1b[4;44m\x1b[24;49mx"), "x\n");
        let mut preview = Preview::default();
        preview.resize(Size { cols: 4, rows: 2 });
        preview.push("a\x1b[42m\x1b[K");
        assert_eq!(preview.html(), format!("a{}\n", marked("hue0 ground2", "   ")));
    }

    #[test]
    fn whole_screens_are_sat_out() {
        let mut preview = Preview::default();
        preview.push("$ vim\r\n\x1b[?1049h\x1b[H~\r\n~");
        assert!(preview.is_full_screen());
        preview.push("\x1b[?1049l$ ");
        assert!(!preview.is_full_screen());
        assert_eq!(preview.html(), "$ vim\n$ \n");
    }

    #[test]
    fn no_output_makes_it_grow_or_fall() {
        let mut preview = Preview::default();
        preview.resize(Size { cols: 2, rows: 1 });
        for _ in 0..200 {
            preview.push("abc\x1b[999999B\x1b[99999C\x1b[9999@x\x1b[;9999H\x1b[999P\x1b[1K\r\n");
            preview.push("\x1b[38;5m\x1b[38;2m\x1b[0J\x1b[999A\x1b[X\x1b[D\t\t\x1b[K\x08");
        }
        assert!(preview.page.lines.len() <= SHOWN_LINES);
        preview.resize(Size { cols: 1000, rows: 500 });
        preview.push("\x1b[500;1000Hx\x1b[1;1H\x1b[J");
        assert!(preview.html().lines().count() <= SHOWN_LINES);
    }
}
