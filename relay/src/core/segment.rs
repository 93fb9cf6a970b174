//! The segment: many consecutive entries as one blob.
//!
//! Per entry `[kind: u8][length: u32, big-endian][encoded entry]`. An output entry is stored as the
//! frame that went over the wire, header included, so that reading one back copies nothing.

use bytes::{Buf as _, BufMut as _, Bytes};
use moorline_shared::frame::{Frame, FrameError};
use moorline_shared::id::Seq;
use moorline_shared::log::{Entry, EventEntry};

const OUTPUT: u8 = 0;
const EVENT: u8 = 1;
const ENTRY_HEADER_BYTES: usize = 5;

/// Why a blob is no segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// It ends within an entry.
    #[error("a segment ends within entry {0}")]
    CutOff(Seq),
    /// An entry of a kind that this version does not know.
    #[error("entry {seq} of a segment has the unknown kind {kind}")]
    UnknownKind {
        /// Which.
        seq: Seq,
        /// Its kind.
        kind: u8,
    },
    /// An output entry that is no frame.
    #[error("entry {seq} of a segment is no frame: {error}")]
    Frame {
        /// Which.
        seq: Seq,
        /// What is wrong with it.
        error: FrameError,
    },
    /// An entry with the number of another.
    #[error("entry {want} of a segment is numbered {got}")]
    OutOfOrder {
        /// The number that its place gives it.
        want: Seq,
        /// The number that it has.
        got: Seq,
    },
}

/// How many bytes [`encode`] adds for an entry.
#[must_use]
pub fn encoded_len(entry: &Entry) -> usize {
    ENTRY_HEADER_BYTES + entry.len()
}

/// Appends one entry to a segment's blob.
pub fn encode(blob: &mut Vec<u8>, entry: &Entry) {
    let (kind, encoded) = match entry {
        Entry::Output(frame) => (OUTPUT, frame.encoded()),
        Entry::Event(event) => (EVENT, event.message()),
    };
    blob.reserve(ENTRY_HEADER_BYTES + encoded.len());
    blob.put_u8(kind);
    blob.put_u32(u32::try_from(encoded.len()).expect("frames and events are far below 4 GiB"));
    blob.put_slice(encoded);
}

/// Reads a segment whose first entry is `first`. The entries share the blob's bytes.
///
/// Ends after the first error.
pub fn decode(first: Seq, blob: Bytes) -> impl Iterator<Item = Result<Entry, SegmentError>> {
    Decoder { next: first, rest: blob }
}

struct Decoder {
    next: Seq,
    rest: Bytes,
}

impl Iterator for Decoder {
    type Item = Result<Entry, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.entry();
        self.next = Seq(self.next.0.wrapping_add(1));
        if entry.is_err() {
            self.rest.clear();
        }
        Some(entry)
    }
}

impl Decoder {
    fn entry(&mut self) -> Result<Entry, SegmentError> {
        let seq = self.next;
        if self.rest.len() < ENTRY_HEADER_BYTES {
            return Err(SegmentError::CutOff(seq));
        }
        let kind = self.rest.get_u8();
        let length = self.rest.get_u32() as usize;
        if self.rest.len() < length {
            return Err(SegmentError::CutOff(seq));
        }
        let encoded = self.rest.split_to(length);
        match kind {
            OUTPUT => {
                let frame =
                    Frame::decode(encoded).map_err(|error| SegmentError::Frame { seq, error })?;
                let got = frame.seq();
                if got == seq {
                    Ok(Entry::Output(frame))
                } else {
                    Err(SegmentError::OutOfOrder { want: seq, got })
                }
            }
            EVENT => Ok(Entry::Event(EventEntry::from_message(seq, encoded))),
            kind => Err(SegmentError::UnknownKind { seq, kind }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn output(seq: u64, data: &[u8]) -> Entry {
        Entry::Output(Frame::copy(Seq(seq), data).unwrap())
    }

    fn event(seq: u64, message: &'static str) -> Entry {
        Entry::Event(EventEntry::from_message(Seq(seq), Bytes::from_static(message.as_bytes())))
    }

    fn blob(entries: &[Entry]) -> Vec<u8> {
        let mut blob = Vec::new();
        for entry in entries {
            encode(&mut blob, entry);
        }
        blob
    }

    #[test]
    fn a_segment_has_these_bytes() {
        let entries = [output(7, b"hi"), event(8, "{}")];
        let golden =
            b"\x00\x00\x00\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x07hi\x01\x00\x00\x00\x02{}";
        assert_eq!(blob(&entries), golden);
        let decoded: Result<Vec<_>, _> = decode(Seq(7), Bytes::from_static(golden)).collect();
        assert_eq!(decoded.unwrap(), entries);
        assert_eq!(entries.iter().map(encoded_len).sum::<usize>(), golden.len());
    }

    #[test]
    fn reading_shares_the_blob() {
        let bytes = Bytes::from(blob(&[output(1, b"data")]));
        let Some(Ok(Entry::Output(frame))) = decode(Seq(1), bytes.clone()).next() else {
            panic!("one frame")
        };
        assert_eq!(frame.encoded().as_ptr(), bytes[ENTRY_HEADER_BYTES..].as_ptr());
    }

    #[test]
    fn what_is_no_segment_is_an_error() {
        let whole = blob(&[output(1, b"ab"), event(2, "{}")]);
        let last = |first: u64, bytes: &[u8]| {
            decode(Seq(first), Bytes::copy_from_slice(bytes)).last().unwrap()
        };
        assert_eq!(last(1, &whole[..whole.len() - 1]), Err(SegmentError::CutOff(Seq(2))));
        assert_eq!(last(1, &whole[..3]), Err(SegmentError::CutOff(Seq(1))));
        let out_of_order = SegmentError::OutOfOrder { want: Seq(5), got: Seq(1) };
        assert_eq!(last(5, &whole), Err(out_of_order));
        let unknown = SegmentError::UnknownKind { seq: Seq(1), kind: 9 };
        assert_eq!(last(1, b"\x09\x00\x00\x00\x00"), Err(unknown));
        let no_frame = SegmentError::Frame { seq: Seq(1), error: FrameError::TooShort(1) };
        assert_eq!(last(1, b"\x00\x00\x00\x00\x01x"), Err(no_frame));
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(
            first in 1_u64..u64::MAX / 2,
            pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..200)), 0..20),
        ) {
            let entries: Vec<Entry> = pieces
                .into_iter()
                .zip(first..)
                .map(|((is_output, data), seq)| if is_output {
                    output(seq, &data)
                } else {
                    Entry::Event(EventEntry::from_message(Seq(seq), Bytes::from(data)))
                })
                .collect();
            let decoded: Result<Vec<_>, _> = decode(Seq(first), Bytes::from(blob(&entries))).collect();
            prop_assert_eq!(decoded, Ok(entries));
        }

        #[test]
        fn any_bytes_decode_or_fail(first in any::<u64>(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let results: Vec<_> = decode(Seq(first), Bytes::from(bytes)).collect();
            prop_assert!(results.iter().rev().skip(1).all(Result::is_ok));
        }
    }
}
