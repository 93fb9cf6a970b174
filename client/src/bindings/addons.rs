//! Addons of the terminal emulator that depend on the page.

use js_sys::{Object, Promise};
use wasm_bindgen::prelude::*;

use super::xterm::{ClipboardProvider, EmulatorCode, Terminal};

/// Makes URLs in the output clickable. They open in a new tab.
pub(super) fn load_links(
    emulator: &EmulatorCode,
    terminal: &Terminal,
    closures: &mut Vec<Box<dyn std::any::Any>>,
) {
    let activate = Closure::<dyn FnMut(JsValue, String)>::new(|_, address: String| {
        super::page::open_tab(&address);
    });
    terminal.load_addon(&emulator.web_links(&activate));
    closures.push(Box::new(activate));
}

/// Lets programs write to the clipboard with OSC 52, but only right after the user has clicked or pressed
/// a key on this page. A session that is only watched must not replace what was copied elsewhere. Reads
/// never get here: see [`super::queries`].
/// The terminal does not wait for the browser, which may ask the user for permission first.
pub(super) fn load_clipboard(
    emulator: &EmulatorCode,
    terminal: &Terminal,
    closures: &mut Vec<Box<dyn std::any::Any>>,
) {
    let provider = Object::new().unchecked_into::<ClipboardProvider>();
    let read =
        Closure::<dyn FnMut(JsValue) -> Promise>::new(|_| Promise::resolve(&JsValue::from_str("")));
    let write = Closure::<dyn FnMut(JsValue, String) -> Promise>::new(|_, text: String| {
        if super::clipboard::is_in_use() {
            wasm_bindgen_futures::spawn_local(async move {
                // A refusal by the browser cannot be reported to the program.
                super::clipboard::write(&text).await;
            });
        }
        Promise::resolve(&JsValue::UNDEFINED)
    });
    provider.set_read_text(&read);
    provider.set_write_text(&write);
    terminal.load_addon(&emulator.clipboard(&provider));
    closures.extend([Box::new(read) as Box<dyn std::any::Any>, Box::new(write)]);
}
