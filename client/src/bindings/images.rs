//! Images that the user pastes, drops or picks, small enough to be sent.

use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    CanvasRenderingContext2d, ClipboardEvent, File, FileList, HtmlCanvasElement, HtmlInputElement,
    ImageBitmap, window,
};

/// The longest side of an image that is made smaller, in pixels. Models see no more.
const LONGEST_SIDE: f64 = 1568.0;
/// The kinds of images that stay as they are.
const UNCHANGED: [&str; 2] = ["image/png", "image/gif"];
/// The qualities that are tried in turn, until an image is small enough.
const QUALITIES: [f64; 4] = [0.85, 0.7, 0.5, 0.3];

/// An image as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageText {
    /// The media type, as `image/png`.
    pub mime_type: String,
    /// The content in base64.
    pub data: String,
}

/// A file that may be an image.
pub type PickedFile = File;

/// Returns true if the browser takes a file for an image.
#[must_use]
pub fn is_image(file: &PickedFile) -> bool {
    file.type_().starts_with("image/")
}

/// Returns the name of a file, without its folder.
#[must_use]
pub fn name(file: &PickedFile) -> String {
    file.name()
}

/// Returns the size of a file in bytes.
#[must_use]
pub fn size(file: &PickedFile) -> f64 {
    file.size()
}

/// Returns the files of a paste.
#[must_use]
pub fn pasted(event: &ClipboardEvent) -> Vec<PickedFile> {
    files(event.clipboard_data().and_then(|transfer| transfer.files()).as_ref())
}

/// Returns the files that were picked in a field for files, and empties it.
#[must_use]
pub fn picked(field: &HtmlInputElement) -> Vec<PickedFile> {
    let files = files(field.files().as_ref());
    field.set_value("");
    files
}

pub(super) fn files(list: Option<&FileList>) -> Vec<PickedFile> {
    let all =
        list.into_iter().flat_map(|list| (0..list.length()).filter_map(|place| list.get(place)));
    all.collect()
}

/// Reads an image, and makes it smaller until its text has at most `most_bytes`. One that is small
/// enough stays as it is, unless it is of a kind that cameras write: what those say of the place is not
/// sent. `None` if the browser cannot read it, or it stays too large.
pub async fn read(file: PickedFile, most_bytes: usize) -> Option<ImageText> {
    let image = JsFuture::from(window()?.create_image_bitmap_with_blob(&file).ok()?).await.ok()?;
    let image: ImageBitmap = image.dyn_into().ok()?;
    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    let is_small = width.max(height) <= LONGEST_SIDE && file.size() <= most_bytes as f64;
    if is_small && UNCHANGED.contains(&file.type_().as_str()) {
        let data = text_of(&file).await?;
        if data.len() <= most_bytes {
            return Some(ImageText { mime_type: file.type_(), data });
        }
    }
    let scale = (LONGEST_SIDE / width.max(height)).min(1.0);
    for (step, quality) in QUALITIES.into_iter().enumerate() {
        let scale = scale / f64::from(step as u32 + 1).sqrt();
        // Lossless at first, for screenshots.
        for kind in if step == 0 { &["image/png", "image/jpeg"][..] } else { &["image/jpeg"] } {
            let text = drawn(&image, (width * scale, height * scale), kind, quality)?;
            if text.data.len() <= most_bytes {
                return Some(text);
            }
        }
    }
    None
}

/// Returns the content of a file in base64.
async fn text_of(file: &File) -> Option<String> {
    let buffer: ArrayBuffer = JsFuture::from(file.array_buffer()).await.ok()?.dyn_into().ok()?;
    let bytes = Uint8Array::new(&buffer).to_vec();
    // A character for each byte, as `btoa` wants it.
    let text: String = bytes.into_iter().map(char::from).collect();
    window()?.btoa(&text).ok()
}

/// Draws an image at a size, and returns it as text.
fn drawn(
    image: &ImageBitmap,
    (width, height): (f64, f64),
    kind: &str,
    quality: f64,
) -> Option<ImageText> {
    let canvas = window()?.document()?.create_element("canvas").ok()?;
    let canvas: HtmlCanvasElement = canvas.dyn_into().ok()?;
    canvas.set_width(width.max(1.0) as u32);
    canvas.set_height(height.max(1.0) as u32);
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    context.draw_image_with_image_bitmap_and_dw_and_dh(image, 0.0, 0.0, width, height).ok()?;
    let address = canvas.to_data_url_with_type_and_encoder_options(kind, &quality.into()).ok()?;
    let (head, data) = address.split_once(";base64,")?;
    let mime_type = head.strip_prefix("data:")?.to_owned();
    Some(ImageText { mime_type, data: data.to_owned() })
}
