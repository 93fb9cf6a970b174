//! Clients that want every entry, and clients that prefer to jump.

use std::time::Duration;

use super::*;
use crate::profile::RetentionPolicy;
use crate::session::{Batch, READS_EVERY};
use moorline_shared::limits::{STALLED_AFTER, UNACKED_OUTPUT_BYTES};
use moorline_shared::message::{CatchUp, Outcome, SnapshotReason};

/// Limits so small that the output of these tests exceeds them.
const SMALL: Profile = Profile {
    log: RetentionPolicy {
        memory_bytes: 1_000_000,
        snapshot_every_bytes: u64::MAX,
        window_bytes: u64::MAX,
        retention_bytes: 2_000_000,
        slack_bytes: u64::MAX / 2,
        without_snapshot_bytes: u64::MAX,
        forgets: false,
    },
    ..Profile::NATIVE
};

fn entry(seq: u64) -> Entry {
    Entry::Output(Frame::copy(Seq(seq), &[seq as u8; 50_000]).unwrap())
}

/// A session whose host is connected, and the contents of its store.
struct Stage {
    session: Session,
    stored: Vec<Entry>,
}

impl Stage {
    /// Starts with this many entries of 50 KB.
    fn with(entries: u64) -> Self {
        let mut stage = Self { session: linked(&SMALL), stored: Vec::new() };
        stage.put_out(entries);
        stage
    }

    /// Has the host put out this many entries more, and stores them.
    fn put_out(&mut self, entries: u64) {
        for _ in 0..entries {
            let seq = self.session.log().head().next();
            hear(&mut self.session, HostMessage::Entry(entry(seq.0)));
            self.stored.extend(support::store(&mut self.session).0);
        }
    }

    fn attach(&mut self, extended: bool, wanted: Resume) -> Peer {
        let terms = Terms::new(&Profile::NATIVE, Scope::Write, extended);
        let mut peer = Peer::attach(&mut self.session, NOW, terms).unwrap();
        resume(&mut self.session, &mut peer, wanted);
        peer
    }

    /// Returns the messages to the client, which acknowledges frames if `acknowledges` is true.
    fn read(&mut self, peer: &mut Peer, now: Time, acknowledges: bool) -> Vec<PeerOutput> {
        let mut got = Vec::new();
        while let Some(output) = peer.poll_output(&mut self.session, now) {
            match output {
                PeerOutput::Load { after, .. } => {
                    let some = self.stored.iter().filter(|entry| entry.seq() > after).take(5);
                    peer.loaded(&self.session, some.cloned().collect());
                }
                PeerOutput::Frame(encoded) => {
                    let seq = Frame::decode(encoded.clone()).unwrap().seq();
                    got.push(PeerOutput::Frame(encoded));
                    if acknowledges {
                        let ack = ClientMessage::Ack { seq }.to_json();
                        peer.text(&mut self.session, now, 0, &ack);
                    }
                }
                other => got.push(other),
            }
        }
        got
    }

    /// Returns the last acknowledgement to the host since the last call, if any.
    fn acknowledged(&mut self) -> Option<Seq> {
        let acks = commands(&mut self.session).into_iter().filter_map(|command| match command {
            HostCommand::Ack { seq } => Some(seq),
            _ => None,
        });
        acks.last()
    }
}

fn seqs(got: &[PeerOutput]) -> Vec<u64> {
    let frames = got.iter().filter_map(|output| match output {
        PeerOutput::Frame(encoded) => Some(Frame::decode(encoded.clone()).unwrap().seq().0),
        _ => None,
    });
    frames.collect()
}

fn outcome(got: &[PeerOutput]) -> Option<Outcome> {
    got.iter().filter_map(message).find_map(|message| match message {
        ServerMessage::Resumed(resumed) => Some(resumed.outcome),
        _ => None,
    })
}

fn replay() -> Resume {
    let (last_seq, catch_up) = (Some(Seq(2)), Some(CatchUp::Replay));
    Resume { last_seq, catch_up, ..Resume::default() }
}

#[test]
fn a_replay_is_every_entry_however_far_behind_and_a_jump_is_not() {
    let mut stage = Stage::with(400);
    assert!(stage.session.log().tail() > Seq(300), "most of it is in the store alone");
    let all = Vec::from_iter(3..=400);
    let mut full = stage.attach(true, replay());
    let got = stage.read(&mut full, NOW, true);
    assert_eq!((outcome(&got), seqs(&got)), (Some(Outcome::Continue), all.clone()));
    let mut basic = stage.attach(false, Resume { last_seq: Some(Seq(2)), ..Resume::default() });
    assert_eq!(seqs(&stage.read(&mut basic, NOW, false)), all);
    let mut jumping = stage.attach(true, Resume { jump: true, ..replay() });
    let got = stage.read(&mut jumping, NOW, true);
    assert_eq!((outcome(&got), seqs(&got)), (Some(Outcome::Snapshot), vec![]));
    // It is less behind than the backlog's limit, so it gets every entry.
    let near = Resume { last_seq: Some(Seq(300)), jump: true, ..replay() };
    let mut near = stage.attach(true, near);
    let got = stage.read(&mut near, NOW, true);
    assert_eq!((outcome(&got), seqs(&got).len()), (Some(Outcome::Continue), 100));
}

#[test]
fn who_reads_holds_the_host_back_before_it_falls_off_the_log_and_who_stalls_does_not() {
    let mut stage = Stage::with(10);
    let mut peer = stage.attach(true, replay());
    stage.read(&mut peer, NOW, false);
    assert_eq!((stage.acknowledged(), stage.session.read_after()), (Some(Seq(10)), Some(Seq(8))));
    stage.put_out(150);
    let told = stage.acknowledged().unwrap();
    assert_eq!(told, Seq(47), "2 MB after entry 8");

    // The client reads, and the host goes on as far.
    let later = Time::from_ms(5000);
    for seq in 3..=30 {
        peer.text(&mut stage.session, later, 0, &ClientMessage::Ack { seq: Seq(seq) }.to_json());
        stage.read(&mut peer, later, false);
    }
    let read_after = stage.session.read_after().unwrap();
    assert!(Seq(60) < read_after && read_after < Seq(80), "{read_after}");
    assert!(stage.acknowledged() < Some(Seq(160)), "that is still too far");
    let due = stage.session.poll_timeout().unwrap();
    assert_eq!(due, later + STALLED_AFTER + READS_EVERY);
    stage.session.handle(due, SessionInput::Timeout);
    assert_eq!((stage.acknowledged(), stage.session.read_after()), (Some(Seq(160)), None));
    assert_eq!(stage.session.poll_timeout(), None);

    // The entries that it left behind go, and it learns that when it comes back.
    let mut batch = Box::<Batch>::default();
    batch.remove_up_to = Some(Seq(120));
    stage.session.handle(due, SessionInput::Stored { batch, rows: Vec::new() });
    stage.stored.retain(|entry| entry.seq() > Seq(120));
    let data = Bytes::from_static(b"the screen");
    let snapshot = Snapshot { seq: Seq(150), data, cols: None, rows: None, reason: None };
    hear(&mut stage.session, HostMessage::Snapshot(snapshot.clone()));
    let newest = Seq(peer_position(&mut stage, &mut peer, due));
    peer.text(&mut stage.session, due, 0, &ClientMessage::Ack { seq: newest }.to_json());
    assert_eq!(seqs(&stage.read(&mut peer, due, true)), [] as [u64; 0], "it waits for a snapshot");
    hear(&mut stage.session, HostMessage::Snapshot(snapshot));
    let got = stage.read(&mut peer, due, true);
    let reasons: Vec<_> = got.iter().filter_map(message).filter_map(reason).collect();
    assert_eq!((reasons, seqs(&got)), (vec![SnapshotReason::Behind], Vec::from_iter(151..=160)));
}

/// Returns the last entry that the client was sent.
fn peer_position(stage: &mut Stage, peer: &mut Peer, now: Time) -> u64 {
    assert_eq!(seqs(&stage.read(peer, now, false)), [] as [u64; 0], "it has no credit");
    let saved = serde_json::to_value(peer.save()).unwrap();
    saved["sender"]["sent"].as_u64().unwrap()
}

fn reason(message: ServerMessage) -> Option<SnapshotReason> {
    match message {
        ServerMessage::Snapshot(snapshot) => snapshot.reason,
        _ => None,
    }
}

#[test]
fn a_client_that_leaves_holds_nobody_back() {
    let mut stage = Stage::with(10);
    let mut peer = stage.attach(true, replay());
    stage.read(&mut peer, NOW, false);
    stage.put_out(100);
    assert!(stage.acknowledged() < Some(Seq(110)));
    peer.detach(&mut stage.session);
    assert_eq!(stage.acknowledged(), Some(Seq(110)));
}

#[test]
fn a_slow_client_has_little_on_its_way_and_an_interrupt_skips_the_rest() {
    let mut stage = Stage::with(100);
    let client_id: ClientId = "client_1".parse().unwrap();
    let mut peer = stage.attach(true, Resume { client_id: Some(client_id.clone()), ..replay() });
    let accepted = HostMessage::InputAck { client_id, seq: Seq::ZERO };
    hear(&mut stage.session, accepted);
    let got = stage.read(&mut peer, NOW, false);
    let bytes = seqs(&got).len() as u64 * 50_000;
    assert!((UNACKED_OUTPUT_BYTES - 100_000..UNACKED_OUTPUT_BYTES + 50_000).contains(&bytes));
    // The client takes one entry a second.
    let (mut sent, mut now) = (*seqs(&got).last().unwrap(), NOW);
    for acked in 3..=*seqs(&got).last().unwrap() {
        now = now + Duration::from_secs(1);
        peer.text(&mut stage.session, now, 0, &ClientMessage::Ack { seq: Seq(acked) }.to_json());
        sent += seqs(&stage.read(&mut peer, now, false)).len() as u64;
    }
    assert_eq!(sent, *seqs(&got).last().unwrap() + 2, "no more than two entries are on their way");

    let piece = |seq, data| Frame::copy(Seq(seq), data).unwrap().encoded();
    peer.binary(&mut stage.session, now, piece(1, b"ls"));
    stage.read(&mut peer, now, false);
    peer.binary(&mut stage.session, now, piece(2, b"\x03"));
    stage.read(&mut peer, now, false);
    let asked = commands(&mut stage.session);
    let asked = asked.iter().filter(|command| **command == HostCommand::SnapshotRequest);
    assert_eq!(asked.count(), 1);
    let data = Bytes::from_static(b"the screen");
    let snapshot = Snapshot { seq: Seq(100), data, cols: None, rows: None, reason: None };
    hear(&mut stage.session, HostMessage::Snapshot(snapshot));
    let got = stage.read(&mut peer, now, false);
    let reasons: Vec<_> = got.iter().filter_map(message).filter_map(reason).collect();
    assert_eq!((reasons, seqs(&got)), (vec![SnapshotReason::Interrupt], vec![]));
}

#[test]
fn an_interrupt_of_what_is_over_soon_skips_nothing() {
    let mut stage = Stage::with(3);
    let client_id: ClientId = "client_1".parse().unwrap();
    let mut peer = stage.attach(true, Resume { client_id: Some(client_id.clone()), ..replay() });
    hear(&mut stage.session, HostMessage::InputAck { client_id, seq: Seq::ZERO });
    assert_eq!(seqs(&stage.read(&mut peer, NOW, false)), [3]);
    let piece = Frame::copy(Seq(1), b"\x03").unwrap().encoded();
    peer.binary(&mut stage.session, NOW, piece);
    let got = stage.read(&mut peer, NOW, false);
    assert_eq!(got.iter().filter_map(message).filter_map(reason).count(), 0);
}
