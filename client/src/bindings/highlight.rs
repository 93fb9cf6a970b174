//! Colours for code: highlight.js, which is loaded when code is first shown.

use js_sys::{Object, Reflect};
use wasm_bindgen::prelude::*;

use super::options::set;
use super::part::{self, LoadError};

/// The loaded highlighter.
#[derive(Debug, Clone)]
pub struct Highlighter(HighlightCode);

impl Highlighter {
    /// Loads the code. Later calls return it at once.
    ///
    /// # Errors
    /// [`LoadError`]; a later call may succeed.
    pub async fn load() -> Result<Self, LoadError> {
        part::HIGHLIGHT.load().await.map(|module| Self::from_module(&module))
    }

    /// Takes the code from a module that was loaded by other means.
    #[must_use]
    pub fn from_module(module: &JsValue) -> Self {
        let code = Reflect::get(module, &"highlighter".into()).unwrap_or_default();
        Self(code.unchecked_into())
    }

    /// Returns a text in this language as HTML: the text, escaped, in `span`s with a class that begins
    /// with `hljs-`. `None` if the language is not known.
    #[must_use]
    pub fn html(&self, language: &str, text: &str) -> Option<String> {
        if self.0.get_language(language).is_undefined() {
            return None;
        }
        let options = Object::new();
        set(&options, "language", &language.into());
        set(&options, "ignoreIllegals", &true.into());
        self.0.highlight(text, &options).ok().map(|result| result.value())
    }
}

#[wasm_bindgen]
extern "C" {
    #[derive(Debug, Clone)]
    type HighlightCode;
    #[wasm_bindgen(method, js_name = getLanguage)]
    fn get_language(this: &HighlightCode, name: &str) -> JsValue;
    #[wasm_bindgen(method, catch)]
    fn highlight(
        this: &HighlightCode,
        text: &str,
        options: &Object,
    ) -> Result<HighlightResult, JsValue>;

    type HighlightResult;
    #[wasm_bindgen(method, getter)]
    fn value(this: &HighlightResult) -> String;
}
