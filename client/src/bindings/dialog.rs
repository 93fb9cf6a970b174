//! The browser's own modal dialog: it holds the focus, closes on Escape and dims the rest.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Event, HtmlDialogElement, HtmlElement, window};

/// Between a menu and what opens it, and between a menu and the page's edge, in CSS pixels.
const GAP: f64 = 4.0;
const MARGIN: f64 = 6.0;

/// Shows `dialog` above the page, from its beginning: the browser scrolls to what gets the focus.
pub fn show(dialog: &HtmlDialogElement) {
    if !dialog.open() {
        // Fails only for an element that is not in the page; then there is nothing to show.
        let _ = dialog.show_modal();
        dialog.set_scroll_top(0);
    }
}

/// Hides `dialog`.
pub fn close(dialog: &HtmlDialogElement) {
    if dialog.open() {
        dialog.close();
    }
}

/// Shows the popover with this id below the end of `anchor`, or above it where there is more room.
pub fn open_at(id: &str, anchor: &HtmlElement) {
    let Some(window) = window() else { return };
    let Some(popover) = by_id(id) else { return };
    // Fails only where it is open already.
    let _ = popover.show_popover();
    let (place, own) = (anchor.get_bounding_client_rect(), popover.get_bounding_client_rect());
    let size = |size: Result<JsValue, JsValue>| size.ok().and_then(|size| size.as_f64());
    let (width, height) = (size(window.inner_width()), size(window.inner_height()));
    let most = |whole: Option<f64>, own: f64| (whole.unwrap_or(own) - own - MARGIN).max(MARGIN);
    let left = (place.right() - own.width()).clamp(MARGIN, most(width, own.width()));
    let below = place.bottom() + GAP;
    let fits = below <= most(height, own.height());
    let top = if fits { below } else { (place.top() - own.height() - GAP).max(MARGIN) };
    // Well-formed, and so never refused. Whole pixels: how fractions are written is much code.
    let _ = popover
        .set_attribute("style", &format!("inset: {}px auto auto {}px", top as i32, left as i32));
}

/// Hides the popover with this id.
pub fn hide(id: &str) {
    if let Some(popover) = by_id(id) {
        // Fails only where it is no popover.
        let _ = popover.hide_popover();
    }
}

/// Whether the popover with this id is open.
#[must_use]
pub fn is_open(id: &str) -> bool {
    by_id(id).is_some_and(|popover| popover.matches(":popover-open").unwrap_or_default())
}

/// Shows the popover with this id, or hides it.
pub fn toggle(id: &str) {
    if let Some(popover) = by_id(id) {
        // Fails only where it is no popover.
        let _ = popover.toggle_popover();
    }
}

/// Whether something happened to the element that listens, and not within it.
#[must_use]
pub fn is_itself(event: &Event) -> bool {
    event.target().is_some() && event.target() == event.current_target()
}

fn by_id(id: &str) -> Option<HtmlElement> {
    window()?.document()?.get_element_by_id(id)?.dyn_into().ok()
}

/// Whether the popover with this id is closed, and no dialog has opened in its place.
#[must_use]
pub fn is_closed(id: &str) -> bool {
    let open = format!("#{id}:popover-open, dialog[open]");
    let document = window().and_then(|window| window.document());
    document.is_some_and(|document| document.query_selector(&open).ok().flatten().is_none())
}
