//! Paints a snapshot: bytes that recreate a screen on any terminal of the same size.
//!
//! The order matters. Sequences that move the cursor or change how text is written follow the text;
//! the state that the program may continue from (the cursor, a character to repeat) comes last.
//!
//! A snapshot that is too large is painted again with less ([`Detail`]), until it fits.

mod fit;
mod pen;
mod text;

use std::collections::VecDeque;
use std::ops::Range;

use alacritty_terminal::grid::{Cursor, Dimensions as _, Grid};
use alacritty_terminal::index::Line;
use alacritty_terminal::term::TermMode;
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::vte::ansi::{CharsetIndex, CursorShape, NamedColor, StandardCharset};

use super::model::{Model, default_tabs};
use fit::Detail;
pub(super) use fit::{over, snapshot};
pub(super) use pen::Pen;
use pen::push;
pub(super) use text::before_cursor;
use text::{Join, Text};

/// Abandons an unfinished sequence, resets the terminal, and resets what some terminals keep: a
/// hidden or blinking cursor, the line feed mode, the mouse, and colours.
const PROLOGUE: &[u8] =
    b"\x18\x1bc\x1b[!p\x1b[20l\x1b[?12l\x1b[?25h\x1b[?1000l\x1b[?1006l\x1b[?2026l\
    \x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\";

const CHARSETS: [(CharsetIndex, u8); 4] = [
    (CharsetIndex::G0, b'('),
    (CharsetIndex::G1, b')'),
    (CharsetIndex::G2, b'*'),
    (CharsetIndex::G3, b'+'),
];

/// Modes that are off after a reset.
const OFF: [(TermMode, &str); 4] = [
    (TermMode::APP_CURSOR, "?1h"),
    (TermMode::FOCUS_IN_OUT, "?1004h"),
    (TermMode::BRACKETED_PASTE, "?2004h"),
    (TermMode::LINE_FEED_NEW_LINE, "20h"),
];

/// Modes that are on after a reset.
const ON: [(TermMode, &str); 4] = [
    (TermMode::LINE_WRAP, "?7l"),
    (TermMode::SHOW_CURSOR, "?25l"),
    (TermMode::ALTERNATE_SCROLL, "?1007l"),
    (TermMode::URGENCY_HINTS, "?1042l"),
];

/// Writes the bytes of a snapshot.
struct Painter {
    text: Text,
    charsets: [StandardCharset; 4],
    /// The offset in the text of each row of the scrollback, and in `rows` of each row of the
    /// screen that is painted last.
    scrollback: VecDeque<usize>,
    rows: Vec<usize>,
    /// The most bytes of the snapshot.
    most_bytes: usize,
}

impl Painter {
    fn new(detail: Detail, most_bytes: usize) -> Self {
        Self {
            text: Text::new(detail),
            charsets: [StandardCharset::Ascii; 4],
            scrollback: VecDeque::new(),
            rows: Vec::new(),
            most_bytes,
        }
    }

    /// Paints everything, or stops once that is too much.
    fn paint(&mut self, model: &mut Model) {
        self.out().extend_from_slice(PROLOGUE);
        if self.text.detail.colors {
            self.colors(model);
        }
        self.titles(model);
        let keyboard = model.keyboard.clone();
        self.out().extend_from_slice(keyboard.restore(false).as_bytes());
        self.out().extend_from_slice(keyboard.restore_other_keys().as_bytes());
        let of_alternate = keyboard.restore(true);
        if let Some((region, tabs)) = model.hidden.clone() {
            let all = 0..model.rows();
            model.on_main(|main| self.main_below(main, &all, &region, &tabs));
            self.out().extend_from_slice(of_alternate.as_bytes());
        } else {
            model.on_alternate(|alternate| self.saved_on_alternate(alternate, &of_alternate));
        }
        self.screen(model.term.grid());
        if self.is_too_much() {
            return;
        }
        self.saved_cursor(model.term.grid());
        self.tabs(&model.tabs);
        self.region(&(0..model.rows()), &model.region);
        self.modes(model);
        self.cursor(model);
    }

    fn is_too_much(&self) -> bool {
        !self.text.detail.trims && self.text.out.len() > self.most_bytes
    }

    fn out(&mut self) -> &mut Vec<u8> {
        &mut self.text.out
    }

    fn colors(&mut self, model: &Model) {
        for index in 0..=NamedColor::Cursor as usize {
            let Some(rgb) = model.term.colors()[index] else {
                continue;
            };
            match index {
                0..256 => push(self.out(), format_args!("\x1b]4;{index}")),
                // The number is 10 for the foreground, 11 for the background and 12 for the cursor.
                _ => push(self.out(), format_args!("\x1b]{}", index - 246)),
            }
            let (r, g, b) = (rgb.r, rgb.g, rgb.b);
            push(self.out(), format_args!(";rgb:{r:02x}/{g:02x}/{b:02x}\x1b\\"));
        }
    }

    fn titles(&mut self, model: &Model) {
        for title in &model.titles {
            self.title(title.as_deref());
            self.out().extend_from_slice(b"\x1b[22;0t");
        }
        self.title(model.title.as_deref());
    }

    fn title(&mut self, title: Option<&str>) {
        if let Some(title) = title {
            push(self.out(), format_args!("\x1b]2;{title}\x1b\\"));
        }
    }

    /// Paints the scrollback and the screen.
    fn screen(&mut self, grid: &Grid<Cell>) {
        self.pen_and_charsets(&Cursor::default());
        self.rows.clear();
        let detail = self.text.detail;
        let first = if detail.scrollback { grid.topmost_line().0 } else { 0 };
        let mut join = Join::Begun;
        for line in first..=grid.bottommost_line().0 {
            if join == Join::Break {
                self.out().extend_from_slice(b"\r\n");
            }
            let begin = self.text.out.len();
            if line < 0 {
                self.scrollback.push_back(begin);
            } else {
                self.rows.push(begin);
            }
            join = self.text.row(grid, Line(line), join);
            if self.is_too_much() {
                return;
            }
            if detail.trims && self.text.out.len() > 2 * self.most_bytes {
                self.trim();
            }
        }
    }

    /// Paints the main screen, and shows the alternate screen on top of it.
    fn main_below(
        &mut self,
        main: &Grid<Cell>,
        all: &Range<usize>,
        region: &Range<usize>,
        tabs: &[bool],
    ) {
        if self.text.detail.hidden_screen {
            self.screen(main);
        }
        self.tabs(tabs);
        self.region(all, region);
        self.place(main, &main.cursor);
        self.out().extend_from_slice(b"\x1b[?1049h");
        // Some terminals share one region between both screens.
        if region != all {
            self.out().extend_from_slice(b"\x1b[r");
        }
        // The alternate screen begins with the background colour of the main one.
        self.pen_and_charsets(&Cursor::default());
        self.out().extend_from_slice(b"\x1b[2J\x1b[H");
    }

    /// Paints the state that the alternate screen keeps while it is not shown.
    fn saved_on_alternate(&mut self, alternate: &Grid<Cell>, keyboard: &str) {
        if alternate.saved_cursor != Cursor::default() || !keyboard.is_empty() {
            self.out().extend_from_slice(b"\x1b[?1049h");
            self.saved_cursor(alternate);
            self.out().extend_from_slice(keyboard.as_bytes());
            self.out().extend_from_slice(b"\x1b[?1049l");
        }
    }

    fn tabs(&mut self, tabs: &[bool]) {
        if *tabs == default_tabs(tabs.len()) {
            return;
        }
        self.out().extend_from_slice(b"\x1b[3g");
        for (column, _) in tabs.iter().enumerate().filter(|(_, stop)| **stop) {
            push(self.out(), format_args!("\x1b[{}G\x1bH", column + 1));
        }
    }

    fn region(&mut self, all: &Range<usize>, region: &Range<usize>) {
        if region != all {
            push(self.out(), format_args!("\x1b[{};{}r", region.start + 1, region.end));
        }
    }

    /// Paints the saved cursor. Call it after the text, because the saved cursor moves with the
    /// lines.
    fn saved_cursor(&mut self, grid: &Grid<Cell>) {
        let saved = &grid.saved_cursor;
        if *saved == Cursor::default() {
            return;
        }
        let (line, column) = (saved.point.line.0 + 1, saved.point.column.0 + 1);
        push(self.out(), format_args!("\x1b[{line};{column}H"));
        self.pen_and_charsets(saved);
        self.out().extend_from_slice(b"\x1b7");
        self.pen_and_charsets(&Cursor::default());
        self.out().extend_from_slice(b"\x1b[H");
    }

    /// Moves the cursor to `cursor`, with its attributes and character sets.
    fn place(&mut self, grid: &Grid<Cell>, cursor: &Cursor<Cell>) {
        let point = cursor.point;
        match before_cursor(grid, cursor).filter(|_| cursor.input_needs_wrap) {
            Some(column) => {
                self.pen_and_charsets(&Cursor::default());
                push(self.out(), format_args!("\x1b[{};{}H", point.line.0 + 1, column.0 + 1));
                self.again(&grid[point.line][column]);
            }
            None => {
                let (line, column) = (point.line.0 + 1, point.column.0 + 1);
                push(self.out(), format_args!("\x1b[{line};{column}H"));
            }
        }
        self.pen_and_charsets(cursor);
    }

    /// Writes a cell over itself.
    fn again(&mut self, cell: &Cell) {
        if cell.flags.contains(Flags::WIDE_CHAR) {
            // Writing over a wide character would change the row above, if it did not fit there.
            self.out().extend_from_slice(b"\x1b[2X");
        }
        self.text.cell(cell);
    }

    /// Deletes a cell and inserts it again, and leaves insert mode on.
    fn insert_again(&mut self, cell: &Cell) {
        let columns = if cell.flags.contains(Flags::WIDE_CHAR) { 2 } else { 1 };
        push(self.out(), format_args!("\x1b[{columns}P\x1b[4h"));
        self.text.cell(cell);
    }

    fn pen_and_charsets(&mut self, cursor: &Cursor<Cell>) {
        self.text.set_whole(Pen::of(&cursor.template));
        for (index, name) in CHARSETS {
            let charset = cursor.charsets[index];
            if self.charsets[index as usize] != charset {
                self.charsets[index as usize] = charset;
                let set = if charset == StandardCharset::Ascii { b'B' } else { b'0' };
                self.out().extend_from_slice(&[0x1b, name, set]);
            }
        }
    }

    fn modes(&mut self, model: &Model) {
        let wrong = OFF.iter().filter(|(mode, _)| model.has(*mode));
        for (_, sequence) in wrong.chain(ON.iter().filter(|(mode, _)| !model.has(*mode))) {
            push(self.out(), format_args!("\x1b[{sequence}"));
        }
        for mode in model.modes.on() {
            push(self.out(), format_args!("\x1b[?{mode}h"));
        }
        if model.has(TermMode::APP_KEYPAD) {
            self.out().extend_from_slice(b"\x1b=");
        }
        if let Some(style) = model.cursor_style {
            let steady = match style.shape {
                CursorShape::Underline => 4,
                CursorShape::Beam => 6,
                _ => 2,
            };
            push(self.out(), format_args!("\x1b[{} q", steady - u8::from(style.blinking)));
        }
        if model.synchronised {
            self.out().extend_from_slice(b"\x1b[?2026h");
        }
    }

    /// Paints the cursor, and the modes that change how it is placed.
    fn cursor(&mut self, model: &Model) {
        let grid = model.term.grid();
        // A character that was just written is written again, because the program may repeat it.
        let again = grid.cursor.input_needs_wrap || model.printed;
        let before = before_cursor(grid, &grid.cursor).filter(|_| again);
        let cell = before.map(|column| &grid[grid.cursor.point.line][column]);
        let same = cell.is_some_and(|cell| self.same_pen(cell, &grid.cursor));
        let before = before.filter(|_| same || grid.cursor.input_needs_wrap);
        self.pen_and_charsets(&if same { grid.cursor.clone() } else { Cursor::default() });
        if same {
            self.shift(model.shift);
        }
        if model.has(TermMode::ORIGIN) {
            self.out().extend_from_slice(b"\x1b[?6h");
        }
        let top = if model.has(TermMode::ORIGIN) { model.region.start } else { 0 };
        let line = model.line() + 1 - top;
        let column = before.map_or(model.column(), |column| column.0) + 1;
        push(self.out(), format_args!("\x1b[{line};{column}H"));
        let inserts = model.has(TermMode::INSERT);
        // Nothing but text may follow a character that may be repeated, so the mode comes before
        // it.
        let reinserts = inserts && same && model.printed;
        if let Some(cell) = before.and(cell) {
            if reinserts {
                self.insert_again(cell);
            } else {
                self.again(cell);
            }
        }
        self.pen_and_charsets(&grid.cursor);
        if !same {
            self.shift(model.shift);
        }
        if inserts && !reinserts {
            self.out().extend_from_slice(b"\x1b[4h");
        }
    }

    fn shift(&mut self, index: CharsetIndex) {
        self.out().extend_from_slice(match index {
            CharsetIndex::G0 => b"",
            CharsetIndex::G1 => b"\x0e",
            CharsetIndex::G2 => b"\x1bn",
            CharsetIndex::G3 => b"\x1bo",
        });
    }

    /// Returns true if a cell can be written with the cursor's own attributes and character sets.
    fn same_pen(&self, cell: &Cell, cursor: &Cursor<Cell>) -> bool {
        let mapped = matches!(cell.c, '_'..='~');
        if self.text.detail != Detail::EVERYTHING {
            return Pen::of(&cursor.template) == Pen::default();
        }
        let ascii =
            CHARSETS.iter().all(|(index, _)| cursor.charsets[*index] == StandardCharset::Ascii);
        Pen::of(cell) == Pen::of(&cursor.template) && (ascii || !mapped)
    }
}
