//! Key presses as plain values.

use gloo_events::{EventListener, EventListenerOptions, EventListenerPhase};
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, KeyboardEvent, window};

/// A key press with its modifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Press {
    /// `KeyboardEvent.key`.
    pub key: String,
    /// Control is held.
    pub ctrl: bool,
    /// Shift is held.
    pub shift: bool,
    /// Alt is held.
    pub alt: bool,
    /// Command or Windows is held.
    pub meta: bool,
}

impl From<&KeyboardEvent> for Press {
    fn from(event: &KeyboardEvent) -> Self {
        Self {
            key: event.key(),
            ctrl: event.ctrl_key(),
            shift: event.shift_key(),
            alt: event.alt_key(),
            meta: event.meta_key(),
        }
    }
}

impl Press {
    /// A key without Control, Alt or Command.
    #[must_use]
    pub fn plain(&self) -> bool {
        !self.ctrl && !self.alt && !self.meta
    }
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
