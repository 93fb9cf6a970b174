//! Checks that an event stream yields the same events in pieces of any size as in one piece.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moorline_shared::sse::{Parser, SseItem};

fuzz_target!(|input: &[u8]| {
    let (cut, bytes) =
        input.split_first().map_or((0, input), |(cut, rest)| (usize::from(*cut), rest));
    let (one, two) = bytes.split_at(cut.min(bytes.len()));
    assert_eq!(read(&[one, two]), read(&[bytes]));
});

fn read(pieces: &[&[u8]]) -> Vec<SseItem> {
    let (mut parser, mut items) = (Parser::new(), Vec::new());
    for piece in pieces {
        if parser.push(piece, |item| items.push(item)).is_err() {
            break;
        }
    }
    items
}
