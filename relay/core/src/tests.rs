//! A session and a client of it, without a network.

mod answering;
mod liveness;
mod replay;

use bytes::Bytes;
use moorline_shared::event::{Activity, Event, Status};
use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Epoch, Seq};
use moorline_shared::limits::{BACKLOG_BYTES, FRAME_DATA_BYTES};
use moorline_shared::log::{Entry, EventEntry, Log};
use moorline_shared::message::{ClientMessage, Resume, Scope, ServerMessage, Snapshot, close};
use moorline_shared::publish::{HostCommand, HostMessage};
use moorline_shared::session::{Lifecycle, Size};
use moorline_shared::time::Time;

use super::peer::{Peer, PeerOutput, Terms};
use super::profile::{Profile, Retention, RetentionPolicy};
use super::session::{Facts, HeldChange, Session};

const NOW: Time = Time::from_ms(0);

fn facts() -> Facts {
    Facts {
        id: "session_1".parse().unwrap(),
        name: "a session".into(),
        created_at_ms: 1_767_225_600_000,
        driver: "pty".into(),
    }
}

/// Returns a lost session, with a log longer than the backlog and no snapshot.
fn lost_session() -> Session {
    let mut log = Log::new(Epoch(1));
    while log.bytes() <= BACKLOG_BYTES * 2 {
        let frame = Frame::copy(log.head().next(), &[b'x'; FRAME_DATA_BYTES]).unwrap();
        log.push(Entry::Output(frame)).unwrap();
    }
    Session::restored(facts(), log, Size::default(), Lifecycle::Lost, None)
}

fn resume(session: &mut Session, peer: &mut Peer, resume: Resume) {
    peer.text(session, NOW, &ClientMessage::Resume(resume).to_json());
}

fn message(output: &PeerOutput) -> Option<ServerMessage> {
    match output {
        PeerOutput::Text(text) => ServerMessage::from_json(std::str::from_utf8(text).unwrap()).ok(),
        _ => None,
    }
}

#[test]
fn a_client_far_behind_a_lost_session_gets_every_entry() {
    let mut session = lost_session();
    let head = session.log().head();
    let mut peer =
        Peer::attach(&mut session, NOW, Terms::new(&Profile::NATIVE, Scope::Read, true)).unwrap();
    resume(&mut session, &mut peer, Resume::default());
    let (mut frames, mut snapshots, mut ended) = (0, 0, false);
    while let Some(output) = peer.poll_output(&mut session, NOW) {
        match &output {
            PeerOutput::Frame(encoded) => {
                frames += 1;
                let seq = Frame::decode(encoded.clone()).unwrap().seq();
                peer.text(&mut session, NOW, &ClientMessage::Ack { seq }.to_json());
            }
            PeerOutput::Close { code, .. } => assert_eq!(*code, close::NORMAL),
            _ => match message(&output) {
                Some(ServerMessage::Snapshot(_)) => snapshots += 1,
                Some(ServerMessage::Exit { .. }) => ended = true,
                _ => {}
            },
        }
        assert!(snapshots <= 1, "the same snapshot again");
    }
    assert_eq!((Seq(frames), ended), (head, true));
}

#[test]
fn nothing_is_streamed_before_resume() {
    let mut session = lost_session();
    let mut peer =
        Peer::attach(&mut session, NOW, Terms::new(&Profile::NATIVE, Scope::Write, true)).unwrap();
    peer.text(&mut session, NOW, r#"{"type":"ack","seq":1}"#);
    peer.binary(&mut session, NOW, Bytes::from_static(b"\0\0\0\0\0\0\0\x01x"));
    let outputs: Vec<_> = std::iter::from_fn(|| peer.poll_output(&mut session, NOW)).collect();
    let kinds: Vec<_> = outputs.iter().filter_map(message).collect();
    assert!(
        matches!(
            kinds[..],
            [
                ServerMessage::SessionMeta(_),
                ServerMessage::Error { .. },
                ServerMessage::Error { .. }
            ]
        ),
        "{kinds:?}"
    );
    let deadline = peer.poll_timeout().unwrap();
    let closed = peer.poll_output(&mut session, deadline);
    assert!(matches!(closed, Some(PeerOutput::Close { code: close::PROTOCOL, .. })), "{closed:?}");
}

#[test]
fn a_session_goes_on_where_the_relay_lost_what_it_had_acknowledged() {
    let frame = |seq| Entry::Output(Frame::copy(Seq(seq), b"x").unwrap());
    let mut log = Log::new(Epoch(1));
    (1..=3).for_each(|seq| log.push(frame(seq)).unwrap());
    let mut session = Session::restored(facts(), log, Size::default(), Lifecycle::Detached, None);
    let mut peer =
        Peer::attach(&mut session, NOW, Terms::new(&Profile::NATIVE, Scope::Read, true)).unwrap();
    let up_to_date = Resume { last_seq: Some(Seq(3)), ..Resume::default() };
    resume(&mut session, &mut peer, up_to_date);
    while peer.poll_output(&mut session, NOW).is_some() {}

    session.host_arrived();
    let (epoch, from, head) = (Epoch(1), Seq(5), Seq(6));
    let size = Size::default();
    session.host_message(HostMessage::Resumed { epoch, from, head, size }).unwrap();
    session.host_message(HostMessage::Entry(frame(6))).unwrap();
    assert_eq!((session.log().head(), session.durable()), (Seq(6), Seq(5)));
    assert!(peer.poll_output(&mut session, NOW).is_some_and(|output| message(&output).is_some()));
    while peer.poll_output(&mut session, NOW).is_some() {}
    let asked = std::iter::from_fn(|| session.poll_command())
        .any(|command| command == HostCommand::SnapshotRequest);
    assert!(asked, "a client that misses entries needs a snapshot");
    let data = Bytes::from_static(b"the screen");
    let snapshot = Snapshot { seq: Seq(6), data, cols: None, rows: None, reason: None };
    session.host_message(HostMessage::Snapshot(snapshot)).unwrap();
    let told: Vec<_> = std::iter::from_fn(|| peer.poll_output(&mut session, NOW)).collect();
    let shown = told.iter().filter_map(message);
    assert_eq!(shown.filter(|said| matches!(said, ServerMessage::Snapshot(_))).count(), 1);
}

#[test]
fn what_is_durable_is_told_to_a_host_once_it_has_said_what_it_publishes() {
    let mut session = Session::new(facts(), Epoch(1), Size::default());
    let resumed = |epoch| HostMessage::Resumed {
        epoch: Epoch(epoch),
        from: Seq::ZERO,
        head: Seq::ZERO,
        size: Size::default(),
    };
    let entry = Entry::Output(Frame::copy(Seq(1), b"a").unwrap());
    session.host_arrived();
    session.host_message(resumed(1)).unwrap();
    session.host_message(HostMessage::Entry(entry)).unwrap();
    session.host_left(false);
    // Another process may now publish under the next epoch.
    session.host_arrived();
    session.stored(Epoch(1), Seq(1));
    let is_ack = |command: HostCommand| matches!(command, HostCommand::Ack { .. });
    assert!(!std::iter::from_fn(|| session.poll_command()).any(is_ack));
    session.host_message(resumed(1)).unwrap();
    assert_eq!(session.poll_command(), Some(HostCommand::Ack { seq: Seq(1) }));
}

#[test]
fn a_host_that_was_asked_is_not_asked_again_when_memory_is_lost() {
    let log = || Log::new(Epoch(1));
    let restored = || Session::restored(facts(), log(), Size::default(), Lifecycle::Live, None);
    let mut session = restored();
    session.host_arrived();
    assert!(matches!(session.poll_command(), Some(HostCommand::Resume { .. })));

    let is_asked = session.host_is_asked();
    let mut session = restored();
    session.host_stayed(NOW, is_asked);
    assert_eq!(session.poll_command(), None);
    let entry = || HostMessage::Entry(Entry::Output(Frame::copy(Seq(1), b"a").unwrap()));
    session.host_message(entry()).unwrap();
    assert_eq!(session.log().head(), Seq::ZERO, "it was sent before the answer");
    let (epoch, from, head, size) = (Epoch(1), Seq::ZERO, Seq(1), Size::default());
    session.host_message(HostMessage::Resumed { epoch, from, head, size }).unwrap();
    session.host_message(entry()).unwrap();
    assert_eq!(session.log().head(), Seq(1));

    let is_asked = session.host_is_asked();
    let mut session = restored();
    session.host_stayed(NOW, is_asked);
    assert!(matches!(session.poll_command(), Some(HostCommand::Resume { .. })));
}

#[test]
fn of_a_deleted_session_nothing_is_told_but_that() {
    let mut session = Session::new(facts(), Epoch(1), Size::default());
    session.host_arrived();
    let (epoch, from, head, size) = (Epoch(1), Seq::ZERO, Seq::ZERO, Size::default());
    session.host_message(HostMessage::Resumed { epoch, from, head, size }).unwrap();
    let mut peer =
        Peer::attach(&mut session, NOW, Terms::new(&Profile::NATIVE, Scope::Read, false)).unwrap();
    resume(&mut session, &mut peer, Resume::default());
    while peer.poll_output(&mut session, NOW).is_some() {}
    session.delete();
    let status = Status { status: Activity::Exited, ..Status::default() };
    let event = Event::new(facts().id, 1, &status);
    let entry = Entry::Event(EventEntry::new(Seq(1), event));
    session.host_message(HostMessage::Entry(entry)).unwrap();
    let output = peer.poll_output(&mut session, NOW);
    assert!(matches!(output, Some(PeerOutput::Close { code: close::NOT_FOUND, .. })), "{output:?}");
}

#[test]
fn input_that_a_host_has_not_taken_when_it_leaves_outlives_the_relays_memory_too() {
    let client_id: ClientId = "client_1".parse().unwrap();
    let piece = Frame::copy(Seq(1), b"kept").unwrap();
    let link = |session: &mut Session| {
        session.host_arrived();
        let (epoch, from, head, size) = (Epoch(1), Seq::ZERO, Seq::ZERO, Size::default());
        session.host_message(HostMessage::Resumed { epoch, from, head, size }).unwrap();
    };
    let accept = |session: &mut Session, seq| {
        let client_id = client_id.clone();
        session.host_message(HostMessage::InputAck { client_id, seq }).unwrap();
    };
    let mut session = Session::new(facts(), Epoch(1), Size::default()).keeping(Profile::EDGE.log);
    link(&mut session);
    let mut peer =
        Peer::attach(&mut session, NOW, Terms::new(&Profile::NATIVE, Scope::Write, true)).unwrap();
    let client = Resume { client_id: Some(client_id.clone()), ..Resume::default() };
    resume(&mut session, &mut peer, client);
    accept(&mut session, Seq::ZERO);
    while peer.poll_output(&mut session, NOW).is_some() {}
    peer.binary(&mut session, NOW, piece.encoded());
    assert_eq!(session.poll_held(), None, "a host that is here is given it");
    session.host_left(false);
    let keep = HeldChange::Keep { client_id: client_id.clone(), piece: piece.clone() };
    assert_eq!((session.poll_held(), session.poll_held()), (Some(keep), None));

    let log = Log::new(Epoch(1));
    let mut session = Session::restored(facts(), log, Size::default(), Lifecycle::Detached, None)
        .keeping(Profile::EDGE.log);
    session.restore_held(&client_id, &piece);
    link(&mut session);
    accept(&mut session, Seq::ZERO);
    accept(&mut session, Seq::ZERO);
    let given = std::iter::from_fn(|| session.poll_command())
        .filter(|command| matches!(command, HostCommand::Input { .. }))
        .collect::<Vec<_>>();
    assert_eq!(given, [HostCommand::Input { client_id: client_id.clone(), piece }]);
    accept(&mut session, Seq(1));
    let taken = std::iter::from_fn(|| session.poll_held()).last();
    assert_eq!(taken, Some(HeldChange::Taken { client_id, seq: Seq(1) }));
}

/// Puts out entries of 64 KiB until this much has come, and stores each at once. The host makes no
/// snapshot.
fn flood_without_snapshots(session: &mut Session, bytes: u64) -> (u64, u64) {
    let (mut most, mut asked, mut came) = (0, 0, 0);
    while came < bytes {
        let frame = Frame::copy(session.log().head().next(), &[b'x'; FRAME_DATA_BYTES]).unwrap();
        came += frame.data_len() as u64;
        session.host_message(HostMessage::Entry(Entry::Output(frame))).unwrap();
        session.stored(session.log().epoch(), session.log().head());
        while let Some(command) = session.poll_command() {
            if command == HostCommand::SnapshotRequest {
                asked += 1;
                session.host_message(HostMessage::SnapshotFailed).unwrap();
            }
        }
        most = most.max(session.log().bytes());
    }
    (most, asked)
}

fn hosted_session() -> Session {
    let mut session = Session::new(facts(), Epoch(1), Size::default());
    session.host_arrived();
    let (from, head, size) = (Seq::ZERO, Seq::ZERO, Size::default());
    session.host_message(HostMessage::Resumed { epoch: Epoch(1), from, head, size }).unwrap();
    session
}

#[test]
fn a_log_without_snapshots_is_trimmed_all_the_same() {
    const FLOOD: u64 = 12 * BACKLOG_BYTES;
    let mut session = hosted_session();
    let (most, asked) = flood_without_snapshots(&mut session, FLOOD);
    assert!(
        most <= Profile::NATIVE.log.without_snapshot_bytes + 2 * FRAME_DATA_BYTES as u64,
        "{most}"
    );
    // Asked again after as much output, not at every entry.
    let times = FLOOD / Profile::NATIVE.log.snapshot_every_bytes;
    assert!((times / 2..=times + 1).contains(&asked), "asked {asked} times");

    // A client gets the retained entries, after an empty screen.
    let mut peer =
        Peer::attach(&mut session, NOW, Terms::new(&Profile::NATIVE, Scope::Read, true)).unwrap();
    let from_the_beginning = Resume { last_seq: Some(Seq(1)), ..Resume::default() };
    resume(&mut session, &mut peer, from_the_beginning);
    let (mut begin, mut last) = (None, Seq::ZERO);
    loop {
        while let Some(output) = peer.poll_output(&mut session, NOW) {
            match &output {
                PeerOutput::Frame(encoded) => {
                    let seq = Frame::decode(encoded.clone()).unwrap().seq();
                    assert_eq!(last.next(), seq);
                    last = seq;
                    peer.text(&mut session, NOW, &ClientMessage::Ack { seq }.to_json());
                }
                PeerOutput::Close { .. } => panic!("{output:?}"),
                _ => {
                    if let Some(ServerMessage::Snapshot(snapshot)) = message(&output) {
                        begin = Some(snapshot.seq);
                        last = snapshot.seq;
                    }
                }
            }
        }
        let asks = std::iter::from_fn(|| session.poll_command())
            .any(|command| command == HostCommand::SnapshotRequest);
        if !asks {
            break;
        }
        session.host_message(HostMessage::SnapshotFailed).unwrap();
    }
    assert_eq!(begin, Some(Seq(session.log().tail().0 - 1)));
    assert_eq!(last, session.log().head());
}

#[test]
fn a_snapshot_that_comes_after_all_is_of_use_again() {
    let mut session = hosted_session();
    flood_without_snapshots(&mut session, 6 * BACKLOG_BYTES);
    let (head, data) = (session.log().head(), Bytes::from_static(b"the screen"));
    let snapshot = Snapshot { seq: head, data, cols: None, rows: None, reason: None };
    session.host_message(HostMessage::Snapshot(snapshot.clone())).unwrap();
    assert_eq!(session.last_snapshot(), snapshot);
    assert!(session.log().bytes() <= Profile::NATIVE.log.memory_bytes);
}

#[test]
fn a_stored_log_is_trimmed_behind_its_snapshot_or_without_one() {
    for retention in [Profile::NATIVE, Profile::EDGE].map(|profile| profile.log.retention) {
        let Retention { keep_bytes, slack_bytes } = retention;
        assert_eq!(retention.not_after(keep_bytes + slack_bytes, Seq(9)), None);
        assert_eq!(retention.not_after(keep_bytes + slack_bytes + 1, Seq(9)), Some(Seq(9)));
        let all = retention.not_after(keep_bytes + 2 * slack_bytes + 1, Seq(9));
        assert_eq!(all, Some(Seq(u64::MAX)));
    }
}
