//! The system clipboard, if the browser allows access to it.

use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Clipboard, Element, MouseEvent, window};

fn clipboard() -> Option<Clipboard> {
    let navigator = window()?.navigator();
    // Insecure pages have no clipboard, although web-sys types it as always present.
    let value = js_sys::Reflect::get(&navigator, &"clipboard".into()).ok()?;
    (!value.is_undefined() && !value.is_null()).then(|| navigator.clipboard())
}

/// Returns true if this page may use the clipboard at all.
#[must_use]
pub fn available() -> bool {
    clipboard().is_some()
}

/// Returns true if the user has just clicked or pressed a key on this page, which some browsers require for a copy and
/// others do not. True if the browser cannot tell: it then asks for the same itself.
#[must_use]
pub fn is_in_use() -> bool {
    let get = |object: &JsValue, key: &str| js_sys::Reflect::get(object, &key.into()).ok();
    let activation = window().and_then(|window| get(&window.navigator(), "userActivation"));
    activation.and_then(|it| get(&it, "isActive")).and_then(|it| it.as_bool()).unwrap_or(true)
}

/// Writes `text` to the clipboard. Returns true if that succeeded.
pub async fn write(text: &str) -> bool {
    match clipboard() {
        Some(clipboard) => JsFuture::from(clipboard.write_text(text)).await.is_ok(),
        None => false,
    }
}

/// Returns the clipboard's text, or `None` if reading it is not allowed.
pub async fn read() -> Option<String> {
    JsFuture::from(clipboard()?.read_text()).await.ok()?.as_string()
}

/// A text that is to be copied, and the button that was pressed for it.
pub struct CopyPress {
    /// The text to copy, without colours.
    pub text: String,
    button: Element,
}

impl CopyPress {
    /// Says on the button that the text is copied.
    pub fn confirm(&self) {
        self.button.set_text_content(Some("Copied"));
    }
}

/// Returns the text of the element after the pressed button, if that has the attribute `data-copy`.
#[must_use]
pub fn pressed(event: &MouseEvent) -> Option<CopyPress> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    let button = target.closest("[data-copy]").ok()??;
    let text = button.next_element_sibling()?.text_content()?;
    Some(CopyPress { text, button })
}
