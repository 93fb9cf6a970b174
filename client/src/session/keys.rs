//! Encodes keys that a soft keyboard lacks.

use super::key_codes;
use crate::bindings::keyboard::Press;

/// A key of the key bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The Escape key.
    Escape,
    /// The Tab key.
    Tab,
    /// The arrow up key.
    Up,
    /// The arrow down key.
    Down,
    /// The arrow right key.
    Right,
    /// The arrow left key.
    Left,
    /// The Home key.
    Home,
    /// The End key.
    End,
    /// The Page Up key.
    PageUp,
    /// The Page Down key.
    PageDown,
    /// A character that is hard to reach on a phone.
    Character(char),
}

/// Modifiers that stay down for the next key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Modifiers {
    /// True if Control is down.
    pub ctrl: bool,
    /// True if Alt is down.
    pub alt: bool,
}

impl Modifiers {
    /// Returns true if any modifier is down.
    #[must_use]
    pub const fn any(self) -> bool {
        self.ctrl || self.alt
    }

    /// Returns the xterm parameter: 1, plus 2 for Alt, plus 4 for Control.
    const fn parameter(self) -> u8 {
        1 + 2 * self.alt as u8 + 4 * self.ctrl as u8
    }
}

/// Returns the bytes of `key` with `modifiers`. `application` means that the program wants arrow
/// keys in their application form.
#[must_use]
pub fn encode(key: Key, modifiers: Modifiers, application: bool) -> String {
    let plain_alt = if modifiers.alt { "\x1b" } else { "" };
    match key {
        Key::Escape => format!("{plain_alt}\x1b"),
        Key::Tab => format!("{plain_alt}\t"),
        Key::Up => cursor('A', modifiers, application),
        Key::Down => cursor('B', modifiers, application),
        Key::Right => cursor('C', modifiers, application),
        Key::Left => cursor('D', modifiers, application),
        Key::Home => cursor('H', modifiers, application),
        Key::End => cursor('F', modifiers, application),
        Key::PageUp => page(5, modifiers),
        Key::PageDown => page(6, modifiers),
        Key::Character(character) => modify(&character.to_string(), modifiers),
    }
}

/// Returns the key event that a keyboard would send for `key`.
#[must_use]
pub fn press(key: Key, modifiers: Modifiers) -> Press {
    let name = match key {
        Key::Escape => "Escape",
        Key::Tab => "Tab",
        Key::Up => "ArrowUp",
        Key::Down => "ArrowDown",
        Key::Right => "ArrowRight",
        Key::Left => "ArrowLeft",
        Key::Home => "Home",
        Key::End => "End",
        Key::PageUp => "PageUp",
        Key::PageDown => "PageDown",
        Key::Character(character) => return modified(character.to_string(), modifiers),
    };
    modified(name.to_owned(), modifiers)
}

/// Returns a typed character as a key event, or `None` unless `typed` is exactly one.
#[must_use]
pub fn press_of(typed: &str, modifiers: Modifiers) -> Option<Press> {
    (typed.chars().count() == 1).then(|| modified(typed.to_owned(), modifiers))
}

fn modified(key: String, modifiers: Modifiers) -> Press {
    Press { key, ctrl: modifiers.ctrl, alt: modifiers.alt, ..Press::default() }
}

fn cursor(letter: char, modifiers: Modifiers, application: bool) -> String {
    if modifiers.any() {
        format!("\x1b[1;{}{letter}", modifiers.parameter())
    } else if application {
        format!("\x1bO{letter}")
    } else {
        format!("\x1b[{letter}")
    }
}

fn page(number: u8, modifiers: Modifiers) -> String {
    if modifiers.any() {
        format!("\x1b[{number};{}~", modifiers.parameter())
    } else {
        format!("\x1b[{number}~")
    }
}

/// Returns what was typed on a soft keyboard, changed by the `modifiers` of the key bar. Only a
/// single character is modified: pasted text stays unchanged.
#[must_use]
pub fn modify(typed: &str, modifiers: Modifiers) -> String {
    let mut characters = typed.chars();
    let (Some(character), None) = (characters.next(), characters.next()) else {
        return typed.to_owned();
    };
    let base = if modifiers.ctrl { control(character) } else { character };
    if modifiers.alt { format!("\x1b{base}") } else { base.to_string() }
}

/// Returns the control character of a key, or the key itself if it has none. `-` stands for `_`,
/// which is hard to reach on a phone.
fn control(character: char) -> char {
    let character = if character == '-' { '_' } else { character };
    key_codes::control(character).unwrap_or(character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const NONE: Modifiers = Modifiers { ctrl: false, alt: false };
    const CTRL: Modifiers = Modifiers { ctrl: true, alt: false };
    const ALT: Modifiers = Modifiers { ctrl: false, alt: true };

    #[test]
    fn arrows_have_three_forms() {
        assert_eq!(encode(Key::Up, NONE, false), "\x1b[A");
        assert_eq!(encode(Key::Up, NONE, true), "\x1bOA");
        assert_eq!(encode(Key::Left, CTRL, true), "\x1b[1;5D");
        assert_eq!(encode(Key::Right, ALT, false), "\x1b[1;3C");
        assert_eq!(encode(Key::PageUp, NONE, true), "\x1b[5~");
        assert_eq!(encode(Key::PageDown, CTRL, true), "\x1b[6;5~");
    }

    #[test]
    fn sticky_modifiers_change_one_character() {
        assert_eq!(modify("c", CTRL), "\x03");
        assert_eq!(modify("[", CTRL), "\x1b");
        assert_eq!(modify(" ", CTRL), "\0");
        assert_eq!(modify("x", ALT), "\x1bx");
        assert_eq!(modify("ä", CTRL), "ä");
        assert_eq!(modify("paste", CTRL), "paste");
        assert_eq!(modify("", CTRL), "");
        assert_eq!(encode(Key::Character('|'), NONE, false), "|");
        assert_eq!(encode(Key::Escape, ALT, false), "\x1b\x1b");
    }
}
