//! Tests of the host's end of a link, without a link.

use super::*;
use moorline_shared::limits::UNACKED_INPUT_BYTES;
use moorline_shared::log::Entry;

const NOW: u64 = 1_700_000_000_000;

fn publisher() -> Publisher {
    let mut publisher = Publisher::new(Epoch(1), Size::default());
    publisher.command(NOW, HostCommand::Resume { cursor: None, window: u64::MAX, times: true });
    publisher
}

fn client() -> ClientId {
    "client_1".parse().unwrap()
}

fn type_piece(publisher: &mut Publisher, seq: u64, data: &[u8]) {
    let piece = Frame::copy(Seq(seq), data).unwrap();
    publisher.command(NOW, HostCommand::Input { client_id: client(), piece });
}

fn write_of(request: RequestId, data: Bytes, event: Option<Event>) -> HostCommand {
    HostCommand::Write { request, data, event, answer: WriteAnswer::Queued }
}

#[test]
fn what_no_client_numbers_is_bounded_and_taken_in_its_turn() {
    let mut publisher = publisher();
    type_piece(&mut publisher, 1, b"ab");
    let write = |publisher: &mut Publisher, request: u64, data: &[u8]| {
        let (request, data) = (RequestId(request), Bytes::copy_from_slice(data));
        let event = Event::of_kind("session_1".parse().unwrap(), "command-sent", 1, ());
        publisher.command(NOW, write_of(request, data, Some(event)));
    };
    write(&mut publisher, 1, b"cd");
    write(&mut publisher, 2, &[b'x'; UNACKED_INPUT_BYTES - 1]);
    publisher.input_taken(2);
    assert_eq!(publisher.input(), Some(&b"cd"[..]));
    publisher.input_taken(2);
    assert_eq!((publisher.input(), publisher.head()), (None, Seq(1)));
    write(&mut publisher, 3, &[b'x'; UNACKED_INPUT_BYTES]);
    publisher.exited(ExitStatus::default());
    write(&mut publisher, 4, b"e");
    let results: Vec<_> = std::iter::from_fn(|| publisher.poll_output())
        .filter_map(|output| match output {
            Output::Message(HostMessage::Written { request, result }) => Some((request.0, result)),
            _ => None,
        })
        .collect();
    assert_eq!(
        results,
        [(1, Ok(())), (2, Err(WriteRefused::TooMuch)), (3, Ok(())), (4, Err(WriteRefused::Ended))]
    );
    assert_eq!(publisher.head(), Seq(2));
}

#[test]
fn a_snapshot_follows_what_it_contains() {
    let mut publisher = Publisher::new(Epoch(1), Size::default());
    publisher.command(NOW, HostCommand::Resume { cursor: None, window: 1, times: true });
    (0..2).for_each(|_| {
        publisher.event(Event::of_kind("session_1".parse().unwrap(), "x", 1, ()));
    });
    let (data, cols, rows) = (Bytes::from_static(b"x"), None, None);
    publisher.snapshot(Some(Snapshot { seq: Seq(2), data, cols, rows, reason: None }));
    let said: Vec<_> = std::iter::from_fn(|| publisher.poll_message()).collect();
    assert!(matches!(said[..], [HostMessage::Resumed { .. }, HostMessage::Entry(_)]));
    publisher.command(NOW, HostCommand::Ack { seq: Seq(1) });
    let said: Vec<_> = std::iter::from_fn(|| publisher.poll_message()).collect();
    assert!(matches!(said[..], [HostMessage::Entry(_), HostMessage::Snapshot(_)]));
}

fn input_acks(publisher: &mut Publisher) -> Vec<u64> {
    std::iter::from_fn(|| publisher.poll_output())
        .filter_map(|output| match output {
            Output::Message(HostMessage::InputAck { seq, .. }) => Some(seq.0),
            _ => None,
        })
        .collect()
}

#[test]
fn acknowledgements_are_told_apart_from_what_somebody_waits_for() {
    let mut publisher = publisher();
    while publisher.poll_message().is_some() {}
    assert!(!publisher.has_only_acks(), "there is nothing to send");
    type_piece(&mut publisher, 1, b"a");
    publisher.input_taken(1);
    assert!(publisher.has_only_acks());
    publisher.append(NOW, Frame::buffer(1)).unwrap();
    assert!(!publisher.has_only_acks(), "the echo is to be sent");
    assert!(matches!(publisher.poll_message(), Some(HostMessage::InputAck { .. })));
    assert!(matches!(publisher.poll_message(), Some(HostMessage::Entry(_))));
    type_piece(&mut publisher, 2, b"b");
    publisher.input_taken(1);
    let event = None;
    publisher.command(NOW, write_of(RequestId(1), Bytes::from_static(b"c"), event));
    assert!(!publisher.has_only_acks(), "a request waits for its answer");
    while publisher.poll_message().is_some() {}
    type_piece(&mut publisher, 3, b"d");
    publisher.input_taken(1);
    publisher.input_taken(1);
    assert!(publisher.has_only_acks());
    publisher.exited(ExitStatus::default());
    assert!(!publisher.has_only_acks(), "the end is to be told");
}

#[test]
fn a_piece_of_input_is_taken_once_and_acknowledged_when_whole() {
    let mut publisher = publisher();
    type_piece(&mut publisher, 1, b"ab");
    type_piece(&mut publisher, 1, b"ab");
    type_piece(&mut publisher, 3, b"gap");
    assert_eq!(publisher.input(), Some(&b"ab"[..]));
    publisher.input_taken(1);
    assert_eq!(input_acks(&mut publisher), [] as [u64; 0]);
    publisher.input_taken(1);
    assert_eq!(input_acks(&mut publisher), [1]);
    assert_eq!(publisher.input(), None);
}

#[test]
fn an_empty_piece_is_accepted_in_its_turn() {
    let mut publisher = publisher();
    type_piece(&mut publisher, 1, b"");
    assert_eq!(input_acks(&mut publisher), [1]);
    type_piece(&mut publisher, 2, b"a");
    type_piece(&mut publisher, 3, b"");
    type_piece(&mut publisher, 4, b"b");
    publisher.input_taken(1);
    publisher.input_taken(1);
    assert_eq!(input_acks(&mut publisher), [2, 3, 4]);
}

fn append(publisher: &mut Publisher, data: &[u8]) {
    let mut buffer = Frame::buffer(data.len());
    buffer.extend_from_slice(data);
    publisher.append(NOW, buffer).unwrap();
}

#[test]
fn what_a_relay_has_but_has_not_stored_is_kept() {
    let mut publisher = publisher();
    for data in [b"a", b"b", b"c"] {
        append(&mut publisher, data);
    }
    while publisher.poll_output().is_some() {}
    publisher.relay_left();
    let cursor = Some(Cursor { epoch: Epoch(1), seq: Seq(3) });
    publisher.command(NOW, HostCommand::Resume { cursor, window: u64::MAX, times: true });
    publisher.command(NOW, HostCommand::Ack { seq: Seq(1) });
    assert_eq!((publisher.log.tail(), publisher.log.head()), (Seq(2), Seq(3)));
}

#[test]
fn what_is_not_durable_is_sent_again_to_a_relay_that_returns() {
    let mut publisher = publisher();
    for data in [b"a", b"b", b"c"] {
        append(&mut publisher, data);
    }
    publisher.command(NOW, HostCommand::Ack { seq: Seq(3) });
    while publisher.poll_output().is_some() {}
    publisher.command(NOW, HostCommand::Ack { seq: Seq(1) });
    publisher.relay_left();
    let cursor = Some(Cursor { epoch: Epoch(1), seq: Seq(2) });
    publisher.command(NOW, HostCommand::Resume { cursor, window: u64::MAX, times: true });
    let seqs: Vec<u64> = std::iter::from_fn(|| publisher.poll_output())
        .filter_map(|output| match output {
            Output::Message(HostMessage::Entry(entry)) => Some(entry.seq().0),
            _ => None,
        })
        .collect();
    assert_eq!(seqs, [3]);
}

fn entries(publisher: &mut Publisher) -> Vec<Entry> {
    std::iter::from_fn(|| publisher.poll_message())
        .filter_map(|message| match message {
            HostMessage::Entry(entry) => Some(entry),
            _ => None,
        })
        .collect()
}

fn times(publisher: &mut Publisher) -> Vec<u64> {
    entries(publisher).iter().map(Entry::time_ms).collect()
}

fn append_at(publisher: &mut Publisher, now_ms: u64) {
    publisher.append(now_ms, Frame::buffer(0)).unwrap();
}

#[test]
fn every_entry_has_the_time_at_which_the_host_appended_it() {
    let mut publisher = publisher();
    let event = |timestamp| Event::of_kind("session_1".parse().unwrap(), "x", timestamp, ());
    append_at(&mut publisher, NOW);
    publisher.event(event(NOW + 1));
    // The relay's clock may differ.
    publisher.command(NOW + 2, HostCommand::Append { event: event(5) });
    let (request, data) = (RequestId(1), Bytes::from_static(b"x"));
    let event = Some(event(NOW * 2));
    publisher.command(NOW + 3, write_of(request, data, event));
    append_at(&mut publisher, NOW + 4);
    let entries = entries(&mut publisher);
    let told = entries.iter().map(|entry| match entry {
        Entry::Output(frame) => frame.time_ms(),
        Entry::Event(event) => event.event().unwrap().timestamp,
    });
    assert_eq!(told.collect::<Vec<_>>(), Vec::from_iter(NOW..NOW + 5));
    assert_eq!(
        entries.iter().map(Entry::time_ms).collect::<Vec<_>>(),
        Vec::from_iter(NOW..NOW + 5)
    );
}

#[test]
fn a_clock_that_is_adjusted_is_smoothed_and_one_that_is_set_back_is_believed() {
    let mut publisher = publisher();
    for now in [NOW, NOW - 1, NOW + 1, NOW + 1 - STEP_BACK_MS, NOW, NOW - STEP_BACK_MS, NOW] {
        append_at(&mut publisher, now);
    }
    let (adjusted, set) = (NOW + 1, NOW - STEP_BACK_MS);
    assert_eq!(times(&mut publisher), [NOW, NOW, adjusted, adjusted, adjusted, set, NOW]);
}

#[test]
fn a_relay_that_reads_no_times_gets_none() {
    let mut publisher = Publisher::new(Epoch(1), Size::default());
    let resume = |times| HostCommand::Resume { cursor: None, window: u64::MAX, times };
    append_at(&mut publisher, NOW);
    publisher.command(NOW, resume(false));
    assert_eq!(times(&mut publisher), [0]);
    publisher.relay_left();
    publisher.command(NOW, resume(true));
    assert_eq!(times(&mut publisher), [NOW]);
}

fn acted_of(publisher: &mut Publisher) -> Vec<ActionNumber> {
    let messages = std::iter::from_fn(|| publisher.poll_message());
    let number = |message| match message {
        HostMessage::Acted { number, .. } => Some(number),
        _ => None,
    };
    messages.filter_map(number).collect()
}

fn withdraw() -> SessionAction {
    SessionAction::Withdraw { turn_id: "turn_0001".parse().unwrap() }
}

#[test]
fn an_action_that_comes_again_is_acknowledged_once_it_is_carried_out() {
    let mut publisher = publisher();
    let act = |number| HostCommand::Act { number: ActionNumber(number), action: withdraw() };
    publisher.command(NOW, act(1));
    assert!(matches!(publisher.poll_task(), Some(PublisherTask::Act(ActionNumber(1), _))));
    // The program that it is for has not taken it yet.
    publisher.relay_left();
    publisher.command(NOW, HostCommand::Resume { cursor: None, window: u64::MAX, times: true });
    publisher.command(NOW, act(1));
    assert_eq!(publisher.poll_task(), None);
    assert_eq!(acted_of(&mut publisher), []);
    publisher.acted(ActionNumber(1));
    assert_eq!(acted_of(&mut publisher), [ActionNumber(1)]);
    publisher.command(NOW, act(1));
    assert_eq!(acted_of(&mut publisher), [ActionNumber(1)]);
}

#[test]
fn nothing_is_acknowledged_before_it_is_in_the_journal() {
    let mut publisher = publisher();
    publisher.begin_journal();
    _ = acted_of(&mut publisher);
    type_piece(&mut publisher, 1, b"a");
    publisher.input_taken(1);
    publisher.command(NOW, HostCommand::ClientResumed { client_id: client() });
    publisher.command(NOW, HostCommand::Act { number: ActionNumber(1), action: withdraw() });
    publisher.acted(ActionNumber(1));
    publisher.event(Event::of_kind("session_1".parse().unwrap(), "x", 1, ()));
    assert_eq!(publisher.poll_message(), None);
    assert!(publisher.has_unjournaled());
    publisher.journaled();
    assert!(!publisher.has_unjournaled());
    let told = std::iter::from_fn(|| publisher.poll_message()).count();
    assert_eq!(told, 4, "two acknowledgements of input, one of the action, and the entry");
}
