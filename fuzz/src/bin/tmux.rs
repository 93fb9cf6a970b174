//! The control mode of tmux: any bytes, cut anywhere, give the same events.

#![no_main]
#![expect(dead_code, reason = "the connection uses more of the module")]

#[path = "../../../host/src/driver/tmux/protocol.rs"]
mod protocol;

use libfuzzer_sys::fuzz_target;
use protocol::{ControlEvent, ControlParser};

fn events(pieces: &[&[u8]]) -> Vec<ControlEvent> {
    let mut parser = ControlParser::default();
    let mut events = Vec::new();
    for piece in pieces {
        parser.push(piece);
        events.extend(std::iter::from_fn(|| parser.next()));
    }
    events
}

fuzz_target!(|input: (u8, &[u8])| {
    let (at, stream) = input;
    let at = usize::from(at).min(stream.len());
    assert_eq!(events(&[stream]), events(&[&stream[..at], &stream[at..]]));
});
