//! Images that the browser cannot show.

use gloo_events::{EventListener, EventListenerOptions, EventListenerPhase};
use wasm_bindgen::JsCast as _;
use web_sys::{HtmlElement, HtmlImageElement};

/// Replaces broken images until dropped.
#[must_use = "dropping it stops watching"]
pub struct BrokenImages {
    _listener: EventListener,
}

/// Replaces each image in the `.prose` of `view` that cannot be shown by a sentence that says so.
pub fn watch(view: &HtmlElement) -> BrokenImages {
    // These events do not bubble.
    let options = EventListenerOptions { phase: EventListenerPhase::Capture, passive: true };
    let failed = |event: &web_sys::Event| {
        let target = event.target().and_then(|target| target.dyn_into::<HtmlImageElement>().ok());
        let Some(image) = target.filter(|image| image.closest(".prose").ok().flatten().is_some())
        else {
            return;
        };
        let Some(note) = image.owner_document().and_then(|it| it.create_element("span").ok())
        else {
            return;
        };
        note.set_class_name("row-note");
        note.set_text_content(Some(&format!("{} cannot be shown.", image.alt())));
        // Fails only for an image that has left the page.
        let _ = image.replace_with_with_node_1(&note);
    };
    let listener = EventListener::new_with_options(view, "error", options, failed);
    BrokenImages { _listener: listener }
}
