//! Applies the parser's findings to the model, as the page's emulator interprets them.
//!
//! The sequences are those of xterm's list that xterm.js knows. Queries are left out: they change
//! nothing.

mod csi;
mod osc;
mod rendition;

use alacritty_terminal::vte::ansi::{CharsetIndex, Handler as _, StandardCharset};
use alacritty_terminal::vte::{Params, Perform};

use super::model::Model;

/// Applies the parser's findings to a model.
pub(super) struct Dispatch<'a>(pub(super) &'a mut Model);

impl Perform for Dispatch<'_> {
    #[inline]
    fn print(&mut self, character: char) {
        self.0.input(character);
    }

    #[inline]
    fn execute(&mut self, byte: u8) {
        let model = &mut *self.0;
        match byte {
            0x07 => model.bell(),
            0x08 => model.backspace(),
            b'\t' => model.put_tab(1),
            b'\n' | 0x0b | 0x0c => model.linefeed(),
            b'\r' => model.carriage_return(),
            0x0e => model.set_active_charset(CharsetIndex::G1),
            0x0f => model.set_active_charset(CharsetIndex::G0),
            _ => model.printed = false,
        }
    }

    fn hook(&mut self, _: &Params, _: &[u8], _: bool, _: char) {
        self.0.printed = false;
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], _: bool) {
        self.0.printed = false;
        osc::dispatch(self.0, params);
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, end: char) {
        if !ignore {
            csi::dispatch(self.0, params, intermediates, end);
        }
        self.0.printed = false;
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], ignore: bool, byte: u8) {
        if !ignore {
            escape(self.0, intermediates, byte);
        }
        self.0.printed = false;
    }
}

fn escape(model: &mut Model, intermediates: &[u8], byte: u8) {
    match (intermediates, byte) {
        ([], b'7') => model.save_cursor_position(),
        ([], b'8') => model.restore_cursor_position(),
        ([], b'D') => model.index(),
        ([], b'E') => {
            model.carriage_return();
            model.index();
        }
        ([], b'H') => model.set_horizontal_tabstop(),
        ([], b'M') => model.reverse_index(),
        ([], b'=') => model.set_keypad_application_mode(),
        ([], b'>') => model.unset_keypad_application_mode(),
        ([], b'c') => model.reset_state(),
        ([], b'~') => model.set_active_charset(CharsetIndex::G1),
        ([], b'n' | b'}') => model.set_active_charset(CharsetIndex::G2),
        ([], b'o' | b'|') => model.set_active_charset(CharsetIndex::G3),
        ([b'#'], b'8') => model.decaln(),
        ([b'%'], b'@' | b'G') => {
            model.set_active_charset(CharsetIndex::G0);
            model.configure_charset(CharsetIndex::G0, StandardCharset::Ascii);
        }
        ([designates], _) => designate(model, *designates, byte),
        _ => {}
    }
}

/// Selects a character set. National ones are treated as ASCII, from which they differ in a few
/// characters.
fn designate(model: &mut Model, designates: u8, name: u8) {
    const NATIONAL: &[u8] = b"AB4C5RQKYE6ZH7=";
    let index = match designates {
        b'(' => CharsetIndex::G0,
        b')' | b'-' => CharsetIndex::G1,
        b'*' | b'.' => CharsetIndex::G2,
        b'+' => CharsetIndex::G3,
        _ => return,
    };
    let set = match name {
        b'0' => StandardCharset::SpecialCharacterAndLineDrawing,
        name if NATIONAL.contains(&name) => StandardCharset::Ascii,
        _ => return,
    };
    model.configure_charset(index, set);
}
