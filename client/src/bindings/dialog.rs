//! The browser's own modal dialog: it holds the focus, closes on Escape and dims the rest.

use web_sys::{HtmlDialogElement, window};

/// Shows `dialog` above the page.
pub fn show(dialog: &HtmlDialogElement) {
    if !dialog.open() {
        // Fails only for an element that is not in the page; then there is nothing to show.
        let _ = dialog.show_modal();
    }
}

/// Hides `dialog`.
pub fn close(dialog: &HtmlDialogElement) {
    if dialog.open() {
        dialog.close();
    }
}

/// Whether the popover with this id is closed, and no dialog has opened in its place.
#[must_use]
pub fn is_closed(id: &str) -> bool {
    let open = format!("#{id}:popover-open, dialog[open]");
    let document = window().and_then(|window| window.document());
    document.is_some_and(|document| document.query_selector(&open).ok().flatten().is_none())
}
