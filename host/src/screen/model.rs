//! The terminal model: alacritty's, with its gaps filled.
//!
//! [`Model`] stands between the parser and [`Term`]. It keeps state that `Term` hides and a
//! snapshot needs (scroll region, tab stops, shift state, titles), bounds what a program can make
//! it remember, follows xterm where `Term` does not, and keeps rows free of half characters, so
//! that every state can be repainted.

pub(super) mod edit;
mod links;
mod modes;

use std::ops::Range;

use alacritty_terminal::Term;
use alacritty_terminal::event::VoidListener;
use alacritty_terminal::grid::{Dimensions, Grid};
use alacritty_terminal::index::{Column, Line, Point};
use alacritty_terminal::term::cell::Cell;
use alacritty_terminal::term::{Config, TermMode};
use alacritty_terminal::vte::ansi::{CharsetIndex, CursorStyle, Handler as _};
use moorline_shared::keyboard::Keyboard;
use moorline_shared::session::Size;

use super::settle;
use links::Links;
pub(super) use modes::Modes;

/// The most lines of scrollback.
pub(super) const SCROLLBACK: usize = 2000;

/// The state of a terminal.
pub(super) struct Model {
    pub(super) term: Term<VoidListener>,
    /// The rows that scroll.
    pub(super) region: Range<usize>,
    /// True for each column with a tab stop.
    pub(super) tabs: Vec<bool>,
    /// The region and tab stops of the main screen while the alternate one is shown.
    pub(super) hidden: Option<(Range<usize>, Vec<bool>)>,
    /// The character set that is shifted in.
    pub(super) shift: CharsetIndex,
    /// The cursor's style; `None` for the terminal's default.
    pub(super) cursor_style: Option<CursorStyle>,
    pub(super) modes: Modes,
    pub(super) links: Links,
    pub(super) title: Option<String>,
    pub(super) titles: Vec<Option<String>>,
    /// True within a synchronised update of the program.
    pub(super) synchronised: bool,
    /// The program's requests to the keyboard.
    pub(super) keyboard: Keyboard,
    /// True if the last action printed a character, which the program may repeat.
    pub(super) printed: bool,
}

/// A [`Size`] in the form that `Term` requires.
struct TermExtent(Size);

impl Dimensions for TermExtent {
    fn total_lines(&self) -> usize {
        self.screen_lines()
    }

    fn screen_lines(&self) -> usize {
        usize::from(self.0.rows)
    }

    fn columns(&self) -> usize {
        usize::from(self.0.cols)
    }
}

pub(super) fn default_tabs(columns: usize) -> Vec<bool> {
    (0..columns).map(|column| column % 8 == 0).collect()
}

/// Resizes the tab stops. New columns get the default ones.
fn resize_tabs(tabs: &mut Vec<bool>, columns: usize) {
    for column in tabs.len()..columns {
        tabs.push(column % 8 == 0);
    }
    tabs.truncate(columns);
}

impl Model {
    /// Creates an empty terminal. `size` must be within the limits.
    pub(super) fn new(size: Size) -> Self {
        let config = Config { scrolling_history: SCROLLBACK, ..Config::default() };
        let extent = TermExtent(size);
        Self {
            region: 0..extent.screen_lines(),
            tabs: default_tabs(extent.columns()),
            hidden: None,
            term: Term::new(config, &extent, VoidListener),
            shift: CharsetIndex::G0,
            cursor_style: None,
            modes: Modes::default(),
            links: Links::default(),
            title: None,
            titles: Vec::new(),
            synchronised: false,
            keyboard: Keyboard::default(),
            printed: false,
        }
    }

    pub(super) fn resize(&mut self, size: Size) {
        if self.size() == size {
            return;
        }
        self.cut_erased(usize::from(size.cols));
        if self.is_alternate() {
            self.term.resize(TermExtent(size));
        } else {
            self.resize_main(size);
        }
        let columns = self.columns();
        resize_tabs(&mut self.tabs, columns);
        self.region = 0..self.rows();
        if let Some((region, tabs)) = &mut self.hidden {
            *region = self.region.clone();
            resize_tabs(tabs, columns);
        }
        self.printed = false;
        settle::grid(self.term.grid_mut());
        if self.is_alternate() {
            self.on_main(|main| {
                settle::grid(main);
                main.saved_cursor = main.cursor.clone();
            });
        }
    }

    /// Resizes the main screen like xterm.js, as far as possible: `Term` keeps the last row in
    /// place, xterm.js the first.
    fn resize_main(&mut self, size: Size) {
        let (history, line, rows) = (self.term.history_size(), self.line(), self.rows());
        let (saved, first) = (self.term.grid().saved_cursor.point, history);
        self.term.resize(TermExtent(Size { cols: self.size().cols, ..size }));
        let pulled = history.saturating_sub(self.term.history_size());
        if self.rows() > rows && line + 1 < rows && pulled > 0 {
            let all = Line(0)..self.term.bottommost_line() + 1;
            let grid = self.term.grid_mut();
            grid.scroll_up(&all, pulled);
            grid.cursor.point.line = (grid.cursor.point.line - pulled).max(Line(0));
        }
        let history = self.term.history_size();
        self.term.resize(TermExtent(size));
        let below = self.rows() - 1 - self.line();
        let pushed = self.term.history_size().saturating_sub(history).min(below);
        if history == 0 && pushed > 0 {
            let more = u16::try_from(pushed).unwrap_or(0);
            self.term.resize(TermExtent(Size { rows: size.rows.saturating_add(more), ..size }));
            self.term.resize(TermExtent(size));
        }
        // Restore the saved cursor's position within all lines.
        let scrolled = self.term.history_size();
        let (last_line, last_column) = (self.rows() - 1, self.columns() - 1);
        let line = usize::try_from(saved.line.0).unwrap_or(0) + first;
        let line = line.saturating_sub(scrolled).min(last_line);
        let point = &mut self.term.grid_mut().saved_cursor.point;
        *point = Point::new(
            Line(i32::try_from(line).unwrap_or(0)),
            saved.column.min(Column(last_column)),
        );
    }

    /// Clears erased cells beyond the new width. Only the main screen's lines are rewrapped.
    fn cut_erased(&mut self, columns: usize) {
        if self.is_alternate() {
            self.on_main(|main| edit::cut_all_erased(main, columns));
        } else {
            edit::cut_all_erased(self.term.grid_mut(), columns);
        }
    }

    pub(super) fn size(&self) -> Size {
        let clamp = |cells: usize| u16::try_from(cells).unwrap_or(u16::MAX);
        Size { cols: clamp(self.columns()), rows: clamp(self.rows()) }
    }

    pub(super) fn columns(&self) -> usize {
        self.term.columns()
    }

    pub(super) fn rows(&self) -> usize {
        self.term.screen_lines()
    }

    pub(super) fn has(&self, mode: TermMode) -> bool {
        self.term.mode().contains(mode)
    }

    pub(super) fn is_alternate(&self) -> bool {
        self.has(TermMode::ALT_SCREEN)
    }

    /// Runs `work` on the main screen while the alternate one is shown. `Term` hides the other
    /// screen, and clears the alternate one when it is shown.
    pub(super) fn on_main<T>(&mut self, work: impl FnOnce(&mut Grid<Cell>) -> T) -> T {
        let alternate = self.term.grid().clone();
        self.term.swap_alt();
        let done = work(self.term.grid_mut());
        self.term.swap_alt();
        *self.term.grid_mut() = alternate;
        done
    }

    /// Runs `work` on the alternate screen, which is empty, while the main one is shown.
    pub(super) fn on_alternate<T>(&mut self, work: impl FnOnce(&mut Grid<Cell>) -> T) -> T {
        let saved = self.term.grid().saved_cursor.clone();
        self.term.swap_alt();
        let done = work(self.term.grid_mut());
        self.term.swap_alt();
        self.term.grid_mut().saved_cursor = saved;
        done
    }

    /// Returns true if text that scrolls away leaves nothing behind but its attributes.
    pub(super) fn is_plain(&self) -> bool {
        let full = self.region == (0..self.rows());
        full && !self.has(TermMode::ALT_SCREEN)
            && !self.has(TermMode::ORIGIN)
            && !self.has(TermMode::INSERT)
            && self.has(TermMode::LINE_WRAP)
            && !self.modes.reverse_wrap
    }

    pub(super) fn line(&self) -> usize {
        usize::try_from(self.term.grid().cursor.point.line.0).unwrap_or(0)
    }

    pub(super) fn column(&self) -> usize {
        self.term.grid().cursor.point.column.0
    }

    /// Moves the cursor, ignoring the origin mode.
    pub(super) fn place(&mut self, line: usize, column: usize) {
        let (line, column) = (line.min(self.rows() - 1), column.min(self.columns() - 1));
        let cursor = &mut self.term.grid_mut().cursor;
        cursor.point.line = Line(i32::try_from(line).unwrap_or(0));
        cursor.point.column = Column(column);
        cursor.input_needs_wrap = false;
    }

    /// Sets the scroll region without moving the cursor.
    pub(super) fn set_region(&mut self, region: Range<usize>) {
        let cursor = self.term.grid().cursor.clone();
        self.term.set_scrolling_region(region.start + 1, Some(region.end));
        self.term.grid_mut().cursor = cursor;
        self.region = region;
    }

    pub(super) fn settle_last_row(&mut self) {
        settle::last_row(self.term.grid_mut());
    }
}
