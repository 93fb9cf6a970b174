//! A picture of the terminal: bytes that make any terminal of the same size the same.
//!
//! The order matters: what moves the cursor or changes how text is written comes after the
//! text, and what the program may go on with (the cursor, a character to repeat) comes last.

mod pen;
mod text;

use alacritty_terminal::grid::{Cursor, Dimensions as _, Grid};
use alacritty_terminal::index::Line;
use alacritty_terminal::term::TermMode;
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::vte::ansi::{
    CharsetIndex, CursorShape, CursorStyle, NamedColor, StandardCharset,
};

use super::model::{Model, default_tabs};
pub(super) use pen::Pen;
use pen::push;
use text::{Join, Text, before_cursor};

/// Abandons an unfinished sequence, resets the terminal, and what a reset leaves: colours.
const PROLOGUE: &[u8] = b"\x18\x1bc\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\";

const CHARSETS: [(CharsetIndex, u8); 4] = [
    (CharsetIndex::G0, b'('),
    (CharsetIndex::G1, b')'),
    (CharsetIndex::G2, b'*'),
    (CharsetIndex::G3, b'+'),
];

/// Modes that are off after a reset.
const OFF: [(TermMode, &str); 9] = [
    (TermMode::APP_CURSOR, "?1h"),
    (TermMode::MOUSE_REPORT_CLICK, "?1000h"),
    (TermMode::MOUSE_DRAG, "?1002h"),
    (TermMode::MOUSE_MOTION, "?1003h"),
    (TermMode::FOCUS_IN_OUT, "?1004h"),
    (TermMode::UTF8_MOUSE, "?1005h"),
    (TermMode::SGR_MOUSE, "?1006h"),
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

/// Paints everything.
pub(super) fn picture(model: &mut Model, most_bytes: usize) -> Vec<u8> {
    let mut painter = Painter::default();
    painter.out().extend_from_slice(PROLOGUE);
    painter.colors(model);
    painter.titles(model);
    let scrollback = if model.is_alternate() {
        let scrollback = model.on_main(|main| painter.main_below(main));
        painter.saved_cursor(model.term.grid());
        painter.screen(model.term.grid());
        scrollback
    } else {
        model.on_alternate(|alternate| painter.saved_on_alternate(alternate));
        painter.saved_cursor(model.term.grid());
        painter.screen(model.term.grid())
    };
    painter.tabs(model);
    painter.modes(model);
    painter.cursor(model);
    painter.finish(&scrollback, most_bytes)
}

#[derive(Default)]
struct Painter {
    text: Text,
    charsets: [StandardCharset; 4],
}

impl Painter {
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
                // The foreground is 10, the background 11 and the cursor 12.
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

    /// The scrollback and the screen; tells where in the picture each line of scrollback begins,
    /// and where the screen does.
    fn screen(&mut self, grid: &Grid<Cell>) -> Vec<usize> {
        self.pen_and_charsets(&Cursor::default());
        let mut starts = Vec::with_capacity(grid.history_size() + 1);
        let mut join = Join::Begun;
        for line in grid.topmost_line().0..=grid.bottommost_line().0 {
            if join == Join::Break {
                self.out().extend_from_slice(b"\r\n");
            }
            if line <= 0 {
                starts.push(self.text.out.len());
            }
            join = self.text.row(grid, Line(line), join);
        }
        starts
    }

    /// The main screen, with the alternate screen shown on it.
    fn main_below(&mut self, main: &Grid<Cell>) -> Vec<usize> {
        let scrollback = self.screen(main);
        self.place(main, &main.cursor);
        self.out().extend_from_slice(b"\x1b[?1049h");
        // The alternate screen has begun with the background colour of the main one.
        self.pen_and_charsets(&Cursor::default());
        self.out().extend_from_slice(b"\x1b[2J\x1b[H");
        scrollback
    }

    /// What the alternate screen remembers while it is not shown.
    fn saved_on_alternate(&mut self, alternate: &Grid<Cell>) {
        if alternate.saved_cursor != Cursor::default() {
            self.out().extend_from_slice(b"\x1b[?1049h");
            self.saved_cursor(alternate);
            self.out().extend_from_slice(b"\x1b[?1049l");
        }
    }

    fn tabs(&mut self, model: &Model) {
        if model.tabs == default_tabs(model.columns()) {
            return;
        }
        self.out().extend_from_slice(b"\x1b[3g");
        for (column, _) in model.tabs.iter().enumerate().filter(|(_, stop)| **stop) {
            push(self.out(), format_args!("\x1b[{}G\x1bH", column + 1));
        }
    }

    /// On an empty screen, so that no text is in the way.
    fn saved_cursor(&mut self, grid: &Grid<Cell>) {
        let saved = &grid.saved_cursor;
        if *saved == Cursor::default() {
            return;
        }
        let (line, column) = (saved.point.line.0 + 1, saved.point.column.0 + 1);
        push(self.out(), format_args!("\x1b[{line};{column}H"));
        if saved.input_needs_wrap {
            // A space is as good as nothing.
            self.out().push(b' ');
        }
        self.pen_and_charsets(saved);
        self.out().extend_from_slice(b"\x1b7");
        self.pen_and_charsets(&Cursor::default());
        self.out().extend_from_slice(b"\x1b[H");
    }

    /// Puts the cursor where `cursor` is, with its attributes and character sets.
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
            // Writing over a wide character changes the row above, where it did not fit.
            self.out().extend_from_slice(b"\x1b[2X");
        }
        self.text.cell(cell);
    }

    fn pen_and_charsets(&mut self, cursor: &Cursor<Cell>) {
        self.text.set(Pen::of(&cursor.template));
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
        if model.region != (0..model.rows()) {
            let (top, bottom) = (model.region.start + 1, model.region.end);
            push(self.out(), format_args!("\x1b[{top};{bottom}r"));
        }
        let wrong = OFF.iter().filter(|(mode, _)| model.has(*mode));
        for (_, sequence) in wrong.chain(ON.iter().filter(|(mode, _)| !model.has(*mode))) {
            push(self.out(), format_args!("\x1b[{sequence}"));
        }
        if model.has(TermMode::APP_KEYPAD) {
            self.out().extend_from_slice(b"\x1b=");
        }
        let style = model.term.cursor_style();
        if style != CursorStyle::default() {
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

    /// The cursor, and the modes that change how it is placed.
    fn cursor(&mut self, model: &Model) {
        let grid = model.term.grid();
        let shift_out = model.shift == CharsetIndex::G1;
        let insert = model.has(TermMode::INSERT);
        let saved = &grid.saved_cursor;
        let restored = saved.point == grid.cursor.point && saved.input_needs_wrap;
        if restored && grid.cursor.input_needs_wrap {
            self.origin(model);
            self.out().extend_from_slice(b"\x1b8");
            self.text.pen = Pen::of(&saved.template);
            self.charsets = CHARSETS.map(|(index, _)| saved.charsets[index]);
            self.pen_and_charsets(&grid.cursor);
        } else {
            // A character that was just written is written again: the program may repeat it.
            let again = grid.cursor.input_needs_wrap || model.printed;
            let before = before_cursor(grid, &grid.cursor).filter(|_| again);
            let cell = before.map(|column| &grid[grid.cursor.point.line][column]);
            let same = cell.is_some_and(|cell| self.same_pen(cell, &grid.cursor));
            let before = before.filter(|_| same || grid.cursor.input_needs_wrap);
            self.pen_and_charsets(&if same { grid.cursor.clone() } else { Cursor::default() });
            if shift_out && same {
                self.out().push(0x0e);
            }
            self.origin(model);
            let top = if model.has(TermMode::ORIGIN) { model.region.start } else { 0 };
            let line = model.line() + 1 - top;
            let column = before.map_or(model.column(), |column| column.0) + 1;
            push(self.out(), format_args!("\x1b[{line};{column}H"));
            if let Some(cell) = before.and(cell) {
                self.again(cell);
            }
            self.pen_and_charsets(&grid.cursor);
            if shift_out && same {
                return self.insert(insert);
            }
        }
        if shift_out {
            self.out().push(0x0e);
        }
        self.insert(insert);
    }

    /// Whether a cell can be written with the cursor's own attributes and character sets.
    fn same_pen(&self, cell: &Cell, cursor: &Cursor<Cell>) -> bool {
        let mapped = matches!(cell.c, '_'..='~');
        let ascii =
            CHARSETS.iter().all(|(index, _)| cursor.charsets[*index] == StandardCharset::Ascii);
        Pen::of(cell) == Pen::of(&cursor.template) && (ascii || !mapped)
    }

    fn origin(&mut self, model: &Model) {
        if model.has(TermMode::ORIGIN) {
            self.out().extend_from_slice(b"\x1b[?6h");
        }
    }

    fn insert(&mut self, insert: bool) {
        if insert {
            self.out().extend_from_slice(b"\x1b[4h");
        }
    }

    /// Drops as much of the oldest scrollback as it takes.
    fn finish(self, scrollback: &[usize], most_bytes: usize) -> Vec<u8> {
        let mut picture = self.text.out;
        let excess = picture.len().saturating_sub(most_bytes);
        if let (Some(first), Some(screen)) = (scrollback.first(), scrollback.last())
            && excess > 0
        {
            let enough = scrollback.iter().find(|start| *start - first >= excess);
            picture.drain(first..enough.unwrap_or(screen));
        }
        picture
    }
}
