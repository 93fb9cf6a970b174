//! The editor of texts: CodeMirror, which is loaded when a text is first opened.

use js_sys::Object;
use wasm_bindgen::prelude::*;
use web_sys::HtmlElement;

use super::options::set;
use super::part::{self, LoadError};

/// The script of the editor, once it is loaded.
#[derive(Debug, Clone)]
pub struct EditorCode(EditorModule);

/// A text to edit, and how the editor presents it.
#[derive(Debug, Clone, Copy)]
pub struct EditorText<'a> {
    /// The path of its file, which tells its language.
    pub path: &'a str,
    /// The text that is edited.
    pub text: &'a str,
    /// The label for screen readers.
    pub label: &'a str,
    /// True if it cannot be changed.
    pub read_only: bool,
}

/// Another version, with which a text is compared.
#[derive(Debug, Clone, Copy)]
pub struct OtherText<'a> {
    /// The text of the other version.
    pub text: &'a str,
    /// The label for screen readers.
    pub label: &'a str,
    /// True to show both side by side.
    pub beside: bool,
}

/// An editor in the page, until it is dropped.
#[must_use = "dropping it removes the editor"]
pub struct TextEditor {
    view: EditorView,
    _closures: [Closure<dyn FnMut()>; 2],
}

impl EditorCode {
    /// Loads the code. Later calls return it at once.
    ///
    /// # Errors
    /// [`LoadError`]; a later call may succeed.
    pub async fn load() -> Result<Self, LoadError> {
        Ok(Self(part::EDITOR.load().await?.unchecked_into()))
    }

    /// Opens an editor in `place`. Calls `changed` whenever somebody has typed, and `save` when somebody
    /// presses the keys for that.
    pub fn open(
        &self,
        place: &HtmlElement,
        text: EditorText<'_>,
        changed: impl FnMut() + 'static,
        save: impl FnMut() + 'static,
    ) -> TextEditor {
        let (options, closures) = options(text, changed, save);
        TextEditor { view: self.0.open(place, &options), _closures: closures }
    }

    /// Shows a text against another version of it. Only the text can be edited.
    pub fn merge(
        &self,
        place: &HtmlElement,
        text: EditorText<'_>,
        other: OtherText<'_>,
        changed: impl FnMut() + 'static,
        save: impl FnMut() + 'static,
    ) -> TextEditor {
        let (options, closures) = options(text, changed, save);
        set(&options, "theirs", &other.text.into());
        set(&options, "theirLabel", &other.label.into());
        set(&options, "beside", &other.beside.into());
        TextEditor { view: self.0.merge(place, &options), _closures: closures }
    }
}

fn options(
    text: EditorText<'_>,
    changed: impl FnMut() + 'static,
    save: impl FnMut() + 'static,
) -> (Object, [Closure<dyn FnMut()>; 2]) {
    let closures: [Closure<dyn FnMut()>; 2] = [Closure::new(changed), Closure::new(save)];
    let options = Object::new();
    set(&options, "path", &text.path.into());
    set(&options, "text", &text.text.into());
    set(&options, "label", &text.label.into());
    set(&options, "readOnly", &text.read_only.into());
    set(&options, "changed", closures[0].as_ref());
    set(&options, "save", closures[1].as_ref());
    (options, closures)
}

impl TextEditor {
    /// Returns the text. Its lines end as they did when it was opened.
    #[must_use]
    pub fn text(&self) -> String {
        self.view.text()
    }

    /// Sets the text. The cursor stays where it is, as far as the text there is the same.
    pub fn set_text(&self, text: &str) {
        self.view.set_text(text);
    }

    /// Lets the text be changed, or not.
    pub fn set_read_only(&self, read_only: bool) {
        self.view.set_read_only(read_only);
    }
}

impl Drop for TextEditor {
    fn drop(&mut self) {
        self.view.destroy();
    }
}

#[wasm_bindgen]
extern "C" {
    #[derive(Debug, Clone)]
    type EditorModule;
    #[wasm_bindgen(method)]
    fn open(this: &EditorModule, parent: &HtmlElement, options: &Object) -> EditorView;
    #[wasm_bindgen(method)]
    fn merge(this: &EditorModule, parent: &HtmlElement, options: &Object) -> EditorView;

    type EditorView;
    #[wasm_bindgen(method)]
    fn text(this: &EditorView) -> String;
    #[wasm_bindgen(method, js_name = setText)]
    fn set_text(this: &EditorView, text: &str);
    #[wasm_bindgen(method, js_name = setReadOnly)]
    fn set_read_only(this: &EditorView, read_only: bool);
    #[wasm_bindgen(method)]
    fn destroy(this: &EditorView);
}
