//! Removes cells that no program can have written: halves of wide characters, and wrap marks in the
//! middle of a row or on a row without a successor. Editing within a row and resizing leave such
//! cells behind in `Term`; xterm blanks them too.

use alacritty_terminal::grid::{Cursor, Dimensions, Grid};
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::{Cell, Flags};

const WIDTHS_AND_WRAPS: Flags = Flags::WIDE_CHAR
    .union(Flags::WIDE_CHAR_SPACER)
    .union(Flags::LEADING_WIDE_CHAR_SPACER)
    .union(Flags::WRAPLINE);
const WRAPS: Flags = Flags::LEADING_WIDE_CHAR_SPACER.union(Flags::WRAPLINE);

/// Settles the cells of one row.
pub(super) fn row(row: &mut [Cell]) {
    let last = row.len() - 1;
    for column in 0..row.len() {
        let flags = row[column].flags;
        if !flags.intersects(WIDTHS_AND_WRAPS) {
            continue;
        }
        let is = |place: Option<usize>, flag: Flags| {
            let cell = place.and_then(|place| row.get(place));
            cell.is_some_and(|cell| cell.flags.contains(flag))
        };
        let alone = !is(Some(column + 1), Flags::WIDE_CHAR_SPACER);
        let orphaned = !is(column.checked_sub(1), Flags::WIDE_CHAR);
        let cell = &mut row[column];
        if flags.contains(Flags::WIDE_CHAR) && alone {
            cell.clear_wide();
        }
        if flags.contains(Flags::WIDE_CHAR_SPACER) && orphaned {
            cell.flags.remove(Flags::WIDE_CHAR_SPACER);
        }
        if column != last || !flags.contains(Flags::WRAPLINE) {
            cell.flags.remove(WRAPS);
        }
    }
}

/// Settles the last row of the screen, which cannot wrap.
pub(super) fn last_row(grid: &mut Grid<Cell>) {
    let (line, column) = (grid.bottommost_line(), grid.last_column());
    if grid[line][column].flags.intersects(WRAPS) {
        grid[line][column].flags.remove(WRAPS);
    }
}

/// Settles a screen after a resize, with its scrollback and cursors.
pub(super) fn grid(grid: &mut Grid<Cell>) {
    for line in grid.topmost_line().0..=grid.bottommost_line().0 {
        row(&mut grid[Line(line)][..]);
    }
    last_row(grid);
    let (line, column) = (grid.bottommost_line(), grid.last_column());
    cursor(&mut grid.cursor, line, column);
    cursor(&mut grid.saved_cursor, line, column);
}

/// Moves a cursor onto the screen. It can only be about to wrap at the end of a row.
pub(super) fn cursor(cursor: &mut Cursor<Cell>, last_line: Line, last_column: Column) {
    let point = &mut cursor.point;
    point.line = point.line.clamp(Line(0), last_line);
    point.column = point.column.min(last_column);
    if cursor.input_needs_wrap && point.column < last_column {
        cursor.input_needs_wrap = false;
        point.column += 1;
    }
}
