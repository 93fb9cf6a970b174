//! A person with a page: the real client machine, a slow screen, and typing.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Cursor, Seq};
use moorline_shared::link::{Client, ClientStatus, Generation, Input, Output, SavedInput, Verdict};
use moorline_shared::message::{ErrorCode, ServerMessage, close};
use moorline_shared::time::Time;

use crate::host::{Screen, answer, tokens};
use crate::relay::ToRelay;
use crate::rng::Rng;

/// An action that the page asks of its socket.
pub(crate) enum SocketAction {
    Dial(Generation),
    HangUp,
    Send(ToRelay, usize),
}

/// Items that the terminal has received and not drawn.
enum Drawing {
    Frame(Frame),
    Snapshot(Seq, Screen),
    /// An event: nothing to draw, but it takes its turn.
    Event(Seq),
}

pub(crate) struct User {
    number: usize,
    id: ClientId,
    pub(crate) client: Client,
    pub(crate) screen: Screen,
    drawing: VecDeque<Drawing>,
    pub(crate) typed: usize,
    pub(crate) gave_up: bool,
    /// The tokens that were sent to a relay.
    pub(crate) sent: BTreeSet<String>,
}

impl User {
    pub(crate) fn new(number: usize) -> Self {
        let id: ClientId = format!("client_{number}").parse().expect("an id");
        let mut client = Client::new(id.clone(), number as u64, &SavedInput::default());
        client.hold_input(number > 0);
        // One of the users has a terminal that leaves queries to the host.
        client.answer_queries(number < 2);
        let (screen, drawing) = (Screen::default(), VecDeque::new());
        let sent = BTreeSet::new();
        Self { number, id, client, screen, drawing, typed: 0, gave_up: false, sent }
    }

    /// Returns true if this user's input waits for a host that is away.
    pub(crate) const fn holds(&self) -> bool {
        self.number > 0
    }

    /// Loads the page again: its input is kept, its screen is empty.
    pub(crate) fn reload(&mut self, seed: u64) {
        let json = serde_json::to_string(&self.client.save_input()).expect("it is plain data");
        let saved: SavedInput = serde_json::from_str(&json).expect("it was just written");
        self.client = Client::new(self.id.clone(), seed, &saved);
        self.client.hold_input(self.holds());
        self.client.answer_queries(self.number < 2);
        self.screen = Screen::default();
        self.drawing.clear();
    }

    pub(crate) fn token(&self, number: usize) -> String {
        format!("<{}:{number}>", self.number)
    }

    pub(crate) fn type_token(&mut self) {
        let token = self.token(self.typed);
        if self.client.type_input(token.as_bytes()).is_ok() {
            self.typed += 1;
        }
    }

    pub(crate) fn receive_text(&mut self, now: Time, generation: Generation, text: &Bytes) {
        let text = std::str::from_utf8(text).expect("text messages are UTF-8");
        let message = ServerMessage::from_json(text).expect("the relay speaks the protocol");
        assert_ne!(message, ServerMessage::Unknown, "{text}");
        self.client.handle(now, Input::Message(generation, message));
    }

    pub(crate) fn receive_frame(&mut self, now: Time, generation: Generation, encoded: &Bytes) {
        let frame = Frame::decode(encoded.clone()).expect("the relay sends frames");
        match self.client.frame(now, generation, frame.seq()) {
            Verdict::Apply => self.drawing.push_back(Drawing::Frame(frame)),
            Verdict::Duplicate => {}
            Verdict::Gap => panic!("the relay left out an entry before {}", frame.seq()),
        }
    }

    /// Draws some of what the terminal has received.
    pub(crate) fn draw(&mut self, now: Time, rng: &mut Rng) {
        for _ in 0..rng.below(200) {
            let (seq, bytes) = match self.drawing.pop_front() {
                Some(Drawing::Frame(frame)) => {
                    self.screen.write(frame.data());
                    if let Some(answer) = answer(frame.data()) {
                        self.client.reply(frame.seq(), answer.into(), false);
                    }
                    (frame.seq(), frame.data_len())
                }
                Some(Drawing::Snapshot(seq, screen)) => {
                    self.screen = screen;
                    (seq, 0)
                }
                Some(Drawing::Event(seq)) => (seq, 0),
                None => return,
            };
            self.client.applied(now, seq, bytes);
        }
    }

    /// Returns the actions that the client machine asks for.
    pub(crate) fn actions(&mut self, now: Time) -> Vec<SocketAction> {
        let mut actions = Vec::new();
        while let Some(output) = self.client.poll_output(now) {
            match output {
                Output::Dial(generation) => actions.push(SocketAction::Dial(generation)),
                Output::HangUp => actions.push(SocketAction::HangUp),
                Output::Send(message) => {
                    let text = message.to_json();
                    let bytes = text.len();
                    actions.push(SocketAction::Send(ToRelay::Text(text), bytes));
                }
                Output::SendFrame(frame) => {
                    self.sent.extend(tokens(frame.data()));
                    let encoded = frame.encoded();
                    let bytes = encoded.len();
                    actions.push(SocketAction::Send(ToRelay::Frame(encoded), bytes));
                }
                Output::Clear => {
                    self.drawing.clear();
                    self.screen = Screen::default();
                }
                Output::Paint(snapshot) => {
                    let screen = Screen::painted(&snapshot);
                    self.drawing.push_back(Drawing::Snapshot(snapshot.seq, screen));
                }
                Output::GaveUp(_) => self.gave_up = true,
                Output::Event(seq, _) => self.drawing.push_back(Drawing::Event(seq)),
                Output::Error(ErrorCode::SessionEnded | ErrorCode::HostOffline, _) => {}
                Output::Error(code, text) => panic!("the relay refused: {code:?} {text}"),
            }
        }
        actions
    }

    /// Describes the user for a failure's message.
    pub(crate) fn describe(&self) -> String {
        let pending: Vec<_> = self.client.pending_input().map(String::from_utf8_lossy).collect();
        let applied = self.client.applied_seq();
        format!("{:?}, applied {applied}, pending {pending:?}", self.client.status())
    }

    /// Returns true if nothing is left to draw or to deliver, and the client knows its position.
    pub(crate) fn is_settled(&self, head: Cursor) -> bool {
        let there = self.client.cursor() == Some(head)
            && self.client.applied_seq() == head.seq
            && self.drawing.is_empty();
        match self.client.status() {
            ClientStatus::Live => there && self.client.pending_input().next().is_none(),
            ClientStatus::Ended(_) => there,
            ClientStatus::Refused { code } => {
                panic!("refused with {code}, {}", close::is_final(code))
            }
            _ => false,
        }
    }
}
