//! Images in prompts: which of them agents take.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::prompt::PromptImage;

/// The media types of images that agents take, which are those of the models behind them.
pub const IMAGE_TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// The reason why an image cannot be sent to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImageFault {
    /// Its media type is not one of [`IMAGE_TYPES`].
    #[error("its `mimeType` must be `image/png`, `image/jpeg`, `image/gif` or `image/webp`")]
    Type,
    /// It has no data.
    #[error("its `data` is empty")]
    Empty,
    /// Its data is not base64 (standard alphabet, padded).
    #[error("its `data` must be base64, with padding")]
    Encoding,
    /// Its data is not of its media type, as its first bytes tell.
    #[error("its `data` is not of its `mimeType`")]
    Mismatch,
}

impl PromptImage {
    /// Checks that agents take the image: a known type, and data that begins as such images do. The
    /// image itself is not read.
    ///
    /// # Errors
    /// [`ImageFault`].
    pub fn check(&self) -> Result<(), ImageFault> {
        if !IMAGE_TYPES.contains(&&*self.mime_type) {
            return Err(ImageFault::Type);
        }
        if self.data.is_empty() {
            return Err(ImageFault::Empty);
        }
        let data = STANDARD.decode(&self.data).map_err(|_| ImageFault::Encoding)?;
        let found = type_of(&data);
        if found == Some(&*self.mime_type) { Ok(()) } else { Err(ImageFault::Mismatch) }
    }
}

/// Returns the media type of an image by its first bytes; `None` if it is not one of
/// [`IMAGE_TYPES`].
fn type_of(data: &[u8]) -> Option<&'static str> {
    match data {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(mime_type: &str, data: &str) -> Result<(), ImageFault> {
        PromptImage { mime_type: mime_type.to_owned(), data: data.to_owned() }.check()
    }

    #[test]
    fn an_image_begins_as_its_type_says() {
        let beginnings: [(&str, &[u8]); 4] = [
            ("image/png", b"\x89PNG\r\n\x1a\nmore"),
            ("image/jpeg", b"\xff\xd8\xff\xe0more"),
            ("image/gif", b"GIF89amore"),
            ("image/webp", b"RIFF\0\0\0\0WEBPmore"),
        ];
        for (own, data) in beginnings {
            for kind in IMAGE_TYPES {
                let fits = if kind == own { Ok(()) } else { Err(ImageFault::Mismatch) };
                assert_eq!(checked(kind, &STANDARD.encode(data)), fits, "{own} as {kind}");
            }
        }
        assert_eq!(checked("image/webp", &STANDARD.encode("RIFF")), Err(ImageFault::Mismatch));
    }

    #[test]
    fn data_is_base64_of_a_known_type() {
        for kind in ["image/svg+xml", "image/PNG", "png", "text/html", ""] {
            assert_eq!(checked(kind, "iVBORw0KGgo="), Err(ImageFault::Type), "{kind}");
        }
        assert_eq!(checked("image/png", ""), Err(ImageFault::Empty));
        for data in ["%", "iVBORw0KGgo", "iVBOR w0KGgo=", "data:image/png;base64,iVBORw0KGgo="] {
            assert_eq!(checked("image/png", data), Err(ImageFault::Encoding), "{data}");
        }
        assert_eq!(checked("image/png", "iVBORw0KGgo="), Ok(()));
    }
}
