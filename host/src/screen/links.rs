//! Bounds what links cost: each cell may be of another one, and each link may be long.

use std::collections::HashSet;

use alacritty_terminal::grid::{Dimensions as _, Grid};
use alacritty_terminal::index::Line;
use alacritty_terminal::term::cell::Cell;
use moorline_shared::limits::SNAPSHOT_BYTES;

use super::model::Model;

/// More than this of links is not kept. A snapshot could not have them either.
const KEPT_BYTES: usize = 2 * SNAPSHOT_BYTES;

/// Counts the bytes of links that came.
#[derive(Debug, Default)]
pub(super) struct Links {
    bytes: usize,
}

impl Links {
    /// A link of this length came; whether it is time to look what is left of the earlier ones.
    pub(super) const fn took(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        self.bytes > 2 * KEPT_BYTES
    }
}

impl Model {
    /// Takes the links off the scrollback, and off the screens too where they alone have too many.
    pub(super) fn drop_links(&mut self) {
        let mut kept = keep(self.term.grid_mut());
        if self.is_alternate() {
            kept += self.on_main(keep);
        }
        self.links.bytes = kept;
    }
}

/// The bytes of the links that are left.
fn keep(grid: &mut Grid<Cell>) -> usize {
    let mut seen = HashSet::new();
    let mut bytes = 0;
    for line in (grid.topmost_line().0..=grid.bottommost_line().0).rev() {
        // Looked at first: a row that is written to must be cleared whole one day.
        if !grid[Line(line)][..].iter().any(|cell| cell.hyperlink().is_some()) {
            continue;
        }
        for cell in &mut grid[Line(line)][..] {
            let Some(link) = cell.hyperlink() else { continue };
            let length = link.uri().len() + link.id().len();
            // Two of the same text are two in memory.
            if bytes <= KEPT_BYTES && seen.insert(link.uri().as_ptr() as usize) {
                bytes += length;
            }
            if bytes > KEPT_BYTES {
                cell.set_hyperlink(None);
            }
        }
    }
    bytes
}
