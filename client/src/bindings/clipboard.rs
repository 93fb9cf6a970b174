//! The system clipboard, if the browser allows access to it.

use wasm_bindgen_futures::JsFuture;
use web_sys::{Clipboard, window};

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
