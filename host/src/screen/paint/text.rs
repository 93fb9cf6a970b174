//! Writes rows of cells as text.

use alacritty_terminal::grid::{Dimensions, Grid};
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::{Cell, Flags};

use super::fit::Detail;
use super::pen::{Pen, push};
use crate::screen::attributes::combining;
use crate::screen::model::edit::is_erased;

/// Writes cells, and keeps track of the attributes that are set.
pub(super) struct Text {
    pub(super) out: Vec<u8>,
    pub(super) pen: Pen,
    pub(super) detail: Detail,
}

/// The state in which a row leaves the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    /// A line break must precede the next row.
    Break,
    /// The next row begins where this one wraps.
    Wrap,
    /// The cursor is at the beginning of the next row already.
    Begun,
}

impl Text {
    pub(super) fn new(detail: Detail) -> Self {
        Self { out: Vec::new(), pen: Pen::default(), detail }
    }

    /// Sets attributes, as far as the snapshot contains them.
    pub(super) fn set(&mut self, pen: Pen) {
        let detail = self.detail;
        self.set_whole(if detail == Detail::EVERYTHING { pen } else { pen.reduced(detail) });
    }

    /// Sets attributes in full.
    pub(super) fn set_whole(&mut self, pen: Pen) {
        if self.pen != pen {
            pen.write(&self.pen, &mut self.out);
            self.pen = pen;
        }
    }

    /// Writes a row of `grid`. The cursor is at its beginning, or about to wrap into it. Returns
    /// how the next row joins; afterwards no attributes are set.
    pub(super) fn row(&mut self, grid: &Grid<Cell>, line: Line, joined: Join) -> Join {
        let row = &grid[line][..];
        let last = row.len() - 1;
        let wraps = row[last].flags.contains(Flags::WRAPLINE) && line < grid.bottommost_line();
        let end = match wraps {
            true => row.len(),
            false => row.iter().rposition(is_text).map_or(0, |at| at + 1),
        };
        // Only a character wraps. A blank cell and a space are equivalent.
        let least = usize::from(joined == Join::Wrap);
        if joined == Join::Wrap && row[0].bg != Cell::default().bg {
            // A line that is reached by wrapping is filled with the background colour.
            self.out.extend_from_slice(b" \r");
        }
        let end = end.max(least);
        let mut cells = row[..end].iter().enumerate().peekable();
        while let Some((column, cell)) = cells.next() {
            let spacer = Flags::LEADING_WIDE_CHAR_SPACER;
            if column == last && wraps && cell.flags.contains(spacer) {
                self.wide_that_did_not_fit(cell, row.len());
                return Join::Begun;
            }
            self.cell(cell);
            if self.detail.repeats {
                continue;
            }
            let mut times = 0;
            let wide = Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER;
            while !cell.flags.intersects(wide)
                && cells
                    .next_if(|(at, next)| is_same(cell, next) && !(wraps && *at == last))
                    .is_some()
            {
                times += 1;
            }
            self.again(cell, times);
        }
        if !wraps {
            self.erased(&row[end..]);
        }
        self.set(Pen::default());
        if wraps { Join::Wrap } else { Join::Break }
    }

    /// Writes the same character `times` more times.
    fn again(&mut self, cell: &Cell, times: usize) {
        if times > 4 {
            push(&mut self.out, format_args!("\x1b[{times}b"));
        } else {
            (0..times).for_each(|_| self.character(shown(cell)));
        }
    }

    /// Paints the unwritten end of a row, which may have been erased to some colour. The cursor is
    /// at its beginning.
    fn erased(&mut self, cells: &[Cell]) {
        if !self.detail.colors {
            return;
        }
        let mut rest = cells;
        while let Some(first) = rest.first() {
            if rest.iter().all(|cell| cell.bg == Cell::default().bg) {
                return;
            }
            let count = rest.iter().take_while(|cell| cell.bg == first.bg).count();
            self.set(Pen::erased_to(first.bg));
            if count == rest.len() {
                self.out.extend_from_slice(b"\x1b[K");
            } else if first.bg == Cell::default().bg {
                push(&mut self.out, format_args!("\x1b[{count}C"));
            } else {
                push(&mut self.out, format_args!("\x1b[{count}X\x1b[{count}C"));
            }
            rest = &rest[count..];
        }
    }

    /// Recreates the last column of a row, which a wide character left free, by writing a wide
    /// character and erasing it: the original may no longer be there.
    fn wide_that_did_not_fit(&mut self, spacer: &Cell, columns: usize) {
        self.set(Pen::of(spacer));
        self.out.extend_from_slice("\u{3000}".as_bytes());
        self.set(Pen::default());
        // In xterm.js, erasing to the end of the line would forget that it is wrapped.
        push(&mut self.out, format_args!("\r\x1b[{columns}X"));
    }

    /// Writes one cell with its combining characters.
    pub(super) fn cell(&mut self, cell: &Cell) {
        if cell.flags.contains(Flags::WIDE_CHAR_SPACER) {
            return;
        }
        if !self.pen.is_of(cell) {
            self.set(Pen::of(cell));
        }
        self.character(shown(cell));
        if self.detail.combining {
            combining(cell).iter().for_each(|mark| self.character(*mark));
        }
    }

    fn character(&mut self, character: char) {
        let mut buffer = [0; 4];
        self.out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
    }
}

/// Returns a cell's character. A tab is the trace of a tab, or of a cell that was erased.
fn shown(cell: &Cell) -> char {
    if cell.c == '\t' { ' ' } else { cell.c }
}

/// Returns true if a cell is neither blank nor erased to some colour.
fn is_text(cell: &Cell) -> bool {
    let erased = is_erased(cell) && Pen::erased_to(cell.bg).is_of(cell);
    let blank = matches!(cell.c, ' ' | '\t')
        && Pen::default().is_of(cell)
        && !cell.flags.intersects(Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER)
        && combining(cell).is_empty();
    !erased && !blank
}

/// Returns true if two cells look the same in a snapshot that was reduced.
fn is_same(cell: &Cell, next: &Cell) -> bool {
    shown(next) == shown(cell) && !next.flags.intersects(Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER)
}

/// Returns the column of the cell that the cursor has just passed: the one before it, or the last
/// of the row if it is about to wrap. For a wide character this is its first half.
pub(in crate::screen) fn before_cursor(
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
