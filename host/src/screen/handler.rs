//! Applies the parser's findings to the [`Model`].
//!
//! Most are passed on to `Term` unchanged. Queries are not answered here: see `reply`.

use std::hash::{Hash as _, Hasher as _};

use alacritty_terminal::index::Line;
use alacritty_terminal::term::TermMode;
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::vte::ansi::{
    Attr, CharsetIndex, ClearMode, Color, CursorStyle, Handler, Hyperlink, KeyboardModes,
    KeyboardModesApplyBehavior, LineClearMode, Rgb, StandardCharset, TabulationClearMode,
};
use moorline_shared::keyboard::{KeyFlags, Keyboard};
use moorline_shared::limits::NAME_CHARACTERS;
use moorline_shared::name::bounded;
use unicode_width::UnicodeWidthChar as _;

use super::attributes::Attributes;
use super::model::edit::{Erase, Towards};
use super::model::{Model, Modes, default_tabs};
use super::width::columns;

/// The most bytes of a title or link; longer ones are ignored.
const TEXT_BYTES: usize = 4096;
/// The most titles that a program can push.
const TITLES: usize = 10;

macro_rules! as_it_is {
    ($($name:ident($($argument:ident: $type:ty),*);)*) => {
        $(fn $name(&mut self, $($argument: $type),*) {
            self.printed = false;
            Handler::$name(&mut self.term, $($argument),*);
        })*
    };
}

impl Handler for Model {
    as_it_is! {
        goto(line: i32, column: usize);
        goto_line(line: i32);
        move_forward(columns: usize);
        move_backward(columns: usize);
        carriage_return();
        terminal_attribute(attribute: Attr);
        set_keypad_application_mode();
        unset_keypad_application_mode();
        configure_charset(index: CharsetIndex, charset: StandardCharset);
        set_color(index: usize, color: Rgb);
        reset_color(index: usize);
    }

    fn set_cursor_style(&mut self, style: Option<CursorStyle>) {
        self.cursor_style = style;
        self.term.set_cursor_style(style);
    }

    fn insert_blank(&mut self, count: usize) {
        self.forget_wrap();
        self.shift(self.line(), self.column(), count, Towards::End);
    }

    fn delete_chars(&mut self, count: usize) {
        self.forget_wrap();
        self.shift(self.line(), self.column(), count, Towards::Start);
    }

    fn erase_chars(&mut self, count: usize) {
        self.forget_wrap();
        let (column, columns) = (self.column(), self.columns());
        self.erase(self.line(), column..columns.min(column + count), Erase::All);
    }

    fn clear_line(&mut self, mode: LineClearMode) {
        self.erase_in_line(&mode, Erase::All);
    }

    fn clear_screen(&mut self, mode: ClearMode) {
        self.erase_in_screen(&mode, Erase::All);
    }

    fn scroll_up(&mut self, lines: usize) {
        let background = self.background();
        self.move_rows(self.region.clone(), lines, Towards::Start, background);
    }

    fn scroll_down(&mut self, lines: usize) {
        // xterm.js does not fill them with the current background colour.
        let background = Cell::default().bg;
        self.move_rows(self.region.clone(), lines, Towards::End, background);
    }

    fn reverse_index(&mut self) {
        self.printed = false;
        self.forget_wrap();
        if self.line() == self.region.start {
            let background = self.background();
            self.move_rows(self.region.clone(), 1, Towards::End, background);
        } else {
            self.place(self.line().saturating_sub(1), self.column());
        }
    }

    fn insert_blank_lines(&mut self, lines: usize) {
        self.edit_lines(lines, Towards::End);
    }

    fn delete_lines(&mut self, lines: usize) {
        self.edit_lines(lines, Towards::Start);
    }

    fn input(&mut self, character: char) {
        if character == '_' && self.draws_lines() {
            // `Term` would write a space.
            self.write_as(character, 1);
        } else if matches!(character, ' '..='~') {
            self.write(character, 1);
        } else if character != '\x7f' {
            match columns(character) {
                0 => self.combine(character),
                columns if character.width() == Some(columns) => self.write(character, columns),
                columns => self.write_as(character, columns),
            }
        }
    }

    fn backspace(&mut self) {
        self.printed = false;
        if self.modes.reverse_wrap {
            self.backspace_over_rows();
        } else {
            self.term.backspace();
        }
    }

    fn save_cursor_position(&mut self) {
        self.printed = false;
        self.term.save_cursor_position();
        // The restored cursor is on the last column, not behind it.
        self.term.grid_mut().saved_cursor.input_needs_wrap = false;
    }

    fn decaln(&mut self) {
        let mut full = self.term.grid().cursor.template.clone();
        full.c = 'E';
        full.set_hyperlink(None);
        full.set_underline_color(None);
        if full.flags.intersects(Flags::ALL_UNDERLINES) {
            full.flags.remove(Flags::ALL_UNDERLINES);
            full.flags.insert(Flags::UNDERLINE);
        }
        for line in 0..self.rows() {
            self.unwrap_row(line);
            let line = Line(i32::try_from(line).unwrap_or(0));
            self.term.grid_mut()[line][..].fill(full.clone());
        }
        self.term.goto(0, 0);
    }

    fn put_tab(&mut self, count: u16) {
        self.move_forward_tabs(count);
    }

    // In xterm, tabs do nothing at the end of a row that is about to wrap.
    fn move_forward_tabs(&mut self, count: u16) {
        self.printed = false;
        if !self.is_about_to_wrap() {
            let mut stops = (self.column() + 1..self.columns()).filter(|column| self.tabs[*column]);
            let column = stops.nth(usize::from(count.max(1)) - 1);
            self.place(self.line(), column.unwrap_or(self.columns() - 1));
        }
    }

    fn move_backward_tabs(&mut self, count: u16) {
        self.printed = false;
        if !self.is_about_to_wrap() {
            let mut stops = (0..self.column()).rev().filter(|column| self.tabs[*column]);
            let column = stops.nth(usize::from(count.max(1)) - 1);
            self.place(self.line(), column.unwrap_or(0));
        }
    }

    fn bell(&mut self) {
        self.printed = false;
    }

    fn linefeed(&mut self) {
        if self.has(TermMode::LINE_FEED_NEW_LINE) {
            self.term.carriage_return();
        }
        let line = self.line();
        self.index();
        if self.line() != line {
            // A row that is reached by a line feed begins a new line.
            self.unwrap_row(line + 1);
        }
    }

    // `Term` adds the origin twice to the column, and when moving up and down, and it only stops at
    // the edge of the screen.
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

    fn restore_cursor_position(&mut self) {
        self.printed = false;
        self.term.restore_cursor_position();
        self.forget_wrap();
        if self.has(TermMode::ORIGIN) && !self.region.contains(&self.line()) {
            let line = self.line().clamp(self.region.start, self.region.end - 1);
            self.place(line, self.column());
        }
    }

    fn set_horizontal_tabstop(&mut self) {
        self.printed = false;
        let column = self.column();
        if !self.is_about_to_wrap() {
            self.tabs[column] = true;
        }
    }

    fn clear_tabs(&mut self, mode: TabulationClearMode) {
        self.printed = false;
        let column = self.column();
        match mode {
            TabulationClearMode::Current if self.is_about_to_wrap() => {}
            TabulationClearMode::Current => self.tabs[column] = false,
            TabulationClearMode::All => self.tabs.fill(false),
        }
    }

    fn reset_state(&mut self) {
        self.term.reset_state();
        self.region = 0..self.rows();
        self.tabs = default_tabs(self.columns());
        self.hidden = None;
        self.shift = CharsetIndex::G0;
        self.cursor_style = None;
        self.modes = Modes::default();
        self.synchronised = false;
        self.keyboard = Keyboard::default();
        self.printed = false;
    }

    fn set_scrolling_region(&mut self, top: usize, bottom: Option<usize>) {
        self.printed = false;
        let bottom = bottom.unwrap_or(self.rows()).min(self.rows());
        // As in xterm, a region has at least two lines.
        if top < bottom {
            self.region = top - 1..bottom;
            self.term.set_scrolling_region(top, Some(bottom));
        }
    }

    fn push_keyboard_mode(&mut self, flags: KeyboardModes) {
        self.printed = false;
        self.keyboard.push(self.is_alternate(), KeyFlags::from_bits(flags.bits().into()));
    }

    fn pop_keyboard_modes(&mut self, count: u16) {
        self.printed = false;
        self.keyboard.pop(self.is_alternate(), count.max(1));
    }

    fn set_keyboard_mode(&mut self, flags: KeyboardModes, how: KeyboardModesApplyBehavior) {
        self.printed = false;
        let mode = match how {
            KeyboardModesApplyBehavior::Replace => 1,
            KeyboardModesApplyBehavior::Union => 2,
            KeyboardModesApplyBehavior::Difference => 3,
        };
        self.keyboard.change(self.is_alternate(), KeyFlags::from_bits(flags.bits().into()), mode);
    }

    fn set_active_charset(&mut self, index: CharsetIndex) {
        self.printed = false;
        self.shift = index;
        self.term.set_active_charset(index);
    }

    fn set_title(&mut self, title: Option<String>) {
        self.printed = false;
        if title.as_ref().is_none_or(|title| title.len() <= TEXT_BYTES) {
            self.title = title.map(|title| bounded(&title, NAME_CHARACTERS));
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
        if let Some(link) = &link
            && self.links.took(link.uri.len() + link.id.as_deref().map_or(0, str::len))
        {
            self.drop_links();
        }
        // `Term` would number such links across all terminals of the process.
        self.term.set_hyperlink(link.map(|Hyperlink { id, uri }| Hyperlink {
            id: Some(id.unwrap_or_else(|| anonymous_id(&uri))),
            uri,
        }));
    }
}

/// Returns an id for a link without one that is the same in every terminal.
fn anonymous_id(uri: &str) -> String {
    let mut hasher = std::hash::DefaultHasher::new();
    uri.hash(&mut hasher);
    format!("link-{:x}", hasher.finish())
}

impl Model {
    pub(super) fn attributes(&mut self, change: impl FnOnce(Attributes) -> Attributes) {
        Attributes::change(&mut self.term.grid_mut().cursor.template, change);
    }

    pub(super) fn scroll_left(&mut self, count: usize) {
        self.shift_region(0, count, Towards::Start);
    }

    pub(super) fn scroll_right(&mut self, count: usize) {
        self.shift_region(0, count, Towards::End);
    }

    pub(super) fn insert_columns(&mut self, count: usize) {
        self.shift_region(self.column_in_row(), count, Towards::End);
    }

    pub(super) fn delete_columns(&mut self, count: usize) {
        self.shift_region(self.column_in_row(), count, Towards::Start);
    }

    /// Returns the cursor's column; like xterm.js, the first one if it is behind the last.
    fn column_in_row(&self) -> usize {
        if self.is_about_to_wrap() { 0 } else { self.column() }
    }

    pub(super) fn erase_unprotected_screen(&mut self, what: u16) {
        let what = match what {
            0 => ClearMode::Below,
            1 => ClearMode::Above,
            2 => ClearMode::All,
            3 => ClearMode::Saved,
            _ => return,
        };
        self.erase_in_screen(&what, Erase::Unprotected);
    }

    pub(super) fn erase_unprotected_line(&mut self, what: u16) {
        let what = match what {
            0 => LineClearMode::Right,
            1 => LineClearMode::Left,
            2 => LineClearMode::All,
            _ => return,
        };
        self.erase_in_line(&what, Erase::Unprotected);
    }

    /// Inserts or deletes lines. As in xterm, the cursor moves to the beginning of its line.
    fn edit_lines(&mut self, lines: usize, towards: Towards) {
        self.forget_wrap();
        let (line, background) = (self.line(), self.background());
        if self.region.contains(&line) {
            self.move_rows(line..self.region.end, lines, towards, background);
            self.term.carriage_return();
        }
    }

    fn background(&self) -> Color {
        self.term.grid().cursor.template.bg
    }
}
