//! Tests of the driver, with effects that are plain values.

use std::cell::Cell;

use moorline_shared::event::{AgentMessage, AgentState, Event, EventFields};
use moorline_shared::fold::Conversation;
use moorline_shared::id::{ClientId, Epoch, Seq, TurnId};
use moorline_shared::limits::STREAM_REQUESTS;
use moorline_shared::link::Generation;
use moorline_shared::message::{
    ClientMessage, DoneMessage, Outcome, Resumed, ServerMessage, Snapshot, close,
};
use moorline_shared::rest::SendPrompt;
use moorline_shared::time::Time;
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::session::view::LinkView;

/// Records the effects that were requested.
#[derive(Default)]
struct Recorded {
    dialled: Option<Generation>,
    sent: Vec<ClientMessage>,
    view: ConversationView,
    changes: Vec<ConversationChange>,
    answers: Vec<(RequestNumber, Result<(), String>)>,
    /// The requests that are kept.
    kept: Vec<RequestNumber>,
    /// The time, and the one that was asked for.
    now: Cell<Time>,
    tick: Option<Time>,
}

impl ConversationEffects for Recorded {
    fn now(&self) -> Time {
        self.now.get()
    }
    fn dial(&mut self, generation: Generation) {
        self.dialled = Some(generation);
    }
    fn hang_up(&mut self) {
        self.dialled = None;
    }
    fn send_text(&mut self, text: &str) {
        self.sent.push(ClientMessage::from_json(text).unwrap());
    }
    fn tick_at(&mut self, time: Option<Time>) {
        self.tick = time;
    }
    fn show(&mut self, view: &ConversationView) {
        self.view = view.clone();
    }
    fn changed(&mut self, change: ConversationChange) {
        self.changes.push(change);
    }
    fn keep(&mut self, number: RequestNumber, _: &UserRequest) {
        self.kept.push(number);
    }
    fn forget(&mut self, number: RequestNumber) {
        self.kept.retain(|kept| *kept != number);
    }
    fn answered(&mut self, request: RequestNumber, answer: Result<(), String>) {
        self.answers.push((request, answer));
    }
}

struct Bench(ConversationDriver<Recorded>);

impl Bench {
    fn new() -> Self {
        let id = ClientId::from_random(7);
        let mut bench = Self(ConversationDriver::new(Recorded::default(), id, 7));
        bench.0.handle(ConversationInput::Dial);
        bench
    }

    fn effects(&self) -> &Recorded {
        self.0.effects()
    }

    fn connect(&mut self, head: u64, outcome: Outcome) {
        let generation = self.effects().dialled.unwrap();
        self.0.handle(ConversationInput::Opened(generation));
        self.say(&ServerMessage::Resumed(Resumed {
            outcome,
            epoch: Epoch(7),
            from: Seq(head),
            head: Seq(head),
            input_seq: None,
            input_given: None,
        }));
    }

    fn lose(&mut self) {
        let generation = self.effects().dialled.unwrap();
        self.0.handle(ConversationInput::Closed(generation, close::ABNORMAL));
        self.0.handle(ConversationInput::Dial);
    }

    fn say(&mut self, message: &ServerMessage) {
        let generation = self.effects().dialled.unwrap();
        self.0.handle(ConversationInput::Text(generation, message.to_json()));
    }

    fn event(&mut self, seq: u64, fields: &impl EventFields) {
        let event = Event::new("session_1".parse().unwrap(), 5, fields);
        self.say(&ServerMessage::Event { seq: Seq(seq), event });
    }

    fn prompts(&self) -> Vec<TurnId> {
        let prompt = |message: &ClientMessage| match message {
            ClientMessage::Prompt(prompt) => Some(prompt.turn_id.clone()),
            _ => None,
        };
        self.effects().sent.iter().filter_map(prompt).collect()
    }
}

fn message(id: &str, delta: &str) -> AgentMessage {
    let (message_id, delta) = (id.to_owned(), Some(delta.to_owned()));
    AgentMessage { message_id, delta, ..AgentMessage::default() }
}

fn turn() -> TurnId {
    TurnId::from_random(1)
}

#[test]
fn a_conversation_is_a_snapshot_and_the_events_after_it() {
    let mut past = Conversation::default();
    let event = Event::new("session_1".parse().unwrap(), 5, &message("m1", "Hel"));
    past.apply(Seq(4), &event);
    let mut bench = Bench::new();
    bench.connect(4, Outcome::Snapshot);
    bench.say(&ServerMessage::Snapshot(Snapshot {
        seq: Seq(4),
        data: past.snapshot().unwrap().into(),
        cols: None,
        rows: None,
        reason: None,
    }));
    assert!(bench.effects().view.is_known);
    bench.event(5, &message("m1", "lo"));
    bench.event(6, &AgentState { value: "idle".into(), tool: None });
    let shown = bench.0.conversation();
    assert_eq!((shown.items.len(), shown.summary.seq), (1, Seq(6)));
    assert!(serde_json::to_string(&shown.items).unwrap().contains("Hello"));
    assert_eq!(
        bench.effects().changes,
        [ConversationChange::All, ConversationChange::Item(0), ConversationChange::State]
    );
    // The next connection continues there.
    bench.lose();
    bench.connect(6, Outcome::Continue);
    bench.event(7, &message("m2", "x"));
    assert_eq!(bench.0.conversation().items.len(), 2);
}

#[test]
fn no_more_requests_are_sent_than_a_stream_takes() {
    let mut bench = Bench::new();
    let turns: Vec<TurnId> = (0..40).map(TurnId::from_random).collect();
    for turn in &turns {
        let prompt = SendPrompt { command: Some("go".into()), ..SendPrompt::default() };
        bench.0.request(UserRequest::Prompt(turn.clone(), prompt)).unwrap();
    }
    bench.connect(0, Outcome::Continue);
    assert_eq!(bench.prompts(), turns[..STREAM_REQUESTS]);
    for request in 1..=40 {
        bench.say(&ServerMessage::Done(DoneMessage { request, code: None, message: None }));
        let sent = (STREAM_REQUESTS + request as usize).min(turns.len());
        assert_eq!(bench.prompts(), turns[..sent]);
    }
    assert_eq!(bench.effects().view.unanswered, []);
}

#[test]
fn a_request_is_sent_until_it_is_answered() {
    let mut bench = Bench::new();
    let prompt = SendPrompt { command: Some("go".into()), ..SendPrompt::default() };
    let number = bench.0.request(UserRequest::Prompt(turn(), prompt)).unwrap();
    assert_eq!(bench.prompts(), []);
    assert_eq!(bench.effects().view.unanswered.len(), 1);
    assert_eq!(bench.effects().kept, [number]);
    bench.connect(0, Outcome::Continue);
    assert_eq!(bench.prompts(), [turn()]);
    // The answer is lost. The turn's id tells the relay that it is the same prompt.
    bench.lose();
    bench.connect(0, Outcome::Continue);
    assert_eq!(bench.prompts(), [turn(), turn()]);
    bench.say(&ServerMessage::Done(DoneMessage { request: number, code: None, message: None }));
    bench.say(&ServerMessage::Done(DoneMessage { request: number, code: None, message: None }));
    assert_eq!(bench.effects().answers, [(number, Ok(()))]);
    assert_eq!(bench.effects().kept, [0; 0]);
    bench.lose();
    bench.connect(0, Outcome::Continue);
    assert_eq!(bench.prompts().len(), 2);
}

#[test]
fn a_refusal_says_what_to_do() {
    let mut bench = Bench::new();
    bench.connect(0, Outcome::Continue);
    let number = bench.0.request(UserRequest::Stop(turn(), false)).unwrap();
    let code = Some("not_running".to_owned());
    let message = Some("The turn does not run.".to_owned());
    bench.say(&ServerMessage::Done(DoneMessage { request: number, code, message }));
    let refused = Err("The turn does not run.".to_owned());
    assert_eq!(bench.effects().answers, [(number, refused)]);
}

#[test]
fn what_was_never_sent_is_taken_back_and_what_may_have_arrived_is_not() {
    let mut bench = Bench::new();
    let prompt = SendPrompt { command: Some("go".into()), ..SendPrompt::default() };
    let request = UserRequest::Prompt(turn(), prompt);
    let number = bench.0.request(request.clone()).unwrap();
    assert_eq!(bench.0.take_back(number).as_deref(), Some(&request));
    assert_eq!((bench.effects().view.unanswered.len(), bench.effects().kept.len()), (0, 0));
    let number = bench.0.request(request).unwrap();
    bench.connect(0, Outcome::Continue);
    assert_eq!(bench.prompts(), [turn()]);
    assert_eq!(bench.0.take_back(number), None);
    bench.lose();
    assert!(bench.effects().view.unanswered[0].was_sent);
    assert_eq!(bench.0.take_back(number), None);
}

#[test]
fn a_prompt_without_an_answer_makes_the_page_say_so_within_seconds() {
    let mut bench = Bench::new();
    bench.connect(0, Outcome::Continue);
    let prompt = SendPrompt { command: Some("go".into()), ..SendPrompt::default() };
    let number = bench.0.request(UserRequest::Prompt(turn(), prompt)).unwrap();
    while bench.effects().view.link == LinkView::Live {
        bench.effects().now.set(bench.effects().tick.unwrap());
        bench.0.handle(ConversationInput::Tick);
    }
    assert_eq!(bench.effects().view.link, LinkView::Silent);
    assert_eq!(bench.effects().now.get(), Time::from_ms(3_000));
    // A late answer takes it back.
    bench.say(&ServerMessage::Done(DoneMessage { request: number, code: None, message: None }));
    assert_eq!(bench.effects().view.link, LinkView::Live);
    bench.0.handle(ConversationInput::NetworkLost);
    assert_eq!(bench.effects().view.link, LinkView::Silent);
}
