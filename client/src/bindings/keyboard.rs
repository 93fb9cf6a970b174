//! Key events as plain values.

use gloo_events::{EventListener, EventListenerOptions, EventListenerPhase};
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, KeyboardEvent, window};

/// The phase of a key event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// The key goes down.
    #[default]
    Press,
    /// The key is held and repeats.
    Repeat,
    /// The key goes up.
    Release,
}

/// A key event with its modifiers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Press {
    /// The key's value, as in `KeyboardEvent.key`.
    pub key: String,
    /// The key's position on a US layout, as in `KeyboardEvent.code`. Empty on soft keyboards.
    pub code: String,
    /// The phase of the event.
    pub kind: KeyKind,
    /// True if the key is on the number pad.
    pub keypad: bool,
    /// True while Control is held.
    pub ctrl: bool,
    /// True while Shift is held.
    pub shift: bool,
    /// True while Alt is held.
    pub alt: bool,
    /// True while Command or Windows is held.
    pub meta: bool,
    /// True while the layout's third level is held: the key produces text.
    pub alt_graph: bool,
    /// True while Caps Lock is on.
    pub caps_lock: bool,
    /// True while Num Lock is on.
    pub num_lock: bool,
    /// True while an input method composes text from the key.
    pub composing: bool,
}

impl From<&KeyboardEvent> for Press {
    fn from(event: &KeyboardEvent) -> Self {
        let (key, alt) = (event.key(), event.alt_key());
        let kind = match &*event.type_() {
            "keyup" => KeyKind::Release,
            _ if event.repeat() => KeyKind::Repeat,
            _ => KeyKind::Press,
        };
        // On Apple's keyboards, Option and a key produce text.
        let is_option_text = alt && is_apple() && key.chars().count() == 1 && !key.is_ascii();
        Self {
            code: event.code(),
            kind,
            keypad: event.location() == KeyboardEvent::DOM_KEY_LOCATION_NUMPAD,
            ctrl: event.ctrl_key(),
            shift: event.shift_key(),
            alt,
            meta: event.meta_key(),
            alt_graph: event.get_modifier_state("AltGraph") || is_option_text,
            caps_lock: event.get_modifier_state("CapsLock"),
            num_lock: event.get_modifier_state("NumLock"),
            composing: event.is_composing(),
            key,
        }
    }
}

impl Press {
    /// Returns true if none of Control, Alt and Command is held.
    #[must_use]
    pub fn plain(&self) -> bool {
        !self.ctrl && !self.alt && !self.meta
    }

    /// Returns the key for matching shortcuts. If the layout has a non-Latin character there, this
    /// is the character of a US layout at the same position.
    #[must_use]
    pub fn latin(&self) -> String {
        let is_foreign = !self.key.is_ascii() && self.key.chars().count() == 1;
        let place = place(&self.code).filter(|_| is_foreign);
        let latin = place.map(|(plain, shifted)| if self.shift { shifted } else { plain });
        latin.map_or_else(|| self.key.clone(), String::from)
    }
}

/// Returns the characters of a US layout at the position `code`, plain and with Shift.
#[must_use]
pub fn place(code: &str) -> Option<(char, char)> {
    const SYMBOLS: [(&str, char, char); 12] = [
        ("Backquote", '`', '~'),
        ("Minus", '-', '_'),
        ("Equal", '=', '+'),
        ("BracketLeft", '[', '{'),
        ("BracketRight", ']', '}'),
        ("Backslash", '\\', '|'),
        ("Semicolon", ';', ':'),
        ("Quote", '\'', '"'),
        ("Comma", ',', '<'),
        ("Period", '.', '>'),
        ("Slash", '/', '?'),
        ("Space", ' ', ' '),
    ];
    if let Some(letter) = code.strip_prefix("Key").and_then(|rest| rest.chars().next()) {
        return Some((letter.to_ascii_lowercase(), letter));
    }
    if let Some(digit) = code.strip_prefix("Digit").and_then(|rest| rest.chars().next()) {
        let shifted = ")!@#$%^&*(".chars().nth(digit.to_digit(10)? as usize)?;
        return Some((digit, shifted));
    }
    let symbol = SYMBOLS.iter().find(|(name, ..)| *name == code);
    symbol.map(|(_, plain, shifted)| (*plain, *shifted))
}

/// Returns true if a key belongs to a field, a dialog or a menu.
#[must_use]
pub fn is_typing(event: &Event) -> bool {
    let element = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    element.is_some_and(|element| {
        element
            .closest("input:not([type=checkbox]), textarea, select, dialog[open], :popover-open")
            .ok()
            .flatten()
            .is_some()
    })
}

/// Listens for keys on the whole page until dropped.
#[must_use = "dropping it stops listening"]
pub struct Keys {
    _listener: Option<EventListener>,
}

/// Calls `pressed` for each key that is pressed outside of text fields, dialogs and menus. If it
/// returns true, the browser ignores the key.
pub fn page_keys(pressed: impl Fn(&Press) -> bool + 'static) -> Keys {
    let listener = window().map(|window| {
        let options = EventListenerOptions::enable_prevent_default();
        EventListener::new_with_options(&window, "keydown", options, move |event| {
            let Some(key) = event.dyn_ref::<KeyboardEvent>() else { return };
            if !event.default_prevented() && !is_typing(event) && pressed(&Press::from(key)) {
                event.prevent_default();
            }
        })
    });
    Keys { _listener: listener }
}

/// Calls `pressed` for every key before the rest of the page sees it. If it returns true, nothing
/// else sees the key.
pub fn first_keys(pressed: impl Fn(&Press) -> bool + 'static) -> Keys {
    let listener = window().map(|window| {
        let options = EventListenerOptions {
            phase: EventListenerPhase::Capture,
            ..EventListenerOptions::enable_prevent_default()
        };
        EventListener::new_with_options(&window, "keydown", options, move |event| {
            let Some(key) = event.dyn_ref::<KeyboardEvent>() else { return };
            if pressed(&Press::from(key)) {
                event.prevent_default();
                event.stop_propagation();
            }
        })
    });
    Keys { _listener: listener }
}

/// Returns true if shortcuts use Command on this platform.
#[must_use]
pub fn is_apple() -> bool {
    let agent = user_agent();
    agent.contains("Mac OS X") || agent.contains("iPhone")
}

/// Returns true in Firefox, which reserves other keys for itself.
#[must_use]
pub fn is_firefox() -> bool {
    user_agent().contains("Firefox/")
}

/// Returns a name for this browser, such as "Firefox on Linux", for people.
#[must_use]
pub fn browser_name() -> String {
    name_of(&user_agent())
}

fn name_of(agent: &str) -> String {
    let find = |known: &[(&str, &'static str)]| {
        known.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, name)| *name)
    };
    // Each browser names those before it, too.
    let browser =
        [("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrom", "Chrome"), ("Safari", "Safari")];
    let system = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "Mac"),
        ("Linux", "Linux"),
    ];
    match (find(&browser).unwrap_or("Browser"), find(&system)) {
        (browser, Some(system)) => format!("{browser} on {system}"),
        (browser, None) => browser.to_owned(),
    }
}

fn user_agent() -> String {
    window().and_then(|window| window.navigator().user_agent().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn browsers_have_names() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        assert_eq!(name_of(firefox), "Firefox on Linux");
        let chrome = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                      Chrome/130.0.0.0 Mobile Safari/537.36";
        assert_eq!(name_of(chrome), "Chrome on Android");
        assert_eq!(name_of("curl"), "Browser");
    }
}
