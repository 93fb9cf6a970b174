//! A segment's blob: every entry before the first error is encoded to the bytes that it came from.
#![no_main]

// The file alone: the relay's whole crate would build SQLite and a web server with counters.
#[path = "../../../relay/src/core/segment.rs"]
mod segment;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use moorline_shared::id::Seq;

fuzz_target!(|input: (u64, &[u8])| {
    let (first, blob) = input;
    let mut encoded = Vec::new();
    let mut length = 0;
    let mut whole = true;
    for entry in segment::decode(Seq(first), Bytes::copy_from_slice(blob)) {
        assert!(whole, "an entry follows an error");
        match entry {
            Ok(entry) => {
                length += segment::encoded_len(&entry);
                segment::encode(&mut encoded, &entry);
            }
            Err(_) => whole = false,
        }
    }
    assert_eq!(encoded.len(), length);
    assert!(blob.starts_with(&encoded));
    assert!(!whole || encoded.len() == blob.len());
});
