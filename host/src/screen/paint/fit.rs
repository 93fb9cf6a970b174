//! Reduces a snapshot that would be too large.

use super::{PROLOGUE, Painter};
use crate::screen::model::Model;

/// The parts that a snapshot contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Detail {
    pub(super) links: bool,
    pub(super) scrollback: bool,
    /// True if the oldest scrollback is dropped as far as necessary.
    pub(super) trims: bool,
    pub(super) colors: bool,
    /// The appearance of text other than its colours.
    pub(super) attributes: bool,
    /// The main screen while the alternate one is shown.
    pub(super) hidden_screen: bool,
    pub(super) combining: bool,
    /// True if a repeated character is written out each time.
    pub(super) repeats: bool,
}

impl Detail {
    pub(super) const EVERYTHING: Self = Self {
        links: true,
        scrollback: true,
        trims: false,
        colors: true,
        attributes: true,
        hidden_screen: true,
        combining: true,
        repeats: true,
    };

    /// Yields smaller and smaller snapshots, dropping the least important parts first.
    fn less() -> impl Iterator<Item = Self> {
        let steps: [fn(&mut Self); 7] = [
            |_| {},
            |detail| detail.links = false,
            |detail| detail.trims = true,
            |detail| (detail.trims, detail.scrollback, detail.colors) = (false, false, false),
            |detail| detail.attributes = false,
            |detail| detail.hidden_screen = false,
            |detail| (detail.combining, detail.repeats) = (false, false),
        ];
        let mut detail = Self::EVERYTHING;
        steps.into_iter().map(move |step| {
            step(&mut detail);
            detail
        })
    }
}

/// Paints as much as fits into `most_bytes`.
pub(in crate::screen) fn snapshot(model: &mut Model, most_bytes: usize) -> Vec<u8> {
    let mut least = Detail::EVERYTHING;
    for detail in Detail::less() {
        let mut painter = Painter::new(detail, most_bytes);
        painter.paint(model);
        if detail.trims {
            painter.trim();
        }
        if painter.text.out.len() <= most_bytes {
            return painter.text.out;
        }
        least = detail;
    }
    // The screen is full of characters that need many bytes: its upper rows are dropped.
    let mut painter = Painter::new(least, usize::MAX);
    painter.paint(model);
    painter.cut_rows(most_bytes);
    painter.text.out
}

/// Paints everything except for the reset that a snapshot begins with, and the scrollback only if
/// requested.
pub(in crate::screen) fn over(model: &mut Model, scrollback: bool) -> Vec<u8> {
    let detail = Detail { scrollback, ..Detail::EVERYTHING };
    let mut painter = Painter::new(detail, usize::MAX);
    painter.paint(model);
    painter.text.out.split_off(PROLOGUE.len())
}

impl Painter {
    /// Drops as much of the oldest scrollback as necessary.
    pub(super) fn trim(&mut self) {
        let excess = self.text.out.len().saturating_sub(self.most_bytes);
        let (Some(first), true) = (self.scrollback.front().copied(), excess > 0) else { return };
        while let Some(start) = self.scrollback.front()
            && start - first < excess
        {
            self.scrollback.pop_front();
        }
        let next = self.scrollback.front().or(self.rows.first()).copied();
        let cut = next.unwrap_or(first) - first;
        self.text.out.drain(first..first + cut);
        let starts = self.scrollback.iter_mut().chain(&mut self.rows);
        starts.for_each(|start| *start -= cut);
    }

    /// Leaves as many of the screen's first rows empty as necessary.
    fn cut_rows(&mut self, most_bytes: usize) {
        let excess = self.text.out.len().saturating_sub(most_bytes);
        let Some(first) = self.rows.first().copied().filter(|_| excess > 0) else { return };
        // The sequence that moves there takes a few bytes.
        let kept = self.rows.iter().position(|start| start - first >= excess + 16);
        let kept = kept.unwrap_or(self.rows.len() - 1);
        let place = format!("\x1b[{};1H", kept + 1);
        self.text.out.splice(first..self.rows[kept], place.into_bytes());
    }
}
