//! Checks that every entry of a segment's blob, up to the first error, survives being stored again.
#![no_main]

// Includes only this file: the relay's whole crate would build SQLite and a web server with
// counters.
#[path = "../../../relay/core/src/segment.rs"]
mod segment;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use moorline_shared::id::Seq;
use segment::Segment;

fuzz_target!(|input: (u64, &[u8])| {
    let (first, blob) = input;
    let mut segment = Segment::default();
    let mut entries = Vec::new();
    let mut whole = true;
    for entry in segment::decode(Seq(first), Bytes::copy_from_slice(blob)) {
        assert!(whole, "an entry follows an error");
        match entry {
            Ok(entry) => {
                segment.push(&entry);
                entries.push(entry);
            }
            Err(_) => whole = false,
        }
    }
    assert!(segment.len() <= entries.iter().map(segment::most_len).sum());
    let again = segment::decode(Seq(first), Bytes::copy_from_slice(segment.blob()));
    assert!(again.map(Result::unwrap).eq(entries));
});
