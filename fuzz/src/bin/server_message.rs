//! Checks that a text message from a server is refused, or survives being encoded again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moorline_shared::message::ServerMessage;

fuzz_target!(|text: &str| {
    if let Ok(message) = ServerMessage::from_json(text) {
        let again = ServerMessage::from_json(&message.to_json());
        assert_eq!(again.expect("what was written can be read"), message);
    }
});
