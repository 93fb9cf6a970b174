//! Search in the terminal, with an addon of xterm.js that is loaded for the first search.

use std::rc::Rc;

use js_sys::{Function, Object, Reflect};
use wasm_bindgen::prelude::*;

use super::options::search_options;
use super::part::{self, LoadError};
use super::screen_event::ScreenEvent;
use super::xterm::{Disposable, Terminal, construct};

/// The loaded code of the search addon.
#[derive(Debug, Clone)]
pub struct SearchCode(Function);

impl SearchCode {
    /// Loads the code. Later calls return it at once.
    ///
    /// # Errors
    /// [`LoadError`]; a later call may succeed.
    pub async fn load() -> Result<Self, LoadError> {
        part::SEARCH.load().await.map(|module| Self::from_module(&module))
    }

    /// Takes the code from a module that was loaded by other means.
    #[must_use]
    pub fn from_module(module: &JsValue) -> Self {
        let class = Reflect::get(module, &"SearchAddon".into()).unwrap_or_default();
        Self(class.unchecked_into())
    }
}

/// The search of one terminal.
pub(super) struct Search {
    addon: SearchAddon,
    _results: Disposable,
    _told: Closure<dyn FnMut(SearchResults)>,
}

impl Search {
    /// Attaches a search to a terminal. `happened` receives its matches.
    pub(super) fn attach(
        code: &SearchCode,
        terminal: &Terminal,
        happened: Rc<dyn Fn(ScreenEvent)>,
    ) -> Self {
        let addon: SearchAddon = construct(&code.0, &[]);
        terminal.load_addon(&addon);
        let told = Closure::<dyn FnMut(SearchResults)>::new(move |results: SearchResults| {
            let index = u32::try_from(results.result_index()).ok();
            happened(ScreenEvent::Matches { index, count: results.result_count() });
        });
        let results = addon.on_did_change_results(&told);
        Self { addon, _results: results, _told: told }
    }

    /// Finds and shows the next or previous match of `text`.
    pub(super) fn find(&self, text: &str, forwards: bool, incremental: bool) {
        let options = search_options(incremental);
        if forwards {
            self.addon.find_next(text, &options);
        } else {
            self.addon.find_previous(text, &options);
        }
    }

    /// Removes the marks of all matches.
    pub(super) fn clear(&self) {
        self.addon.clear_decorations();
    }
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(extends = Object)]
    type SearchAddon;
    #[wasm_bindgen(method, js_name = findNext)]
    fn find_next(this: &SearchAddon, text: &str, options: &Object) -> bool;
    #[wasm_bindgen(method, js_name = findPrevious)]
    fn find_previous(this: &SearchAddon, text: &str, options: &Object) -> bool;
    #[wasm_bindgen(method, js_name = clearDecorations)]
    fn clear_decorations(this: &SearchAddon);
    #[wasm_bindgen(method, js_name = onDidChangeResults)]
    fn on_did_change_results(
        this: &SearchAddon,
        f: &Closure<dyn FnMut(SearchResults)>,
    ) -> Disposable;

    type SearchResults;
    #[wasm_bindgen(method, getter, js_name = resultIndex)]
    fn result_index(this: &SearchResults) -> i32;
    #[wasm_bindgen(method, getter, js_name = resultCount)]
    fn result_count(this: &SearchResults) -> u32;
}
