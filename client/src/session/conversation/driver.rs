//! Connects the link machine, the fold and the page.

use std::collections::BTreeMap;
use std::sync::Arc;

use moorline_shared::event::{AgentPending, Event, EventKind};
use moorline_shared::fold::Conversation;
use moorline_shared::id::{ApprovalId, ClientId, Cursor, Seq, TurnId};
use moorline_shared::limits::NAME_CHARACTERS;
use moorline_shared::link::{
    Client, ClientStatus, Generation, Input as LinkInput, Output, SavedInput, StreamRequests,
    Verdict,
};
use moorline_shared::message::{
    CancelMessage, ClientMessage, DecideMessage, DoneMessage, PromptMessage, Scope, ServerMessage,
    Snapshot, close,
};
use moorline_shared::rest::{DecideApproval, SendPrompt};
use moorline_shared::session::Lifecycle;
use moorline_shared::text::plain_text;
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::session::view::LinkView;

/// Most requests that wait for their answers.
const REQUESTS: usize = 64;

/// The driver's effects on the page and its socket, and the clock that it reads.
pub trait ConversationEffects {
    /// Returns the current time on a monotonic clock.
    fn now(&self) -> Time;
    /// Opens a socket. Posts its events as `Opened`, `Text`, `Binary` and `Closed` with this
    /// generation.
    fn dial(&mut self, generation: Generation);
    /// Closes the socket, if any.
    fn hang_up(&mut self);
    /// Sends a text message.
    fn send_text(&mut self, text: &str);
    /// Posts `Tick` at `time`, and not at a time that was requested before. `None` cancels it.
    fn tick_at(&mut self, time: Option<Time>);
    /// Shows a view that has changed.
    fn show(&mut self, view: &ConversationView);
    /// Shows a part of the conversation that has changed.
    fn changed(&mut self, change: ConversationChange);
    /// Keeps a request for a later page of the session, until it is forgotten.
    fn keep(&mut self, number: RequestNumber, request: &UserRequest);
    /// Forgets a request that was kept: it is answered, or taken back.
    fn forget(&mut self, number: RequestNumber);
    /// Passes on the answer to a request: nothing if it is stored, or the sentence of the refusal.
    fn answered(&mut self, request: RequestNumber, answer: Result<(), String>);
}

/// A part of a conversation that has changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConversationChange {
    /// All of it: it was replaced.
    All,
    /// The item at this place, counted from the conversation's beginning. It may be new.
    Item(u64),
    /// The approvals. They are apart from the state because they can be large.
    Approvals,
    /// The state, the turns, or what the agent says of itself.
    State,
}

/// The number of a request, unique on the page.
pub type RequestNumber = u64;

/// Something that the user asks of the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UserRequest {
    /// Queues a prompt, as the turn with this id.
    Prompt(TurnId, SendPrompt),
    /// Decides about an approval. The decision needs a key, because it may be sent twice.
    Decide(ApprovalId, DecideApproval),
    /// Stops the turn; with `true` by ending the agent's process.
    Stop(TurnId, bool),
}

impl UserRequest {
    fn message(&self, request: RequestNumber) -> ClientMessage {
        match self.clone() {
            Self::Prompt(turn_id, prompt) => {
                ClientMessage::Prompt(PromptMessage { request, turn_id, prompt })
            }
            Self::Decide(approval_id, decision) => {
                ClientMessage::Decide(DecideMessage { request, approval_id, decision })
            }
            Self::Stop(turn_id, force) => {
                let turn_id = Some(turn_id);
                ClientMessage::Cancel(CancelMessage { request, turn_id, force })
            }
        }
    }
}

/// A request that is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnansweredRequest {
    /// Its number.
    pub number: RequestNumber,
    /// The request.
    pub request: Arc<UserRequest>,
    /// True if it was sent: it may have arrived, and cannot be taken back.
    pub was_sent: bool,
}

/// The link and the session around a conversation, in small values that can be compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConversationView {
    /// The state of the link.
    pub link: LinkView,
    /// The session's lifecycle, as far as the relay has reported it.
    pub lifecycle: Option<Lifecycle>,
    /// True if this client may only watch.
    pub read_only: bool,
    /// True once the conversation is known.
    pub is_known: bool,
    /// The requests that are not answered, oldest first.
    pub unanswered: Vec<UnansweredRequest>,
    /// The session's name, once it is known.
    pub name: Option<String>,
}

/// An event for the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConversationInput {
    /// Start, or retry at once.
    Dial,
    /// The network is back, or the page is visible again.
    Wake,
    /// The network went away.
    NetworkLost,
    /// The socket is open.
    Opened(Generation),
    /// A text message arrived.
    Text(Generation, String),
    /// A binary message arrived: this entry of the transcript, with this number of bytes.
    Binary(Generation, Seq, usize),
    /// The socket is closed, with this close code.
    Closed(Generation, u16),
    /// The requested time has come.
    Tick,
}

/// Drives one conversation through its [`ConversationEffects`].
pub struct ConversationDriver<E> {
    effects: E,
    client: Client,
    conversation: Conversation,
    pending: AgentPending,
    is_known: bool,
    /// True if this page may only watch, whatever its token allows.
    watches: bool,
    /// The user's requests that are not answered.
    requests: StreamRequests,
    /// The same requests, as the user made them.
    asked: BTreeMap<RequestNumber, Arc<UserRequest>>,
    view: ConversationView,
}

impl<E: ConversationEffects> ConversationDriver<E> {
    /// Creates a driver that has not dialled yet. `seed` randomises its delays.
    pub fn new(effects: E, id: ClientId, seed: u64) -> Self {
        let mut client = Client::new(id, seed, &SavedInput::default());
        client.read_conversation();
        Self {
            effects,
            client,
            conversation: Conversation::default(),
            pending: AgentPending::default(),
            is_known: false,
            watches: false,
            requests: StreamRequests::default(),
            asked: BTreeMap::new(),
            view: ConversationView::default(),
        }
    }

    /// Continues with the conversation that an earlier page had at `cursor`. Comes before the first
    /// `Dial`. A snapshot that cannot be read is ignored.
    pub fn restore(&mut self, cursor: Cursor, snapshot: &[u8]) {
        if let Ok(conversation) = Conversation::from_snapshot(snapshot) {
            self.client.start_at(cursor);
            self.is_known = true;
            self.replace(conversation);
        }
    }

    /// Keeps this page from asking anything of the agent, whatever its token allows.
    pub const fn only_watch(&mut self) {
        self.watches = true;
    }

    /// Returns the conversation as a snapshot, and the position that it is of. `None` until it is
    /// known.
    pub fn hand_on(&self) -> Option<(Cursor, Vec<u8>)> {
        let cursor = self.client.cursor().filter(|_| self.is_known)?;
        Some((cursor, self.conversation.snapshot()?))
    }

    /// Returns the position up to which the log was read.
    pub fn cursor(&self) -> Option<Cursor> {
        self.client.cursor()
    }

    /// Returns the conversation, as far as it is known.
    pub const fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// Returns what waits for the session's host.
    pub const fn pending(&self) -> &AgentPending {
        &self.pending
    }

    /// Returns the effects, to read them.
    pub const fn effects(&self) -> &E {
        &self.effects
    }

    /// Sends a request, now or once there is a connection, and again until it is answered.
    /// `answered` follows with the number that is returned; `None` if too many wait, or if this page
    /// may only watch. A later page can send a prompt or a decision again: it is kept until then, and
    /// counts once.
    pub fn request(&mut self, request: UserRequest) -> Option<RequestNumber> {
        if self.watches || self.requests.len() >= REQUESTS {
            return None;
        }
        let number = self.requests.add(|number| request.message(number));
        if !matches!(request, UserRequest::Stop(..)) {
            self.effects.keep(number, &request);
        }
        self.asked.insert(number, Arc::new(request));
        self.settle(self.effects.now());
        Some(number)
    }

    /// Takes back a request that was never sent, and returns it. `None` if it may have arrived, or is
    /// answered.
    pub fn take_back(&mut self, number: RequestNumber) -> Option<Arc<UserRequest>> {
        if !self.requests.take_back(number) {
            return None;
        }
        self.effects.forget(number);
        let request = self.asked.remove(&number);
        self.settle(self.effects.now());
        request
    }

    /// Handles an event, performs the effects that follow from it, and sets the next `Tick`.
    pub fn handle(&mut self, input: ConversationInput) {
        let now = self.effects.now();
        match input {
            ConversationInput::Dial => self.client.handle(now, LinkInput::Dial),
            ConversationInput::Wake => self.client.handle(now, LinkInput::Wake),
            ConversationInput::NetworkLost => self.client.handle(now, LinkInput::NetworkLost),
            ConversationInput::Opened(generation) => {
                self.requests.opened();
                self.client.handle(now, LinkInput::Opened(generation));
            }
            ConversationInput::Text(generation, text) => self.text(now, generation, &text),
            ConversationInput::Binary(generation, seq, bytes) => {
                if self.client.frame(now, generation, seq) == Verdict::Apply {
                    self.client.applied(now, seq, bytes);
                }
            }
            ConversationInput::Closed(generation, code) => {
                self.client.handle(now, LinkInput::Closed(generation, code));
            }
            ConversationInput::Tick => {
                self.effects.tick_at(None);
                self.client.tick(now);
            }
        }
        self.settle(now);
    }

    fn text(&mut self, now: Time, generation: Generation, text: &str) {
        // The relay sends only valid messages. Any other breaks the connection.
        let Ok(message) = ServerMessage::from_json(text) else {
            self.client.handle(now, LinkInput::Closed(generation, close::ABNORMAL));
            self.effects.hang_up();
            return;
        };
        match &message {
            ServerMessage::Done(done) => self.done(done.clone()),
            ServerMessage::Pending { pending } => self.waits(pending.clone()),
            _ => {}
        }
        // Each is a sign of life.
        self.client.handle(now, LinkInput::Message(generation, message));
    }

    fn done(&mut self, done: DoneMessage) {
        if !self.requests.answered(&done) {
            return;
        }
        let DoneMessage { request, code, message } = done;
        self.asked.remove(&request);
        self.effects.forget(request);
        let answer = match code {
            None => Ok(()),
            Some(code) => Err(message.unwrap_or(code)),
        };
        self.effects.answered(request, answer);
    }

    fn waits(&mut self, pending: Map<String, Value>) {
        self.pending = serde_json::from_value(Value::Object(pending)).unwrap_or_default();
        self.effects.changed(ConversationChange::State);
    }

    fn settle(&mut self, now: Time) {
        self.perform(now);
        self.send_requests(now);
        let view = self.compose();
        if view != self.view {
            self.effects.show(&view);
            self.view = view;
        }
        self.effects.tick_at(self.client.poll_timeout());
    }

    fn perform(&mut self, now: Time) {
        while let Some(output) = self.client.poll_output(now) {
            match output {
                Output::Dial(generation) => self.effects.dial(generation),
                Output::HangUp => self.effects.hang_up(),
                Output::Send(message) => self.effects.send_text(&message.to_json()),
                Output::Clear => self.replace(Conversation::default()),
                Output::Paint(snapshot) => {
                    self.paint(&snapshot);
                    self.client.applied(now, snapshot.seq, snapshot.data.len());
                }
                Output::Event(seq, event) => {
                    self.event(seq, &event);
                    self.client.applied(now, seq, 0);
                }
                // Nothing is typed here, and errors of requests come with their answers.
                Output::SendFrame(_) | Output::Error(..) | Output::GaveUp(_) => {}
            }
        }
    }

    fn paint(&mut self, snapshot: &Snapshot) {
        // A snapshot that cannot be read leaves the events that follow.
        self.replace(Conversation::from_snapshot(&snapshot.data).unwrap_or_default());
    }

    /// Continues with this conversation, which was read from the log and is at least as far.
    pub fn adopt(&mut self, conversation: Conversation) {
        let has_all = conversation.end() >= self.conversation.end();
        if has_all && conversation.summary.seq >= self.conversation.summary.seq {
            self.replace(conversation);
        }
    }

    fn replace(&mut self, conversation: Conversation) {
        self.conversation = conversation;
        self.effects.changed(ConversationChange::All);
    }

    fn event(&mut self, seq: Seq, event: &Event) {
        if !self.conversation.apply(seq, event) {
            return;
        }
        let id = |name: &str| event.fields.get(name).and_then(Value::as_str);
        let place = match event.known_kind() {
            EventKind::AgentMessage => {
                id("messageId").and_then(|id| self.conversation.message_place(id))
            }
            EventKind::AgentTool => {
                id("toolCallId").and_then(|id| self.conversation.tool_place(id))
            }
            _ => None,
        };
        let change = match (place, event.known_kind()) {
            (Some(place), _) => ConversationChange::Item(place),
            // Ends the tool calls, wherever they are.
            (None, EventKind::SessionForked) => ConversationChange::All,
            (
                None,
                EventKind::ApprovalRequest
                | EventKind::ApprovalConfirmed
                | EventKind::ApprovalExpired
                | EventKind::ApprovalProgress,
            ) => ConversationChange::Approvals,
            (None, _) => ConversationChange::State,
        };
        self.effects.changed(change);
    }

    fn send_requests(&mut self, now: Time) {
        let is_connected = self.client.status().is_connected();
        while is_connected && let Some(message) = self.requests.poll_send() {
            self.effects.send_text(&message.to_json());
        }
        self.client.await_answer(now, is_connected && self.requests.is_awaited());
    }

    fn unanswered(&self) -> impl Iterator<Item = UnansweredRequest> {
        self.asked.iter().map(|(number, request)| UnansweredRequest {
            number: *number,
            request: Arc::clone(request),
            was_sent: self.requests.was_sent(*number),
        })
    }

    fn compose(&mut self) -> ConversationView {
        let status = self.client.status();
        self.is_known |= matches!(status, ClientStatus::Live | ClientStatus::Ended(_));
        let meta = self.client.meta();
        let extended = meta.and_then(|meta| meta.extended.as_ref());
        ConversationView {
            link: LinkView::of(&status),
            lifecycle: extended.map(|meta| meta.lifecycle),
            read_only: self.watches || extended.is_some_and(|meta| meta.scope == Scope::Read),
            is_known: self.is_known,
            unanswered: self.unanswered().collect(),
            name: meta.map(|meta| plain_text(&meta.name, NAME_CHARACTERS)),
        }
    }
}
