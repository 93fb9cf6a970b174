//! The client that the host is told to leave queries to.

use super::*;

fn id(number: u8) -> ClientId {
    format!("client_{number}").parse().unwrap()
}

/// Returns a client that has the answer to its `resume`.
fn client(session: &mut Session, number: u8, scope: Scope, answers: bool) -> Peer {
    let mut peer = Peer::attach(session, NOW, Terms::new(&Profile::NATIVE, scope, true)).unwrap();
    let client_id = Some(id(number));
    resume(session, &mut peer, Resume { client_id, answers, ..Resume::default() });
    let (client_id, seq) = (id(number), Seq::ZERO);
    hear(session, HostMessage::InputAck { client_id, seq });
    while peer.poll_output(session, NOW).is_some() {}
    peer
}

fn types(session: &mut Session, peer: &mut Peer, seq: u64) {
    let piece = Frame::copy(Seq(seq), b"x").unwrap();
    peer.binary(session, NOW, piece.encoded());
}

fn says(session: &mut Session, peer: &mut Peer, message: &ClientMessage) {
    peer.text(session, NOW, 0, &message.to_json());
}

/// Returns the answering clients that the host was told since the last call.
fn told(session: &mut Session) -> Vec<Option<ClientId>> {
    commands(session)
        .into_iter()
        .filter_map(|command| match command {
            HostCommand::Answerer { client_id, .. } => Some(client_id),
            _ => None,
        })
        .collect()
}

fn replied(session: &mut Session) -> Vec<ClientId> {
    commands(session)
        .into_iter()
        .filter_map(|command| match command {
            HostCommand::Reply { client_id, .. } => Some(client_id),
            _ => None,
        })
        .collect()
}

const RESIZE: ClientMessage = ClientMessage::Resize { cols: 100, rows: 30 };

fn reply() -> ClientMessage {
    ClientMessage::Reply { seq: Seq(1), data: Bytes::from_static(b"\x1b[0n"), more: false }
}

#[test]
fn the_client_that_typed_or_resized_last_answers_while_it_is_there() {
    let mut session = linked(&Profile::NATIVE);
    assert_eq!(told(&mut session), [None]);
    let mut first = client(&mut session, 1, Scope::Write, true);
    let mut second = client(&mut session, 2, Scope::Write, true);
    assert_eq!(told(&mut session), [], "nobody has typed");
    types(&mut session, &mut first, 1);
    types(&mut session, &mut first, 2);
    assert_eq!(told(&mut session), [Some(id(1))]);
    says(&mut session, &mut second, &RESIZE);
    assert_eq!(told(&mut session), [Some(id(2))]);
    second.detach(&mut session);
    assert_eq!(told(&mut session), [None, Some(id(1))]);
    first.detach(&mut session);
    assert_eq!(told(&mut session), [None]);
}

#[test]
fn who_comes_back_answers_once_its_stream_begins() {
    let mut session = linked(&Profile::NATIVE);
    let mut first = client(&mut session, 1, Scope::Write, true);
    types(&mut session, &mut first, 1);
    first.detach(&mut session);
    assert_eq!(told(&mut session), [None, Some(id(1)), None]);
    let first = client(&mut session, 1, Scope::Write, true);
    assert_eq!(told(&mut session), [Some(id(1))]);
    // Another connection takes over before this one has gone.
    let again = client(&mut session, 1, Scope::Write, true);
    assert_eq!(told(&mut session), [None, Some(id(1))]);
    first.detach(&mut session);
    assert_eq!(told(&mut session), []);
    again.detach(&mut session);
    assert_eq!(told(&mut session), [None]);
}

#[test]
fn a_client_that_only_watches_or_does_not_offer_to_never_answers() {
    let mut session = linked(&Profile::NATIVE);
    told(&mut session);
    let mut reader = client(&mut session, 1, Scope::Read, true);
    let mut typist = client(&mut session, 2, Scope::Write, false);
    for peer in [&mut reader, &mut typist] {
        types(&mut session, peer, 1);
        says(&mut session, peer, &RESIZE);
        says(&mut session, peer, &reply());
    }
    let commands = commands(&mut session);
    let about = |command: &&HostCommand| {
        matches!(command, HostCommand::Answerer { .. } | HostCommand::Reply { .. })
    };
    assert_eq!(commands.iter().find(about), None);
}

#[test]
fn a_reply_is_no_typing() {
    let mut session = linked(&Profile::NATIVE);
    let mut first = client(&mut session, 1, Scope::Write, true);
    let mut second = client(&mut session, 2, Scope::Write, true);
    says(&mut session, &mut second, &reply());
    assert_eq!(replied(&mut session), [], "it was never asked");
    says(&mut session, &mut second, &RESIZE);
    types(&mut session, &mut first, 1);
    told(&mut session);
    says(&mut session, &mut second, &reply());
    let commands = commands(&mut session);
    assert!(matches!(commands[..], [HostCommand::Reply { .. }]), "{commands:?}");
    assert_eq!(first.poll_output(&mut session, NOW), None, "it is nobody's business");
}

#[test]
fn a_client_that_jumps_to_a_snapshot_does_not_see_what_was_asked_before() {
    let mut session = linked(&Profile::NATIVE);
    let mut peer = client(&mut session, 1, Scope::Write, true);
    types(&mut session, &mut peer, 1);
    let entry = Frame::copy(Seq(1), b"x").unwrap();
    hear(&mut session, HostMessage::Entry(Entry::Output(entry)));
    says(&mut session, &mut peer, &ClientMessage::SnapshotRequest);
    while peer.poll_output(&mut session, NOW).is_some() {}
    told(&mut session);
    let (seq, data) = (Seq(1), Bytes::from_static(b"\x1bc"));
    let snapshot = Snapshot { seq, data, cols: None, rows: None, reason: None };
    hear(&mut session, HostMessage::Snapshot(snapshot));
    while peer.poll_output(&mut session, NOW).is_some() {}
    let after = commands(&mut session).into_iter().find_map(|command| match command {
        HostCommand::Answerer { client_id, after } => Some((client_id, after)),
        _ => None,
    });
    assert_eq!(after, Some((Some(id(1)), Seq(1))));
}

#[test]
fn a_host_that_is_new_and_a_relay_that_forgot_agree_on_who_answers() {
    for is_asked in [false, true] {
        let mut session = linked(&Profile::EDGE);
        let mut first = client(&mut session, 1, Scope::Write, true);
        let mut second = client(&mut session, 2, Scope::Write, true);
        types(&mut session, &mut second, 1);
        types(&mut session, &mut first, 1);
        session.handle(NOW, SessionInput::HostLeft);
        assert_eq!(told(&mut session), []);
        session.handle(NOW, SessionInput::HostArrived);
        assert_eq!(told(&mut session), [Some(id(1))]);

        let saved = [second.save(), first.save()];
        let log = Log::new(Epoch(1));
        let mut session = restored(log, Lifecycle::Live, &Profile::EDGE);
        let mut peers =
            saved.map(|saved| Peer::restore(&mut session, NOW, saved).unwrap()).into_iter();
        session.handle(NOW, SessionInput::HostStayed { is_asked });
        // A host that has not answered yet was told earlier.
        let again = if is_asked { vec![] } else { vec![Some(id(1))] };
        assert_eq!(told(&mut session), again);
        let (Some(mut second), Some(first)) = (peers.next(), peers.next()) else { panic!() };
        says(&mut session, &mut second, &RESIZE);
        assert_eq!(told(&mut session), [Some(id(2))]);
        first.detach(&mut session);
        assert_eq!(told(&mut session), []);
    }
}
