//! A text field: the text before its caret, and the list that completes it.

use std::rc::Rc;

use gloo_events::{EventListener, EventListenerOptions, EventListenerPhase};
use wasm_bindgen::JsCast;
use web_sys::{ClipboardEvent, Event, HtmlTextAreaElement, KeyboardEvent};

/// A field of several lines of text.
pub type TextField = HtmlTextAreaElement;

/// Something that the user does in a field.
#[derive(Debug)]
pub enum FieldEvent<'a> {
    /// A key is pressed.
    Key(&'a KeyboardEvent),
    /// The user pastes text, images or files.
    Paste(&'a ClipboardEvent),
    /// The text or the caret has changed.
    Changed,
    /// The field has lost the focus.
    Left,
}

/// Listens to a field until dropped.
#[must_use = "dropping it stops listening"]
pub struct FieldWatch {
    _listeners: Vec<EventListener>,
}

/// Moves the focus to a field at the next animation frame, and the caret to the end of its text.
pub fn focus_end_soon(field: TextField) {
    leptos::prelude::request_animation_frame(move || {
        // Both fail only for a field that is not in the page.
        let _ = field.focus();
        let end = field.value().encode_utf16().count() as u32;
        let _ = field.set_selection_range(end, end);
    });
}

/// Calls `happened` for each event of a field, before the handlers of the page. If it returns true,
/// they do not get it, and neither does the browser.
pub fn watch(field: &TextField, happened: impl Fn(FieldEvent<'_>) -> bool + 'static) -> FieldWatch {
    let happened: Rc<dyn Fn(FieldEvent<'_>) -> bool> = Rc::new(happened);
    let listen = |kind: &'static str| {
        let happened = Rc::clone(&happened);
        let heard = move |event: &Event| {
            let is_used = match kind {
                "keydown" => event.dyn_ref().is_some_and(|key| happened(FieldEvent::Key(key))),
                "paste" => event.dyn_ref().is_some_and(|paste| happened(FieldEvent::Paste(paste))),
                "blur" => happened(FieldEvent::Left),
                // Other keys have changed the text, if anything.
                "keyup" if !event.dyn_ref().is_some_and(moves_caret) => false,
                _ => happened(FieldEvent::Changed),
            };
            if is_used {
                event.prevent_default();
                event.stop_immediate_propagation();
            }
        };
        let options = EventListenerOptions { phase: EventListenerPhase::Capture, passive: false };
        EventListener::new_with_options(field, kind, options, heard)
    };
    let kinds = ["keydown", "paste", "blur", "input", "click", "keyup"];
    FieldWatch { _listeners: kinds.into_iter().map(listen).collect() }
}

fn moves_caret(event: &KeyboardEvent) -> bool {
    matches!(&*event.key(), "ArrowLeft" | "ArrowRight" | "Home" | "End")
}

/// Returns the text before the caret; all of it if the browser does not tell the place.
#[must_use]
pub fn before_caret(field: &TextField) -> String {
    let text = field.value();
    match field.selection_start() {
        // The browser counts in UTF-16.
        Ok(Some(place)) => {
            let before: Vec<u16> = text.encode_utf16().take(place as usize).collect();
            String::from_utf16_lossy(&before)
        }
        _ => text,
    }
}

/// Replaces `begun`, the last characters before the caret, by `whole`, and puts the caret behind.
pub fn complete(field: &TextField, begun: &str, whole: &str) {
    let Ok(Some(end)) = field.selection_start() else { return };
    let start = end.saturating_sub(begun.encode_utf16().count() as u32);
    // Fails only for places that are not in the text.
    let _ = field.set_range_text_with_start_and_end_and_mode(whole, start, end, "end");
}

/// Tells screen readers that the list with the id `list` completes the field, and the id of its
/// chosen `entry`; or that it does not, without an entry.
pub fn set_list(field: &TextField, list: &str, entry: Option<&str>) {
    let attributes = match entry {
        Some(entry) => [Some("combobox"), Some("true"), Some(list), Some(entry)],
        None => [None; 4],
    };
    let names = ["role", "aria-expanded", "aria-controls", "aria-activedescendant"];
    for (name, value) in names.into_iter().zip(attributes) {
        // Cannot fail: the names are well-formed constants.
        let _ = match value {
            Some(value) => field.set_attribute(name, value),
            None => field.remove_attribute(name),
        };
    }
}
