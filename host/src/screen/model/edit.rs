//! Erases and moves cells and rows like xterm.js.

use std::mem;
use std::ops::Range;

use alacritty_terminal::grid::Dimensions as _;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::vte::ansi::{ClearMode, Color, Handler as _, LineClearMode, NamedColor};

use super::Model;
use crate::screen::attributes::Attributes;
use crate::screen::settle;

const DEFAULT: Color = Color::Named(NamedColor::Background);
const WRAPS: Flags = Flags::WRAPLINE.union(Flags::LEADING_WIDE_CHAR_SPACER);

/// Selects whether erasing spares protected cells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::screen) enum Erase {
    All,
    Unprotected,
}

/// The direction in which rows or cells move.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::screen) enum Towards {
    /// Up, or to the left.
    Start,
    /// Down, or to the right.
    End,
}

/// Returns a cell that was erased to a background colour. Unlike a written space it is not part of
/// the line's text; a tab in its place marks that.
pub(in crate::screen) fn erased(background: Color) -> Cell {
    let c = if background == DEFAULT { ' ' } else { '\t' };
    Cell { c, ..Cell::from(background) }
}

/// Returns true if a cell was erased to a colour.
pub(in crate::screen) fn is_erased(cell: &Cell) -> bool {
    cell.c == '\t' && cell.flags.is_empty() && cell.extra.is_none()
}

impl Model {
    pub(in crate::screen) fn erase_in_screen(&mut self, what: &ClearMode, erase: Erase) {
        let (line, rows) = (self.line(), self.rows());
        match what {
            ClearMode::Below => {
                let column = self.column_or_end();
                self.erase(line, column..self.columns(), erase);
                if column == 0 {
                    self.unwrap_row(line);
                }
                (line + 1..rows).for_each(|line| self.erase_row(line, erase));
            }
            ClearMode::Above => {
                let end = self.column_or_end() + 1;
                self.erase(line, 0..end.min(self.columns()), erase);
                self.unwrap_row(line);
                if end >= self.columns() && line + 1 < rows {
                    self.unwrap_row(line + 1);
                }
                (0..line).for_each(|line| self.erase_row(line, erase));
            }
            ClearMode::All => (0..rows).for_each(|line| self.erase_row(line, erase)),
            ClearMode::Saved => self.term.clear_screen(ClearMode::Saved),
        }
    }

    pub(in crate::screen) fn erase_in_line(&mut self, what: &LineClearMode, erase: Erase) {
        let (line, columns) = (self.line(), self.columns());
        match what {
            LineClearMode::Right => {
                let column = self.column_or_end();
                self.erase(line, column..columns, erase);
                if column == 0 {
                    self.unwrap_row(line);
                }
            }
            LineClearMode::Left => {
                let end = self.column_or_end() + 1;
                self.erase(line, 0..end.min(columns), erase);
            }
            LineClearMode::All => self.erase_row(line, erase),
        }
    }

    /// Erases cells; whether the row wraps does not change.
    pub(in crate::screen) fn erase(&mut self, line: usize, columns: Range<usize>, erase: Erase) {
        let blank = erased(self.term.grid().cursor.template.bg);
        self.edit_row(line, |row| {
            halve(row, columns.start, &blank);
            if columns.end < row.len() && is_half(&row[columns.end]) {
                row[columns.end] = blank.clone();
            }
            for cell in &mut row[columns] {
                let spared = erase == Erase::Unprotected
                    && Attributes::of(cell).contains(Attributes::PROTECTED);
                if !spared {
                    *cell = blank.clone();
                }
            }
        });
    }

    fn erase_row(&mut self, line: usize, erase: Erase) {
        self.erase(line, 0..self.columns(), erase);
        self.unwrap_row(line);
    }

    /// Moves the cells of a row, from a column on.
    pub(in crate::screen) fn shift(
        &mut self,
        line: usize,
        from: usize,
        count: usize,
        towards: Towards,
    ) {
        let blank = erased(self.term.grid().cursor.template.bg);
        self.edit_row(line, |row| {
            halve(row, from, &blank);
            if towards == Towards::Start && row.get(from + count).is_some_and(is_half) {
                row[from + count] = blank.clone();
            }
            let cells = &mut row[from..];
            let (count, length) = (count.min(cells.len()), cells.len());
            let free = match towards {
                Towards::Start => {
                    cells.rotate_left(count);
                    length - count..length
                }
                Towards::End => {
                    cells.rotate_right(count);
                    0..count
                }
            };
            cells[free].fill(blank.clone());
            if let Some(cut) = row.last_mut().filter(|cell| cell.flags.contains(Flags::WIDE_CHAR)) {
                *cut = blank;
            }
        });
    }

    /// Moves the cells of all rows of the region, from a column on, if the cursor is within the
    /// region.
    pub(in crate::screen) fn shift_region(&mut self, from: usize, count: usize, towards: Towards) {
        if self.region.contains(&self.line()) {
            for line in self.region.clone() {
                self.shift(line, from, count, towards);
                self.unwrap_row(line);
            }
        }
    }

    /// Moves rows within a part of the screen; rows that leave it are lost.
    pub(in crate::screen) fn move_rows(
        &mut self,
        rows: Range<usize>,
        count: usize,
        towards: Towards,
        bg: Color,
    ) {
        let (count, length) = (count.min(rows.len()), rows.len());
        let mut wrapped: Vec<bool> = rows.clone().map(|at| self.is_wrapped(at)).collect();
        let after = self.is_wrapped(rows.end);
        let grid = self.term.grid_mut();
        let mut taken: Vec<_> = rows.clone().map(|at| mem::take(&mut grid[line_at(at)])).collect();
        let free = match towards {
            Towards::Start => {
                taken.rotate_left(count);
                wrapped.rotate_left(count);
                length - count..length
            }
            Towards::End => {
                taken.rotate_right(count);
                wrapped.rotate_right(count);
                0..count
            }
        };
        for row in &mut taken[free.clone()] {
            row[..].fill(erased(bg));
        }
        wrapped[free].fill(false);
        for (at, row) in rows.clone().zip(taken) {
            grid[line_at(at)] = row;
        }
        for (at, wrapped) in rows.clone().zip(wrapped) {
            self.set_wrapped(at, wrapped);
        }
        self.set_wrapped(rows.end, after);
    }

    /// Returns true if a row of the screen continues the one before it.
    fn is_wrapped(&self, row: usize) -> bool {
        let grid = self.term.grid();
        let before: Line = line_at(row) - 1_i32;
        row < self.rows()
            && before >= grid.topmost_line()
            && grid[before][grid.last_column()].flags.contains(Flags::WRAPLINE)
    }

    pub(in crate::screen) fn set_wrapped(&mut self, row: usize, wrapped: bool) {
        if !wrapped || row >= self.rows() {
            return self.unwrap_row(row);
        }
        let grid = self.term.grid_mut();
        let (before, last): (Line, _) = (line_at(row) - 1_i32, grid.last_column());
        if before >= grid.topmost_line() {
            grid[before][last].flags.insert(Flags::WRAPLINE);
        }
    }

    /// Records that the row does not continue the one before it.
    pub(in crate::screen) fn unwrap_row(&mut self, row: usize) {
        let grid = self.term.grid_mut();
        let (before, last): (Line, _) = (line_at(row) - 1_i32, grid.last_column());
        if before >= grid.topmost_line() && grid[before][last].flags.intersects(WRAPS) {
            grid[before][last].flags.remove(WRAPS);
        }
    }

    /// Scrolls a region that does not begin at the top of the screen up by one row.
    pub(in crate::screen) fn scroll_region(&mut self) {
        let background = self.term.grid().cursor.template.bg;
        self.move_rows(self.region.clone(), 1, Towards::Start, background);
    }

    /// Returns the columns on either side at which a written character leaves halves of wide ones.
    pub(in crate::screen) fn halves_beside(
        &self,
        line: usize,
        column: usize,
        columns: usize,
    ) -> [Option<usize>; 2] {
        let row = &self.term.grid()[line_at(line)][..];
        let before = is_half(&row[column]).then(|| column.checked_sub(1)).flatten();
        let after = column + columns;
        [before, row.get(after).is_some_and(is_half).then_some(after)]
    }

    /// Replaces halves of wide characters by spaces with the current attributes.
    pub(in crate::screen) fn clear_halves(&mut self, line: usize, halves: [Option<usize>; 2]) {
        let grid = self.term.grid_mut();
        let blank = Cell { c: ' ', ..grid.cursor.template.clone() };
        for column in halves.into_iter().flatten() {
            grid[line_at(line)][Column(column)] = blank.clone();
        }
    }

    /// Marks the cells that a scroll brought up in the background colour as erased.
    pub(in crate::screen) fn mark_new_row(&mut self, line: usize) {
        let background = self.term.grid().cursor.template.bg;
        if background != DEFAULT {
            let blank = Cell::from(background);
            let row = &mut self.term.grid_mut()[line_at(line)][..];
            row.iter_mut().filter(|cell| **cell == blank).for_each(|cell| cell.c = '\t');
        }
    }

    /// Edits a row's cells; whether the row wraps does not change.
    fn edit_row(&mut self, line: usize, edit: impl FnOnce(&mut [Cell])) {
        let line = line_at(line);
        let row = &mut self.term.grid_mut()[line][..];
        let last = row.len() - 1;
        let wraps = row[last].flags.contains(Flags::WRAPLINE);
        row[last].flags.remove(WRAPS);
        edit(row);
        row[last].flags.set(Flags::WRAPLINE, wraps);
        settle::row(row);
    }

    /// Returns the cursor's column, or the one behind the last if it is about to wrap.
    fn column_or_end(&self) -> usize {
        if self.is_about_to_wrap() { self.columns() } else { self.column() }
    }
}

/// Returns the grid's line of a row of the screen.
pub(in crate::screen) fn line_at(row: usize) -> Line {
    Line(i32::try_from(row).unwrap_or(i32::MAX))
}

/// Returns true for the second half of a wide character.
fn is_half(cell: &Cell) -> bool {
    cell.flags.contains(Flags::WIDE_CHAR_SPACER)
}

/// Blanks the first half of a wide character that ends at a column.
fn halve(row: &mut [Cell], column: usize, blank: &Cell) {
    if row.get(column).is_some_and(is_half) && column > 0 {
        row[column - 1] = blank.clone();
    }
}

/// Clears erased cells at the end of a row that gets shorter, because they are not text and must
/// not wrap.
pub(in crate::screen) fn cut_erased(row: &mut [Cell], columns: usize) {
    let wraps = row.last().is_some_and(|cell| cell.flags.contains(Flags::WRAPLINE));
    if wraps {
        return;
    }
    for cell in row.iter_mut().skip(columns).rev() {
        if !is_erased(cell) && *cell != Cell::default() {
            return;
        }
        *cell = Cell::default();
    }
}

/// Applies [`cut_erased`] to every row.
pub(in crate::screen) fn cut_all_erased(
    grid: &mut alacritty_terminal::grid::Grid<Cell>,
    columns: usize,
) {
    if columns < grid.columns() {
        for line in grid.topmost_line().0..=grid.bottommost_line().0 {
            cut_erased(&mut grid[Line(line)][..], columns);
        }
    }
}
