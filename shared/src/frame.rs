//! The binary frame: `[seq: 8 bytes, big-endian u64][data: at most 65536 bytes]`.
//!
//! A frame is its encoded bytes: making one writes the header once, sharing one copies nothing,
//! and reading one looks into the same bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::id::Seq;
use crate::limits::{FRAME_DATA_BYTES, FRAME_HEADER_BYTES};

/// Why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Shorter than the header.
    #[error("a frame has at least 8 bytes, this one has {0}")]
    TooShort(usize),
    /// More data than a frame may carry.
    #[error("a frame carries at most 65536 bytes of data, this one has {0}")]
    TooLarge(usize),
    /// Entries are numbered from 1.
    #[error("a frame's seq is at least 1")]
    SeqZero,
}

/// A numbered piece of output or input, encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// A buffer that begins with room for the header, to read data into.
    #[must_use]
    pub fn buffer(data_bytes: usize) -> BytesMut {
        let mut buffer = BytesMut::with_capacity(FRAME_HEADER_BYTES + data_bytes);
        buffer.put_bytes(0, FRAME_HEADER_BYTES);
        buffer
    }

    /// Numbers a buffer that was begun by [`Frame::buffer`]. Copies nothing.
    ///
    /// # Errors
    /// [`FrameError`] where the buffer is no frame.
    pub fn seal(seq: Seq, mut buffer: BytesMut) -> Result<Self, FrameError> {
        if buffer.len() < FRAME_HEADER_BYTES {
            return Err(FrameError::TooShort(buffer.len()));
        }
        buffer[..FRAME_HEADER_BYTES].copy_from_slice(&seq.0.to_be_bytes());
        Self::decode(buffer.freeze())
    }

    /// Copies `data` behind a new header.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`], [`FrameError::SeqZero`].
    pub fn copy(seq: Seq, data: &[u8]) -> Result<Self, FrameError> {
        let mut buffer = Self::buffer(data.len());
        buffer.extend_from_slice(data);
        Self::seal(seq, buffer)
    }

    /// Takes bytes from a peer for a frame. Copies nothing.
    ///
    /// # Errors
    /// [`FrameError`] where they are none.
    pub fn decode(encoded: Bytes) -> Result<Self, FrameError> {
        let data = encoded
            .len()
            .checked_sub(FRAME_HEADER_BYTES)
            .ok_or(FrameError::TooShort(encoded.len()))?;
        if data > FRAME_DATA_BYTES {
            return Err(FrameError::TooLarge(data));
        }
        let frame = Self(encoded);
        if frame.seq() == Seq::ZERO { Err(FrameError::SeqZero) } else { Ok(frame) }
    }

    /// The entry's number.
    #[must_use]
    pub fn seq(&self) -> Seq {
        Seq((&self.0[..FRAME_HEADER_BYTES]).get_u64())
    }

    /// The bytes of output or input.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.0[FRAME_HEADER_BYTES..]
    }

    /// How many bytes [`Frame::data`] has.
    #[must_use]
    pub fn data_len(&self) -> usize {
        self.0.len() - FRAME_HEADER_BYTES
    }

    /// Header and data, as they go over the wire.
    #[must_use]
    pub fn encoded(&self) -> &Bytes {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_form_is_a_big_endian_seq_and_the_data() {
        let frame = Frame::copy(Seq(0x0102_0304_0506_0708), b"hi").unwrap();
        assert_eq!(&frame.encoded()[..], b"\x01\x02\x03\x04\x05\x06\x07\x08hi");
        let decoded = Frame::decode(frame.encoded().clone()).unwrap();
        assert_eq!((decoded.seq(), decoded.data()), (Seq(0x0102_0304_0506_0708), &b"hi"[..]));
    }

    #[test]
    fn sealing_and_decoding_share_the_bytes() {
        let mut buffer = Frame::buffer(4);
        buffer.extend_from_slice(b"data");
        let address = buffer.as_ptr();
        let frame = Frame::seal(Seq(1), buffer).unwrap();
        assert_eq!(frame.encoded().as_ptr(), address);
        let again = Frame::decode(frame.encoded().clone()).unwrap();
        assert_eq!(again.encoded().as_ptr(), address);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        assert_eq!(Frame::decode(Bytes::from_static(b"1234567")), Err(FrameError::TooShort(7)));
        assert_eq!(Frame::decode(Bytes::from_static(&[0; 9])), Err(FrameError::SeqZero));
        let most = vec![1; FRAME_HEADER_BYTES + FRAME_DATA_BYTES];
        assert!(Frame::decode(Bytes::from(most.clone())).is_ok());
        let over = [most, vec![1]].concat();
        assert_eq!(Frame::decode(Bytes::from(over)), Err(FrameError::TooLarge(65_537)));
    }
}
