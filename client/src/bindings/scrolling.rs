//! Places in a part of the page that scrolls.

use web_sys::HtmlElement;

/// The distance from the end, in CSS pixels, up to which a place counts as the end.
const NEAR_END_PX: i32 = 48;
/// The distance from the beginning, in CSS pixels, up to which more of the past is needed.
const NEAR_START_PX: i32 = 600;

/// Returns true if the end of `element`'s content is in view.
#[must_use]
pub fn is_at_end(element: &HtmlElement) -> bool {
    from_end(element) <= NEAR_END_PX
}

/// Returns true if the beginning of `element`'s content is almost in view.
#[must_use]
pub fn is_near_start(element: &HtmlElement) -> bool {
    element.scroll_top() <= NEAR_START_PX
}

/// Returns the distance of the view from the end of the content, in CSS pixels.
#[must_use]
pub fn from_end(element: &HtmlElement) -> i32 {
    element.scroll_height() - element.scroll_top() - element.client_height()
}

/// Scrolls to a distance from the end, in CSS pixels.
pub fn to_distance(element: &HtmlElement, from_end: i32) {
    let most = element.scroll_height() - element.client_height();
    element.set_scroll_top(most - from_end);
}

/// Scrolls to the end.
pub fn to_end(element: &HtmlElement) {
    to_distance(element, 0);
}

/// Makes `field` as high as its text, within what its style allows.
pub fn fit_height(field: &HtmlElement) {
    let style = field.style();
    // The property is known.
    let _ = style.set_property("height", "auto");
    let _ = style.set_property("height", &format!("{}px", field.scroll_height() + 2));
}
