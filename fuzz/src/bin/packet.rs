//! Checks that a packet between host and relay, of each of the four kinds of messages, is refused,
//! or survives being sent on.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use moorline_shared::control::{ToHost, ToRelay};
use moorline_shared::packet::{Decode, Encode, Packet};
use moorline_shared::publish::{HostCommand, HostMessage};

fn survives<M: Decode + Encode + Clone + PartialEq + std::fmt::Debug>(packet: Packet) {
    if let Ok(message) = M::decode(packet) {
        let again = M::decode(message.clone().encode());
        assert_eq!(again.expect("what was written can be read"), message);
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else { return };
    let data = Bytes::copy_from_slice(data);
    let packet = if kind & 4 == 0 { Packet::Text(data) } else { Packet::Binary(data) };
    match kind & 3 {
        0 => survives::<HostCommand>(packet),
        1 => survives::<HostMessage>(packet),
        2 => survives::<ToRelay>(packet),
        _ => survives::<ToHost>(packet),
    }
});
