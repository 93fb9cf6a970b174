//! The binary frame: `[seq: 8 bytes, big-endian u64][data: at most 65536 bytes]`.
//!
//! A frame is stored encoded: creating one writes the header once, sharing one copies nothing, and
//! reading one looks into the same bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::id::Seq;
use crate::limits::{FRAME_DATA_BYTES, FRAME_HEADER_BYTES};

/// The reason why bytes are not a valid frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The bytes are shorter than the header.
    #[error("a frame must have at least {FRAME_HEADER_BYTES} bytes, this one has {0}", FRAME_HEADER_BYTES = FRAME_HEADER_BYTES)]
    TooShort(usize),
    /// The frame carries more data than allowed.
    #[error("a frame carries at most {FRAME_DATA_BYTES} bytes of data, this one has {0}", FRAME_DATA_BYTES = FRAME_DATA_BYTES)]
    TooLarge(usize),
    /// The seq is 0, but entries are numbered from 1.
    #[error("a frame's seq must be at least 1")]
    SeqZero,
    /// The stamp has an unknown version.
    #[error("an output entry begins with 0 or 1, this one with {0}: use a newer moorline here")]
    Stamp(u8),
}

/// The number of bytes that a [`Frame::stamped`] has before the frame itself.
const STAMP_BYTES: usize = 8;
/// The first byte of a stamp. A frame without a stamp begins with 0, because no seq needs all 64
/// bits.
const STAMP_VERSION: u8 = 1;
/// The largest time that fits into a stamp.
const TIME_MOST_MS: u64 = (1 << 56) - 1;

/// A numbered piece of output or input in encoded form, with the time at which the host appended it
/// to its log.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The encoded frame, with or without a stamp in front.
    bytes: Bytes,
    /// The offset in `bytes` at which the frame begins: 0 or [`STAMP_BYTES`].
    start: usize,
    /// The value of [`Frame::time_ms`].
    time_ms: u64,
}

impl Frame {
    /// Returns a buffer to read data into. It begins with [`Frame::DATA_START`] bytes of room for
    /// stamp and header.
    #[must_use]
    pub fn buffer(data_bytes: usize) -> BytesMut {
        let mut buffer = BytesMut::with_capacity(Self::DATA_START + data_bytes);
        buffer.put_bytes(0, Self::DATA_START);
        buffer
    }

    /// The offset at which the data of a [`Frame::buffer`] begins.
    pub const DATA_START: usize = STAMP_BYTES + FRAME_HEADER_BYTES;

    /// Numbers and stamps a buffer that [`Frame::buffer`] created. Copies nothing.
    ///
    /// # Errors
    /// [`FrameError`] if the buffer is not a valid frame.
    pub fn seal(seq: Seq, time_ms: u64, mut buffer: BytesMut) -> Result<Self, FrameError> {
        if buffer.len() < Self::DATA_START {
            return Err(FrameError::TooShort(buffer.len()));
        }
        buffer[..STAMP_BYTES].copy_from_slice(&stamp(time_ms));
        buffer[STAMP_BYTES..Self::DATA_START].copy_from_slice(&seq.0.to_be_bytes());
        Self::checked(Self { bytes: buffer.freeze(), start: STAMP_BYTES, time_ms })
    }

    /// Copies `data` behind a new header. The frame's time is unknown.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`], [`FrameError::SeqZero`].
    pub fn copy(seq: Seq, data: &[u8]) -> Result<Self, FrameError> {
        let mut buffer = BytesMut::with_capacity(FRAME_HEADER_BYTES + data.len());
        buffer.put_u64(seq.0);
        buffer.extend_from_slice(data);
        Self::decode(buffer.freeze())
    }

    /// Interprets bytes from a peer as a frame. Copies nothing. The frame's time is unknown.
    ///
    /// # Errors
    /// [`FrameError`] if they are not a valid frame.
    pub fn decode(encoded: Bytes) -> Result<Self, FrameError> {
        Self::checked(Self { bytes: encoded, start: 0, time_ms: 0 })
    }

    /// Interprets bytes from a host as a frame, with or without a stamp. Copies nothing.
    ///
    /// # Errors
    /// [`FrameError`] if they are not a valid frame.
    pub fn decode_stamped(mut packet: Bytes) -> Result<Self, FrameError> {
        match packet.first().copied() {
            Some(STAMP_VERSION) if packet.len() >= STAMP_BYTES => {
                let time_ms = packet.get_u64() & TIME_MOST_MS;
                // Without its time it would be taken for a stamp.
                match packet.first().copied() {
                    Some(0) | None => Ok(Self::decode(packet)?.at(time_ms)),
                    Some(version) => Err(FrameError::Stamp(version)),
                }
            }
            Some(0) | None => Self::decode(packet),
            Some(STAMP_VERSION) => Err(FrameError::TooShort(packet.len())),
            Some(version) => Err(FrameError::Stamp(version)),
        }
    }

    fn checked(frame: Self) -> Result<Self, FrameError> {
        let length = frame.bytes.len() - frame.start;
        let data = length.checked_sub(FRAME_HEADER_BYTES).ok_or(FrameError::TooShort(length))?;
        if data > FRAME_DATA_BYTES {
            return Err(FrameError::TooLarge(data));
        }
        if frame.seq() == Seq::ZERO { Err(FrameError::SeqZero) } else { Ok(frame) }
    }

    /// Returns the same frame with another time.
    #[must_use]
    pub fn at(self, time_ms: u64) -> Self {
        if self.time_ms == time_ms || self.start == 0 {
            return Self { time_ms, ..self };
        }
        Self { bytes: self.encoded(), start: 0, time_ms }
    }

    /// Returns the entry's number.
    #[must_use]
    pub fn seq(&self) -> Seq {
        Seq((&self.bytes[self.start..]).get_u64())
    }

    /// When the host appended the frame to its log, in milliseconds since 1970 by the host's clock;
    /// 0 if unknown, as for input.
    #[must_use]
    pub const fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// The data behind the header.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.bytes[self.start + FRAME_HEADER_BYTES..]
    }

    /// Returns the length of [`Frame::data`] in bytes.
    #[must_use]
    pub const fn data_len(&self) -> usize {
        self.encoded_len() - FRAME_HEADER_BYTES
    }

    /// Returns header and data, in the form that clients receive. Copies nothing.
    #[must_use]
    pub fn encoded(&self) -> Bytes {
        self.bytes.slice(self.start..)
    }

    /// Returns the length of [`Frame::encoded`] in bytes.
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Returns the frame in the form that a host publishes: `[1][time: 7 bytes][encoded frame]`, or
    /// the encoded frame alone if its time is unknown. Copies nothing of a frame that was sealed.
    #[must_use]
    pub fn stamped(&self) -> Bytes {
        if self.time_ms == 0 {
            return self.encoded();
        }
        if self.start == STAMP_BYTES {
            return self.bytes.clone();
        }
        let mut packet = BytesMut::with_capacity(STAMP_BYTES + self.bytes.len());
        packet.extend_from_slice(&stamp(self.time_ms));
        packet.extend_from_slice(&self.bytes);
        packet.freeze()
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.bytes[self.start..] == other.bytes[other.start..] && self.time_ms == other.time_ms
    }
}

impl Eq for Frame {}

fn stamp(time_ms: u64) -> [u8; STAMP_BYTES] {
    let mut stamp = time_ms.min(TIME_MOST_MS).to_be_bytes();
    stamp[0] = STAMP_VERSION;
    stamp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_form_is_a_big_endian_seq_and_the_data() {
        let frame = Frame::copy(Seq(0x0102_0304_0506_0708), b"hi").unwrap();
        assert_eq!(&frame.encoded()[..], b"\x01\x02\x03\x04\x05\x06\x07\x08hi");
        let decoded = Frame::decode(frame.encoded()).unwrap();
        assert_eq!((decoded.seq(), decoded.data()), (Seq(0x0102_0304_0506_0708), &b"hi"[..]));
    }

    #[test]
    fn sealing_and_decoding_share_the_bytes() {
        let mut buffer = Frame::buffer(4);
        buffer.extend_from_slice(b"data");
        let address = buffer.as_ptr();
        let frame = Frame::seal(Seq(1), 5, buffer).unwrap();
        assert_eq!(frame.stamped().as_ptr(), address);
        assert_eq!(frame.encoded().as_ptr(), address.wrapping_add(STAMP_BYTES));
        let again = Frame::decode(frame.encoded()).unwrap();
        assert_eq!(again.encoded().as_ptr(), frame.encoded().as_ptr());
        let published = Frame::decode_stamped(frame.stamped()).unwrap();
        assert_eq!(published.encoded().as_ptr(), frame.encoded().as_ptr());
    }

    #[test]
    fn a_host_tells_when_it_was() {
        let mut buffer = Frame::buffer(2);
        buffer.extend_from_slice(b"hi");
        let frame = Frame::seal(Seq(9), 0x0102_0304_0506, buffer).unwrap();
        let golden = b"\x01\x00\x01\x02\x03\x04\x05\x06\0\0\0\0\0\0\0\x09hi";
        assert_eq!(&frame.stamped()[..], golden);
        let read = Frame::decode_stamped(Bytes::from_static(golden)).unwrap();
        assert_eq!((&read, read.time_ms()), (&frame, 0x0102_0304_0506));
        assert_eq!(read.stamped(), frame.stamped());
        // Hosts that send no time publish this form, and clients receive it.
        let plain = Frame::decode_stamped(Bytes::from_static(&golden[8..])).unwrap();
        assert_eq!((plain.time_ms(), plain.encoded()), (0, frame.encoded()));
        assert_eq!(plain.stamped(), plain.encoded());
        assert_eq!(frame.clone().at(0), plain);
        assert_eq!(plain.at(frame.time_ms()), frame);
        for end in 0..golden.len() - 2 {
            assert!(Frame::decode_stamped(Bytes::from_static(&golden[..end])).is_err(), "{end}");
        }
        let unknown = Frame::decode_stamped(Bytes::from_static(&[2; 20]));
        assert_eq!(unknown, Err(FrameError::Stamp(2)));
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
