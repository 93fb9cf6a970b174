//! Control sequences (CSI).

use alacritty_terminal::vte::Params;
use alacritty_terminal::vte::ansi::{
    ClearMode, CursorShape, CursorStyle, Handler as _, KeyboardModes, KeyboardModesApplyBehavior,
    LineClearMode, TabulationClearMode,
};

use super::rendition;
use crate::screen::attributes::Attributes;
use crate::screen::model::Model;

pub(super) fn dispatch(model: &mut Model, params: &Params, intermediates: &[u8], end: char) {
    let mut values = params.iter().map(|param| param[0]);
    let (first, second) = (values.next().unwrap_or(0), values.next().unwrap_or(0));
    match intermediates {
        [] if end == 'm' => rendition::dispatch(model, params),
        [] if matches!(end, 'h' | 'l') => {
            params.iter().for_each(|number| model.ansi_mode(number[0], end == 'h'));
        }
        [] => plain(model, first, second, end),
        [b'?'] => match end {
            'h' | 'l' => params.iter().for_each(|number| model.private_mode(number[0], end == 'h')),
            'J' => model.erase_unprotected_screen(first),
            'K' => model.erase_unprotected_line(first),
            _ => keyboard(model, b'?', first, second, end),
        },
        [prefix @ (b'<' | b'=' | b'>')] => keyboard(model, *prefix, first, second, end),
        [intermediate] => with_intermediate(model, *intermediate, first, end),
        _ => {}
    }
}

fn plain(model: &mut Model, first: u16, second: u16, end: char) {
    let (count, at) = (first.max(1), usize::from(first.max(1)) - 1);
    let many = usize::from(count);
    match end {
        '@' => model.insert_blank(many),
        'A' => model.move_up(many),
        'B' => model.move_down(many),
        'e' => model.place(model.line() + many, model.column()),
        'C' | 'a' => model.move_forward(many),
        'D' => model.move_backward(many),
        'E' => model.move_down_and_cr(many),
        'F' => model.move_up_and_cr(many),
        'G' | '`' => model.goto_col(at),
        'H' | 'f' => model.goto(i32::from(count) - 1, usize::from(second.max(1)) - 1),
        'I' => model.move_forward_tabs(count),
        'J' => clear_screen(model, first),
        'K' => clear_line(model, first),
        'L' => model.insert_blank_lines(many),
        'M' => model.delete_lines(many),
        'P' => model.delete_chars(many),
        'S' => model.scroll_up(many),
        'T' => model.scroll_down(many),
        'X' => model.erase_chars(many),
        'Z' => model.move_backward_tabs(count),
        'b' => model.repeat(many),
        'd' => model.goto_line(i32::from(count) - 1),
        'g' if first == 0 => model.clear_tabs(TabulationClearMode::Current),
        'g' if first == 3 => model.clear_tabs(TabulationClearMode::All),
        'r' => model.set_scrolling_region(many, Some(usize::from(second)).filter(|to| *to > 0)),
        's' => model.save_cursor_position(),
        // The name of an icon is not shown anywhere.
        't' if first == 22 && second != 1 => model.push_title(),
        't' if first == 23 && second != 1 => model.pop_title(),
        'u' => model.restore_cursor_position(),
        _ => {}
    }
}

fn clear_screen(model: &mut Model, what: u16) {
    model.clear_screen(match what {
        0 => ClearMode::Below,
        1 => ClearMode::Above,
        2 => ClearMode::All,
        3 => ClearMode::Saved,
        _ => return,
    });
}

fn clear_line(model: &mut Model, what: u16) {
    model.clear_line(match what {
        0 => LineClearMode::Right,
        1 => LineClearMode::Left,
        2 => LineClearMode::All,
        _ => return,
    });
}

fn with_intermediate(model: &mut Model, intermediate: u8, first: u16, end: char) {
    let count = usize::from(first.max(1));
    match (intermediate, end) {
        (b' ', '@') => model.scroll_left(count),
        (b' ', 'A') => model.scroll_right(count),
        (b'\'', '}') => model.insert_columns(count),
        (b'\'', '~') => model.delete_columns(count),
        (b'!', 'p') => model.soft_reset(),
        (b'"', 'q') => match first {
            1 => model.attributes(|attributes| attributes | Attributes::PROTECTED),
            0 | 2 => model.attributes(|attributes| attributes.without(Attributes::PROTECTED)),
            _ => {}
        },
        (b' ', 'q') if first <= 6 => model.set_cursor_style(cursor_style(first)),
        _ => {}
    }
}

fn cursor_style(number: u16) -> Option<CursorStyle> {
    let shape = match number {
        1 | 2 => CursorShape::Block,
        3 | 4 => CursorShape::Underline,
        5 | 6 => CursorShape::Beam,
        _ => return None,
    };
    Some(CursorStyle { shape, blinking: number % 2 == 1 })
}

/// Handles the sequences of the keyboard protocol.
fn keyboard(model: &mut Model, prefix: u8, first: u16, second: u16, end: char) {
    let flags = || KeyboardModes::from_bits_truncate(first.to_be_bytes()[1]);
    match (prefix, end) {
        (b'=', 'u') => model.set_keyboard_mode(
            flags(),
            match second {
                3 => KeyboardModesApplyBehavior::Difference,
                2 => KeyboardModesApplyBehavior::Union,
                _ => KeyboardModesApplyBehavior::Replace,
            },
        ),
        (b'>', 'u') => model.push_keyboard_mode(flags()),
        (b'<', 'u') => model.pop_keyboard_modes(first.max(1)),
        // This is xterm's `modifyOtherKeys`.
        (b'>', 'm') if first == 4 => model.keyboard.set_other_keys(second),
        _ => {}
    }
}
