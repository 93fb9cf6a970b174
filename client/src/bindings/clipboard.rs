//! The system's clipboard, where the browser allows it.

use wasm_bindgen_futures::JsFuture;
use web_sys::{Clipboard, window};

fn clipboard() -> Option<Clipboard> {
    let navigator = window()?.navigator();
    // Pages that are not served securely have none, whatever the types say.
    let value = js_sys::Reflect::get(&navigator, &"clipboard".into()).ok()?;
    (!value.is_undefined() && !value.is_null()).then(|| navigator.clipboard())
}

/// Whether this page may use the clipboard at all.
#[must_use]
pub fn available() -> bool {
    clipboard().is_some()
}

/// Puts `text` on the clipboard and tells whether that worked.
pub async fn write(text: &str) -> bool {
    match clipboard() {
        Some(clipboard) => JsFuture::from(clipboard.write_text(text)).await.is_ok(),
        None => false,
    }
}

/// The clipboard's text; `None` where reading is not allowed.
pub async fn read() -> Option<String> {
    JsFuture::from(clipboard()?.read_text()).await.ok()?.as_string()
}
