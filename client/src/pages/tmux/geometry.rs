//! Sizes of a window on the page, in pixels and in cells.

use moorline_shared::session::Size;

use crate::bindings::look::FontSize;

/// The smallest text that is still read, in pixels.
const LEAST_PIXELS: u8 = 9;

/// The width and height of a cell in thousandths of a CSS pixel.
pub(super) type Cell = (u32, u32);

/// The width and height of a place in CSS pixels.
pub(super) type Place = (u32, u32);

/// Returns the size of a window that fills a place. Its panes have a margin of half a column at both
/// sides, and of a quarter of a row above and below.
pub(super) fn fitting((width, height): Place, cell: Cell) -> Size {
    let count = |pixels: u32, cell: u32, margin: u32| {
        let thousandths = pixels.saturating_mul(1000).saturating_sub(margin);
        u16::try_from(thousandths / cell.max(1)).unwrap_or(u16::MAX)
    };
    let cols = count(width, cell.0, cell.0);
    Size { cols, rows: count(height, cell.1, cell.1 / 2) }.clamped()
}

/// Returns the largest text, up to `preferred`, at which a window fits a place; `preferred` if none
/// does.
pub(super) fn whole(
    place: Place,
    window: (u16, u16),
    preferred: FontSize,
    cell: impl Fn(FontSize) -> Option<Cell>,
) -> FontSize {
    let fits = |font: &FontSize| {
        cell(*font).is_some_and(|cell| {
            let size = fitting(place, cell);
            size.cols >= window.0 && size.rows >= window.1
        })
    };
    let sizes = (LEAST_PIXELS..=preferred.pixels()).rev().map(FontSize::of_pixels);
    sizes.into_iter().find(fits).unwrap_or(preferred)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Cells of half the text's size, and of the text's size.
    fn cell(font: FontSize) -> Option<Cell> {
        let pixels = u32::from(font.pixels());
        Some((pixels * 500, pixels * 1000))
    }

    #[test]
    fn a_window_fills_its_place_but_for_its_margins() {
        let cell = cell(FontSize::of_pixels(10)).unwrap();
        assert_eq!(fitting((405, 105), cell), Size { cols: 80, rows: 10 });
        assert_eq!(fitting((404, 104), cell), Size { cols: 79, rows: 9 });
        assert_eq!(fitting((0, 0), cell), Size { cols: 0, rows: 0 }.clamped());
    }

    #[test]
    fn text_is_made_smaller_only_as_far_as_needed_and_read() {
        let at = |window| whole((405, 305), window, FontSize::of_pixels(14), cell).pixels();
        assert_eq!(at((20, 10)), 14);
        assert_eq!(at((80, 10)), 10);
        assert_eq!(at((80, 34)), 14, "smaller than is read");
    }
}
