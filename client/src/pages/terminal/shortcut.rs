//! The keyboard shortcuts of a terminal's page.

use crate::bindings::keyboard::{KeyKind, Press};

/// An action of a key that the page keeps from the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortcut {
    /// Open the search bar.
    Search,
    /// Copy the selected text.
    Copy,
    /// Let the browser paste.
    Paste,
    /// Change the text size by this many pixels.
    Font(i8),
    /// Reset the text size.
    FontReset,
    /// Go to the list of all sessions.
    List,
}

/// Returns the shortcut of a key press, if it is one. All but Apple's Command shortcuts need
/// Control and Shift, which programs cannot distinguish from Control alone. None uses a key that
/// produces a control character.
#[must_use]
pub fn shortcut(press: &Press, apple: bool) -> Option<Shortcut> {
    if press.kind == KeyKind::Release {
        return None;
    }
    let key = press.latin();
    if apple && press.meta && !press.ctrl && !press.alt && key == "f" {
        return Some(Shortcut::Search);
    }
    if !press.ctrl || !press.shift || press.alt || press.meta {
        return None;
    }
    match key.as_str() {
        "F" | "f" => Some(Shortcut::Search),
        "C" | "c" => Some(Shortcut::Copy),
        "V" | "v" => Some(Shortcut::Paste),
        "L" | "l" => Some(Shortcut::List),
        ">" | "+" | "=" => Some(Shortcut::Font(1)),
        "<" => Some(Shortcut::Font(-1)),
        ")" | "0" => Some(Shortcut::FontReset),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn press(key: &str, ctrl: bool, shift: bool, meta: bool) -> Press {
        Press { key: key.to_owned(), ctrl, shift, meta, ..Press::default() }
    }

    #[test]
    fn programs_keep_every_key_that_they_can_tell_apart() {
        assert_eq!(shortcut(&press("c", true, false, false), false), None);
        assert_eq!(shortcut(&press("f", false, false, true), false), None);
        assert_eq!(shortcut(&press("F", false, true, false), false), None);
        for control in ["@", "^", "_", "?", "~", "{", "|", "}", " "] {
            assert_eq!(shortcut(&press(control, true, true, false), false), None, "{control}");
        }
    }

    #[test]
    fn shortcuts_need_control_and_shift() {
        assert_eq!(shortcut(&press("C", true, true, false), false), Some(Shortcut::Copy));
        assert_eq!(shortcut(&press("<", true, true, false), true), Some(Shortcut::Font(-1)));
        assert_eq!(shortcut(&press("f", false, false, true), true), Some(Shortcut::Search));
        let cyrillic = Press { code: "KeyC".into(), ..press("С", true, true, false) };
        assert_eq!(shortcut(&cyrillic, false), Some(Shortcut::Copy));
        let cyrillic = Press { code: "KeyF".into(), ..press("а", false, false, true) };
        assert_eq!(shortcut(&cyrillic, true), Some(Shortcut::Search));
    }
}
