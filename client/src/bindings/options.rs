//! The emulator's options, as JavaScript objects.

use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;

use super::look::{self, FontSize, Theme, palette};

/// The number of lines kept above the screen for scrolling back.
pub(super) const SCROLLBACK_LINES: u32 = 10_000;
/// The height of a line, as a multiple of the font's height.
pub(super) const LINE_HEIGHT: f64 = 1.15;

/// Sets a field of a plain object.
pub(super) fn set(object: &Object, key: &str, value: &JsValue) {
    // Setting a known field of a plain object cannot fail.
    let _ = Reflect::set(object, &key.into(), value);
}

/// Returns the colours of `theme`, keyed by xterm.js's names.
pub(super) fn colours(theme: Theme) -> Object {
    let colours = Object::new();
    for (name, colour) in palette(theme) {
        set(&colours, name, &(*colour).into());
    }
    look::each_own_colour(|name, colour| set(&colours, name, &colour.into()));
    colours
}

/// The least contrast between text and background, as WCAG 2.2 (AA) asks for text. Programs pick
/// colours for one kind of background; some would be unreadable on the other.
const LEAST_CONTRAST: f64 = 4.5;

/// Returns the options of a new terminal.
pub(super) fn options(theme: Theme, font: FontSize) -> Object {
    let windows = Object::new();
    // Programs save the title and restore it when they end.
    set(&windows, "pushTitle", &true.into());
    set(&windows, "popTitle", &true.into());
    // Programs that show images query these.
    set(&windows, "getWinSizePixels", &true.into());
    set(&windows, "getCellSizePixels", &true.into());
    set(&windows, "getWinSizeChars", &true.into());
    let options = Object::new();
    // The buffer and the parser are still proposed API.
    set(&options, "allowProposedApi", &true.into());
    set(&options, "cursorBlink", &false.into());
    set(&options, "cursorInactiveStyle", &"outline".into());
    set(&options, "fontFamily", &look::terminal_fonts().into());
    set(&options, "fontSize", &font.pixels().into());
    set(&options, "lineHeight", &LINE_HEIGHT.into());
    set(&options, "macOptionClickForcesSelection", &true.into());
    set(&options, "minimumContrastRatio", &LEAST_CONTRAST.into());
    set(&options, "rescaleOverlappingGlyphs", &true.into());
    set(&options, "scrollback", &SCROLLBACK_LINES.into());
    set(&options, "theme", &colours(theme));
    set(&options, "windowOptions", &windows);
    options
}

/// Returns the options of the search: how it finds and marks matches.
pub(super) fn search_options(incremental: bool) -> Object {
    let decorations = Object::new();
    set(&decorations, "matchBackground", &"#8a6d1f".into());
    set(&decorations, "matchOverviewRuler", &"#c9a23f".into());
    set(&decorations, "activeMatchBackground", &"#c46a1b".into());
    set(&decorations, "activeMatchColorOverviewRuler", &"#e58a35".into());
    let options = Object::new();
    set(&options, "incremental", &incremental.into());
    set(&options, "decorations", &decorations);
    options
}
