//! Parts of the page's code that are loaded on demand: each is a JavaScript module beside the page,
//! with its content's hash in its name. `build.rs` makes them.

use std::cell::{Cell, RefCell};

use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// A part of the page's code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// What the user knows it as.
    name: &'static str,
    /// Its address, seen from the script that loads it.
    address: &'static str,
}

/// xterm.js, with what every terminal needs.
pub(super) const EMULATOR: Part =
    Part { name: "terminal", address: concat!("./", env!("XTERM_MODULE")) };
/// What a terminal needs for a search.
pub(super) const SEARCH: Part =
    Part { name: "search", address: concat!("./", env!("SEARCH_MODULE")) };

/// A part of the page did not come: the network is down, or the relay has another version by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The {0} did not load.")]
pub struct LoadError(&'static str);

thread_local! {
    /// Those that are there, by address.
    static LOADED: RefCell<Vec<(&'static str, JsValue)>> = const { RefCell::new(Vec::new()) };
    /// How often one did not come.
    static FAILURES: Cell<u32> = const { Cell::new(0) };
}

impl Part {
    /// Loads the module. From the second time on it is there already; one that did not come is
    /// asked for again.
    pub(super) async fn load(self) -> Result<JsValue, LoadError> {
        let loaded = LOADED.with_borrow(|loaded| {
            let mut all = loaded.iter();
            all.find(|(address, _)| *address == self.address).map(|(_, module)| module.clone())
        });
        if let Some(module) = loaded {
            return Ok(module);
        }
        // Browsers remember of an address that its module did not come, and never ask again.
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
    fn import(module: &str) -> Promise;
}
