//! Measures elements, and estimates the size of a terminal on this page before one exists.

use moorline_shared::session::Size;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, Document, HtmlCanvasElement, HtmlElement, window};

use super::look::{self, FontSize};
use super::options::LINE_HEIGHT;

/// Width that the emulator reserves for its scroll bar, in CSS pixels.
const SCROLL_BAR_PX: f64 = 14.0;
/// Columns that the emulator has when it measures its cells. It rounds their total width to whole
/// pixels.
const FIRST_COLS: f64 = 80.0;
/// The terminal page reduced to the elements that affect the terminal's size. It is laid out but
/// not visible.
const FRAME: &str = "<header class=\"bar\"></header><main class=\"stage\"><div class=\"screen\">\
    </div></main><footer class=\"foot\"></footer>";
const KEY_BAR: &str = "<div class=\"key-bar\"><button class=\"key\">x</button></div>";

/// Returns the columns and rows that fill a terminal's page. The estimate is exact except for the
/// rounding of unusual fonts. Returns `None` if the browser does not allow measuring.
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

/// Returns the width of an element's content, in CSS pixels.
#[must_use]
pub fn width(element: &HtmlElement) -> i32 {
    element.client_width()
}

/// Returns the height in CSS pixels that `outer` needs to show all of the first element within it
/// that matches `inner`, from its own top on.
#[must_use]
pub fn needed_height(outer: &HtmlElement, inner: &str) -> Option<u32> {
    let inner = outer.query_selector(inner).ok()??;
    let top = outer.get_bounding_client_rect().top();
    Some((inner.get_bounding_client_rect().bottom() - top).ceil().max(0.0) as u32)
}

/// Returns the height of an element in CSS pixels.
#[must_use]
pub fn height(element: &HtmlElement) -> u32 {
    u32::try_from(element.offset_height()).unwrap_or_default()
}

/// Returns the space that a terminal's page leaves for the terminal, in CSS pixels.
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

/// Returns the size of a cell as the emulator will draw it, in thousandths of a CSS pixel: whole
/// numbers keep float formatting out of the binary.
#[must_use]
pub fn cell_thousandths(font: FontSize) -> Option<(u32, u32)> {
    let (width, height) = cell(&window()?.document()?, font)?;
    let thousandths = |pixels: f64| (pixels * 1000.0).round() as u32;
    Some((thousandths(width), thousandths(height))).filter(|(width, height)| width * height > 0)
}

/// Returns the outer width and height of an element in CSS pixels.
#[must_use]
pub fn outer_size(element: &HtmlElement) -> (u32, u32) {
    let pixels = |pixels: i32| u32::try_from(pixels).unwrap_or_default();
    (pixels(element.offset_width()), pixels(element.offset_height()))
}

/// Returns the size of a cell as the emulator draws it, in CSS pixels.
fn cell(document: &Document, font: FontSize) -> Option<(f64, f64)> {
    let canvas: HtmlCanvasElement = document.create_element("canvas").ok()?.dyn_into().ok()?;
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    context.set_font(&format!("{}px {}", font.pixels(), look::terminal_fonts()));
    let metrics = context.measure_text("W").ok()?;
    let scale = window()?.device_pixel_ratio();
    let height = metrics.font_bounding_box_ascent() + metrics.font_bounding_box_descent();
    let height = ((height * scale).ceil() * LINE_HEIGHT).floor() / scale;
    let width = (metrics.width() * FIRST_COLS).round() / FIRST_COLS;
    Some((width, height))
}
