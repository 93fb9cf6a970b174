//! What the parser's findings do to the [`Model`].
//!
//! Most goes to `Term` as it is. Replies to queries are not made: the client's terminal answers
//! its program itself.

use std::hash::{Hash as _, Hasher as _};

use alacritty_terminal::Term;
use alacritty_terminal::event::VoidListener;
use alacritty_terminal::grid::Dimensions as _;
use alacritty_terminal::index::Line;
use alacritty_terminal::term::TermMode;
use alacritty_terminal::term::cell::Flags;
use alacritty_terminal::vte::ansi::{
    Attr, CharsetIndex, ClearMode, CursorShape, CursorStyle, Handler, Hyperlink, LineClearMode,
    Mode, NamedPrivateMode, PrivateMode, Rgb, StandardCharset, TabulationClearMode,
};
use unicode_width::UnicodeWidthChar as _;

use super::model::{Model, default_tabs};

/// Most combining characters on one cell.
const COMBINING: usize = 16;
/// No character below this one combines.
const FIRST_COMBINING: char = '\u{300}';
/// Longer titles and links are ignored.
const TEXT_BYTES: usize = 4096;
/// Titles that a program can have put aside.
const TITLES: usize = 10;

/// Old names of the alternate screen, and saving the cursor as a mode.
const ALTERNATE_SCREEN_OLD: [u16; 2] = [47, 1047];
const SAVE_CURSOR: u16 = 1048;

macro_rules! as_it_is {
    ($($name:ident($($argument:ident: $type:ty),*);)*) => {
        $(fn $name(&mut self, $($argument: $type),*) {
            self.printed = false;
            Handler::$name(&mut self.term, $($argument),*);
        })*
    };
}

macro_rules! then {
    ($settle:ident: $($name:ident($($argument:ident: $type:ty),*);)*) => {
        $(fn $name(&mut self, $($argument: $type),*) {
            self.printed = false;
            Handler::$name(&mut self.term, $($argument),*);
            self.$settle();
        })*
    };
}

impl Handler for Model {
    as_it_is! {
        set_cursor_style(style: Option<CursorStyle>);
        set_cursor_shape(shape: CursorShape);
        goto(line: i32, column: usize);
        goto_line(line: i32);
        move_forward(columns: usize);
        move_backward(columns: usize);
        backspace();
        carriage_return();
        save_cursor_position();
        terminal_attribute(attribute: Attr);
        set_mode(mode: Mode);
        unset_mode(mode: Mode);
        set_keypad_application_mode();
        unset_keypad_application_mode();
        configure_charset(index: CharsetIndex, charset: StandardCharset);
        set_color(index: usize, color: Rgb);
        reset_color(index: usize);
        decaln();
    }

    then! { settle_cursor_row:
        insert_blank(count: usize);
        erase_chars(count: usize);
        clear_line(mode: LineClearMode);
    }

    fn scroll_up(&mut self, lines: usize) {
        self.scroll(|term| term.scroll_up(lines));
    }

    fn scroll_down(&mut self, lines: usize) {
        self.scroll(|term| term.scroll_down(lines));
    }

    fn reverse_index(&mut self) {
        self.scroll(Handler::reverse_index);
    }

    fn insert_blank_lines(&mut self, lines: usize) {
        self.edit_lines(|term| term.insert_blank_lines(lines));
    }

    fn delete_lines(&mut self, lines: usize) {
        self.edit_lines(|term| term.delete_lines(lines));
    }

    fn input(&mut self, character: char) {
        // It is not printed; the parser does not know.
        if character == '\x7f' {
            return;
        }
        if character >= FIRST_COMBINING && self.is_one_too_many(character) {
            return;
        }
        self.term.input(character);
        self.printed = true;
        if self.has(TermMode::INSERT) {
            self.settle_cursor_row();
        }
        if !self.has(TermMode::LINE_WRAP) && self.is_about_to_wrap() {
            // Nothing that is written to the end of a row now wraps.
            self.term.grid_mut().cursor_cell().flags.remove(Flags::WRAPLINE);
        }
        // Below the region a line that is too long wraps onto itself.
        if self.region.end < self.rows() && self.line() + 1 == self.rows() {
            self.settle_last_row();
        }
    }

    // At the end of a row, about to wrap, tabs do nothing in xterm.
    fn put_tab(&mut self, count: u16) {
        self.printed = false;
        if !self.is_about_to_wrap() {
            self.term.put_tab(count);
        }
    }

    fn move_forward_tabs(&mut self, count: u16) {
        self.printed = false;
        if !self.is_about_to_wrap() {
            self.term.move_forward_tabs(count);
        }
    }

    fn move_backward_tabs(&mut self, count: u16) {
        self.printed = false;
        if !self.is_about_to_wrap() {
            self.term.move_backward_tabs(count);
        }
    }

    fn bell(&mut self) {
        self.printed = false;
    }

    fn linefeed(&mut self) {
        self.printed = false;
        self.forget_wrap();
        self.term.linefeed();
        if self.has(TermMode::LINE_FEED_NEW_LINE) {
            self.term.carriage_return();
        }
    }

    // `Term` counts the column, and upwards and downwards, from the origin twice, and stops at
    // the screen's edge only.
    fn goto_col(&mut self, column: usize) {
        self.printed = false;
        self.place(self.line(), column);
    }

    fn move_up(&mut self, lines: usize) {
        self.printed = false;
        let line = self.line();
        let top = if line >= self.region.start { self.region.start } else { 0 };
        self.place(line.saturating_sub(lines).max(top), self.column());
    }

    fn move_down(&mut self, lines: usize) {
        self.printed = false;
        let line = self.line();
        let end = if line < self.region.end { self.region.end } else { self.rows() };
        self.place((line + lines).min(end - 1), self.column());
    }

    fn move_up_and_cr(&mut self, lines: usize) {
        self.move_up(lines);
        self.term.carriage_return();
    }

    fn move_down_and_cr(&mut self, lines: usize) {
        self.move_down(lines);
        self.term.carriage_return();
    }

    // `Term` erases to the left of the cursor where there is less to the right than asked for.
    fn delete_chars(&mut self, count: usize) {
        self.printed = false;
        self.term.delete_chars(count.min(self.columns() - self.column()));
        self.settle_cursor_row();
    }

    fn clear_screen(&mut self, mode: ClearMode) {
        self.printed = false;
        let above = matches!(mode, ClearMode::Above);
        self.term.clear_screen(mode);
        // `Term` forgets the first line where the cursor is on the second.
        if above && self.line() == 1 {
            self.term.grid_mut().reset_region(..Line(1));
        }
        self.settle_cursor_row();
    }

    fn restore_cursor_position(&mut self) {
        self.printed = false;
        self.term.restore_cursor_position();
        if self.has(TermMode::ORIGIN) && !self.region.contains(&self.line()) {
            let line = self.line().clamp(self.region.start, self.region.end - 1);
            self.place(line, self.column());
        }
    }

    fn set_horizontal_tabstop(&mut self) {
        self.printed = false;
        self.term.set_horizontal_tabstop();
        let column = self.column();
        self.tabs[column] = true;
    }

    fn clear_tabs(&mut self, mode: TabulationClearMode) {
        self.printed = false;
        let column = self.column();
        match &mode {
            TabulationClearMode::Current => self.tabs[column] = false,
            TabulationClearMode::All => self.tabs.fill(false),
        }
        self.term.clear_tabs(mode);
    }

    fn reset_state(&mut self) {
        self.term.reset_state();
        self.region = 0..self.rows();
        self.tabs = default_tabs(self.columns());
        self.shift = CharsetIndex::G0;
        self.title = None;
        self.titles.clear();
        self.synchronised = false;
        self.printed = false;
    }

    fn set_private_mode(&mut self, mode: PrivateMode) {
        self.printed = false;
        match mode {
            PrivateMode::Named(NamedPrivateMode::SyncUpdate) => self.synchronised = true,
            // A width of 132 columns is the client's business; so says xterm by default.
            PrivateMode::Named(NamedPrivateMode::ColumnMode) => {}
            PrivateMode::Named(NamedPrivateMode::SwapScreenAndSetRestoreCursor) => {
                self.show_alternate();
            }
            PrivateMode::Unknown(mode) if ALTERNATE_SCREEN_OLD.contains(&mode) => {
                self.show_alternate();
            }
            PrivateMode::Unknown(SAVE_CURSOR) => self.save_cursor_position(),
            mode => self.term.set_private_mode(mode),
        }
    }

    fn unset_private_mode(&mut self, mode: PrivateMode) {
        self.printed = false;
        match mode {
            PrivateMode::Named(NamedPrivateMode::SyncUpdate) => self.synchronised = false,
            PrivateMode::Named(NamedPrivateMode::ColumnMode) => {}
            PrivateMode::Unknown(mode) if ALTERNATE_SCREEN_OLD.contains(&mode) => {
                let alternate = NamedPrivateMode::SwapScreenAndSetRestoreCursor;
                self.term.unset_private_mode(alternate.into());
            }
            PrivateMode::Unknown(SAVE_CURSOR) => self.restore_cursor_position(),
            mode => self.term.unset_private_mode(mode),
        }
    }

    fn set_scrolling_region(&mut self, top: usize, bottom: Option<usize>) {
        self.printed = false;
        let bottom = bottom.unwrap_or(self.rows()).min(self.rows());
        // A region has two lines at least, as in xterm.
        if top < bottom {
            self.region = top - 1..bottom;
            self.term.set_scrolling_region(top, Some(bottom));
        }
    }

    fn set_active_charset(&mut self, index: CharsetIndex) {
        self.printed = false;
        self.shift = index;
        self.term.set_active_charset(index);
    }

    fn set_title(&mut self, title: Option<String>) {
        self.printed = false;
        if title.as_ref().is_none_or(|title| title.len() <= TEXT_BYTES) {
            self.title = title.map(|title| title.replace(char::is_control, ""));
        }
    }

    fn push_title(&mut self) {
        self.printed = false;
        if self.titles.len() == TITLES {
            self.titles.remove(0);
        }
        self.titles.push(self.title.clone());
    }

    fn pop_title(&mut self) {
        self.printed = false;
        if let Some(title) = self.titles.pop() {
            self.title = title;
        }
    }

    fn set_hyperlink(&mut self, link: Option<Hyperlink>) {
        self.printed = false;
        let fits = |text: &str| text.len() <= TEXT_BYTES && !text.contains(char::is_control);
        let link = link.filter(|link| fits(&link.uri) && link.id.as_deref().is_none_or(fits));
        // `Term` would count such links over all terminals of the process.
        self.term.set_hyperlink(link.map(|Hyperlink { id, uri }| Hyperlink {
            id: Some(id.unwrap_or_else(|| anonymous_id(&uri))),
            uri,
        }));
    }
}

/// Names a link that has no name, so that it is the same in every terminal.
fn anonymous_id(uri: &str) -> String {
    let mut hasher = std::hash::DefaultHasher::new();
    uri.hash(&mut hasher);
    format!("link-{:x}", hasher.finish())
}

impl Model {
    /// Moves lines under the cursor, which is then not about to wrap, as in xterm.
    fn scroll(&mut self, scroll: impl FnOnce(&mut Term<VoidListener>)) {
        self.printed = false;
        self.forget_wrap();
        scroll(&mut self.term);
        self.settle_last_row();
    }

    /// Inserts or deletes lines; the cursor goes to the beginning of its line, as in xterm.
    fn edit_lines(&mut self, edit: impl FnOnce(&mut Term<VoidListener>)) {
        self.scroll(edit);
        if self.region.contains(&self.line()) {
            self.term.carriage_return();
        }
    }

    /// Shows the alternate screen, empty. `Term` may leave something on it after a resize.
    fn show_alternate(&mut self) {
        if !self.is_alternate() {
            self.term.swap_alt();
            let grid = self.term.grid_mut();
            let background = grid.cursor.template.bg;
            for line in 0..=grid.bottommost_line().0 {
                grid[Line(line)][..].fill(background.into());
            }
        }
    }

    fn forget_wrap(&mut self) {
        self.term.grid_mut().cursor.input_needs_wrap = false;
    }

    fn is_about_to_wrap(&self) -> bool {
        self.term.grid().cursor.input_needs_wrap
    }

    /// Whether a character would combine with a cell that has enough of them.
    fn is_one_too_many(&self, character: char) -> bool {
        if character.width() != Some(0) {
            return false;
        }
        let cursor = &self.term.grid().cursor;
        let row = &self.term.grid()[cursor.point.line];
        let mut column = cursor.point.column;
        if !cursor.input_needs_wrap {
            column.0 = column.0.saturating_sub(1);
        }
        let before = column.0.saturating_sub(1);
        [column.0, before].iter().any(|column| {
            let cell = &row[alacritty_terminal::index::Column(*column)];
            cell.zerowidth().is_some_and(|marks| marks.len() >= COMBINING)
        })
    }
}
