//! Bounds the memory of links: each cell may have a link of its own, and each link may be long.

use std::collections::HashSet;

use alacritty_terminal::grid::{Dimensions as _, Grid};
use alacritty_terminal::index::Line;
use alacritty_terminal::term::cell::Cell;
use moorline_shared::limits::SNAPSHOT_BYTES;

use super::Model;

/// The most bytes of links that are kept. A snapshot could not contain more either.
const KEPT_BYTES: usize = 2 * SNAPSHOT_BYTES;

/// Counts the bytes of the links that were added.
#[derive(Debug, Default)]
pub(in crate::screen) struct Links {
    bytes: usize,
}

impl Links {
    /// Adds a link of this length. Returns true if it is time to drop earlier links.
    pub(in crate::screen) const fn took(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        self.bytes > 2 * KEPT_BYTES
    }
}

impl Model {
    /// Removes the links from the oldest lines, until the rest is within the bound.
    pub(in crate::screen) fn drop_links(&mut self) {
        let mut kept = keep(self.term.grid_mut());
        if self.is_alternate() {
            kept += self.on_main(keep);
        }
        self.links.bytes = kept;
    }
}

/// Removes the oldest links beyond the bound, and returns the bytes of those that are left.
fn keep(grid: &mut Grid<Cell>) -> usize {
    let mut seen = HashSet::new();
    let mut bytes = 0;
    for line in (grid.topmost_line().0..=grid.bottommost_line().0).rev() {
        // Check first, because a row that is accessed mutably must later be cleared as a whole.
        if !grid[Line(line)][..].iter().any(|cell| cell.hyperlink().is_some()) {
            continue;
        }
        for cell in &mut grid[Line(line)][..] {
            let Some(link) = cell.hyperlink() else { continue };
            let length = link.uri().len() + link.id().len();
            // Two links with the same text are separate in memory.
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
