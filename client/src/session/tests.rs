//! Tests of the driver, with effects that are plain values.

use bytes::Bytes;
use moorline_shared::event::{Event, TmuxLayout};
use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Epoch, Seq};
use moorline_shared::link::{Generation, Refusal, SavedInput};
use moorline_shared::message::{
    ClientMessage, ExtendedMeta, Outcome, Resumed, Scope, ServerMessage, SessionMeta, Snapshot,
    close,
};
use moorline_shared::session::{Lifecycle, Size, TMUX_DRIVER};
use moorline_shared::time::Time;
use moorline_shared::tmux::TmuxSession;
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::tab_state::TabState;
use super::{
    DriverInput, LinkView, Notice, SessionDriver, SessionEffects, SessionView, TerminalWrite,
};

const EPOCH: Epoch = Epoch(7);
const SMALL: Size = Size { cols: 40, rows: 20 };
const LARGE: Size = Size { cols: 120, rows: 40 };

/// Records the effects that were requested.
#[derive(Default)]
struct Values {
    now: u64,
    dialled: Option<Generation>,
    texts: Vec<ClientMessage>,
    frames: Vec<Frame>,
    writes: Vec<(Vec<u8>, TerminalWrite)>,
    cleared: usize,
    size: Option<Size>,
    tick: Option<Time>,
    view: SessionView,
    notices: Vec<Notice>,
    layouts: Vec<Event>,
    kept: Option<TabState>,
}

impl SessionEffects for Values {
    type Bytes = Frame;
    fn now(&self) -> Time {
        Time::from_ms(self.now)
    }
    fn dial(&mut self, generation: Generation) {
        self.dialled = Some(generation);
    }
    fn hang_up(&mut self) {
        self.dialled = None;
    }
    fn send_text(&mut self, text: &str) {
        self.texts.push(ClientMessage::from_json(text).unwrap());
    }
    fn send_frame(&mut self, frame: &Frame) {
        self.frames.push(frame.clone());
    }
    fn header(&self, bytes: &Frame) -> Option<(Seq, usize)> {
        Some((bytes.seq(), bytes.data_len()))
    }
    fn write_frame(&mut self, bytes: Frame, write: TerminalWrite) {
        self.writes.push((bytes.data().to_vec(), write));
    }
    fn paint(&mut self, snapshot: &Bytes, write: TerminalWrite) {
        self.writes.push((snapshot.to_vec(), write));
    }
    fn write_nothing(&mut self, write: TerminalWrite) {
        self.writes.push((Vec::new(), write));
    }
    fn clear(&mut self) {
        self.cleared += 1;
    }
    fn resize(&mut self, size: Size) {
        self.size = Some(size);
    }
    fn tick_at(&mut self, time: Option<Time>) {
        self.tick = time;
    }
    fn show(&mut self, view: &SessionView) {
        self.view = view.clone();
    }
    fn notify(&mut self, notice: Notice) {
        self.notices.push(notice);
    }
    fn layout(&mut self, event: Event) {
        self.layouts.push(event);
    }
    fn keep(&mut self, saved: Option<&TabState>) {
        self.kept = saved.cloned();
    }
}

type Subject = SessionDriver<Values>;

fn driver(saved: &SavedInput) -> Subject {
    SessionDriver::new(Values::default(), ClientId::from_random(1), 1, saved)
}

fn say(driver: &mut Subject, message: &ServerMessage) {
    let generation = driver.effects().dialled.unwrap();
    driver.handle(DriverInput::Text(generation, serde_json::to_string(message).unwrap()));
}

fn meta(size: Size, scope: Scope) -> ServerMessage {
    meta_of(size, scope, Lifecycle::Live)
}

fn meta_of(size: Size, scope: Scope, lifecycle: Lifecycle) -> ServerMessage {
    meta_with("pty", size, scope, lifecycle)
}

fn meta_with(driver: &str, size: Size, scope: Scope, lifecycle: Lifecycle) -> ServerMessage {
    let extended = ExtendedMeta {
        epoch: EPOCH,
        head: Seq(0),
        tail: Seq(1),
        cols: size.cols,
        rows: size.rows,
        driver: driver.into(),
        lifecycle,
        scope,
    };
    ServerMessage::SessionMeta(Box::new(SessionMeta {
        name: "shell".into(),
        created_at: "2026-01-01T00:00:00Z".into(),
        extended: Some(extended),
    }))
}

fn resumed(outcome: Outcome, epoch: Epoch, from: u64, head: u64, input: u64) -> ServerMessage {
    ServerMessage::Resumed(Resumed {
        outcome,
        epoch,
        from: Seq(from),
        head: Seq(head),
        input_seq: Some(Seq(input)),
        input_given: None,
    })
}

fn snapshot(seq: u64) -> ServerMessage {
    ServerMessage::Snapshot(Snapshot {
        seq: Seq(seq),
        data: Bytes::from_static(b"snapshot"),
        cols: Some(LARGE.cols),
        rows: Some(LARGE.rows),
        reason: None,
    })
}

fn output(driver: &mut Subject, seq: u64) {
    let generation = driver.effects().dialled.unwrap();
    driver.handle(DriverInput::Binary(generation, Frame::copy(Seq(seq), b"out").unwrap()));
}

/// Reports everything that was written as parsed.
fn parse(driver: &mut Subject) {
    for (_, write) in std::mem::take(&mut driver.effects_mut().writes) {
        driver.handle(DriverInput::Applied(write));
    }
}

fn connect(driver: &mut Subject, answer: &ServerMessage) {
    driver.handle(DriverInput::Dial);
    let generation = driver.effects().dialled.unwrap();
    driver.handle(DriverInput::Opened(generation));
    say(driver, &meta(SMALL, Scope::Write));
    say(driver, answer);
}

/// Returns a live driver with a snapshot of entry 5 on the screen.
fn live() -> Subject {
    let mut driver = driver(&SavedInput::default());
    driver.handle(DriverInput::Fits(SMALL));
    connect(&mut driver, &resumed(Outcome::Snapshot, EPOCH, 5, 5, 0));
    say(&mut driver, &snapshot(5));
    parse(&mut driver);
    assert_eq!(driver.effects().view.link, LinkView::Live);
    driver
}

fn cut(driver: &mut Subject) {
    let generation = driver.effects().dialled.unwrap();
    driver.handle(DriverInput::Closed(generation, close::ABNORMAL));
    driver.effects_mut().dialled = None;
}

#[test]
fn only_what_was_in_the_log_before_counts_as_replayed() {
    let mut driver = live();
    cut(&mut driver);
    connect(&mut driver, &resumed(Outcome::Continue, EPOCH, 5, 7, 0));
    for seq in 6..=8 {
        output(&mut driver, seq);
    }
    let replayed: Vec<bool> = driver.effects().writes.iter().map(|(_, w)| w.replayed).collect();
    assert_eq!(replayed, [true, true, false]);
    assert_eq!(driver.effects().view.link, LinkView::CatchingUp { percent: 0 });
    parse(&mut driver);
    assert_eq!(driver.effects().view.link, LinkView::Live);
}

#[test]
fn a_snapshot_is_painted_at_its_own_size() {
    let mut driver = driver(&SavedInput::default());
    driver.handle(DriverInput::Fits(SMALL));
    connect(&mut driver, &resumed(Outcome::Snapshot, EPOCH, 5, 5, 0));
    say(&mut driver, &snapshot(5));
    assert_eq!(driver.effects().size, Some(LARGE));
    parse(&mut driver);
    assert_eq!(driver.effects().size, Some(SMALL));
}

#[test]
fn what_is_typed_offline_is_shown_kept_and_sent_once() {
    let mut driver = live();
    cut(&mut driver);
    driver.handle(DriverInput::Typed(b"ls\r".to_vec()));
    let view = &driver.effects().view;
    assert!(matches!(view.link, LinkView::Waiting { .. }));
    assert_eq!(view.pending.as_ref().unwrap().preview, "ls⏎");
    let kept = driver.effects().kept.clone().unwrap();
    assert_eq!(kept.client_id, ClientId::from_random(1));
    connect(&mut driver, &resumed(Outcome::Continue, EPOCH, 5, 5, 0));
    assert_eq!(driver.effects().frames.len(), 1);
    say(&mut driver, &ServerMessage::InputAck { seq: Seq(1) });
    let effects = driver.effects();
    assert_eq!((&effects.view.pending, &effects.kept, effects.frames.len()), (&None, &None, 1));
}

#[test]
fn a_later_page_delivers_what_an_earlier_one_could_not() {
    let mut before = live();
    cut(&mut before);
    before.handle(DriverInput::Typed(b"make\r".to_vec()));
    before.handle(DriverInput::Hidden);
    let kept = before.effects().kept.clone().unwrap();
    let mut after = driver(&kept.input);
    connect(&mut after, &resumed(Outcome::Snapshot, EPOCH, 5, 5, 0));
    let sent = &after.effects().frames;
    assert_eq!((sent.len(), sent[0].data()), (1, &b"make\r"[..]));
}

#[test]
fn typing_on_a_live_link_shows_only_what_waits_long() {
    let mut driver = live();
    driver.effects_mut().now = 100;
    driver.handle(DriverInput::Typed(b"x".to_vec()));
    assert_eq!(driver.effects().view.pending, None);
    assert!(driver.effects().tick.unwrap() <= Time::from_ms(1_100));
    driver.effects_mut().now = 1_100;
    driver.handle(DriverInput::Tick);
    assert_eq!(driver.effects().view.pending.as_ref().unwrap().bytes, 1);
}

#[test]
fn what_waits_can_be_taken_back() {
    let mut driver = live();
    cut(&mut driver);
    driver.handle(DriverInput::Typed(b"rm".to_vec()));
    driver.handle(DriverInput::Discard);
    assert_eq!((&driver.effects().view.pending, &driver.effects().kept), (&None, &None));
    connect(&mut driver, &resumed(Outcome::Continue, EPOCH, 5, 5, 0));
    assert!(driver.effects().frames.is_empty());
}

#[test]
fn typing_for_a_host_that_is_away_is_refused_or_shown_at_once() {
    let mut driver = live();
    driver.handle(DriverInput::Hold(true));
    say(&mut driver, &meta_of(SMALL, Scope::Write, Lifecycle::Detached));
    assert!(driver.effects().view.is_host_away());
    driver.handle(DriverInput::Typed(b"ls\r".to_vec()));
    assert_eq!(driver.effects().view.pending.as_ref().unwrap().bytes, 3);
    driver.handle(DriverInput::Discard);
    assert_eq!((&driver.effects().view.pending, driver.effects().notices.len()), (&None, 0));
    let last = driver.effects().frames.last().unwrap();
    assert_eq!((last.seq(), last.data_len()), (Seq(1), 0), "the relay is told, too");
    driver.handle(DriverInput::Hold(false));
    driver.handle(DriverInput::Typed(b"ls\r".to_vec()));
    assert_eq!(driver.effects().notices, [Notice::Refused(Refusal::HostOffline)]);
    assert_eq!(driver.effects().view.pending, None);
    say(&mut driver, &meta(SMALL, Scope::Write));
    assert!(!driver.effects().view.is_host_away());
}

#[test]
fn the_relay_learns_with_the_next_connection_whether_to_keep_typing() {
    for hold in [false, true] {
        let mut driver = live();
        driver.handle(DriverInput::Hold(hold));
        driver.effects_mut().texts.clear();
        cut(&mut driver);
        connect(&mut driver, &resumed(Outcome::Continue, EPOCH, 5, 5, 0));
        let asked = match &driver.effects().texts[0] {
            ClientMessage::Resume(resume) => resume.hold,
            other => panic!("{other:?}"),
        };
        assert_eq!(asked, hold);
    }
}

#[test]
fn another_epoch_voids_what_is_still_being_parsed() {
    let mut driver = live();
    output(&mut driver, 6);
    let late = driver.effects_mut().writes.pop().unwrap().1;
    cut(&mut driver);
    connect(&mut driver, &resumed(Outcome::Reset, Epoch(8), 2, 2, 0));
    assert_eq!(driver.effects().cleared, 1);
    say(&mut driver, &snapshot(2));
    driver.effects_mut().now += 10_000;
    driver.handle(DriverInput::Applied(late));
    driver.handle(DriverInput::Tick);
    let acked = driver.effects().texts.contains(&ClientMessage::Ack { seq: Seq(6) });
    assert!(!acked, "an entry of the old epoch was acknowledged in the new one");
    parse(&mut driver);
    assert_eq!(driver.effects().view.link, LinkView::Live);
}

#[test]
fn typing_takes_the_size_back_from_another_window() {
    let mut driver = live();
    say(&mut driver, &meta(SMALL, Scope::Write));
    say(&mut driver, &meta(LARGE, Scope::Write));
    assert_eq!(driver.effects().view.foreign_size, Some(LARGE));
    assert_eq!(driver.effects().size, Some(LARGE));
    driver.effects_mut().texts.clear();
    driver.handle(DriverInput::Typed(b"x".to_vec()));
    let wanted = ClientMessage::Resize { cols: SMALL.cols, rows: SMALL.rows };
    assert_eq!(driver.effects().texts.last(), Some(&wanted));
    assert_eq!((driver.effects().size, driver.effects().view.foreign_size), (Some(SMALL), None));
}

#[test]
fn the_size_of_a_pane_is_never_claimed() {
    let mut driver = driver(&SavedInput::default());
    driver.handle(DriverInput::Fits(SMALL));
    driver.handle(DriverInput::Dial);
    let generation = driver.effects().dialled.unwrap();
    driver.handle(DriverInput::Opened(generation));
    say(&mut driver, &meta_with(TMUX_DRIVER, LARGE, Scope::Write, Lifecycle::Live));
    say(&mut driver, &resumed(Outcome::Snapshot, EPOCH, 5, 5, 0));
    say(&mut driver, &snapshot(5));
    parse(&mut driver);
    driver.handle(DriverInput::Typed(b"x".to_vec()));
    driver.handle(DriverInput::TakeSize);
    let claims = |text: &&ClientMessage| matches!(text, ClientMessage::Resize { .. });
    assert_eq!(driver.effects().texts.iter().find(claims), None);
    assert_eq!((driver.effects().size, driver.effects().frames.len()), (Some(LARGE), 1));
    assert!(driver.effects().view.is_pane);
}

#[test]
fn layouts_of_tmux_are_passed_on_unread() {
    let mut driver = live();
    let fields = TmuxLayout { pane: "%1".into(), session: TmuxSession::default() };
    let event = Event::new("abcdefgh".parse().unwrap(), 7, &fields);
    say(&mut driver, &ServerMessage::Event { seq: Seq(6), event: event.clone() });
    assert_eq!(driver.effects().layouts, [event]);
}

#[test]
fn who_may_only_watch_is_told_so() {
    let mut driver = driver(&SavedInput::default());
    driver.handle(DriverInput::Dial);
    let generation = driver.effects().dialled.unwrap();
    driver.handle(DriverInput::Opened(generation));
    say(&mut driver, &meta(LARGE, Scope::Read));
    driver.handle(DriverInput::Typed(b"x".to_vec()));
    assert!(driver.effects().view.read_only);
    assert_eq!(driver.effects().notices.len(), 1);
}

#[test]
fn a_refusal_is_final_until_the_user_asks() {
    let mut driver = live();
    let generation = driver.effects().dialled.unwrap();
    driver.handle(DriverInput::Closed(generation, close::REPLACED));
    assert_eq!(driver.effects().view.link, LinkView::Refused { code: close::REPLACED });
    driver.effects_mut().dialled = None;
    driver.handle(DriverInput::Tick);
    assert_eq!(driver.effects().dialled, None);
    driver.handle(DriverInput::Dial);
    assert!(driver.effects().dialled.is_some());
}

#[test]
fn nonsense_from_the_relay_breaks_the_connection_and_nothing_else() {
    let mut driver = live();
    let generation = driver.effects().dialled.unwrap();
    driver.handle(DriverInput::Text(generation, "{".into()));
    assert!(matches!(driver.effects().view.link, LinkView::Waiting { .. }));
}
