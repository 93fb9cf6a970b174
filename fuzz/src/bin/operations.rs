//! Checks that any text can be searched for operations, and that what is found survives the way to
//! a relay and back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moorline_shared::operation::{Operation, find};

fuzz_target!(|text: &str| {
    for operation in find(text) {
        let wire = serde_json::to_string(&operation).expect("texts always encode");
        let read: Operation = serde_json::from_str(&wire).expect("what was written can be read");
        assert_eq!(read, operation);
    }
});
