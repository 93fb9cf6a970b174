//! The signs of life of a client, and of its relay.

use std::time::Duration;

use super::*;
use moorline_shared::limits::{DEAD_AFTER, HEARTBEAT};

/// Prints a line a second, and answers pings if `answers`. Returns when the client was closed, within
/// five minutes.
fn closed_while_output_flows(extended: bool, answers: bool) -> Option<Duration> {
    let mut session = linked(&Profile::NATIVE);
    let terms = Terms::new(&Profile::NATIVE, Scope::Read, extended);
    let mut peer = Peer::attach(&mut session, NOW, terms).unwrap();
    resume(&mut session, &mut peer, Resume::default());
    for second in 1..300 {
        let now = NOW + Duration::from_secs(second);
        let frame = Frame::copy(session.log().head().next(), b"a line\r\n").unwrap();
        hear(&mut session, HostMessage::Entry(Entry::Output(frame)));
        while let Some(output) = peer.poll_output(&mut session, now) {
            match output {
                PeerOutput::Ping if answers => peer.heard(now),
                PeerOutput::Close { code, .. } => {
                    assert_eq!(code, close::PROTOCOL);
                    return Some(now - NOW);
                }
                _ => {}
            }
        }
    }
    None
}

#[test]
fn a_client_of_ic1_that_only_listens_is_asked_for_life_while_output_flows() {
    assert_eq!(closed_while_output_flows(false, true), None);
    assert_eq!(closed_while_output_flows(false, false), Some(DEAD_AFTER));
    // A client of today sends pings by itself.
    assert_eq!(closed_while_output_flows(true, true), Some(DEAD_AFTER));
}

#[test]
fn a_silent_relay_gives_a_sign_of_life() {
    let mut session = linked(&Profile::NATIVE);
    let mut peer =
        Peer::attach(&mut session, NOW, Terms::new(&Profile::NATIVE, Scope::Read, true)).unwrap();
    resume(&mut session, &mut peer, Resume::default());
    while peer.poll_output(&mut session, NOW).is_some() {}
    let due = peer.poll_timeout().unwrap();
    assert_eq!(due, NOW + HEARTBEAT);
    let said = peer.poll_output(&mut session, due);
    assert!(matches!(message(&said.unwrap()), Some(ServerMessage::Heartbeat { .. })));
    assert_eq!(peer.poll_timeout(), Some(due + HEARTBEAT));
}
