//! Tests of the messages that a client sends, and when.

use bytes::Bytes;

use super::*;
use crate::id::Epoch;
use crate::message::{ExtendedMeta, KEEPALIVE_PING, Outcome, close};

const SOCKET: Generation = Generation(1);

fn outputs(client: &mut Client, now: Time) -> Vec<Output> {
    std::iter::from_fn(|| client.poll_output(now)).collect()
}

fn live(now: Time) -> Client {
    let id = "client_1".parse().unwrap();
    let mut client = Client::new(id, 1, &SavedInput::default());
    client.handle(now, Input::Dial);
    client.handle(now, Input::Opened(SOCKET));
    let (epoch, from, head) = (Epoch(1), Seq(0), Seq(0));
    let input_seq = Some(Seq(0));
    let resumed =
        Resumed { outcome: Outcome::Continue, epoch, from, head, input_seq, input_given: None };
    client.handle(now, Input::Message(SOCKET, ServerMessage::Resumed(resumed)));
    outputs(&mut client, now);
    assert_eq!(client.status(), ClientStatus::Live);
    client
}

#[test]
fn a_client_continues_where_an_earlier_page_was() {
    let now = Time::from_ms(0);
    let mut client = Client::new("client_1".parse().unwrap(), 1, &SavedInput::default());
    let cursor = Cursor { epoch: Epoch(1), seq: Seq(7) };
    client.start_at(cursor);
    client.handle(now, Input::Dial);
    client.handle(now, Input::Opened(SOCKET));
    let sent = outputs(&mut client, now);
    let resume = sent.iter().find_map(|output| match output {
        Output::Send(ClientMessage::Resume(resume)) => Some(resume),
        _ => None,
    });
    let resume = resume.unwrap();
    assert_eq!((resume.last_seq, resume.epoch), (Some(Seq(7)), Some(Epoch(1))));
    assert_eq!(resume.catch_up, Some(CatchUp::Replay));
    let resumed = |epoch, outcome, from| {
        let head = Seq(9);
        ServerMessage::Resumed(Resumed {
            outcome,
            epoch,
            from,
            head,
            input_seq: Some(Seq(0)),
            input_given: None,
        })
    };
    let mut other_life = client.clone();
    client.handle(now, Input::Message(SOCKET, resumed(Epoch(1), Outcome::Continue, Seq(7))));
    assert!(!outputs(&mut client, now).contains(&Output::Clear));
    assert_eq!(client.frame(now, SOCKET, Seq(7)), Verdict::Duplicate);
    assert_eq!(client.frame(now, SOCKET, Seq(8)), Verdict::Apply);
    assert_eq!(client.cursor(), Some(Cursor { seq: Seq(8), ..cursor }));
    // In another life of the log, what was painted is void.
    let message = resumed(Epoch(2), Outcome::Snapshot, Seq(9));
    other_life.handle(now, Input::Message(SOCKET, message));
    assert!(outputs(&mut other_life, now).contains(&Output::Clear));
}

#[test]
fn typing_into_a_dead_connection_finds_out_within_seconds() {
    let start = Time::from_ms(0);
    let mut client = live(start);
    client.type_input(b"x").unwrap();
    assert_eq!(outputs(&mut client, start).len(), 1);
    let mut acked = client.clone();
    let ping = client.poll_timeout().unwrap();
    assert_eq!(ping, start + ANSWER_PATIENCE);
    client.tick(ping);
    let asked = outputs(&mut client, ping);
    assert!(matches!(asked[..], [Output::Send(ClientMessage::Ping { .. })]), "{asked:?}");
    let mut now = ping;
    while client.status() == ClientStatus::Live {
        now = client.poll_timeout().unwrap();
        client.tick(now);
    }
    assert_eq!((client.status(), now), (ClientStatus::Silent, Time::from_ms(3_000)));
    let mut late = client.clone();
    late.handle(now, Input::Message(SOCKET, ServerMessage::Pong { t: 0 }));
    assert_eq!(late.status(), ClientStatus::Live);
    while client.status() == ClientStatus::Silent {
        now = client.poll_timeout().unwrap();
        client.tick(now);
    }
    assert!(now < start + Duration::from_secs(7), "{now:?}");
    acked.handle(start, Input::Message(SOCKET, ServerMessage::InputAck { seq: Seq(1) }));
    assert!(acked.poll_timeout() > Some(ping));
}

#[test]
fn a_request_without_an_answer_finds_out_as_typing_does() {
    let start = Time::from_ms(0);
    let mut client = live(start);
    client.await_answer(start, true);
    client.await_answer(Time::from_ms(500), true);
    let mut answered = client.clone();
    let mut now = start;
    while client.status() == ClientStatus::Live {
        now = client.poll_timeout().unwrap();
        client.tick(now);
        outputs(&mut client, now);
    }
    assert_eq!((client.status(), now), (ClientStatus::Silent, Time::from_ms(3_000)));
    answered.await_answer(now, false);
    assert!(answered.poll_timeout() > Some(Time::from_ms(3_000)));
}

#[test]
fn the_loss_of_the_network_is_told_at_once_and_an_answer_takes_it_back() {
    let start = Time::from_ms(0);
    let mut client = live(start);
    client.handle(start, Input::NetworkLost);
    assert_eq!(client.status(), ClientStatus::Silent);
    assert!(client.status().is_connected());
    let asked = outputs(&mut client, start);
    assert!(matches!(asked[..], [Output::Send(ClientMessage::Ping { .. })]), "{asked:?}");
    client.handle(start, Input::Message(SOCKET, ServerMessage::Pong { t: 0 }));
    assert_eq!(client.status(), ClientStatus::Live);
}

/// Tells the client that the session is in this state, as a relay does on an open stream.
fn told(client: &mut Client, now: Time, socket: Generation, lifecycle: Lifecycle) {
    let extended = ExtendedMeta {
        epoch: Epoch(1),
        head: Seq(0),
        tail: Seq(1),
        cols: 80,
        rows: 24,
        driver: "pty".into(),
        lifecycle,
        scope: Scope::Write,
    };
    let (name, created_at) = ("shell".into(), "2026-01-01T00:00:00Z".into());
    let meta = SessionMeta { name, created_at, extended: Some(extended) };
    client.handle(now, Input::Message(socket, ServerMessage::SessionMeta(Box::new(meta))));
}

fn refused(client: &mut Client, now: Time) {
    let (code, message) = (ErrorCode::HostOffline, String::new());
    client.handle(now, Input::Message(SOCKET, ServerMessage::Error { code, message }));
}

fn typed(client: &mut Client, now: Time, data: &[u8]) -> Vec<Output> {
    client.type_input(data).unwrap();
    outputs(client, now)
}

fn piece(seq: u64, data: &[u8]) -> Output {
    Output::SendFrame(Frame::copy(Seq(seq), data).unwrap())
}

/// Opens the second connection, up to its `resume`; the relay says that the host is back.
fn back(client: &mut Client, now: Time) -> (Generation, Resume) {
    client.handle(now, Input::Closed(SOCKET, close::GOING_AWAY));
    client.tick(now);
    let [Output::Dial(socket)] = outputs(client, now)[..] else { panic!("not dialled at once") };
    client.handle(now, Input::Opened(socket));
    match &outputs(client, now)[..] {
        [Output::Send(ClientMessage::Resume(resume))] => (socket, resume.clone()),
        other => panic!("{other:?}"),
    }
}

fn answered(client: &mut Client, now: Time, socket: Generation, input_seq: u64) -> Vec<Output> {
    let (epoch, from, head) = (Epoch(1), Seq(0), Seq(0));
    let input_seq = Some(Seq(input_seq));
    let resumed =
        Resumed { outcome: Outcome::Continue, epoch, from, head, input_seq, input_given: None };
    client.handle(now, Input::Message(socket, ServerMessage::Resumed(resumed)));
    outputs(client, now)
}

#[test]
fn nothing_is_typed_for_a_host_that_is_away() {
    let now = Time::from_ms(0);
    let mut client = live(now);
    told(&mut client, now, SOCKET, Lifecycle::Detached);
    assert_eq!(client.type_input(b"x"), Err(Refusal::HostOffline));
    assert_eq!(client.pending_input().count(), 0);
    told(&mut client, now, SOCKET, Lifecycle::Live);
    assert_eq!(typed(&mut client, now, b"y"), [piece(1, b"y")]);
    assert_eq!(client.status(), ClientStatus::Live);
}

#[test]
fn what_a_host_may_have_missed_is_not_delivered_late() {
    let now = Time::from_ms(0);
    let mut client = live(now);
    told(&mut client, now, SOCKET, Lifecycle::Live);
    typed(&mut client, now, b"rm -r ");
    typed(&mut client, now, b"/tmp/x\r");
    refused(&mut client, now);
    assert_eq!(outputs(&mut client, now), [Output::GaveUp(2)]);
    // The relay reports each piece.
    refused(&mut client, now);
    assert_eq!(outputs(&mut client, now), []);
    assert_eq!(client.type_input(b"x"), Err(Refusal::HostOffline));
    let (socket, resume) = back(&mut client, now);
    assert!(!resume.hold);
    let sent = answered(&mut client, now, socket, 1);
    assert_eq!(sent, [piece(2, b"")]);
}

#[test]
fn what_is_held_is_delivered_once() {
    let now = Time::from_ms(0);
    let mut client = live(now);
    client.hold_input(true);
    told(&mut client, now, SOCKET, Lifecycle::Detached);
    assert_eq!(typed(&mut client, now, b"ls\r"), [piece(1, b"ls\r")]);
    // The client did not hold input when this connection began, so the relay does not keep it.
    refused(&mut client, now);
    assert_eq!(outputs(&mut client, now), []);
    assert_eq!(client.pending_input().collect::<Vec<_>>(), [b"ls\r"]);
    let (socket, resume) = back(&mut client, now);
    assert!(resume.hold);
    told(&mut client, now, socket, Lifecycle::Live);
    assert_eq!(answered(&mut client, now, socket, 0), [piece(1, b"ls\r")]);
    client.handle(now, Input::Message(socket, ServerMessage::InputAck { seq: Seq(1) }));
    assert_eq!((outputs(&mut client, now), client.pending_input().count()), (vec![], 0));
}

#[test]
fn what_is_held_can_be_taken_back_from_the_relay_too() {
    let now = Time::from_ms(0);
    let mut client = live(now);
    client.hold_input(true);
    told(&mut client, now, SOCKET, Lifecycle::Detached);
    typed(&mut client, now, b"rm");
    client.type_input(b"never sent").unwrap();
    client.discard_input();
    assert_eq!(client.pending_input().count(), 0);
    assert_eq!(outputs(&mut client, now), [piece(1, b"")]);
    assert_eq!(typed(&mut client, now, b"ls"), [piece(2, b"ls")]);
    let saved = client.save_input();
    let (socket, _) = back(&mut client, now);
    let sent = [piece(1, b""), piece(2, b"ls")];
    assert_eq!(answered(&mut client, now, socket, 0), sent);
    let mut later = Client::new("client_1".parse().unwrap(), 1, &saved);
    later.handle(now, Input::Dial);
    later.handle(now, Input::Opened(SOCKET));
    outputs(&mut later, now);
    assert_eq!(answered(&mut later, now, SOCKET, 0), sent);
}

#[test]
fn what_waited_for_the_relay_is_not_kept_for_the_host() {
    let now = Time::from_ms(0);
    let mut client = live(now);
    client.handle(now, Input::Closed(SOCKET, close::GOING_AWAY));
    client.type_input(b"late").unwrap();
    let mut holding = client.clone();
    holding.hold_input(true);
    for (mut client, given_up) in [(client, true), (holding, false)] {
        client.tick(now);
        outputs(&mut client, now);
        let socket = Generation(2);
        client.handle(now, Input::Opened(socket));
        outputs(&mut client, now);
        told(&mut client, now, socket, Lifecycle::Detached);
        let told = outputs(&mut client, now).contains(&Output::GaveUp(1));
        assert_eq!((told, client.pending_input().count() == 0), (given_up, given_up));
    }
}

#[test]
fn nobody_is_asked_for_life_because_a_host_is_away() {
    let start = Time::from_ms(0);
    let mut client = live(start);
    client.hold_input(true);
    typed(&mut client, start, b"x");
    told(&mut client, start, SOCKET, Lifecycle::Detached);
    let heartbeat = client.poll_timeout().unwrap();
    assert_eq!(heartbeat, start + crate::limits::HEARTBEAT);
    client.tick(heartbeat);
    let [Output::Send(ping)] = &outputs(&mut client, heartbeat)[..] else { panic!("no ping") };
    assert_eq!(ping.to_json(), KEEPALIVE_PING);
    told(&mut client, heartbeat, SOCKET, Lifecycle::Live);
    assert_eq!(client.poll_timeout(), Some(heartbeat + ANSWER_PATIENCE));
}

fn replies(client: &mut Client) -> Vec<(u64, bool)> {
    let outputs = outputs(client, Time::from_ms(0)).into_iter();
    let reply = |output| match output {
        Output::Send(ClientMessage::Reply { seq, more, .. }) => Some((seq.0, more)),
        _ => None,
    };
    outputs.filter_map(reply).collect()
}

#[test]
fn only_the_present_is_answered_and_only_by_who_answers() {
    let start = Time::from_ms(0);
    let answer = Bytes::from_static(b"\x1b[0n");
    let mut client = live(start);
    client.reply(Seq(1), answer.clone(), false);
    assert_eq!(replies(&mut client), [], "it does not answer queries");
    client.answer_queries(true);
    client.reply(Seq(1), answer.clone(), true);
    client.reply(Seq(1), answer.clone(), false);
    assert_eq!(replies(&mut client), [(1, true), (1, false)]);

    client.handle(start, Input::Closed(SOCKET, close::ABNORMAL));
    client.reply(Seq(2), answer.clone(), false);
    assert_eq!(replies(&mut client), [], "there is no connection");
    client.handle(start, Input::Dial);
    client.handle(start, Input::Opened(Generation(2)));
    let asked = outputs(&mut client, start).into_iter().any(
        |output| matches!(output, Output::Send(ClientMessage::Resume(resume)) if resume.answers),
    );
    assert!(asked);
    let (epoch, from, head) = (Epoch(1), Seq(0), Seq(3));
    let input_seq = Some(Seq(0));
    let resumed =
        Resumed { outcome: Outcome::Continue, epoch, from, head, input_seq, input_given: None };
    client.handle(start, Input::Message(Generation(2), ServerMessage::Resumed(resumed)));
    client.reply(Seq(3), answer.clone(), false);
    assert_eq!(replies(&mut client), [], "it is the past");
    client.reply(Seq(4), answer, false);
    assert_eq!(replies(&mut client), [(4, false)]);
}
