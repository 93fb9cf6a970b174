//! Describes the emulator's whole state, one fact per line.

use alacritty_terminal::grid::{Cursor, Dimensions as _, Grid};
use alacritty_terminal::index::Line;
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::vte::ansi::CharsetIndex;

use crate::screen::attributes::combining;
use crate::screen::emulator::Emulator;
use crate::screen::paint::Pen;

pub(super) fn describe(emulator: &mut Emulator) -> Vec<String> {
    let model = &mut emulator.model;
    let colors: Vec<_> =
        (0..259).filter_map(|index| Some((index, model.term.colors()[index]?))).collect();
    let mut lines = vec![
        format!("{:?} {:?} {:?}", model.size(), model.term.mode(), model.region),
        format!("{:?} {:?} {:?}", model.shift, model.synchronised, model.cursor_style),
        format!("{:?}", model.modes),
        format!("title {:?} over {:?}", model.title, model.titles),
        format!("tabs {:?} {:?}", model.tabs, model.hidden),
        format!("keyboard {:?}", [false, true].map(|screen| model.keyboard.restore(screen))),
        format!("other keys {}", model.keyboard.other_keys()),
        format!("colours {colors:?}"),
    ];
    if model.is_alternate() {
        lines.extend(model.on_main(|main| {
            let mut lines = grid(main);
            lines.push(format!("main {}", cursor(&main.cursor)));
            lines
        }));
    } else {
        lines.push(model.on_alternate(|alternate| cursor(&alternate.saved_cursor)));
    }
    lines.extend(grid(model.term.grid()));
    lines.push(format!("cursor {}", cursor(&model.term.grid().cursor)));
    lines.push(format!("saved {}", cursor(&model.term.grid().saved_cursor)));
    lines.push(format!("unfinished {:?}", emulator.unfinished().escape_ascii().to_string()));
    lines
}

fn cursor(cursor: &Cursor<Cell>) -> String {
    let sets = [CharsetIndex::G0, CharsetIndex::G1, CharsetIndex::G2, CharsetIndex::G3];
    let charsets = sets.map(|index| cursor.charsets[index]);
    let pen = Pen::of(&cursor.template);
    format!("{:?} {} {charsets:?} {pen:?}", cursor.point, cursor.input_needs_wrap)
}

fn grid(grid: &Grid<Cell>) -> Vec<String> {
    let lines = grid.topmost_line().0..=grid.bottommost_line().0;
    lines.map(|line| row(grid, Line(line))).collect()
}

fn row(grid: &Grid<Cell>, line: Line) -> String {
    let row = &grid[line][..];
    let wide = Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER;
    let mut pen = Pen::default();
    let mut text = format!("{line:?} ");
    let mut trimmed = text.len();
    for cell in row {
        if Pen::of(cell) != pen {
            pen = Pen::of(cell);
            text += &format!("{{{pen:?}}}");
            trimmed = text.len();
        }
        text.push(if cell.c == '\t' { ' ' } else { cell.c });
        text.extend(combining(cell));
        let flags = cell.flags & wide;
        if !flags.is_empty() {
            text += &format!("{flags:?}");
        }
        let blank = cell.c == ' ' || cell.c == '\t';
        if !blank || !flags.is_empty() || pen != Pen::default() || !combining(cell).is_empty() {
            trimmed = text.len();
        }
    }
    text.truncate(trimmed);
    let wraps = row[row.len() - 1].flags.contains(Flags::WRAPLINE);
    // The mark of wrapping on the last row is not always kept.
    if wraps && line < grid.bottommost_line() {
        text.push('⏎');
    }
    text
}
