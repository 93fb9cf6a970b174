//! A session and a client of it, without a network.

mod acp;
mod agent;
mod agent_requests;
mod answering;
mod decisions;
mod forks;
mod liveness;
mod pending;
mod prompts;
mod replay;
mod storing;
pub(crate) mod support;
mod waiting;

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
use super::profile::Profile;
use super::record::SessionRecord;
use super::session::{HeldChange, Session, SessionEffect, SessionInput};
use support::{commands, hear, held_changes, link, linked, new_session, restored};

const NOW: Time = Time::from_ms(0);

/// Returns a lost session, with a log longer than the backlog and no snapshot.
fn lost_session() -> Session {
    let mut log = Log::new(Epoch(1));
    while log.bytes() <= BACKLOG_BYTES * 2 {
        let frame = Frame::copy(log.head().next(), &[b'x'; FRAME_DATA_BYTES]).unwrap();
        log.push(Entry::Output(frame)).unwrap();
    }
    restored(log, Lifecycle::Lost, &Profile::NATIVE)
}

fn resume(session: &mut Session, peer: &mut Peer, resume: Resume) {
    peer.text(session, NOW, 0, &ClientMessage::Resume(resume).to_json());
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
                peer.text(&mut session, NOW, 0, &ClientMessage::Ack { seq }.to_json());
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
    peer.text(&mut session, NOW, 0, r#"{"type":"ack","seq":1}"#);
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
    let mut session = restored(log, Lifecycle::Detached, &Profile::NATIVE);
    let mut peer =
        Peer::attach(&mut session, NOW, Terms::new(&Profile::NATIVE, Scope::Read, true)).unwrap();
    let up_to_date = Resume { last_seq: Some(Seq(3)), ..Resume::default() };
    resume(&mut session, &mut peer, up_to_date);
    while peer.poll_output(&mut session, NOW).is_some() {}

    session.handle(NOW, SessionInput::HostArrived);
    let (epoch, from, head) = (Epoch(1), Seq(5), Seq(6));
    let size = Size::default();
    hear(&mut session, HostMessage::Resumed { epoch, from, head, size });
    hear(&mut session, HostMessage::Entry(frame(6)));
    assert_eq!((session.log().head(), session.durable()), (Seq(6), Seq(5)));
    assert!(peer.poll_output(&mut session, NOW).is_some_and(|output| message(&output).is_some()));
    while peer.poll_output(&mut session, NOW).is_some() {}
    let asked =
        commands(&mut session).into_iter().any(|command| command == HostCommand::SnapshotRequest);
    assert!(asked, "a client that misses entries needs a snapshot");
    let data = Bytes::from_static(b"the screen");
    let snapshot = Snapshot { seq: Seq(6), data, cols: None, rows: None, reason: None };
    hear(&mut session, HostMessage::Snapshot(snapshot));
    let told: Vec<_> = std::iter::from_fn(|| peer.poll_output(&mut session, NOW)).collect();
    let shown = told.iter().filter_map(message);
    assert_eq!(shown.filter(|said| matches!(said, ServerMessage::Snapshot(_))).count(), 1);
}

#[test]
fn what_is_durable_is_told_to_a_host_once_it_has_said_what_it_publishes() {
    let mut session = new_session(&Profile::NATIVE);
    let resumed = |epoch| HostMessage::Resumed {
        epoch: Epoch(epoch),
        from: Seq::ZERO,
        head: Seq::ZERO,
        size: Size::default(),
    };
    let entry = Entry::Output(Frame::copy(Seq(1), b"a").unwrap());
    session.handle(NOW, SessionInput::HostArrived);
    hear(&mut session, resumed(1));
    hear(&mut session, HostMessage::Entry(entry));
    session.handle(NOW, SessionInput::HostLeft);
    // Another process may now publish under the next epoch.
    session.handle(NOW, SessionInput::HostArrived);
    support::store(&mut session);
    let is_ack = |command: HostCommand| matches!(command, HostCommand::Ack { .. });
    assert!(!commands(&mut session).into_iter().any(is_ack));
    hear(&mut session, resumed(1));
    assert_eq!(session.poll_command(), Some(HostCommand::Ack { seq: Seq(1) }));
}

#[test]
fn a_host_that_was_asked_is_not_asked_again_when_memory_is_lost() {
    let log = || Log::new(Epoch(1));
    let again = || restored(log(), Lifecycle::Live, &Profile::NATIVE);
    let mut session = again();
    session.handle(NOW, SessionInput::HostArrived);
    assert!(matches!(session.poll_command(), Some(HostCommand::Resume { .. })));

    let is_asked = session.host_is_asked();
    let mut session = again();
    session.handle(NOW, SessionInput::HostStayed { is_asked });
    assert_eq!(session.poll_command(), None);
    let entry = || HostMessage::Entry(Entry::Output(Frame::copy(Seq(1), b"a").unwrap()));
    hear(&mut session, entry());
    assert_eq!(session.log().head(), Seq::ZERO, "it was sent before the answer");
    let (epoch, from, head, size) = (Epoch(1), Seq::ZERO, Seq(1), Size::default());
    hear(&mut session, HostMessage::Resumed { epoch, from, head, size });
    hear(&mut session, entry());
    assert_eq!(session.log().head(), Seq(1));

    let is_asked = session.host_is_asked();
    let mut session = again();
    session.handle(NOW, SessionInput::HostStayed { is_asked });
    assert!(matches!(session.poll_command(), Some(HostCommand::Resume { .. })));
}

#[test]
fn of_a_deleted_session_nothing_is_told_but_that() {
    let mut session = new_session(&Profile::NATIVE);
    session.handle(NOW, SessionInput::HostArrived);
    let (epoch, from, head, size) = (Epoch(1), Seq::ZERO, Seq::ZERO, Size::default());
    hear(&mut session, HostMessage::Resumed { epoch, from, head, size });
    let mut peer =
        Peer::attach(&mut session, NOW, Terms::new(&Profile::NATIVE, Scope::Read, false)).unwrap();
    resume(&mut session, &mut peer, Resume::default());
    while peer.poll_output(&mut session, NOW).is_some() {}
    session.delete();
    let status = Status { status: Activity::Exited, ..Status::default() };
    let event = Event::new(session.id().clone(), 1, &status);
    let entry = Entry::Event(EventEntry::new(Seq(1), event));
    hear(&mut session, HostMessage::Entry(entry));
    let output = peer.poll_output(&mut session, NOW);
    assert!(matches!(output, Some(PeerOutput::Close { code: close::NOT_FOUND, .. })), "{output:?}");
}

#[test]
fn input_that_a_host_has_not_taken_when_it_leaves_outlives_the_relays_memory_too() {
    let client_id: ClientId = "client_1".parse().unwrap();
    let piece = Frame::copy(Seq(1), b"kept").unwrap();
    let accept = |session: &mut Session, seq| {
        let client_id = client_id.clone();
        hear(session, HostMessage::InputAck { client_id, seq });
    };
    let mut session = new_session(&Profile::EDGE);
    link(&mut session);
    let mut peer =
        Peer::attach(&mut session, NOW, Terms::new(&Profile::NATIVE, Scope::Write, true)).unwrap();
    let client = Resume { client_id: Some(client_id.clone()), ..Resume::default() };
    resume(&mut session, &mut peer, client);
    accept(&mut session, Seq::ZERO);
    while peer.poll_output(&mut session, NOW).is_some() {}
    peer.binary(&mut session, NOW, piece.encoded());
    assert_eq!(held_changes(&mut session), [], "a host that is here is given it");
    session.handle(NOW, SessionInput::HostLeft);
    let keep =
        HeldChange::Keep { client_id: client_id.clone(), piece: piece.clone(), is_given: true };
    assert_eq!(held_changes(&mut session), [keep]);

    let log = Log::new(Epoch(1));
    let mut session = restored(log, Lifecycle::Detached, &Profile::EDGE);
    session.restore_held(&client_id, &piece, true);
    link(&mut session);
    accept(&mut session, Seq::ZERO);
    accept(&mut session, Seq::ZERO);
    let given = commands(&mut session)
        .into_iter()
        .filter(|command| matches!(command, HostCommand::Input { .. }))
        .collect::<Vec<_>>();
    assert_eq!(given, [HostCommand::Input { client_id: client_id.clone(), piece }]);
    accept(&mut session, Seq(1));
    let taken = held_changes(&mut session).pop();
    assert_eq!(taken, Some(HeldChange::Taken { client_id, seq: Seq(1) }));
}

#[test]
fn input_that_no_host_was_given_is_known_in_the_next_epoch_even_to_a_relay_that_forgot() {
    let client_id: ClientId = "client_1".parse().unwrap();
    let mut session = linked(&Profile::EDGE);
    let extended = || Terms::new(&Profile::EDGE, Scope::Write, true);
    let input = |epoch| Resume {
        client_id: Some(client_id.clone()),
        input_sent: Some(Seq(3)),
        input_epoch: Some(Epoch(epoch)),
        hold: true,
        ..Resume::default()
    };
    let mut peer = Peer::attach(&mut session, NOW, extended()).unwrap();
    resume(&mut session, &mut peer, Resume { input_sent: Some(Seq::ZERO), ..input(1) });
    hear(&mut session, HostMessage::InputAck { client_id: client_id.clone(), seq: Seq::ZERO });
    while peer.poll_output(&mut session, NOW).is_some() {}
    let piece = |seq| Frame::copy(Seq(seq), b"typed").unwrap();
    peer.binary(&mut session, NOW, piece(1).encoded());
    commands(&mut session);
    session.handle(NOW, SessionInput::HostLeft);
    peer.binary(&mut session, NOW, piece(2).encoded());

    let kept: Vec<_> = held_changes(&mut session)
        .into_iter()
        .filter_map(|change| match change {
            HeldChange::Keep { piece, is_given, .. } => Some((piece, is_given)),
            _ => None,
        })
        .collect();
    assert_eq!(kept, [(piece(1), true), (piece(2), false)]);
    let mut session = restored(Log::new(Epoch(1)), Lifecycle::Detached, &Profile::EDGE);
    for (piece, is_given) in &kept {
        session.restore_held(&client_id, piece, *is_given);
    }
    session.handle(NOW, SessionInput::HostArrived);
    let (epoch, from, head, size) = (Epoch(2), Seq::ZERO, Seq::ZERO, Size::default());
    hear(&mut session, HostMessage::Resumed { epoch, from, head, size });
    let mut peer = Peer::attach(&mut session, NOW, extended()).unwrap();
    resume(&mut session, &mut peer, input(1));
    hear(&mut session, HostMessage::InputAck { client_id: client_id.clone(), seq: Seq::ZERO });
    let outputs = std::iter::from_fn(|| peer.poll_output(&mut session, NOW));
    let resumed = outputs.filter_map(|output| message(&output)).find_map(|message| match message {
        ServerMessage::Resumed(resumed) => Some(resumed),
        _ => None,
    });
    let resumed = resumed.unwrap();
    assert_eq!((resumed.input_seq, resumed.input_given), (Some(Seq::ZERO), Some(Seq(1))));
    assert_eq!(held_changes(&mut session), [HeldChange::Void]);
}
