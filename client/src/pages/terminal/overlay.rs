//! The view of earlier output, as the terminal below it sees it: whether it is open, its emulator,
//! and the keys that it takes.

use std::rc::Rc;

use leptos::prelude::*;

use crate::bindings::keyboard::{KeyKind, Press};
use crate::bindings::screen::{Screen, Scroll};

/// A view over the terminal.
#[derive(Debug, Clone, Copy)]
pub struct Overlay {
    is_open: RwSignal<bool>,
    /// Its emulator, from when everything is read until the view closes.
    screen: StoredValue<Option<Rc<Screen>>, LocalStorage>,
    /// True while the Escape that closed the view is held: programs that track key releases must
    /// not see it.
    escape_held: StoredValue<bool>,
}

/// An action of a key that the view keeps from the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverlayKey {
    /// Close the view of earlier output.
    Close,
    /// Scroll the view to this target.
    Scroll(Scroll),
    /// Do nothing. The key types nothing either.
    Ignore,
}

impl Overlay {
    /// Creates a closed view.
    #[must_use]
    pub fn new() -> Self {
        Self {
            is_open: RwSignal::default(),
            screen: StoredValue::new_local(None),
            escape_held: StoredValue::default(),
        }
    }

    /// Returns true if the view is open; tracked.
    #[must_use]
    pub fn is_open(self) -> bool {
        self.is_open.get()
    }

    /// Opens the view, unless it is open.
    pub fn open(self) {
        if !self.is_open.get_untracked() {
            self.is_open.set(true);
        }
    }

    /// Closes the view. Returns true if it was open.
    pub fn close(self) -> bool {
        let was_open = self.is_open.get_untracked();
        if was_open {
            self.screen.set_value(None);
            self.is_open.set(false);
        }
        was_open
    }

    /// Sets the emulator, once everything is read. Does nothing if the view is closed.
    pub fn show(self, screen: Rc<Screen>) {
        if self.is_open.get_untracked() {
            self.screen.set_value(Some(screen));
        }
    }

    /// Returns the emulator that shows earlier output, once everything is read.
    #[must_use]
    pub fn screen(self) -> Option<Rc<Screen>> {
        self.screen.try_get_value().flatten()
    }

    /// Returns the action of a key, or `None` if the view is closed or the key types something.
    #[must_use]
    pub fn key(self, press: &Press) -> Option<OverlayKey> {
        if press.key == "Escape" {
            let was_held = self.escape_held.get_value();
            self.escape_held.set_value(false);
            if was_held && press.kind != KeyKind::Press {
                self.escape_held.set_value(press.kind == KeyKind::Repeat);
                return Some(OverlayKey::Ignore);
            }
        }
        let key = if self.is_open.get_untracked() { key(press) } else { None };
        if key == Some(OverlayKey::Close) {
            self.escape_held.set_value(true);
        }
        key
    }
}

impl Default for Overlay {
    fn default() -> Self {
        Self::new()
    }
}

fn key(press: &Press) -> Option<OverlayKey> {
    let is_modifier = matches!(
        &*press.key,
        "Shift" | "Control" | "Alt" | "AltGraph" | "Meta" | "CapsLock" | "NumLock"
    );
    if is_modifier || press.kind == KeyKind::Release {
        return Some(OverlayKey::Ignore);
    }
    if !press.plain() || press.composing {
        return None;
    }
    Some(match (&*press.key, press.shift) {
        ("Escape", false) => OverlayKey::Close,
        ("PageUp", true) => OverlayKey::Scroll(Scroll::PageUp),
        ("PageDown", true) => OverlayKey::Scroll(Scroll::PageDown),
        ("Home", true) => OverlayKey::Scroll(Scroll::Start),
        ("End", true) => OverlayKey::Scroll(Scroll::End),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn press(key: &str, shift: bool) -> Press {
        Press { key: key.to_owned(), shift, ..Press::default() }
    }

    #[test]
    fn what_types_goes_to_the_program() {
        for (name, shift) in [("a", false), ("A", true), ("PageUp", false), ("Escape", true)] {
            assert_eq!(key(&press(name, shift)), None, "{name}");
        }
        assert_eq!(key(&Press { ctrl: true, ..press("c", false) }), None);
    }

    #[test]
    fn keys_scroll_and_close() {
        assert_eq!(key(&press("Escape", false)), Some(OverlayKey::Close));
        assert_eq!(key(&press("Home", true)), Some(OverlayKey::Scroll(Scroll::Start)));
        assert_eq!(key(&press("Shift", true)), Some(OverlayKey::Ignore));
        let released = Press { kind: KeyKind::Release, ..press("a", false) };
        assert_eq!(key(&released), Some(OverlayKey::Ignore));
    }
}
