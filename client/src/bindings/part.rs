//! Parts of the page's code that are loaded on demand. Each is a JavaScript module beside the page,
//! with its content's hash in its name. `build.rs` generates them.

use std::cell::{Cell, RefCell};

use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// A part of the page's code that is loaded on demand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// The name that the user sees in an error.
    name: &'static str,
    /// Its address, relative to the script that loads it.
    address: &'static str,
}

/// xterm.js and the addons that every terminal needs.
pub(super) const EMULATOR: Part =
    Part { name: "terminal", address: concat!("./", env!("XTERM_MODULE")) };
/// The addon for search in a terminal.
pub(super) const SEARCH: Part =
    Part { name: "search", address: concat!("./", env!("SEARCH_MODULE")) };
/// The colours of code.
pub(super) const HIGHLIGHT: Part =
    Part { name: "code's colours", address: concat!("./", env!("HIGHLIGHT_MODULE")) };

/// The editor of files.
pub(super) const EDITOR: Part =
    Part { name: "editor", address: concat!("./", env!("EDITOR_MODULE")) };
/// The script for files, and the style of their page.
pub(super) const FILES: Part = Part { name: "page", address: concat!("./", env!("FILES_MODULE")) };

/// The style of the pages of tmux.
const TMUX_STYLE: Part = Part { name: "page", address: concat!("./", env!("TMUX_STYLE_MODULE")) };

/// The style of the dialog of pod templates.
const PODS_STYLE: Part = Part { name: "page", address: concat!("./", env!("PODS_STYLE_MODULE")) };

/// Adds the style of the dialog of pod templates to the page, once.
///
/// # Errors
/// [`LoadError`]; a later call may succeed.
pub async fn load_pods_style() -> Result<(), LoadError> {
    PODS_STYLE.load().await.map(drop)
}

/// Adds the style of the pages of tmux to the page, once.
///
/// # Errors
/// [`LoadError`]; a later call may succeed.
pub async fn load_tmux_style() -> Result<(), LoadError> {
    TMUX_STYLE.load().await.map(drop)
}

/// A part of the page did not load: the network is down, or the relay has another version by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The {0} did not load.")]
pub struct LoadError(&'static str);

thread_local! {
    /// The loaded modules, by address.
    static LOADED: RefCell<Vec<(&'static str, JsValue)>> = const { RefCell::new(Vec::new()) };
    /// The number of loads that failed.
    static FAILURES: Cell<u32> = const { Cell::new(0) };
}

impl LoadError {
    /// Creates the error for a part of this name.
    #[must_use]
    pub const fn new(part: &'static str) -> Self {
        Self(part)
    }
}

impl Part {
    /// Loads the module. Later calls return the loaded one. After a failure, the next call tries
    /// again.
    pub(super) async fn load(self) -> Result<JsValue, LoadError> {
        let loaded = LOADED.with_borrow(|loaded| {
            let mut all = loaded.iter();
            all.find(|(address, _)| *address == self.address).map(|(_, module)| module.clone())
        });
        if let Some(module) = loaded {
            return Ok(module);
        }
        // Browsers remember a failed import by its address and never retry it, so a retry needs
        // another address.
        let address = match FAILURES.get() {
            0 => self.address.to_owned(),
            failures => format!("{}?{failures}", self.address),
        };
        match JsFuture::from(import(&address)).await {
            Ok(module) => {
                LOADED.with_borrow_mut(|loaded| loaded.push((self.address, module.clone())));
                Ok(module)
            }
            Err(_) => {
                FAILURES.set(FAILURES.get() + 1);
                Err(LoadError(self.name))
            }
        }
    }
}

#[wasm_bindgen]
extern "C" {
    /// The browser's own `import()`.
    pub(super) fn import(module: &str) -> Promise;
}
