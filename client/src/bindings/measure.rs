//! The size that a terminal is going to have in this page, before there is one.

use moorline_shared::session::Size;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, Document, HtmlCanvasElement, HtmlElement, window};

use super::look::{FontSize, TERMINAL_FONTS};
use super::options::LINE_HEIGHT;

/// What the emulator leaves for its scroll bar.
const SCROLL_BAR_PX: f64 = 14.0;
/// The columns that the emulator has when it measures its cells, which it draws in whole pixels.
const FIRST_COLS: f64 = 80.0;
/// A terminal's page without anything that the size does not depend on, drawn and not seen.
const FRAME: &str = "<header class=\"bar\"></header><main class=\"stage\"><div class=\"screen\">\
    </div></main><footer class=\"foot\"></footer>";
const KEY_BAR: &str = "<div class=\"key-bar\"><button class=\"key\">x</button></div>";

/// The columns and rows that fill a terminal's page here. A guess that is right but for the rounding
/// of unusual fonts; `None` where the browser does not let itself be measured.
#[must_use]
pub fn terminal(font: FontSize, key_bar: bool) -> Option<Size> {
    let document = window()?.document()?;
    let (width, height) = place(&document, key_bar)?;
    let (cell_width, cell_height) = cell(&document, font)?;
    let cols = ((width - SCROLL_BAR_PX) / cell_width).floor();
    let rows = (height / cell_height).floor();
    let is_size = cols.is_finite() && rows.is_finite() && cols >= 2.0 && rows >= 1.0;
    is_size.then(|| Size { cols: cols as u16, rows: rows as u16 }.clamped())
}

/// What a terminal's page leaves for the terminal, in CSS pixels.
fn place(document: &Document, key_bar: bool) -> Option<(f64, f64)> {
    let frame: HtmlElement = document.create_element("div").ok()?.dyn_into().ok()?;
    frame.set_class_name("page terminal-page unseen-frame");
    frame.set_attribute("aria-hidden", "true").ok()?;
    frame.set_attribute("inert", "").ok()?;
    frame.set_inner_html(FRAME);
    if key_bar {
        frame.query_selector("footer").ok()??.set_inner_html(KEY_BAR);
    }
    document.body()?.append_child(&frame).ok()?;
    let screen = frame.query_selector(".screen").ok().flatten();
    let size = screen.map(|screen| (screen.client_width(), screen.client_height()));
    frame.remove();
    size.map(|(width, height)| (f64::from(width), f64::from(height)))
}

/// A cell as the emulator draws it, in CSS pixels.
fn cell(document: &Document, font: FontSize) -> Option<(f64, f64)> {
    let canvas: HtmlCanvasElement = document.create_element("canvas").ok()?.dyn_into().ok()?;
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    context.set_font(&format!("{}px {TERMINAL_FONTS}", font.pixels()));
    let metrics = context.measure_text("W").ok()?;
    let scale = window()?.device_pixel_ratio();
    let height = metrics.font_bounding_box_ascent() + metrics.font_bounding_box_descent();
    let height = ((height * scale).ceil() * LINE_HEIGHT).floor() / scale;
    let width = (metrics.width() * FIRST_COLS).round() / FIRST_COLS;
    Some((width, height))
}
