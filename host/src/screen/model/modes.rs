//! Modes, and the effects of changing them.

use alacritty_terminal::grid::{Cursor, Dimensions as _};
use alacritty_terminal::term::cell::Cell;
use alacritty_terminal::vte::ansi::{
    CharsetIndex, Handler as _, NamedMode, NamedPrivateMode, StandardCharset,
};

use super::edit::{self, line_at};
use super::{Model, default_tabs};

/// The modes of mouse protocols. At most one is set, and resetting any of them resets it.
const MOUSE: [u16; 4] = [9, 1000, 1002, 1003];
/// The modes of encodings of mouse reports. Terminals differ in which of these they know.
const ENCODINGS: [u16; 4] = [1005, 1006, 1015, 1016];
/// The two encodings that xterm.js knows. Setting one resets the other; resetting one resets both.
const SGR: [u16; 2] = [1006, 1016];
const BLINKING_CURSOR: u16 = 12;
const REVERSE_WRAP: u16 = 45;

/// Modes that `Term` does not keep, or not in xterm's way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::screen) struct Modes {
    mouse: Option<u16>,
    /// The encodings that are set, in the order in which they were set.
    encodings: Vec<u16>,
    blinking_cursor: bool,
    /// True if a backspace at the beginning of a wrapped row moves to the end of the row before.
    pub(in crate::screen) reverse_wrap: bool,
}

impl Modes {
    /// Sets or resets a mode. Returns false if it is kept elsewhere.
    pub(in crate::screen) fn set(&mut self, mode: u16, on: bool) -> bool {
        match mode {
            BLINKING_CURSOR => self.blinking_cursor = on,
            REVERSE_WRAP => self.reverse_wrap = on,
            mode if MOUSE.contains(&mode) => self.mouse = on.then_some(mode),
            mode if ENCODINGS.contains(&mode) => {
                let ended =
                    |other: u16| other == mode || SGR.contains(&mode) && SGR.contains(&other);
                self.encodings.retain(|other| !ended(*other));
                if on {
                    self.encodings.push(mode);
                }
            }
            _ => return false,
        }
        true
    }

    /// Resets the modes that a soft reset resets.
    pub(in crate::screen) fn soft_reset(&mut self) {
        self.reverse_wrap = false;
    }

    /// Returns the modes that are set, in the order in which to set them.
    pub(in crate::screen) fn on(&self) -> impl Iterator<Item = u16> {
        let blinking = self.blinking_cursor.then_some(BLINKING_CURSOR);
        let reverse = self.reverse_wrap.then_some(REVERSE_WRAP);
        [blinking, reverse, self.mouse].into_iter().flatten().chain(self.encodings.iter().copied())
    }
}

impl Model {
    /// Sets or resets an ANSI mode.
    pub(in crate::screen) fn ansi_mode(&mut self, number: u16, on: bool) {
        let mode = match number {
            4 => NamedMode::Insert,
            20 => NamedMode::LineFeedNewLine,
            _ => return,
        };
        if on { self.term.set_mode(mode.into()) } else { self.term.unset_mode(mode.into()) }
    }

    /// Sets or resets a private mode. Other modes are ignored: only the client knows them, such as
    /// a width of 132 columns, or nobody does.
    pub(in crate::screen) fn private_mode(&mut self, number: u16, on: bool) {
        let mode = match number {
            1 => NamedPrivateMode::CursorKeys,
            7 => NamedPrivateMode::LineWrap,
            25 => NamedPrivateMode::ShowCursor,
            1004 => NamedPrivateMode::ReportFocusInOut,
            1007 => NamedPrivateMode::AlternateScroll,
            1042 => NamedPrivateMode::UrgencyHints,
            2004 => NamedPrivateMode::BracketedPaste,
            number if self.modes.set(number, on) => return,
            _ => return self.private_command(number, on),
        };
        if on {
            self.term.set_private_mode(mode.into());
        } else {
            self.term.unset_private_mode(mode.into());
        }
    }

    /// Sets or resets a private mode whose change has an effect.
    fn private_command(&mut self, number: u16, on: bool) {
        match (number, on) {
            (2, true) => self.ascii_everywhere(),
            (6, true) => self.term.set_private_mode(NamedPrivateMode::Origin.into()),
            (6, false) => {
                self.term.unset_private_mode(NamedPrivateMode::Origin.into());
                self.term.goto(0, 0);
            }
            (66, true) => self.term.set_keypad_application_mode(),
            (66, false) => self.term.unset_keypad_application_mode(),
            (47 | 1047, true) => self.show_alternate(),
            (47 | 1047, false) => self.show_main(),
            (1048, true) => self.save_cursor_position(),
            (1048, false) => self.restore_cursor_position(),
            (1049, true) => {
                self.save_cursor_position();
                self.show_alternate();
            }
            (1049, false) => {
                self.show_main();
                self.restore_cursor_position();
            }
            (2026, on) => self.synchronised = on,
            _ => {}
        }
    }

    /// Resets modes and attributes, but nothing that is on the screen.
    pub(in crate::screen) fn soft_reset(&mut self) {
        for mode in [
            NamedPrivateMode::CursorKeys,
            NamedPrivateMode::Origin,
            NamedPrivateMode::ReportFocusInOut,
            NamedPrivateMode::BracketedPaste,
        ] {
            self.term.unset_private_mode(mode.into());
        }
        for mode in [NamedPrivateMode::LineWrap, NamedPrivateMode::ShowCursor] {
            self.term.set_private_mode(mode.into());
        }
        self.term.unset_mode(NamedMode::Insert.into());
        self.term.unset_keypad_application_mode();
        self.set_cursor_style(None);
        self.modes.soft_reset();
        self.synchronised = false;
        self.set_region(0..self.rows());
        self.term.grid_mut().cursor.template = Cell::default();
        self.ascii_everywhere();
        self.set_active_charset(CharsetIndex::G0);
        self.term.grid_mut().saved_cursor = Cursor::default();
    }

    fn ascii_everywhere(&mut self) {
        let all = [CharsetIndex::G0, CharsetIndex::G1, CharsetIndex::G2, CharsetIndex::G3];
        all.into_iter().for_each(|set| self.configure_charset(set, StandardCharset::Ascii));
    }

    /// Shows the alternate screen, empty, without moving the cursor. `Term` may leave content on it
    /// after a resize, and takes the main screen's cursor as saved.
    fn show_alternate(&mut self) {
        if self.is_alternate() {
            return;
        }
        let cursor = self.term.grid().cursor.clone();
        let saved = self.term.grid().saved_cursor.clone();
        self.term.grid_mut().cursor = saved;
        self.term.swap_alt();
        let grid = self.term.grid_mut();
        let blank = edit::erased(cursor.template.bg);
        grid.cursor = cursor;
        for line in 0..grid.screen_lines() {
            grid[line_at(line)][..].fill(blank.clone());
        }
        // Each screen has its own region and tab stops.
        let columns = self.columns();
        let tabs = std::mem::replace(&mut self.tabs, default_tabs(columns));
        self.hidden = Some((self.region.clone(), tabs));
        self.set_region(0..self.rows());
    }

    /// Shows the main screen without moving the cursor.
    fn show_main(&mut self) {
        if self.is_alternate() {
            let cursor = self.term.grid().cursor.clone();
            self.term.swap_alt();
            self.term.grid_mut().cursor = cursor;
            if let Some((region, tabs)) = self.hidden.take() {
                self.tabs = tabs;
                self.set_region(region);
            }
        }
    }
}
