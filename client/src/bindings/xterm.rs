//! Bindings to xterm.js and its addons, which are loaded only if a terminal is shown. The rest of
//! the client uses [`super::screen`].

use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{HtmlElement, KeyboardEvent};

use super::part::{self, LoadError};

/// The loaded code of the terminal emulator.
#[derive(Debug, Clone)]
pub struct EmulatorCode(Classes);

impl EmulatorCode {
    /// Loads the code. Later calls return it at once.
    ///
    /// # Errors
    /// [`LoadError`]; a later call may succeed.
    pub async fn load() -> Result<Self, LoadError> {
        part::EMULATOR.load().await.map(Self::from_module)
    }

    /// Takes the code from a module that was loaded by other means.
    #[must_use]
    pub fn from_module(module: JsValue) -> Self {
        Self(module.unchecked_into())
    }

    pub(super) fn terminal(&self, options: &Object) -> Terminal {
        construct(&self.0.terminal(), &[options])
    }

    pub(super) fn fit(&self) -> FitAddon {
        construct(&self.0.fit(), &[])
    }

    /// Creates the addon that makes the emulator agree with the host's.
    pub(super) fn as_host(&self) -> Object {
        construct(&self.0.as_host(), &[])
    }

    pub(super) fn web_links(&self, activate: &Closure<dyn FnMut(JsValue, String)>) -> Object {
        construct(&self.0.web_links(), &[activate.as_ref()])
    }

    /// Creates the clipboard addon with its default Base64 codec.
    pub(super) fn clipboard(&self, provider: &ClipboardProvider) -> Object {
        construct(&self.0.clipboard(), &[&JsValue::UNDEFINED, provider])
    }
}

pub(super) fn construct<T: JsCast>(class: &Function, arguments: &[&JsValue]) -> T {
    let arguments: Array = arguments.iter().copied().collect();
    let made = Reflect::construct(class, &arguments);
    made.expect("the emulator's classes take what its documentation says").unchecked_into()
}

#[wasm_bindgen]
extern "C" {
    #[derive(Debug, Clone)]
    type Classes;
    #[wasm_bindgen(method, getter, js_name = Terminal)]
    fn terminal(this: &Classes) -> Function;
    #[wasm_bindgen(method, getter, js_name = FitAddon)]
    fn fit(this: &Classes) -> Function;
    #[wasm_bindgen(method, getter, js_name = HostAddon)]
    fn as_host(this: &Classes) -> Function;
    #[wasm_bindgen(method, getter, js_name = WebLinksAddon)]
    fn web_links(this: &Classes) -> Function;
    #[wasm_bindgen(method, getter, js_name = ClipboardAddon)]
    fn clipboard(this: &Classes) -> Function;
}

#[wasm_bindgen]
extern "C" {
    #[derive(Clone)]
    pub(super) type Terminal;

    #[wasm_bindgen(method)]
    pub(super) fn open(this: &Terminal, parent: &HtmlElement);
    #[wasm_bindgen(method, js_name = loadAddon)]
    pub(super) fn load_addon(this: &Terminal, addon: &JsValue);
    #[wasm_bindgen(method)]
    pub(super) fn dispose(this: &Terminal);
    #[wasm_bindgen(method)]
    pub(super) fn write(this: &Terminal, data: &Uint8Array, done: &Function);
    #[wasm_bindgen(method)]
    pub(super) fn resize(this: &Terminal, cols: u16, rows: u16);
    #[wasm_bindgen(method)]
    pub(super) fn focus(this: &Terminal);
    #[wasm_bindgen(method)]
    pub(super) fn input(this: &Terminal, data: &str, was_user_input: bool);
    #[wasm_bindgen(method)]
    pub(super) fn paste(this: &Terminal, text: &str);
    #[wasm_bindgen(method, js_name = hasSelection)]
    pub(super) fn has_selection(this: &Terminal) -> bool;
    #[wasm_bindgen(method, js_name = getSelection)]
    pub(super) fn get_selection(this: &Terminal) -> String;
    #[wasm_bindgen(method, js_name = getSelectionPosition)]
    pub(super) fn selected_range(this: &Terminal) -> Option<SelectedRange>;
    #[wasm_bindgen(method, js_name = clearSelection)]
    pub(super) fn clear_selection(this: &Terminal);
    #[wasm_bindgen(method, js_name = scrollToBottom)]
    pub(super) fn scroll_to_bottom(this: &Terminal);
    #[wasm_bindgen(method, js_name = scrollLines)]
    pub(super) fn scroll_lines(this: &Terminal, lines: i32);
    #[wasm_bindgen(method)]
    pub(super) fn select(this: &Terminal, col: u32, row: u32, length: u32);
    #[wasm_bindgen(method, js_name = scrollToLine)]
    pub(super) fn scroll_to_line(this: &Terminal, line: u32);
    #[wasm_bindgen(method, js_name = attachCustomKeyEventHandler)]
    pub(super) fn attach_custom_key_event_handler(
        this: &Terminal,
        handler: &Closure<dyn FnMut(KeyboardEvent) -> bool>,
    );

    #[wasm_bindgen(method, getter)]
    pub(super) fn cols(this: &Terminal) -> u16;
    #[wasm_bindgen(method, getter)]
    pub(super) fn rows(this: &Terminal) -> u16;
    #[wasm_bindgen(method, getter)]
    pub(super) fn options(this: &Terminal) -> Object;
    #[wasm_bindgen(method, getter)]
    pub(super) fn buffer(this: &Terminal) -> BufferNamespace;
    #[wasm_bindgen(method, getter)]
    pub(super) fn parser(this: &Terminal) -> Parser;
    #[wasm_bindgen(method, getter)]
    pub(super) fn modes(this: &Terminal) -> Modes;

    #[wasm_bindgen(method, js_name = onData)]
    pub(super) fn on_data(this: &Terminal, f: &Closure<dyn Fn(String)>) -> Disposable;
    #[wasm_bindgen(method, js_name = onBinary)]
    pub(super) fn on_binary(this: &Terminal, f: &Closure<dyn FnMut(String)>) -> Disposable;
    #[wasm_bindgen(method, js_name = onBell)]
    pub(super) fn on_bell(this: &Terminal, f: &Closure<dyn FnMut()>) -> Disposable;
    #[wasm_bindgen(method, js_name = onTitleChange)]
    pub(super) fn on_title_change(this: &Terminal, f: &Closure<dyn FnMut(String)>) -> Disposable;
    #[wasm_bindgen(method, js_name = onRender)]
    pub(super) fn on_render(this: &Terminal, f: &Closure<dyn FnMut()>) -> Disposable;
}

#[wasm_bindgen]
extern "C" {
    pub(super) type Disposable;
    #[wasm_bindgen(method)]
    pub(super) fn dispose(this: &Disposable);

    pub(super) type SelectedRange;
    #[wasm_bindgen(method, getter)]
    pub(super) fn start(this: &SelectedRange) -> CellPosition;

    pub(super) type CellPosition;
    /// The row in the buffer.
    #[wasm_bindgen(method, getter)]
    pub(super) fn y(this: &CellPosition) -> u32;

    pub(super) type BufferNamespace;
    #[wasm_bindgen(method, getter)]
    pub(super) fn active(this: &BufferNamespace) -> Buffer;

    pub(super) type Buffer;
    /// The kind of buffer: `normal` or `alternate`.
    #[wasm_bindgen(method, getter, js_name = type)]
    pub(super) fn kind(this: &Buffer) -> String;
    #[wasm_bindgen(method, getter, js_name = baseY)]
    pub(super) fn base_y(this: &Buffer) -> u32;
    #[wasm_bindgen(method, getter, js_name = viewportY)]
    pub(super) fn viewport_y(this: &Buffer) -> u32;
    #[wasm_bindgen(method, getter)]
    pub(super) fn length(this: &Buffer) -> u32;
    #[wasm_bindgen(method, js_name = getLine)]
    pub(super) fn get_line(this: &Buffer, index: u32) -> Option<BufferLine>;

    pub(super) type BufferLine;
    #[wasm_bindgen(method, getter, js_name = isWrapped)]
    pub(super) fn is_wrapped(this: &BufferLine) -> bool;
    #[wasm_bindgen(method, js_name = translateToString)]
    pub(super) fn translate_to_string(this: &BufferLine, trim_right: bool) -> String;
    #[wasm_bindgen(method, js_name = getCell)]
    pub(super) fn get_cell(this: &BufferLine, col: u32) -> Option<BufferCell>;

    pub(super) type BufferCell;
    #[wasm_bindgen(method, js_name = getWidth)]
    pub(super) fn width(this: &BufferCell) -> u32;
    #[wasm_bindgen(method, js_name = getChars)]
    pub(super) fn chars(this: &BufferCell) -> String;

    pub(super) type Modes;
    #[wasm_bindgen(method, getter, js_name = applicationCursorKeysMode)]
    pub(super) fn application_cursor_keys_mode(this: &Modes) -> bool;
    #[wasm_bindgen(method, getter, js_name = mouseTrackingMode)]
    pub(super) fn mouse_tracking_mode(this: &Modes) -> String;

    pub(super) type Parser;
    #[wasm_bindgen(method, js_name = registerCsiHandler)]
    pub(super) fn register_csi_handler(
        this: &Parser,
        id: &Object,
        handler: &Closure<dyn FnMut(JsValue) -> bool>,
    ) -> Disposable;
    #[wasm_bindgen(method, js_name = registerEscHandler)]
    pub(super) fn register_esc_handler(
        this: &Parser,
        id: &Object,
        handler: &Closure<dyn FnMut(JsValue) -> bool>,
    ) -> Disposable;
    #[wasm_bindgen(method, js_name = registerDcsHandler)]
    pub(super) fn register_dcs_handler(
        this: &Parser,
        id: &Object,
        handler: &Closure<dyn FnMut(JsValue) -> bool>,
    ) -> Disposable;
    #[wasm_bindgen(method, js_name = registerOscHandler)]
    pub(super) fn register_osc_handler(
        this: &Parser,
        id: u16,
        handler: &Closure<dyn FnMut(JsValue) -> bool>,
    ) -> Disposable;
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(extends = Object)]
    pub(super) type FitAddon;
    #[wasm_bindgen(method, js_name = proposeDimensions)]
    pub(super) fn propose_dimensions(this: &FitAddon) -> Option<Dimensions>;

    pub(super) type Dimensions;
    #[wasm_bindgen(method, getter)]
    pub(super) fn cols(this: &Dimensions) -> f64;
    #[wasm_bindgen(method, getter)]
    pub(super) fn rows(this: &Dimensions) -> f64;
}

#[wasm_bindgen]
extern "C" {
    /// The provider that the clipboard addon expects: an object with two functions.
    #[wasm_bindgen(extends = Object)]
    pub(super) type ClipboardProvider;
    #[wasm_bindgen(method, setter, js_name = readText)]
    pub(super) fn set_read_text(
        this: &ClipboardProvider,
        f: &Closure<dyn FnMut(JsValue) -> Promise>,
    );
    #[wasm_bindgen(method, setter, js_name = writeText)]
    pub(super) fn set_write_text(
        this: &ClipboardProvider,
        f: &Closure<dyn FnMut(JsValue, String) -> Promise>,
    );
}
