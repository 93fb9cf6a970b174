//! Detects that the user wants lines from before the first one that the terminal holds. The view's
//! position alone does not show this: ongoing output, or a program that clears the terminal, moves
//! the view there too.

use gloo_events::{EventListener, EventListenerOptions, EventListenerPhase};
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, HtmlElement, WheelEvent};

use super::xterm::Terminal;

/// Listens to wheels and to the scroll bar of a terminal until dropped.
pub(super) struct Overscroll {
    _listeners: [EventListener; 2],
}

impl Overscroll {
    /// Calls `wanted` when a wheel turns up at the first line, and when the scroll bar is released
    /// there. Does nothing while a program takes the mouse.
    pub(super) fn new(
        terminal: &Terminal,
        place: &HtmlElement,
        wanted: impl Fn() + Clone + 'static,
    ) -> Self {
        // The terminal stops events that it scrolls by, so these listeners capture them first.
        let options = EventListenerOptions { phase: EventListenerPhase::Capture, passive: true };
        let listen = |kind: &'static str, is_up: fn(&Event) -> bool| {
            let (terminal, wanted) = (terminal.clone(), wanted.clone());
            EventListener::new_with_options(place, kind, options, move |event| {
                let is_ours = terminal.modes().mouse_tracking_mode() == "none";
                if is_ours && is_up(event) && is_at_top(&terminal) {
                    wanted();
                }
            })
        };
        Self { _listeners: [listen("wheel", turns_up), listen("pointerup", leaves_scroll_bar)] }
    }
}

/// True if the view shows the first line of the scrollback. False without scrollback.
pub(super) fn is_at_top(terminal: &Terminal) -> bool {
    let buffer = terminal.buffer().active();
    buffer.viewport_y() == 0 && buffer.base_y() > 0
}

fn turns_up(event: &Event) -> bool {
    event.dyn_ref::<WheelEvent>().is_some_and(|wheel| wheel.delta_y() < 0.0)
}

fn leaves_scroll_bar(event: &Event) -> bool {
    let element = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    element.is_some_and(|element| element.closest(".scrollbar").ok().flatten().is_some())
}
