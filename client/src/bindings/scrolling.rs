//! Places in a part of the page that scrolls.

use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement};

/// The distance from the beginning, in CSS pixels, up to which more of the past is needed.
const NEAR_START_PX: i32 = 600;

/// Returns true if the end of `element`'s content is in view.
#[must_use]
pub fn is_at_end(element: &HtmlElement) -> bool {
    // Heights are rounded.
    from_end(element) <= 2
}

/// Returns the distance of the view from the beginning of the content, in CSS pixels.
#[must_use]
pub fn top(element: &HtmlElement) -> i32 {
    element.scroll_top()
}

/// Returns true if the end of `element`'s content is almost in view.
#[must_use]
pub fn is_near_end(element: &HtmlElement) -> bool {
    from_end(element) <= NEAR_START_PX
}

/// Returns true if the beginning of `element`'s content is almost in view.
#[must_use]
pub fn is_near_start(element: &HtmlElement) -> bool {
    // What is not drawn has no height, and no beginning in view.
    element.client_height() > 0 && element.scroll_top() <= NEAR_START_PX
}

/// Returns the distance of the view from the end of the content, in CSS pixels.
#[must_use]
fn from_end(element: &HtmlElement) -> i32 {
    element.scroll_height() - element.scroll_top() - element.client_height()
}

/// A row and its place in the view, to keep it there while rows are added or removed above.
#[derive(Debug, Clone)]
pub struct ScrollAnchor {
    row: Element,
    top: f64,
}

impl ScrollAnchor {
    /// Returns the first row in view: an element with `data-row`. `None` if there is none.
    #[must_use]
    pub fn of(view: &HtmlElement) -> Option<Self> {
        let edge = view.get_bounding_client_rect().top();
        let rows = view.query_selector_all("[data-row]").ok()?;
        let row = |at| rows.item(at)?.dyn_into::<Element>().ok();
        // Rows follow each other, so the first one is found by halves.
        let (mut first, mut end) = (0, rows.length());
        while first < end {
            let middle = first + (end - first) / 2;
            if row(middle)?.get_bounding_client_rect().bottom() <= edge {
                first = middle + 1;
            } else {
                end = middle;
            }
        }
        let row = row(first)?;
        let top = row.get_bounding_client_rect().top();
        Some(Self { row, top })
    }

    /// Scrolls so that the row is where it was.
    pub fn restore(&self, view: &HtmlElement) {
        let moved = self.row.get_bounding_client_rect().top() - self.top;
        if self.row.is_connected() && moved != 0.0 {
            view.set_scroll_top(view.scroll_top() + moved.round() as i32);
        }
    }
}

/// Scrolls to the end.
pub fn to_end(element: &HtmlElement) {
    element.set_scroll_top(element.scroll_height());
}

/// Scrolls `element`, and nothing around it, so that the first descendant that matches `selector` is
/// in view.
pub fn to_descendant(element: &HtmlElement, selector: &str) {
    let found = element.query_selector(selector).ok().flatten();
    let Some(wanted) = found.map(|wanted| wanted.get_bounding_client_rect()) else { return };
    let own = element.get_bounding_client_rect();
    let below = (wanted.bottom() - own.bottom()).max(0.0);
    let above = (wanted.top() - own.top()).min(0.0);
    element.set_scroll_top(element.scroll_top() + (below + above).round() as i32);
}

/// Scrolls `element` and everything around it, by as little as possible, so that the first descendant
/// that matches `selector` is in view.
pub fn show_descendant(element: &HtmlElement, selector: &str) {
    if let Some(wanted) = element.query_selector(selector).ok().flatten() {
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Nearest);
        options.set_inline(web_sys::ScrollLogicalPosition::Nearest);
        wanted.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

/// Returns the first element in `element`.
#[must_use]
pub fn first_child(element: &HtmlElement) -> Option<HtmlElement> {
    element.first_element_child()?.dyn_into().ok()
}

/// Makes `field` as high as its text, within what its style allows.
pub fn fit_height(field: &HtmlElement) {
    let style = field.style();
    // The property is known.
    let _ = style.set_property("height", "auto");
    let _ = style.set_property("height", &format!("{}px", field.scroll_height() + 2));
}

/// Returns the height of the view, in CSS pixels.
#[must_use]
pub fn height(element: &HtmlElement) -> i32 {
    element.client_height()
}

/// Scrolls so that `top` CSS pixels of the content are above the view.
pub fn to(element: &HtmlElement, top: i32) {
    element.set_scroll_top(top);
}
