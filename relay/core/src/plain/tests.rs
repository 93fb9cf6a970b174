use super::*;
use crate::peer::Terms;
use crate::profile::Profile;
use crate::record::SessionRecord;
use crate::session::{SessionInput, StoredSession};
use crate::stored::Stored;
use crate::tests::support::{self, commands, hear, link};
use moorline_shared::id::{ClientId, Epoch};
use moorline_shared::limits::{SESSION_INPUT_BYTES, UNACKED_INPUT_BYTES};
use moorline_shared::log::Log;
use moorline_shared::message::{ErrorCode, ServerMessage};
use moorline_shared::publish::{HostCommand, HostMessage};

const NOW: Time = Time::from_ms(0);
const LARGE: usize = 60 * 1024;

fn linked() -> Session {
    support::linked(&Profile::NATIVE)
}

fn client(session: &mut Session) -> (Peer, Plain) {
    let mut peer =
        Peer::attach(session, NOW, Terms::new(&Profile::NATIVE, Scope::Write, false)).unwrap();
    let plain = Plain::begin(session, &mut peer, Scope::Write, NOW);
    (peer, plain)
}

/// Returns the writes that the host was asked for.
fn writes(session: &mut Session) -> Vec<(RequestId, Bytes)> {
    let written = commands(session).into_iter().filter_map(|command| match command {
        HostCommand::Write { request, data, answer, .. } => {
            assert_eq!(answer, WriteAnswer::Taken);
            Some((request, data))
        }
        _ => None,
    });
    written.collect()
}

fn taken(session: &mut Session, request: RequestId) {
    hear(session, HostMessage::Written { request, result: Ok(()) });
}

#[test]
fn a_client_waits_for_a_program_that_takes_nothing() {
    let mut session = linked();
    let (_peer, mut plain) = client(&mut session);
    let large = Bytes::from(vec![b'x'; LARGE]);
    let mut sent = 0;
    while plain.advance(&mut session) {
        plain.incoming(&mut session, &large).unwrap();
        sent += 1;
    }
    assert_eq!(sent, PLAIN_INPUT_BYTES / LARGE + 1);
    assert_eq!(plain.incoming(&mut session, &large), Err(PlainOverrun));
    let asked = writes(&mut session);
    assert_eq!(asked.len(), sent);
    taken(&mut session, asked[0].0);
    assert!(plain.advance(&mut session));
    plain.incoming(&mut session, &large).unwrap();
}

#[test]
fn small_messages_are_bounded_too() {
    let mut session = linked();
    let (_peer, mut plain) = client(&mut session);
    let sent =
        (0..).take_while(|_| plain.incoming(&mut session, &Bytes::from_static(b"x")).is_ok());
    assert_eq!(sent.count(), MESSAGES_WAITING);
}

#[test]
fn what_is_typed_while_the_host_is_away_is_typed_when_it_is_back() {
    let mut session = linked();
    let (_peer, mut plain) = client(&mut session);
    session.handle(NOW, SessionInput::HostLeft);
    let long = Bytes::from([&[b'a'; FRAME_DATA_BYTES][..], b"b"].concat());
    plain.incoming(&mut session, &long).unwrap();
    assert!(!plain.advance(&mut session), "nothing more is heard meanwhile");
    link(&mut session);
    assert!(!plain.advance(&mut session), "as much as may waits for the program");
    let asked = writes(&mut session);
    let written: Vec<u8> = asked.iter().flat_map(|(_, data)| data.to_vec()).collect();
    assert_eq!(written, long);
    asked.into_iter().for_each(|(request, _)| taken(&mut session, request));
    assert!(plain.advance(&mut session));
}

#[test]
fn all_clients_of_a_session_have_a_bound_together() {
    let mut session = linked();
    let large = Bytes::from(vec![b'x'; LARGE]);
    let mut clients: Vec<_> = (0..40).map(|_| client(&mut session)).collect();
    for (_, plain) in &mut clients {
        while plain.advance(&mut session) {
            plain.incoming(&mut session, &large).unwrap();
        }
    }
    let asked = writes(&mut session);
    let waiting: usize = asked.iter().map(|(_, data)| data.len()).sum();
    assert!((SESSION_INPUT_BYTES..SESSION_INPUT_BYTES + 2 * LARGE).contains(&waiting), "{waiting}");
    assert_eq!(
        session.write(large, None, WriteAnswer::Queued),
        Err(WriteRefused::TooMuch),
        "a prompt is refused like any other input"
    );
    // Waiting input is written when there is room, and nothing is kept of a deleted session.
    taken(&mut session, asked[0].0);
    taken(&mut session, asked[1].0);
    clients.iter_mut().for_each(|(_, plain)| _ = plain.advance(&mut session));
    assert!(!writes(&mut session).is_empty());
    session.delete();
    assert!(session.has_room_to_write());
}

#[test]
fn numbered_input_counts_against_the_same_bound() {
    let mut session = linked();
    let piece = |seq| Frame::copy(Seq(seq), &[b'x'; LARGE]).unwrap().encoded().clone();
    let mut overloaded = None;
    for number in 0..10 {
        let client_id: ClientId = format!("client_{number}").parse().unwrap();
        let mut peer =
            Peer::attach(&mut session, NOW, Terms::new(&Profile::NATIVE, Scope::Write, true))
                .unwrap();
        let resume = Resume { client_id: Some(client_id.clone()), ..Resume::default() };
        peer.text(&mut session, NOW, 0, &ClientMessage::Resume(resume).to_json());
        let seq = Seq::ZERO;
        hear(&mut session, HostMessage::InputAck { client_id, seq });
        while peer.poll_output(&mut session, NOW).is_some() {}
        for seq in 1..=(UNACKED_INPUT_BYTES / LARGE) as u64 {
            peer.binary(&mut session, NOW, piece(seq));
        }
        let told: Vec<_> = std::iter::from_fn(|| peer.poll_output(&mut session, NOW)).collect();
        peer.detach(&mut session);
        if !told.is_empty() {
            overloaded = Some((number, told));
            break;
        }
    }
    let (number, told) = overloaded.expect("ten clients fill a session");
    assert_eq!(number, 4);
    let PeerOutput::Text(error) = &told[0] else { panic!("{told:?}") };
    let error = ServerMessage::from_json(std::str::from_utf8(error).unwrap()).unwrap();
    assert!(matches!(error, ServerMessage::Error { code: ErrorCode::Overloaded, .. }), "{error:?}");
    assert!(matches!(told[1], PeerOutput::Close { code: close::OVERLOADED, .. }), "{told:?}");
}

#[test]
fn who_comes_to_a_session_that_is_over_is_told_why() {
    let exit = ExitStatus { code: Some(3), signal: None, reason: None };
    let record = SessionRecord { exit: Some(exit), ..support::record(Lifecycle::Exited) };
    let (newest, index) = (Log::new(Epoch(1)), Stored::new(Epoch(1), []));
    let (snapshot, last_status, agent) = (None, None, None);
    let stored = StoredSession { record, newest, index, snapshot, last_status, agent };
    let mut session = Session::restored(stored, &Profile::NATIVE);
    let (mut peer, mut plain) = client(&mut session);
    let outputs: Vec<_> = std::iter::from_fn(|| peer.poll_output(&mut session, NOW))
        .flat_map(|output| plain.outgoing(output))
        .flatten()
        .collect();
    let [.., PeerOutput::Text(why), PeerOutput::Close { code: close::NORMAL, .. }] = &outputs[..]
    else {
        panic!("{outputs:?}")
    };
    assert!(std::str::from_utf8(why).unwrap().contains("code 3"), "{why:?}");
    assert_eq!(plain.incoming(&mut session, &Bytes::from_static(b"ls\n")), Ok(()));
}
