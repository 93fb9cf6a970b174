//! Bytes that stay in the browser's memory, and the frames that bring them.

use js_sys::{ArrayBuffer, Uint8Array};
use moorline_shared::limits::FRAME_HEADER_BYTES;

/// Bytes for the terminal, held in the browser's memory.
#[derive(Debug, Clone)]
pub struct Chunk(Uint8Array);

impl Chunk {
    /// Returns the data of a frame as a view, without a copy. Returns `None` if the frame is
    /// shorter than its header.
    #[must_use]
    pub fn of_frame(frame: &ArrayBuffer) -> Option<Self> {
        let header = FRAME_HEADER_BYTES as u32;
        (frame.byte_length() >= header)
            .then(|| Self(Uint8Array::new_with_byte_offset(frame, header)))
    }

    /// Copies `bytes` into the browser's memory.
    #[must_use]
    pub fn copy(bytes: &[u8]) -> Self {
        Self(Uint8Array::from(bytes))
    }

    /// Returns all bytes of `parts` in one piece, a copy.
    #[must_use]
    pub fn joined(parts: &[Self]) -> Self {
        let whole = Uint8Array::new_with_length(parts.iter().map(|part| part.0.length()).sum());
        let mut at = 0;
        for part in parts {
            whole.set(&part.0, at);
            at += part.0.length();
        }
        Self(whole)
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.length() as usize
    }

    /// Wraps bytes that the browser holds.
    pub(super) const fn of_array(array: Uint8Array) -> Self {
        Self(array)
    }

    pub(super) const fn array(&self) -> &Uint8Array {
        &self.0
    }

    /// Copies the bytes into wasm's memory, for code that inspects them.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.0.to_vec()
    }
}

/// Returns the number at the start of a frame, and the number of bytes after the header. Returns
/// `None` if the frame is shorter than its header.
#[must_use]
pub fn frame_header(frame: &ArrayBuffer) -> Option<(u64, usize)> {
    let data = (frame.byte_length() as usize).checked_sub(FRAME_HEADER_BYTES)?;
    let mut header = [0_u8; FRAME_HEADER_BYTES];
    Uint8Array::new_with_byte_offset_and_length(frame, 0, FRAME_HEADER_BYTES as u32)
        .copy_to(&mut header);
    Some((u64::from_be_bytes(header), data))
}
