//! The stored form of a segment: compressed, if it is large.
//!
//! What a program puts out repeats itself: LZ4 makes a long listing five times smaller, and writing
//! it to the disk costs more than compressing it.

use lz4_flex::block::{compress_into, decompress, get_maximum_output_size};
use moorline_shared::limits::SEGMENT_BYTES;

/// The first byte of a compressed segment. No entry of a segment begins with it.
const MARK: u8 = 0xff;
/// The mark, and the length of the segment, big-endian.
const HEAD_BYTES: usize = 5;
/// The longest segment: an entry that is larger than all others has a row of its own.
const MOST_BYTES: usize = 2 * SEGMENT_BYTES;

/// The error of a segment that cannot be decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a compressed segment cannot be read")]
pub struct BadPacking;

/// Compresses a segment. Returns `None` if that saves nothing.
pub(super) fn pack(segment: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(segment.len()).ok()?;
    let mut packed = vec![0; HEAD_BYTES + get_maximum_output_size(segment.len())];
    let (head, body) = packed.split_at_mut(HEAD_BYTES);
    head[0] = MARK;
    head[1..].copy_from_slice(&length.to_be_bytes());
    let body = compress_into(segment, body).ok()?;
    packed.truncate(HEAD_BYTES + body);
    (packed.len() < segment.len()).then_some(packed)
}

/// Returns the segment that was stored as `data`.
///
/// # Errors
/// [`BadPacking`] if the data is damaged.
pub(super) fn unpack(data: Vec<u8>) -> Result<Vec<u8>, BadPacking> {
    if data.first() != Some(&MARK) {
        return Ok(data);
    }
    let (head, body) = data.split_at_checked(HEAD_BYTES).ok_or(BadPacking)?;
    let length = head[1..].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    if length > MOST_BYTES {
        return Err(BadPacking);
    }
    decompress(body, length).ok().filter(|segment| segment.len() == length).ok_or(BadPacking)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_can_be_unpacked(segment: Vec<u8>, times in 1..20usize) {
            let segment = segment.repeat(times);
            if let Some(packed) = pack(&segment) {
                prop_assert!(packed.len() < segment.len());
                prop_assert_eq!(unpack(packed), Ok(segment));
            }
        }

        #[test]
        fn damaged_data_is_an_error_or_something_else(mut data: Vec<u8>) {
            data.insert(0, MARK);
            if let Ok(segment) = unpack(data) {
                prop_assert!(segment.len() <= MOST_BYTES);
            }
        }
    }

    #[test]
    fn a_segment_that_is_not_packed_is_what_it_was() {
        assert_eq!(pack(b"short"), None);
        assert_eq!(unpack(b"\x02short".to_vec()), Ok(b"\x02short".to_vec()));
        assert_eq!(unpack(Vec::new()), Ok(Vec::new()));
        let mut packed = pack(&[7; 1000]).unwrap();
        assert_eq!(unpack(packed.clone()), Ok(vec![7; 1000]));
        packed[1] = 0xff;
        assert_eq!(unpack(packed), Err(BadPacking), "a length that nobody has written");
    }
}
