//! What a session asks to be stored, and what is trimmed.

use super::*;
use crate::session::Urgency;

const RETENTION_BYTES: u64 = Profile::NATIVE.log.retention_bytes;

fn output(session: &mut Session, bytes: u64) {
    let mut came = 0;
    while came < bytes {
        let frame = Frame::copy(session.log().head().next(), &[b'x'; FRAME_DATA_BYTES]).unwrap();
        came += frame.data_len() as u64;
        hear(session, HostMessage::Entry(Entry::Output(frame)));
    }
}

/// Puts out this much and stores it at once. Returns the most bytes that were in memory and in the
/// store, and how often the host was asked for a snapshot, which it does not make.
fn flood_without_snapshots(session: &mut Session, bytes: u64) -> (u64, u64, u64) {
    let (mut in_memory, mut in_store, mut asked) = (0, 0, 0);
    for _ in 0..bytes / FRAME_DATA_BYTES as u64 {
        output(session, 1);
        support::store(session);
        for command in commands(session) {
            if command == HostCommand::SnapshotRequest {
                asked += 1;
                hear(session, HostMessage::SnapshotFailed);
            }
        }
        in_memory = in_memory.max(session.log().bytes());
        in_store = in_store.max(session.stored_rows().bytes());
    }
    (in_memory, in_store, asked)
}

fn snapshot(seq: Seq) -> Snapshot {
    Snapshot { seq, data: Bytes::from_static(b"the screen"), cols: None, rows: None, reason: None }
}

#[test]
fn a_log_without_snapshots_is_trimmed_all_the_same() {
    const FLOOD: u64 = RETENTION_BYTES * 3 / 2;
    const ENTRY: u64 = 2 * FRAME_DATA_BYTES as u64;
    let policy = Profile::NATIVE.log;
    let mut session = linked(&Profile::NATIVE);
    let (in_memory, in_store, asked) = flood_without_snapshots(&mut session, FLOOD);
    assert!(in_memory <= policy.memory_bytes + ENTRY, "{in_memory}");
    let bound = policy.without_snapshot_bytes + ENTRY;
    assert!((policy.retention_bytes..=bound).contains(&in_store), "{in_store}");
    // Asked again after as much output, not at every entry.
    let times = FLOOD / policy.snapshot_every_bytes;
    assert!((times / 2..=times + 1).contains(&asked), "asked {asked} times");
    // A client gets the retained entries, after an empty screen.
    assert_eq!(session.last_snapshot().seq, Seq(session.oldest().0 - 1));
}

#[test]
fn a_log_is_trimmed_behind_its_stored_snapshot() {
    let mut session = linked(&Profile::NATIVE);
    output(&mut session, RETENTION_BYTES / 2);
    support::store(&mut session);
    let seen = session.log().head();
    hear(&mut session, HostMessage::Snapshot(snapshot(seen)));
    let policy = Profile::NATIVE.log;
    output(&mut session, RETENTION_BYTES / 2 + policy.slack_bytes * 3 / 2);
    support::store(&mut session);
    let (_, removed) = support::store(&mut session);
    assert_eq!(removed, None, "all that is stored was removed with the last batch");
    assert!(session.oldest() > Seq(1) && session.oldest() <= seen.next());
    assert_eq!(session.last_snapshot(), snapshot(seen));
}

#[test]
fn a_snapshot_that_comes_after_all_is_of_use_again() {
    let mut session = linked(&Profile::NATIVE);
    flood_without_snapshots(&mut session, 6 * BACKLOG_BYTES);
    let last = snapshot(session.log().head());
    hear(&mut session, HostMessage::Snapshot(last.clone()));
    assert_eq!(session.last_snapshot(), last);
}

/// Returns what the owner is asked to store since the last call.
fn asked(session: &mut Session) -> Option<Urgency> {
    let outputs = std::iter::from_fn(|| session.poll_output());
    let urgencies = outputs.filter_map(|output| match output {
        SessionEffect::Store(urgency) => Some(urgency),
        _ => None,
    });
    urgencies.last()
}

#[test]
fn the_owner_is_asked_once_for_each_batch_and_again_in_a_hurry() {
    let mut session = linked(&Profile::NATIVE);
    assert_eq!(asked(&mut session), Some(Urgency::Now), "it is new");
    support::store(&mut session);
    assert_eq!(asked(&mut session), None);
    output(&mut session, 1);
    assert_eq!((asked(&mut session), asked(&mut session)), (Some(Urgency::Soon), None));
    output(&mut session, Profile::NATIVE.urgent_bytes);
    assert_eq!((asked(&mut session), asked(&mut session)), (Some(Urgency::Now), None));
    let batch = session.store_batch(1).unwrap();
    let rows = Vec::new();
    session.handle(NOW, SessionInput::Stored { batch, rows });
    assert_eq!(asked(&mut session), Some(Urgency::Now), "a batch takes only so much");
    session.delete();
    assert!(asked(&mut session).is_none() && session.store_batch(1).is_none());
}

#[test]
fn a_batch_of_an_earlier_log_says_nothing_about_the_present_one() {
    let mut session = linked(&Profile::EDGE);
    output(&mut session, 1);
    let batch = session.store_batch(1 << 20).unwrap();
    assert_eq!((batch.entries.len(), batch.begins_anew), (1, false));
    let (epoch, from, head, size) = (Epoch(2), Seq(7), Seq(7), Size::default());
    session.handle(NOW, SessionInput::HostArrived);
    hear(&mut session, HostMessage::Resumed { epoch, from, head, size });
    output(&mut session, 1);
    session.handle(NOW, SessionInput::Stored { batch, rows: Vec::new() });
    assert_eq!((session.durable(), session.log().head()), (Seq(7), Seq(8)));
    let batch = session.store_batch(1 << 20).unwrap();
    assert_eq!((batch.epoch, batch.begins_anew, batch.entries.len()), (Epoch(2), true, 1));
    session.handle(NOW, SessionInput::Stored { batch, rows: Vec::new() });
    assert_eq!((session.durable(), session.is_stored()), (Seq(8), true));
}

#[test]
fn a_snapshot_is_stored_though_a_newer_one_always_comes_before_its_entries_are() {
    let mut session = linked(&Profile::NATIVE);
    let mut stored = Vec::new();
    let every = Profile::NATIVE.log.snapshot_every_bytes;
    for _ in 0..4 {
        // The host is always this far ahead of the store.
        output(&mut session, every * 2);
        let last = session.log().head();
        hear(&mut session, HostMessage::Snapshot(snapshot(last)));
        let batch = session.store_batch(every as usize).unwrap();
        stored.extend(batch.snapshot.as_ref().map(|snapshot| snapshot.seq));
        session.handle(NOW, SessionInput::Stored { batch, rows: Vec::new() });
    }
    assert!(!stored.is_empty(), "the log would be trimmed without one");
}
