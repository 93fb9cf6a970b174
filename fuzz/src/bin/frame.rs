//! Checks that a frame from the wire is refused, or encodes to the same bytes.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use moorline_shared::frame::Frame;

fuzz_target!(|data: &[u8]| {
    if let Ok(frame) = Frame::decode(Bytes::copy_from_slice(data)) {
        assert_eq!(frame.encoded(), data);
        assert_eq!(Frame::copy(frame.seq(), frame.data()), Ok(frame));
    }
});
