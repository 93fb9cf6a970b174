//! What waits for a session's host, as its readers are told.

use super::agent::{AT, Disk, attached, confirmed};
use super::*;
use crate::encoded::Encoding;
use crate::events::{EventStream, StreamOutput};
use crate::reader::Start;

#[test]
fn readers_get_the_entries_that_settle_what_waits_before_they_learn_that_nothing_does() {
    let mut disk = Disk::new();
    disk.link(1, 1);
    disk.asks();
    let mut peer = attached(&mut disk.session);
    let mut stream =
        EventStream::attach(&mut disk.session, NOW, Start::Live, Encoding::Text).unwrap();
    let mut told = |disk: &mut Disk| {
        let (mut by_peer, mut by_stream) = (Vec::new(), Vec::new());
        while let Some(output) = peer.poll_output(&mut disk.session, NOW) {
            by_peer.extend(match message(&output) {
                Some(ServerMessage::Event { event, .. }) => Some(event.kind),
                Some(ServerMessage::Pending { .. }) => Some("agent-pending".to_owned()),
                _ => None,
            });
        }
        while let Some(StreamOutput::Send(text)) = stream.poll_output(&mut disk.session, NOW, AT) {
            let text = String::from_utf8(text.to_vec()).unwrap();
            let kinds = text.lines().filter_map(|line| line.strip_prefix("event: "));
            by_stream.extend(kinds.map(str::to_owned));
        }
        (by_peer, by_stream)
    };
    told(&mut disk);
    disk.decide("ann").unwrap();
    let waits = vec!["agent-pending".to_owned()];
    assert_eq!(told(&mut disk), (waits.clone(), waits));
    disk.store();
    disk.event("approval-confirmed", confirmed());
    disk.acted(1, 2);
    let settled = vec!["approval-confirmed".to_owned(), "agent-pending".to_owned()];
    assert_eq!(told(&mut disk), (settled.clone(), settled));
}
