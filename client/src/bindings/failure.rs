//! The message over a page whose code has panicked.

use wasm_bindgen::prelude::*;

/// Has every panic shown over the page and written to the console. Call it before anything else.
///
/// The message is drawn by `boot.js`: after a panic, this code must not be called any more.
pub fn show_panics() {
    std::panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        // Fails only in tests, whose page is without `boot.js`.
        let _ = show(&panic.to_string());
    }));
}

#[wasm_bindgen]
extern "C" {
    /// Shows the message with this error. Later calls do nothing.
    #[wasm_bindgen(catch, js_name = moorlineFailed)]
    fn show(error: &str) -> Result<(), JsValue>;
}
