//! The segment: many consecutive entries as one blob.
//!
//! Each entry is `[kind: u8][time][length][encoded entry]`. The time is in milliseconds, since the
//! entry before or since 1970. Time and length are LEB128 numbers; a time since the entry before is
//! zigzag-coded, because clocks step back. An output entry is stored as the frame that went over
//! the wire, header included, so that reading it copies nothing.
//!
//! Entries stored before times were recorded are `[kind: u8][length: u32, big-endian][encoded
//! entry]`, and may precede others in the same blob. Their events contain their own time; their
//! output has the time of the event before it.

use bytes::{Buf as _, BufMut as _, Bytes};
use moorline_shared::frame::{Frame, FrameError};
use moorline_shared::id::Seq;
use moorline_shared::log::{Entry, EventEntry};

/// Output without a time.
const UNTIMED_OUTPUT: u8 = 0;
/// An event whose time is only in its message.
const UNTIMED_EVENT: u8 = 1;
/// Output, with the time since 1970.
const OUTPUT: u8 = 2;
/// An event, with the time since 1970.
const EVENT: u8 = 3;
/// Added to a kind whose time counts from the entry before.
const AFTER: u8 = 2;
const OUTPUT_AFTER: u8 = OUTPUT + AFTER;
const EVENT_AFTER: u8 = EVENT + AFTER;

/// The most bytes before an encoded entry: its kind, and two LEB128 numbers.
const ENTRY_HEADER_BYTES: usize = 1 + 10 + 5;
const UNTIMED_HEADER_BYTES: usize = 5;

/// The error for a blob that is not a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// The blob ends within an entry.
    #[error("a segment ends within entry {0}")]
    CutOff(Seq),
    /// A number has more than 64 bits.
    #[error("entry {0} of a segment has an invalid number")]
    Number(Seq),
    /// An entry has a kind that this version does not know.
    #[error("entry {seq} of a segment has the unknown kind {kind}")]
    UnknownKind {
        /// The entry's number, by its place.
        seq: Seq,
        /// The unknown kind.
        kind: u8,
    },
    /// An output entry is not a frame.
    #[error("entry {seq} of a segment is not a valid frame: {error}")]
    Frame {
        /// The entry's number, by its place.
        seq: Seq,
        /// The fault of the frame.
        error: FrameError,
    },
    /// An entry has a number that does not fit its place.
    #[error("entry {want} of a segment is numbered {got}")]
    OutOfOrder {
        /// The number by its place.
        want: Seq,
        /// The number in its frame.
        got: Seq,
    },
}

/// Returns the most bytes that [`Segment::push`] adds for an entry.
#[must_use]
pub fn most_len(entry: &Entry) -> usize {
    ENTRY_HEADER_BYTES + entry.len()
}

/// The blob of a segment that is being filled.
#[derive(Debug, Default)]
pub struct Segment {
    blob: Vec<u8>,
    /// The time of the last entry; `None` if it is unknown.
    time_ms: Option<u64>,
}

impl Segment {
    /// Continues a stored segment.
    #[must_use]
    pub const fn of(blob: Vec<u8>) -> Self {
        Self { blob, time_ms: None }
    }

    /// Appends one entry to the blob.
    pub fn push(&mut self, entry: &Entry) {
        let (kind, frame);
        let encoded = match entry {
            Entry::Output(output) => {
                frame = output.encoded();
                kind = OUTPUT;
                &frame
            }
            Entry::Event(event) => {
                kind = EVENT;
                event.message()
            }
        };
        let time_ms = entry.time_ms();
        self.blob.reserve(ENTRY_HEADER_BYTES + encoded.len());
        match self.time_ms.replace(time_ms) {
            Some(before) => {
                self.blob.put_u8(kind + AFTER);
                put_number(&mut self.blob, zigzag(time_ms.wrapping_sub(before).cast_signed()));
            }
            None => {
                self.blob.put_u8(kind);
                put_number(&mut self.blob, time_ms);
            }
        }
        put_number(&mut self.blob, encoded.len() as u64);
        self.blob.put_slice(encoded);
    }

    /// Returns the bytes of the segment.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// Returns the length of the blob in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.blob.len()
    }

    /// Returns true if the segment is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.blob.is_empty()
    }

    /// Reserves room for this many more bytes.
    pub fn reserve(&mut self, bytes: usize) {
        self.blob.reserve(bytes);
    }

    /// Removes all entries, and keeps the memory.
    pub fn clear(&mut self) {
        self.blob.clear();
        self.time_ms = None;
    }
}

const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

const fn from_zigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

fn put_number(blob: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        blob.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    blob.put_u8(number as u8);
}

/// Reads a segment whose first entry is `first`. The entries share the blob's bytes.
///
/// Ends after the first error.
pub fn decode(first: Seq, blob: Bytes) -> impl Iterator<Item = Result<Entry, SegmentError>> {
    SegmentDecoder { next: first, time_ms: 0, rest: blob }
}

struct SegmentDecoder {
    next: Seq,
    /// The time of the entry before; 0 if it is unknown.
    time_ms: u64,
    rest: Bytes,
}

impl Iterator for SegmentDecoder {
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

impl SegmentDecoder {
    fn entry(&mut self) -> Result<Entry, SegmentError> {
        let seq = self.next;
        let kind = self.rest.get_u8();
        let length = match kind {
            UNTIMED_OUTPUT | UNTIMED_EVENT if self.rest.len() < UNTIMED_HEADER_BYTES - 1 => {
                return Err(SegmentError::CutOff(seq));
            }
            UNTIMED_OUTPUT | UNTIMED_EVENT => u64::from(self.rest.get_u32()),
            OUTPUT | EVENT => {
                self.time_ms = self.number()?;
                self.number()?
            }
            OUTPUT_AFTER | EVENT_AFTER => {
                let passed = from_zigzag(self.number()?);
                self.time_ms = self.time_ms.wrapping_add_signed(passed);
                self.number()?
            }
            kind => return Err(SegmentError::UnknownKind { seq, kind }),
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= self.rest.len());
        let encoded = self.rest.split_to(length.ok_or(SegmentError::CutOff(seq))?);
        match kind {
            UNTIMED_EVENT => {
                let event = EventEntry::from_message(seq, self.time_ms, encoded.clone()).event();
                self.time_ms = event.map_or(self.time_ms, |event| event.timestamp);
                Ok(Entry::Event(EventEntry::from_message(seq, self.time_ms, encoded)))
            }
            EVENT | EVENT_AFTER => {
                Ok(Entry::Event(EventEntry::from_message(seq, self.time_ms, encoded)))
            }
            _ => self.output(seq, encoded),
        }
    }

    fn output(&self, seq: Seq, encoded: Bytes) -> Result<Entry, SegmentError> {
        let frame = Frame::decode(encoded).map_err(|error| SegmentError::Frame { seq, error })?;
        let got = frame.seq();
        if got == seq {
            Ok(Entry::Output(frame.at(self.time_ms)))
        } else {
            Err(SegmentError::OutOfOrder { want: seq, got })
        }
    }

    fn number(&mut self) -> Result<u64, SegmentError> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.rest.try_get_u8().map_err(|_| SegmentError::CutOff(self.next))?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(SegmentError::Number(self.next))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn output(seq: u64, time_ms: u64, data: &[u8]) -> Entry {
        Entry::Output(Frame::copy(Seq(seq), data).unwrap().at(time_ms))
    }

    fn event(seq: u64, time_ms: u64, message: &'static str) -> Entry {
        let message = Bytes::from_static(message.as_bytes());
        Entry::Event(EventEntry::from_message(Seq(seq), time_ms, message))
    }

    fn blob(entries: &[Entry]) -> Vec<u8> {
        let mut segment = Segment::default();
        entries.iter().for_each(|entry| segment.push(entry));
        segment.blob().to_vec()
    }

    fn decoded(first: u64, blob: &[u8]) -> Result<Vec<Entry>, SegmentError> {
        decode(Seq(first), Bytes::copy_from_slice(blob)).collect()
    }

    #[test]
    fn a_segment_has_these_bytes() {
        let entries = [output(7, 300, b"hi"), event(8, 301, "{}"), output(9, 299, b"")];
        let golden =
            b"\x02\xac\x02\x0a\0\0\0\0\0\0\0\x07hi\x05\x02\x02{}\x04\x03\x08\0\0\0\0\0\0\0\x09";
        assert_eq!(blob(&entries), golden);
        assert_eq!(decoded(7, golden).unwrap(), entries);
        assert!(entries.iter().map(most_len).sum::<usize>() >= golden.len());
    }

    #[test]
    fn a_segment_of_before_times_is_read_and_continued() {
        let old = b"\0\0\0\0\x0a\0\0\0\0\0\0\0\x07hi\
            \x01\0\0\0\x5c{\"type\":\"event\",\"seq\":8,\"event\":{\"sessionId\":\"session1\",\"type\":\"x\",\"timestamp\":17000000000}}\
            \0\0\0\0\x09\0\0\0\0\0\0\0\x09!";
        let mut segment = Segment::of(old.to_vec());
        segment.push(&output(10, 17_000_000_005, b"new"));
        segment.push(&output(11, 17_000_000_004, b"newer"));
        let entries = decoded(7, segment.blob()).unwrap();
        let times: Vec<_> = entries.iter().map(Entry::time_ms).collect();
        let at = 17_000_000_000;
        assert_eq!(times, [0, at, at, at + 5, at + 4]);
        assert_eq!(entries[0], output(7, 0, b"hi"));
        assert_eq!(entries[2], output(9, at, b"!"));
    }

    #[test]
    fn reading_shares_the_blob() {
        let bytes = Bytes::from(blob(&[output(1, 0, b"data")]));
        let Some(Ok(Entry::Output(frame))) = decode(Seq(1), bytes.clone()).next() else {
            panic!("one frame")
        };
        assert_eq!(frame.encoded().as_ptr(), bytes[3..].as_ptr());
    }

    #[test]
    fn what_is_no_segment_is_an_error() {
        let whole = blob(&[output(1, 0, b"ab"), event(2, 0, "{}")]);
        let last = |first: u64, bytes: &[u8]| {
            decode(Seq(first), Bytes::copy_from_slice(bytes)).last().unwrap()
        };
        assert_eq!(last(1, &whole[..whole.len() - 1]), Err(SegmentError::CutOff(Seq(2))));
        assert_eq!(last(1, &whole[..2]), Err(SegmentError::CutOff(Seq(1))));
        assert_eq!(last(1, b"\x00\x00\x00"), Err(SegmentError::CutOff(Seq(1))));
        let out_of_order = SegmentError::OutOfOrder { want: Seq(5), got: Seq(1) };
        assert_eq!(last(5, &whole), Err(out_of_order));
        let unknown = SegmentError::UnknownKind { seq: Seq(1), kind: 9 };
        assert_eq!(last(1, b"\x09\x00\x00\x00\x00"), Err(unknown));
        let no_frame = SegmentError::Frame { seq: Seq(1), error: FrameError::TooShort(1) };
        assert_eq!(last(1, b"\x00\x00\x00\x00\x01x"), Err(no_frame));
        assert_eq!(last(1, &[&[2][..], &[0xff; 12]].concat()), Err(SegmentError::Number(Seq(1))));
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(
            first in 1_u64..u64::MAX / 2,
            pieces in prop::collection::vec(
                (any::<bool>(), any::<u64>(), prop::collection::vec(any::<u8>(), 0..200)),
                0..20,
            ),
            stored in 0_usize..20,
        ) {
            let entries: Vec<Entry> = pieces
                .into_iter()
                .zip(first..)
                .map(|((is_output, time_ms, data), seq)| if is_output {
                    output(seq, time_ms, &data)
                } else {
                    Entry::Event(EventEntry::from_message(Seq(seq), time_ms, Bytes::from(data)))
                })
                .collect();
            let (before, after) = entries.split_at(stored.min(entries.len()));
            let mut segment = Segment::of(blob(before));
            after.iter().for_each(|entry| segment.push(entry));
            prop_assert!(segment.len() <= entries.iter().map(most_len).sum::<usize>());
            prop_assert_eq!(decoded(first, segment.blob()), Ok(entries));
        }

        #[test]
        fn any_bytes_decode_or_fail(first in any::<u64>(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let results: Vec<_> = decode(Seq(first), Bytes::from(bytes)).collect();
            prop_assert!(results.iter().rev().skip(1).all(Result::is_ok));
        }
    }
}
