//! Writes text: decides where a character goes, and its effect on its neighbours.

use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::TermMode;
use alacritty_terminal::term::cell::Flags;
use alacritty_terminal::vte::ansi::{Handler as _, NamedMode, StandardCharset};

use super::attributes::combining;
use super::model::Model;
use super::model::edit::Towards;
use super::paint::before_cursor;

/// The most combining characters of one cell.
const COMBINING: usize = 16;

impl Model {
    /// Moves down, or scrolls at the region's end. Afterwards the cursor is not about to wrap.
    pub(super) fn index(&mut self) {
        self.printed = false;
        self.forget_wrap();
        if self.line() + 1 != self.region.end {
            self.term.linefeed();
        } else if self.region.start > 0 {
            self.scroll_region();
        } else {
            self.term.linefeed();
            self.mark_new_row(self.region.end - 1);
        }
    }

    /// Repeats the character before the cursor, if it was just written.
    pub(super) fn repeat(&mut self, count: usize) {
        let grid = self.term.grid();
        let Some(column) = before_cursor(grid, &grid.cursor).filter(|_| self.printed) else {
            return;
        };
        let cell = &grid[grid.cursor.point.line][column];
        let text: Vec<char> =
            std::iter::once(cell.c).chain(combining(cell).iter().copied()).collect();
        for _ in 0..count {
            text.iter().for_each(|character| self.input(*character));
        }
    }

    /// Writes a character that `Term` handles correctly.
    pub(super) fn write(&mut self, character: char, columns: usize) {
        let inserts = self.has(TermMode::INSERT);
        if self.is_about_to_wrap()
            && self.has(TermMode::LINE_WRAP)
            && (inserts || self.region.start > 0)
        {
            self.wrap();
        }
        if inserts {
            self.forget_wrap();
            self.shift(self.line(), self.column(), columns, Towards::End);
            self.term.unset_mode(NamedMode::Insert.into());
        }
        let wraps = self.is_about_to_wrap();
        let before = self.line();
        let halves = (!wraps).then(|| self.halves_beside(before, self.column(), columns));
        self.term.input(character);
        self.printed = true;
        if inserts {
            self.term.set_mode(NamedMode::Insert.into());
        }
        if let Some(halves) = halves.filter(|halves| *halves != [None; 2]) {
            self.clear_halves(before, halves);
        }
        if !self.has(TermMode::LINE_WRAP) && self.is_about_to_wrap() {
            // Text that is written to the end of a row does not wrap in this mode.
            self.term.grid_mut().cursor_cell().flags.remove(Flags::WRAPLINE);
        }
        if wraps && self.line() == before {
            self.mark_new_row(before);
        }
        // Below the region, a line that is too long wraps onto itself.
        if self.region.end < self.rows() && self.line() + 1 == self.rows() {
            self.settle_last_row();
        }
    }

    /// Moves to the beginning of the next row, which continues this one, where `Term` would do so
    /// differently or too late.
    fn wrap(&mut self) {
        let line = self.line();
        let next = if line + 1 == self.region.end {
            self.index();
            line
        } else {
            (line + 1).min(self.rows() - 1)
        };
        self.place(next, 0);
        self.set_wrapped(next, true);
    }

    /// Returns true if letters are written as line-drawing characters.
    pub(super) fn draws_lines(&self) -> bool {
        let set = self.term.grid().cursor.charsets[self.shift];
        set == StandardCharset::SpecialCharacterAndLineDrawing
    }

    /// Writes a character that `Term` would replace, or give another width.
    pub(super) fn write_as(&mut self, character: char, columns: usize) {
        self.write(if columns == 2 { '\u{3000}' } else { '?' }, columns);
        let grid = self.term.grid_mut();
        let line = grid.cursor.point.line;
        if let Some(column) = before_cursor(grid, &grid.cursor) {
            grid[line][column].c = character;
        }
    }

    /// Adds a combining character to the one before the cursor, if there is one in the row.
    pub(super) fn combine(&mut self, mark: char) {
        let grid = self.term.grid_mut();
        let line = grid.cursor.point.line;
        if let Some(column) = before_cursor(grid, &grid.cursor)
            && combining(&grid[line][column]).len() < COMBINING
        {
            grid[line][column].push_zerowidth(mark);
        }
    }

    pub(super) fn backspace_over_rows(&mut self) {
        let (line, column, last) = (self.line(), self.column(), self.columns() - 1);
        if self.is_about_to_wrap() {
            // The cursor is then on the last column, which can be overwritten.
            return self.forget_wrap();
        }
        if column > 0 {
            return self.place(line, column - 1);
        }
        let above = Line(i32::try_from(line).unwrap_or(0) - 1);
        let within = line > self.region.start && line < self.region.end;
        let grid = self.term.grid();
        if within && grid[above][Column(last)].flags.contains(Flags::WRAPLINE) {
            let short = grid[above][Column(last)].flags.contains(Flags::LEADING_WIDE_CHAR_SPACER);
            self.unwrap_row(line);
            self.place(line - 1, last - usize::from(short));
        }
    }

    pub(super) fn forget_wrap(&mut self) {
        self.term.grid_mut().cursor.input_needs_wrap = false;
    }

    pub(super) fn is_about_to_wrap(&self) -> bool {
        self.term.grid().cursor.input_needs_wrap
    }
}
