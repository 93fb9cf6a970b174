//! Event streams over a session, without a network.

use moorline_shared::event::Event;
use moorline_shared::frame::Frame;
use moorline_shared::log::Log;
use moorline_shared::session::Lifecycle;
use moorline_shared::sse::{Parser, SseItem};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::profile::Profile;
use crate::stored::{SegmentRow, Stored};
use crate::tests::support;

const NOW: Time = Time::from_ms(0);
const EPOCH: Epoch = Epoch(7);

fn id() -> SessionId {
    "session_1".parse().unwrap()
}

/// Returns a log with these entries: bytes are output, `None` is an event.
fn log(entries: &[Option<&[u8]>]) -> Log {
    let mut log = Log::new(EPOCH);
    for entry in entries {
        let seq = log.head().next();
        match entry {
            Some(data) => {
                let frame = Frame::copy(seq, data).unwrap().at(40 + seq.0);
                log.push(Entry::Output(frame)).unwrap();
            }
            None => {
                log.append_event(Event::of_kind(id(), "command-sent", 5, ()));
            }
        }
    }
    log
}

fn session(log: Log, lifecycle: Lifecycle) -> Session {
    support::restored(log, lifecycle, &Profile::NATIVE)
}

struct Reading {
    stream: EventStream,
    parser: Parser,
    ended: bool,
}

/// An event: its kind, its id and its data.
type Got = (String, Option<String>, Value);

impl Reading {
    fn open(session: &mut Session, start: Start) -> Self {
        let stream = EventStream::attach(session, NOW, start, Encoding::Text).unwrap();
        Self { stream, parser: Parser::new(), ended: false }
    }

    /// Reads all events. `stored` is the log in the store.
    fn read(&mut self, session: &mut Session, stored: &Log) -> Vec<Got> {
        let mut got = Vec::new();
        while let Some(output) = self.stream.poll_output(session, NOW, 1000) {
            match output {
                StreamOutput::Send(bytes) => {
                    let mut events = Vec::new();
                    self.parser.push(&bytes, |item| events.push(item)).unwrap();
                    got.extend(events.into_iter().filter_map(|item| match item {
                        SseItem::Event(event) => {
                            let data = serde_json::from_str(&event.data).unwrap();
                            Some((event.kind, event.id, data))
                        }
                        _ => None,
                    }));
                }
                StreamOutput::Load { after, .. } => {
                    let some = stored.after(after).take(3).cloned().collect();
                    self.stream.loaded(session, some);
                }
                StreamOutput::End => self.ended = true,
            }
        }
        got
    }
}

fn read(session: &mut Session, start: Start, stored: &Log) -> Vec<Got> {
    Reading::open(session, start).read(session, stored)
}

fn kinds(got: &[Got]) -> Vec<&str> {
    got.iter().map(|(kind, _, _)| kind.as_str()).collect()
}

fn content(got: &[Got]) -> String {
    got.iter().filter_map(|(_, _, data)| data["content"].as_str()).collect()
}

fn after(seq: u64) -> Start {
    Start::After(Cursor { epoch: EPOCH, seq: Seq(seq) })
}

#[test]
fn a_stream_begins_with_what_it_is_and_where() {
    let log = log(&[Some(b"a"), None, Some(b"b")]);
    let mut session = session(log.clone(), Lifecycle::Detached);
    let got = read(&mut session, after(1), &log);
    assert_eq!(kinds(&got), ["connected", "session-status", "command-sent", "session-output"]);
    let ids: Vec<_> = got.iter().map(|(_, id, _)| id.as_deref()).collect();
    assert_eq!(ids[1..], [Some("7.1"), Some("7.2"), Some("7.3")]);
    assert_eq!(
        got[0].2,
        serde_json::json!({
            "sessionId": "session_1", "type": "connected", "timestamp": 1000,
            "message": "SSE connection established", "epoch": 7, "head": 3, "tail": 1, "from": 1
        })
    );
    assert_eq!(
        got[3].2,
        serde_json::json!({
            "sessionId": "session_1", "type": "session-output", "timestamp": 43, "seq": 3,
            "stream": "stdout", "content": "b"
        })
    );
    assert_eq!(kinds(&read(&mut session, Start::Live, &log)), ["connected", "session-status"]);
}

#[test]
fn what_is_missing_is_told_before_what_follows() {
    let stored = log(&[Some(&b"a"[..]); 12]);
    let mut short = stored.clone();
    short.trim(0, Seq(9));
    let mut session = session(short.clone(), Lifecycle::Detached);
    // The store has entries 5 to 12.
    let mut kept = stored.clone();
    kept.trim(0, Seq(4));
    let got = read(&mut session, after(2), &kept);
    assert_eq!(kinds(&got)[..3], ["connected", "session-status", "gap"]);
    assert_eq!((&got[2].2["from"], &got[2].2["to"]), (&3.into(), &4.into()));
    assert_eq!(got[2].2["reason"], "trimmed");
    let seqs: Vec<_> = got[3..].iter().map(|(_, _, data)| data["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [5, 6, 7, 8, 9, 10, 11, 12]);
    // The store is empty.
    let got = read(&mut session, after(2), &log(&[]));
    assert_eq!((&got[2].2["from"], &got[2].2["to"]), (&3.into(), &9.into()));
    assert_eq!(got.len(), 3 + 3);
    // A reader learns the oldest retained entry once that is known.
    assert_eq!(got[0].2["tail"], 10);
    let row = SegmentRow { first: Seq(5), last: Seq(12), bytes: 1 };
    let index = Stored::new(EPOCH, [row]);
    let mut session = support::indexed(short, index, Lifecycle::Detached, &Profile::NATIVE);
    // A reader that asks for everything retained learns which entries are not.
    let got = read(&mut session, Start::Oldest, &kept);
    assert_eq!((got[2].0.as_str(), &got[2].2["to"]), ("gap", &4.into()));
    assert_eq!((&got[0].2["tail"], &got[3].2["seq"]), (&5.into(), &5.into()));
}

#[test]
fn a_cursor_of_another_incarnation_is_a_gap() {
    let log = log(&[Some(b"a"), Some(b"b")]);
    let mut session = session(log.clone(), Lifecycle::Detached);
    let old = Start::After(Cursor { epoch: Epoch(6), seq: Seq(1) });
    for start in [old, Start::Lost] {
        let got = read(&mut session, start, &log);
        assert_eq!(kinds(&got)[..3], ["connected", "gap", "session-status"]);
        assert_eq!((got[1].2["reason"].as_str(), content(&got).as_str()), (Some("epoch"), "ab"));
        // The reader gets an id of this epoch before it gets any entry.
        assert_eq!((&got[1].1, got[2].1.as_deref()), (&None, Some("7.0")));
    }
}

#[test]
fn a_session_that_is_over_ends_the_stream() {
    let log = log(&[Some(b"a")]);
    let mut session = session(log.clone(), Lifecycle::Lost);
    let mut reading = Reading::open(&mut session, after(0));
    let got = reading.read(&mut session, &log);
    assert_eq!(kinds(&got), ["connected", "session-status", "session-output"]);
    assert_eq!(got[1].2["status"], "error");
    assert!(reading.ended);
    // The relay was killed before it had stored the entries that this reader has.
    let mut reading = Reading::open(&mut session, after(9));
    assert_eq!(reading.read(&mut session, &log).len(), 2);
    assert!(reading.ended);
}

#[test]
fn history_tells_when_it_was_whoever_reads_it_and_whenever() {
    let stored = log(&[Some(b"a"), None, Some(b"b"), None]);
    let mut recent = stored.clone();
    recent.trim(0, Seq(3));
    let mut session = session(recent, Lifecycle::Detached);
    let times = |got: &[Got]| -> Vec<u64> {
        let entries =
            got.iter().filter(|(kind, ..)| kind != "connected" && kind != "session-status");
        entries.map(|(_, _, data)| data["timestamp"].as_u64().unwrap()).collect()
    };
    for start in [Start::Oldest, after(0)] {
        assert_eq!(times(&read(&mut session, start, &stored)), [41, 5, 43, 5]);
    }
    // Output stored without its time counts from the creation of the session.
    let mut untimed = Log::new(EPOCH);
    untimed.push(Entry::Output(Frame::copy(Seq(1), b"a").unwrap())).unwrap();
    let mut session = self::session(untimed.clone(), Lifecycle::Detached);
    let got = read(&mut session, after(0), &untimed);
    assert_eq!(times(&got), [1_767_225_600_000]);
}

#[test]
fn a_deleted_session_says_so() {
    let log = log(&[Some(b"a")]);
    let mut session = session(log.clone(), Lifecycle::Detached);
    let mut reading = Reading::open(&mut session, Start::Live);
    reading.read(&mut session, &log);
    session.delete();
    assert_eq!(kinds(&reading.read(&mut session, &log)), ["session-deleted"]);
    assert!(reading.ended);
}

#[test]
fn a_shutdown_asks_to_come_back_soon() {
    let mut session = session(log(&[]), Lifecycle::Detached);
    let mut stream = EventStream::attach(&mut session, NOW, Start::Live, Encoding::Text).unwrap();
    stream.close();
    let outputs: Vec<_> =
        std::iter::from_fn(|| stream.poll_output(&mut session, NOW, 1)).skip(1).collect();
    let retry = StreamOutput::Send(Bytes::from_static(b"retry: 250\n\n"));
    assert_eq!(outputs, [retry, StreamOutput::End]);
    assert_eq!(session.streams(), 1);
    stream.detach(&mut session);
    assert_eq!((session.streams(), session.clients()), (0, 0));
}

#[test]
fn silence_is_broken_by_a_heartbeat() {
    let mut session = session(log(&[]), Lifecycle::Detached);
    let mut stream = EventStream::attach(&mut session, NOW, Start::Live, Encoding::Text).unwrap();
    while stream.poll_output(&mut session, NOW, 1).is_some() {}
    let due = stream.poll_timeout();
    let heartbeat = StreamOutput::Send(Bytes::from_static(b": heartbeat\n\n"));
    assert_eq!(stream.poll_output(&mut session, due, 1), Some(heartbeat));
    assert_eq!(stream.poll_output(&mut session, due, 1), None);
}

#[test]
fn an_entry_is_encoded_once_for_all_streams() {
    let mut session = session(log(&[Some(b"a")]), Lifecycle::Detached);
    let mut last = || {
        let mut stream = EventStream::attach(&mut session, NOW, after(0), Encoding::Text).unwrap();
        std::iter::from_fn(|| stream.poll_output(&mut session, NOW, 1)).last()
    };
    let (Some(StreamOutput::Send(one)), Some(StreamOutput::Send(two))) = (last(), last()) else {
        panic!("both streams send the entry last");
    };
    assert_eq!(one.as_ptr(), two.as_ptr());
}

#[test]
fn what_the_session_does_is_said_again_in_silence() {
    let mut session = session(log(&[Some(b"a")]), Lifecycle::Detached);
    let mut stream = EventStream::attach(&mut session, NOW, Start::Live, Encoding::Text).unwrap();
    let mut said = |now: Time, session: &mut Session| {
        let sent = std::iter::from_fn(|| stream.poll_output(session, now, now.ms));
        let text: String = sent
            .map(|output| match output {
                StreamOutput::Send(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                other => panic!("{other:?}"),
            })
            .collect();
        (text, stream.poll_timeout())
    };
    let (opening, mut due) = said(NOW, &mut session);
    assert!(opening.contains("id: 7.1"), "{opening}");
    let mut heard = NOW;
    for _ in 0..20 {
        assert!(due <= heard + STATUS_EVERY);
        let now = due;
        let (text, next) = said(now, &mut session);
        if text.starts_with("event: session-status\ndata: ") {
            assert!(!text.contains("\nid:"), "{text}");
            heard = now;
        } else {
            assert_eq!(text, sse::HEARTBEAT);
        }
        due = next;
    }
    assert!(heard > NOW + STATUS_EVERY * 5, "{heard:?}");
}

#[test]
fn base64_is_exact() {
    let log = log(&[Some(b"\xff\xe2\x82")]);
    let mut session = session(log, Lifecycle::Detached);
    let mut stream = EventStream::attach(&mut session, NOW, after(0), Encoding::Base64).unwrap();
    let last = std::iter::from_fn(|| stream.poll_output(&mut session, NOW, 1)).last();
    let Some(StreamOutput::Send(bytes)) = last else { panic!("the entry is sent") };
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.contains(r#""encoding":"base64","content":"/+KC""#), "{text}");
}

proptest! {
    /// However often a reader is disconnected and comes back, it gets the text of the whole log,
    /// once.
    #[test]
    fn resuming_anywhere_gives_the_same_text(
        text in "[aé€𝄞]{0,12}",
        cuts in prop::collection::vec(0_usize..40, 0..8),
        in_memory in 0_usize..12,
    ) {
        let bytes = text.as_bytes();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        let mut entries = Vec::new();
        let mut start = 0;
        for cut in cuts.into_iter().chain([bytes.len()]) {
            entries.push(Some(&bytes[start..cut]));
            entries.push(None);
            start = cut;
        }
        let stored = log(&entries);
        let mut recent = stored.clone();
        recent.trim(0, Seq(in_memory.min(entries.len()) as u64));
        let mut session = session(recent, Lifecycle::Detached);
        for cut in 0..=entries.len() as u64 {
            let mut first = read(&mut session, after(0), &stored);
            let end = first.iter().position(|(_, id, _)| {
                id.as_ref().is_some_and(|id| id.parse::<Cursor>().unwrap().seq > Seq(cut))
            });
            first.truncate(end.unwrap_or(first.len()));
            let second = read(&mut session, after(cut), &stored);
            prop_assert_eq!(content(&first) + &content(&second), text.as_str());
        }
    }
}
