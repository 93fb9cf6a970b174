//! The browser's own modal dialog: it holds the focus, closes on Escape and dims the rest.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Event, HtmlDialogElement, HtmlElement, window};

/// Gap between a menu and its anchor, and margin to the page's edge, in CSS pixels.
const GAP: f64 = 4.0;
const MARGIN: f64 = 6.0;

/// Shows `dialog` as a modal, scrolled to its top: the browser scrolls to the element that gets the
/// focus.
pub fn show(dialog: &HtmlDialogElement) {
    if !dialog.open() {
        // Fails only for an element that is not in the page; then there is nothing to show.
        let _ = dialog.show_modal();
        dialog.set_scroll_top(0);
    }
}

/// Closes `dialog` if it is open.
pub fn close(dialog: &HtmlDialogElement) {
    if dialog.open() {
        dialog.close();
    }
}

/// Shows the popover with this id below `anchor`, aligned to its right edge, or above `anchor` if
/// it does not fit below.
pub fn open_at(id: &str, anchor: &HtmlElement) {
    let Some(window) = window() else { return };
    let Some(popover) = by_id(id) else { return };
    // Fails only if it is already open.
    let _ = popover.show_popover();
    let (place, own) = (anchor.get_bounding_client_rect(), popover.get_bounding_client_rect());
    let size = |size: Result<JsValue, JsValue>| size.ok().and_then(|size| size.as_f64());
    let (width, height) = (size(window.inner_width()), size(window.inner_height()));
    let most = |whole: Option<f64>, own: f64| (whole.unwrap_or(own) - own - MARGIN).max(MARGIN);
    let left = (place.right() - own.width()).clamp(MARGIN, most(width, own.width()));
    let below = place.bottom() + GAP;
    let fits = below <= most(height, own.height());
    let top = if fits { below } else { (place.top() - own.height() - GAP).max(MARGIN) };
    // The value is well-formed, so this cannot fail. Whole pixels keep float formatting out of the
    // binary.
    let _ = popover
        .set_attribute("style", &format!("inset: {}px auto auto {}px", top as i32, left as i32));
}

/// Hides the popover with this id.
pub fn hide(id: &str) {
    if let Some(popover) = by_id(id) {
        // Fails only if the element is not a popover.
        let _ = popover.hide_popover();
    }
}

/// Returns true if the popover with this id is open.
#[must_use]
pub fn is_open(id: &str) -> bool {
    by_id(id).is_some_and(|popover| popover.matches(":popover-open").unwrap_or_default())
}

/// Shows the popover with this id, or hides it.
pub fn toggle(id: &str) {
    if let Some(popover) = by_id(id) {
        // Fails only if the element is not a popover.
        let _ = popover.toggle_popover();
    }
}

/// Returns true if the event's target is the listening element itself and not a descendant.
#[must_use]
pub fn is_itself(event: &Event) -> bool {
    event.target().is_some() && event.target() == event.current_target()
}

fn by_id(id: &str) -> Option<HtmlElement> {
    window()?.document()?.get_element_by_id(id)?.dyn_into().ok()
}

/// Returns true if the popover with this id is closed and no dialog is open.
#[must_use]
pub fn is_closed(id: &str) -> bool {
    let open = format!("#{id}:popover-open, dialog[open]");
    let document = window().and_then(|window| window.document());
    document.is_some_and(|document| document.query_selector(&open).ok().flatten().is_none())
}

/// Returns true if the `details` element that reports a `toggle` is open.
#[must_use]
pub fn is_unfolded(event: &Event) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    target.is_some_and(|target| target.has_attribute("open"))
}
