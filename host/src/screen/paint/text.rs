//! Rows of cells as text.

use alacritty_terminal::grid::{Dimensions, Grid};
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::{Cell, Flags};

use super::pen::{Pen, push};

/// Writes cells; knows what attributes are set.
#[derive(Default)]
pub(super) struct Text {
    pub(super) out: Vec<u8>,
    pub(super) pen: Pen,
}

/// What a row leaves to the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    /// The next row begins by itself.
    Break,
    /// The next row begins where this one wraps.
    Wrap,
    /// The cursor is at the beginning of the next row.
    Begun,
}

impl Text {
    /// Sets attributes.
    pub(super) fn set(&mut self, pen: Pen) {
        if self.pen != pen {
            pen.write(&self.pen, &mut self.out);
            self.pen = pen;
        }
    }

    /// Writes a row of `grid`; the cursor is at its beginning, or about to wrap into it. What
    /// has to follow is told, and the attributes are left as none.
    pub(super) fn row(&mut self, grid: &Grid<Cell>, line: Line, joined: Join) -> Join {
        let row = &grid[line][..];
        let last = row.len() - 1;
        let wraps = row[last].flags.contains(Flags::WRAPLINE) && line < grid.bottommost_line();
        let end = match wraps {
            true => row.len(),
            false => row.iter().rposition(|cell| !is_blank(cell)).map_or(0, |at| at + 1),
        };
        // Only a character wraps; a blank cell and a space are the same.
        let least = usize::from(joined == Join::Wrap);
        if joined == Join::Wrap && row[0].bg != Cell::default().bg {
            // A line that comes up by wrapping is filled with the background colour.
            self.out.extend_from_slice(b" \r");
        }
        for (column, cell) in row[..end.max(least)].iter().enumerate() {
            let spacer = Flags::LEADING_WIDE_CHAR_SPACER;
            if column == last && wraps && cell.flags.contains(spacer) {
                self.wide_that_did_not_fit(cell, row.len());
                return Join::Begun;
            }
            self.cell(cell);
        }
        self.set(Pen::default());
        if wraps { Join::Wrap } else { Join::Break }
    }

    /// The last column of a row that a wide character left free is made as it was made, by a
    /// wide character, which is then erased: it may no longer be there.
    fn wide_that_did_not_fit(&mut self, spacer: &Cell, columns: usize) {
        self.set(Pen::of(spacer));
        self.out.extend_from_slice("\u{3000}".as_bytes());
        self.set(Pen::default());
        // Erasing to the line's end would forget that it is wrapped, in xterm.js.
        push(&mut self.out, format_args!("\r\x1b[{columns}X"));
    }

    /// Writes one cell with what combines with it.
    pub(super) fn cell(&mut self, cell: &Cell) {
        if cell.flags.contains(Flags::WIDE_CHAR_SPACER) {
            return;
        }
        if !self.pen.is_of(cell) {
            self.set(Pen::of(cell));
        }
        self.character(if cell.c == '\t' { ' ' } else { cell.c });
        for mark in cell.zerowidth().into_iter().flatten() {
            self.character(*mark);
        }
    }

    fn character(&mut self, character: char) {
        let mut buffer = [0; 4];
        self.out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
    }
}

/// Whether a cell is as if nothing had ever been there.
fn is_blank(cell: &Cell) -> bool {
    matches!(cell.c, ' ' | '\t')
        && Pen::default().is_of(cell)
        && !cell.flags.intersects(Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER)
        && cell.zerowidth().is_none_or(<[char]>::is_empty)
}

/// The cell that a cursor was left behind by: the one before it, or the last of the row where
/// it is about to wrap. The first half of a wide character.
pub(super) fn before_cursor(
    grid: &Grid<Cell>,
    cursor: &alacritty_terminal::grid::Cursor<Cell>,
) -> Option<Column> {
    let row = &grid[cursor.point.line];
    let column = match cursor.input_needs_wrap {
        true => cursor.point.column.0,
        false => cursor.point.column.0.checked_sub(1)?,
    };
    let spacer = row[Column(column)].flags.contains(Flags::WIDE_CHAR_SPACER);
    Some(Column(column.saturating_sub(usize::from(spacer))))
}
