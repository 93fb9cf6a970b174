//! Checks that a text message from a client is refused, or survives being encoded again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moorline_shared::message::ClientMessage;

fuzz_target!(|text: &str| {
    if let Ok(message) = ClientMessage::from_json(text) {
        let again = ClientMessage::from_json(&message.to_json());
        assert_eq!(again.expect("what was written can be read"), message);
    }
});
