//! Bytes for keys that a soft keyboard lacks.

use super::key_codes;
use crate::bindings::keyboard::Press;

/// A key of the key bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Escape.
    Escape,
    /// Tab.
    Tab,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow right.
    Right,
    /// Arrow left.
    Left,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// A character that is far away on a phone.
    Character(char),
}

/// Modifiers that stay down for the next key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Modifiers {
    /// Control.
    pub ctrl: bool,
    /// Alt.
    pub alt: bool,
}

impl Modifiers {
    /// Whether any is down.
    #[must_use]
    pub const fn any(self) -> bool {
        self.ctrl || self.alt
    }

    /// The xterm parameter: 1, plus 2 for Alt, plus 4 for Control.
    const fn parameter(self) -> u8 {
        1 + 2 * self.alt as u8 + 4 * self.ctrl as u8
    }
}

/// The bytes of `key` with `modifiers`. `application` says that the program wants arrows in their
/// application form.
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

/// The same key as a keyboard has it.
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

/// A typed character as a key of a keyboard; `None` for more than one.
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

/// What was typed on a soft keyboard while `modifiers` were down on the key bar. Only one typed
/// character is modified: a pasted text stays what it is.
#[must_use]
pub fn modify(typed: &str, modifiers: Modifiers) -> String {
    let mut characters = typed.chars();
    let (Some(character), None) = (characters.next(), characters.next()) else {
        return typed.to_owned();
    };
    let base = if modifiers.ctrl { control(character) } else { character };
    if modifiers.alt { format!("\x1b{base}") } else { base.to_string() }
}

/// The control character of a key, where it has one. On the key bar `-` stands for `_`, which is far
/// away.
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
