//! Key presses as plain values.

use gloo_events::{EventListener, EventListenerOptions, EventListenerPhase};
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, KeyboardEvent, window};

/// What happens to a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// It goes down.
    #[default]
    Press,
    /// It is held.
    Repeat,
    /// It goes up.
    Release,
}

/// A key with its modifiers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Press {
    /// `KeyboardEvent.key`.
    pub key: String,
    /// `KeyboardEvent.code`: its place on a US layout. Soft keyboards have none.
    pub code: String,
    /// What happens to it.
    pub kind: KeyKind,
    /// It is on the number pad.
    pub keypad: bool,
    /// Control is held.
    pub ctrl: bool,
    /// Shift is held.
    pub shift: bool,
    /// Alt is held.
    pub alt: bool,
    /// Command or Windows is held.
    pub meta: bool,
    /// The layout's third level is held: its key produces text.
    pub alt_graph: bool,
    /// Caps Lock is on.
    pub caps_lock: bool,
    /// Num Lock is on.
    pub num_lock: bool,
    /// A method of input composes text from it.
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
        // Option makes text on Apple's keyboards.
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
    /// A key without Control, Alt or Command.
    #[must_use]
    pub fn plain(&self) -> bool {
        !self.ctrl && !self.alt && !self.meta
    }

    /// The key, for shortcuts: where the layout has another script's character there, the one of a US
    /// layout at that place.
    #[must_use]
    pub fn latin(&self) -> String {
        let is_foreign = !self.key.is_ascii() && self.key.chars().count() == 1;
        let place = place(&self.code).filter(|_| is_foreign);
        let latin = place.map(|(plain, shifted)| if self.shift { shifted } else { plain });
        latin.map_or_else(|| self.key.clone(), String::from)
    }
}

/// What a US layout has at a place, plain and with Shift.
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

fn is_typing(event: &Event) -> bool {
    let element = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    element.is_some_and(|element| {
        element
            .closest("input:not([type=checkbox]), textarea, select, dialog[open], :popover-open")
            .ok()
            .flatten()
            .is_some()
    })
}

/// Hears keys of the whole page while it lives.
#[must_use = "dropping it stops listening"]
pub struct Keys {
    _listener: Option<EventListener>,
}

/// Calls `pressed` for every key that is pressed outside of text fields, dialogs and menus; where it
/// answers true the key is taken.
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

/// Calls `pressed` for every key before anything else of the page hears of it; where it answers true
/// nothing else does.
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

/// Whether shortcuts use Command here.
#[must_use]
pub fn is_apple() -> bool {
    let agent = user_agent();
    agent.contains("Mac OS X") || agent.contains("iPhone")
}

/// Whether this is Firefox, which keeps other keys for itself.
#[must_use]
pub fn is_firefox() -> bool {
    user_agent().contains("Firefox/")
}

fn user_agent() -> String {
    window().and_then(|window| window.navigator().user_agent().ok()).unwrap_or_default()
}
