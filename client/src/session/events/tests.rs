//! Tests of the event stream, with effects that are plain values.

use moorline_shared::limits::{BACKOFF_FIRST, DEAD_AFTER};
use moorline_shared::link::Generation;
use moorline_shared::message::close;
use moorline_shared::sse::SseEvent;
use moorline_shared::time::Time;
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Events, StreamEffects, StreamInput, StreamStatus};

/// Records the effects that were requested.
#[derive(Default)]
struct Values {
    now: u64,
    dials: Vec<(Generation, Option<String>)>,
    open: bool,
    answers: u32,
    tick: Option<Time>,
    events: Vec<SseEvent>,
    status: StreamStatus,
}

impl StreamEffects for Values {
    fn now(&self) -> Time {
        Time::from_ms(self.now)
    }
    fn dial(&mut self, generation: Generation, last_event_id: Option<&str>) {
        self.dials.push((generation, last_event_id.map(str::to_owned)));
        self.open = true;
    }
    fn hang_up(&mut self) {
        self.open = false;
    }
    fn answer(&mut self) {
        self.answers += 1;
    }
    fn tick_at(&mut self, time: Option<Time>) {
        self.tick = time;
    }
    fn event(&mut self, event: SseEvent) {
        self.events.push(event);
    }
    fn show(&mut self, status: StreamStatus) {
        self.status = status;
    }
}

struct Subject(Events<Values>);

impl Subject {
    fn dialled() -> Self {
        let mut subject = Self(Events::new(Values::default(), 1));
        subject.0.handle(StreamInput::Dial);
        subject
    }

    /// Returns a stream that has received something.
    fn live() -> Self {
        let mut subject = Self::dialled();
        subject.open();
        subject.say("retry: 1000\n\n");
        assert_eq!(subject.status(), StreamStatus::Live);
        subject
    }

    fn values(&self) -> &Values {
        self.0.effects()
    }

    fn status(&self) -> StreamStatus {
        self.values().status
    }

    fn current(&self) -> Generation {
        self.values().dials.last().unwrap().0
    }

    fn open(&mut self) {
        self.0.handle(StreamInput::Opened(self.current()));
    }

    fn say(&mut self, text: &str) {
        self.0.handle(StreamInput::Bytes(self.current(), text.as_bytes().to_vec()));
    }

    fn close(&mut self) {
        self.close_with(close::ABNORMAL);
    }

    fn close_with(&mut self, code: u16) {
        self.values_mut().open = false;
        self.0.handle(StreamInput::Closed(self.current(), code));
    }

    fn values_mut(&mut self) -> &mut Values {
        self.0.effects_mut()
    }

    fn at(&mut self, ms: u64) -> &mut Events<Values> {
        self.0.effects_mut().now = ms;
        &mut self.0
    }

    /// Advances the clock to the requested tick.
    fn wait(&mut self) {
        let ms = self.values().tick.unwrap().ms;
        self.at(ms).handle(StreamInput::Tick);
    }

    fn waits(&self) -> Option<u32> {
        match self.status() {
            StreamStatus::Waiting { attempt, .. } => Some(attempt),
            _ => None,
        }
    }
}

#[test]
fn a_stream_goes_on_after_the_last_whole_event() {
    let mut subject = Subject::live();
    subject.say("event: a\nid: 7.1\ndata: {}\n\nevent: a\nid: 7.2\nda");
    subject.close();
    assert_eq!(subject.waits(), Some(1));
    subject.wait();
    assert_eq!(subject.values().dials[1].1.as_deref(), Some("7.1"));
    subject.open();
    // The rest of the old stream does not mix with the new one.
    subject.say("event: b\nid: 7.2\ndata: {}\n\n");
    let kinds: Vec<_> = subject.values().events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["a", "b"]);
}

#[test]
fn some_close_codes_are_for_good_and_others_pass() {
    for code in [4401, 4403, 4404] {
        let mut subject = Subject::dialled();
        subject.open();
        subject.close_with(code);
        assert_eq!(subject.status(), StreamStatus::Refused { code });
        subject.at(60_000).handle(StreamInput::NetworkChanged);
        assert_eq!((subject.values().dials.len(), subject.values().tick), (1, None));
    }
    for code in [1000, 1002, close::ABNORMAL, 4429, 4500] {
        let mut subject = Subject::dialled();
        subject.open();
        subject.close_with(code);
        assert_eq!(subject.waits(), Some(1), "{code}");
        subject.wait();
        assert_eq!(subject.values().dials.len(), 2);
    }
}

#[test]
fn a_stream_that_is_over_is_not_dialled_again_but_by_hand() {
    let mut subject = Subject::dialled();
    subject.open();
    subject.close_with(close::NOTHING_FOLLOWS);
    assert_eq!(subject.status(), StreamStatus::Ended);
    assert!(subject.status().is_final() && !subject.values().open);
    subject.0.handle(StreamInput::NetworkChanged);
    assert_eq!(subject.values().dials.len(), 1);
    subject.0.handle(StreamInput::Dial);
    assert_eq!(subject.values().dials.len(), 2);
}

#[test]
fn each_message_is_answered_once() {
    let mut subject = Subject::live();
    subject.say("event: a\nid: 7.1\nda");
    subject.say("ta: {}\n\nevent: b\ndata: {}\n\n");
    assert_eq!((subject.values().answers, subject.values().events.len()), (3, 2));
}

#[test]
fn comments_are_signs_of_life_and_silence_is_death() {
    let mut subject = Subject::live();
    for ms in [15_000, 30_000, 45_000, 60_000, 75_000] {
        subject.at(ms).handle(StreamInput::Tick);
        subject.say(": heartbeat\n\n");
        assert_eq!(subject.status(), StreamStatus::Live);
    }
    let dead = 75_000 + u64::try_from(DEAD_AFTER.as_millis()).unwrap();
    while subject.values().tick.unwrap().ms < dead {
        subject.wait();
        assert_eq!(subject.status(), StreamStatus::Live);
    }
    subject.wait();
    assert_eq!((subject.waits(), subject.values().open), (Some(1), false));
}

#[test]
fn waits_grow_until_the_stream_says_something() {
    let mut subject = Subject::dialled();
    for attempt in 1..6 {
        // A gateway that answers and sends nothing is not a success.
        subject.open();
        subject.close();
        assert_eq!(subject.waits(), Some(attempt));
        subject.wait();
        assert_eq!(subject.status(), StreamStatus::Connecting { attempt });
    }
    subject.open();
    subject.say(": hello\n\n");
    subject.close();
    let StreamStatus::Waiting { until, attempt: 1 } = subject.status() else { panic!() };
    assert!(until - Time::from_ms(subject.values().now) <= BACKOFF_FIRST);
}

#[test]
fn a_server_that_restarts_is_asked_again_at_once() {
    let mut subject = Subject::live();
    subject.say("retry: 250\n\n");
    subject.close();
    let now = Time::from_ms(subject.values().now);
    assert_eq!(subject.status(), StreamStatus::Waiting { until: now, attempt: 1 });
}

#[test]
fn the_network_coming_back_ends_a_wait_and_replaces_an_open_stream() {
    let mut subject = Subject::live();
    subject.at(1_000).handle(StreamInput::NetworkChanged);
    assert_eq!(subject.values().dials.len(), 2);
    subject.close();
    assert!(subject.waits().is_some());
    subject.0.handle(StreamInput::Seen);
    assert_eq!(subject.values().dials.len(), 3);
}

#[test]
fn a_page_that_is_seen_again_doubts_only_a_stream_that_missed_a_heartbeat() {
    let mut subject = Subject::live();
    subject.at(10_000).handle(StreamInput::Seen);
    assert_eq!(subject.values().dials.len(), 1);
    subject.at(20_000).handle(StreamInput::Seen);
    assert_eq!(subject.values().dials.len(), 2);
}

#[test]
fn a_page_that_nobody_sees_lets_go_of_its_stream_and_goes_on_when_it_is_seen() {
    let mut subject = Subject::live();
    subject.say("id: 7.1\ndata: {}\n\n");
    subject.at(1_000).handle(StreamInput::Hidden);
    subject.at(5_000).handle(StreamInput::Hidden);
    for ms in [15_000, 30_000, 45_000, 60_000] {
        subject.at(ms).handle(StreamInput::Tick);
        subject.say(": heartbeat\n\n");
        assert!(subject.values().open);
    }
    assert_eq!(subject.values().tick, Some(Time::from_ms(61_000)));
    subject.wait();
    assert_eq!((subject.values().open, subject.values().tick), (false, None));
    subject.at(100_000).handle(StreamInput::NetworkChanged);
    assert_eq!(subject.values().dials.len(), 1);
    subject.at(900_000).handle(StreamInput::Seen);
    assert_eq!(subject.values().dials.len(), 2);
    assert_eq!(subject.values().dials[1].1.as_deref(), Some("7.1"));
}

#[test]
fn what_an_older_request_tells_is_ignored() {
    let mut subject = Subject::live();
    let old = subject.current();
    subject.at(20_000).handle(StreamInput::NetworkChanged);
    subject.0.handle(StreamInput::Bytes(old, b"data: late\n\n".to_vec()));
    subject.0.handle(StreamInput::Closed(old, close::ABNORMAL));
    subject.0.handle(StreamInput::Closed(old, 4404));
    assert_eq!(subject.values().events, []);
    assert!(matches!(subject.status(), StreamStatus::Connecting { .. }));
}

#[test]
fn an_endless_event_ends_the_stream() {
    let mut subject = Subject::live();
    subject.say(&"x".repeat(2 * 1024 * 1024));
    assert_eq!((subject.waits(), subject.values().open), (Some(1), false));
}
