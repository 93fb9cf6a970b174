//! The kind of a file's content, by which it is shown. Only the content decides, and never what a name
//! or a server says of it: what is shown as an image must be one.

/// The size in bytes up to which a text can be edited.
pub const EDITED_BYTES: u64 = 1024 * 1024;
/// The size in bytes up to which a file is loaded to be shown.
pub const SHOWN_BYTES: u64 = 16 * 1024 * 1024;

/// What a page can do with a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileContent {
    /// Text in UTF-8.
    Text(String),
    /// An image of this media type.
    Image(&'static str),
    /// Neither, or too large for a text.
    Other,
}

/// Images by how they begin: the offset and the bytes there.
const SIGNATURES: [(&str, usize, &[u8]); 9] = [
    ("image/png", 0, b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", 0, b"\xff\xd8\xff"),
    ("image/gif", 0, b"GIF87a"),
    ("image/gif", 0, b"GIF89a"),
    ("image/webp", 8, b"WEBPVP8"),
    ("image/avif", 4, b"ftypavif"),
    ("image/avif", 4, b"ftypavis"),
    ("image/bmp", 0, b"BM"),
    ("image/x-icon", 0, b"\0\0\x01\0"),
];

impl FileContent {
    /// Finds out the kind of a content.
    #[must_use]
    pub fn of(content: Vec<u8>) -> Self {
        let begins = |(_, at, wanted): &&(&str, usize, &[u8])| {
            content.get(*at..).is_some_and(|rest| rest.starts_with(wanted))
        };
        // A text can begin with `BM`, but has no NUL.
        let is_binary = content.contains(&0);
        let image = SIGNATURES.iter().find(begins);
        if let Some((kind, ..)) = image.filter(|(kind, ..)| *kind != "image/bmp" || is_binary) {
            return Self::Image(kind);
        }
        if is_binary || content.len() as u64 > EDITED_BYTES {
            return Self::Other;
        }
        String::from_utf8(content).map_or(Self::Other, Self::Text)
    }

    /// Returns true if a text is a drawing (SVG), which can be shown as an image as well.
    #[must_use]
    pub fn is_drawing(path: &str, text: &str) -> bool {
        let is_named =
            path.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case("svg"));
        is_named && text.contains("<svg")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn content_is_known_by_its_bytes() {
        let of = |content: &[u8]| FileContent::of(content.to_vec());
        assert_eq!(of(b"\x89PNG\r\n\x1a\n\0"), FileContent::Image("image/png"));
        assert_eq!(of(b"RIFF\x10\0\0\0WEBPVP8 "), FileContent::Image("image/webp"));
        assert_eq!(of(b"BMW builds cars"), FileContent::Text("BMW builds cars".into()));
        assert_eq!(of(b"BM\0\0\0\0"), FileContent::Image("image/bmp"));
        assert_eq!(of(b""), FileContent::Text(String::new()));
        assert_eq!(of(b"a\r\nb\xef\xbb\xbf"), FileContent::Text("a\r\nb\u{feff}".into()));
        assert_eq!(of(b"\x7fELF\0\0"), FileContent::Other);
        assert_eq!(of(b"\xff\xfe\x41"), FileContent::Other, "it is no UTF-8");
        assert_eq!(of(&vec![b'a'; EDITED_BYTES as usize + 1]), FileContent::Other);
        // A page that says to be an image is none.
        assert!(matches!(of(b"<html><script>alert(1)</script>"), FileContent::Text(_)));
    }

    #[test]
    fn a_drawing_is_a_text_with_its_name() {
        assert!(FileContent::is_drawing("a/logo.SVG", "<?xml ?><svg/>"));
        assert!(!FileContent::is_drawing("a/logo.html", "<svg/>"));
        assert!(!FileContent::is_drawing("svg", "<svg/>"));
    }
}
