//! The browser's own modal dialog: it holds the focus, closes on Escape and dims the rest.

use web_sys::HtmlDialogElement;

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
