//! Runs a [`ConversationDriver`] in a real page, with its socket and timer.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use moorline_shared::event::AgentPending;
use moorline_shared::fold::Conversation;
use moorline_shared::id::{ClientId, Cursor, Seq, SessionId};
use moorline_shared::link::Generation;
use moorline_shared::message::{SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX, close};
use moorline_shared::time::Time;

use super::driver::{
    ConversationChange, ConversationDriver, ConversationEffects, ConversationInput,
    ConversationView, RequestNumber, UserRequest,
};
use super::kept::{self, KeptRequest};
use crate::bindings::clock;
use crate::bindings::observe::FrameRequest;
use crate::bindings::page::{self, PageEvent, PageWatch};
use crate::bindings::screen::frame_header;
use crate::bindings::socket::{Socket, SocketEvent};
use crate::session::alarm::Alarm;

/// Callbacks from a conversation to the page.
pub struct ConversationHooks {
    /// Called when the view has changed.
    pub show: Box<dyn Fn(ConversationView)>,
    /// Called with the parts of the conversation that have changed, at most once a frame.
    pub changed: Box<dyn Fn(BTreeSet<ConversationChange>)>,
}

/// The settings of a conversation on an embedded page.
#[derive(Debug, Default)]
pub struct FramedConversation {
    /// The position and the snapshot that an earlier frame handed on.
    pub handed: Option<(Cursor, Vec<u8>)>,
    /// True if this page may only watch, whatever its token allows.
    pub only_watches: bool,
}

/// Called with the answer to a request.
type AnswerHook = Box<dyn FnOnce(Result<(), String>)>;

/// A conversation that is followed until this is dropped. Clones share it.
#[derive(Clone)]
pub struct ConversationLink {
    shared: Rc<SharedConversation>,
    _watch: Rc<PageWatch>,
}

#[derive(Default)]
struct SharedConversation {
    inbox: RefCell<VecDeque<ConversationInput>>,
    running: Cell<bool>,
    driver: RefCell<Option<ConversationDriver<LinkEffects>>>,
    /// The callbacks that take the answers, by the number of the request.
    hooks: RefCell<BTreeMap<RequestNumber, AnswerHook>>,
    /// The answers whose hooks were not called yet: a hook may send a request.
    answers: RefCell<VecDeque<(RequestNumber, Result<(), String>)>>,
}

impl SharedConversation {
    /// Effects may post again, so inputs go through a queue.
    fn post(&self, input: ConversationInput) {
        self.inbox.borrow_mut().push_back(input);
        if self.running.replace(true) {
            return;
        }
        loop {
            let Some(input) = self.inbox.borrow_mut().pop_front() else { break };
            if let Some(driver) = self.driver.borrow_mut().as_mut() {
                driver.handle(input);
            }
            self.call_hooks();
        }
        self.running.set(false);
    }

    fn call_hooks(&self) {
        loop {
            let Some((number, answer)) = self.answers.borrow_mut().pop_front() else { return };
            let hook = self.hooks.borrow_mut().remove(&number);
            if let Some(hook) = hook {
                hook(answer);
            }
        }
    }
}

impl ConversationLink {
    /// Follows the conversation of a session.
    #[must_use]
    pub fn open(
        id: SessionId,
        token: Option<String>,
        framed: Option<FramedConversation>,
        hooks: ConversationHooks,
    ) -> Self {
        let bits = clock::random_bits();
        let shared = Rc::new(SharedConversation::default());
        let effects = LinkEffects::new(Rc::downgrade(&shared), id, token, hooks);
        // The seed is of the bits that the id does not use.
        let mut driver =
            ConversationDriver::new(effects, ClientId::from_random(bits), (bits >> 64) as u64);
        if let Some(FramedConversation { handed, only_watches }) = framed {
            if only_watches {
                driver.only_watch();
            }
            if let Some((cursor, snapshot)) = handed {
                driver.restore(cursor, &snapshot);
            }
        }
        *shared.driver.borrow_mut() = Some(driver);
        let post = poster(&Rc::downgrade(&shared));
        let watch = page::watch(move |event| match event {
            PageEvent::Online | PageEvent::Visible => post(ConversationInput::Wake),
            PageEvent::Offline => post(ConversationInput::NetworkLost),
            PageEvent::Hidden => {}
        });
        shared.post(ConversationInput::Dial);
        Self { shared, _watch: Rc::new(watch) }
    }

    /// Returns the conversation as it is, for a later page: see [`ConversationDriver::hand_on`].
    #[must_use]
    pub fn hand_on(&self) -> Option<(Cursor, Vec<u8>)> {
        self.shared.driver.try_borrow().ok()?.as_ref()?.hand_on()
    }

    /// Dials now, unless the link is open.
    pub fn retry(&self) {
        self.shared.post(ConversationInput::Dial);
    }

    /// Reads the conversation, and what waits for the session's host. `None` while it changes.
    pub fn read<T>(&self, read: impl FnOnce(&Conversation, &AgentPending) -> T) -> Option<T> {
        let driver = self.shared.driver.try_borrow().ok()?;
        let driver = driver.as_ref()?;
        Some(read(driver.conversation(), driver.pending()))
    }

    /// Returns the position up to which the conversation is known.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        self.shared.driver.try_borrow().ok()?.as_ref()?.cursor()
    }

    /// Returns the last entry that the conversation has.
    pub(super) fn seq(&self) -> Seq {
        self.read(|conversation, _| conversation.summary.seq).unwrap_or_default()
    }

    /// Continues with this conversation, which was read from the log.
    pub(super) fn adopt(&self, conversation: Conversation) {
        if let Ok(mut driver) = self.shared.driver.try_borrow_mut()
            && let Some(driver) = driver.as_mut()
        {
            driver.adopt(conversation);
        }
    }

    /// Sends a request until it is answered, and calls `then` with the answer: the sentence of the
    /// refusal, if it was refused.
    /// Returns false if it was not taken.
    pub fn request(
        &self,
        request: UserRequest,
        then: impl FnOnce(Result<(), String>) + 'static,
    ) -> bool {
        let number = match self.shared.driver.borrow_mut().as_mut() {
            Some(driver) => driver.request(request),
            None => None,
        };
        match number {
            Some(number) => {
                self.shared.hooks.borrow_mut().insert(number, Box::new(then));
            }
            None => {
                then(Err("This page can only watch the session, or too many requests are waiting."
                    .into()))
            }
        }
        number.is_some()
    }
}

impl ConversationLink {
    /// Sends a request that an earlier page has kept: see [`ConversationLink::request`].
    pub fn request_again(
        &self,
        kept: KeptRequest,
        then: impl FnOnce(Result<(), String>) + 'static,
    ) {
        // It is kept anew under its new number first: an end of the page in between loses nothing.
        if self.request(kept.request, then) {
            kept::forget(&kept.key);
        }
    }

    /// Takes back a request: see [`ConversationDriver::take_back`].
    #[must_use]
    pub fn take_back(&self, number: RequestNumber) -> Option<Arc<UserRequest>> {
        let request = self.shared.driver.borrow_mut().as_mut()?.take_back(number)?;
        self.shared.hooks.borrow_mut().remove(&number);
        Some(request)
    }

    /// Returns true if the browser keeps a request for a later page.
    #[must_use]
    pub fn is_kept(&self, number: RequestNumber) -> bool {
        let Ok(driver) = self.shared.driver.try_borrow() else { return false };
        driver.as_ref().is_some_and(|driver| driver.effects().kept.contains_key(&number))
    }
}

fn poster(
    shared: &Weak<SharedConversation>,
) -> impl Fn(ConversationInput) + Clone + 'static + use<> {
    let shared = shared.clone();
    move |input| {
        if let Some(shared) = shared.upgrade() {
            shared.post(input);
        }
    }
}

struct LinkEffects {
    shared: Weak<SharedConversation>,
    id: SessionId,
    token: Option<String>,
    show: Rc<dyn Fn(ConversationView)>,
    changes: Rc<RefCell<BTreeSet<ConversationChange>>>,
    report: FrameRequest,
    socket: Option<Socket>,
    alarm: Alarm,
    /// The keys under which the browser keeps the requests without an answer.
    kept: BTreeMap<RequestNumber, String>,
}

impl LinkEffects {
    fn new(
        shared: Weak<SharedConversation>,
        id: SessionId,
        token: Option<String>,
        hooks: ConversationHooks,
    ) -> Self {
        let ConversationHooks { show, changed } = hooks;
        let changes: Rc<RefCell<BTreeSet<ConversationChange>>> = Rc::default();
        let report = FrameRequest::new({
            let changes = Rc::clone(&changes);
            move || changed(changes.take())
        });
        Self {
            shared,
            id,
            token,
            show: show.into(),
            changes,
            report,
            socket: None,
            alarm: Alarm::default(),
            kept: BTreeMap::new(),
        }
    }
}

impl ConversationEffects for LinkEffects {
    fn now(&self) -> Time {
        clock::now()
    }

    fn dial(&mut self, generation: Generation) {
        // The old socket is silenced before the new one reports anything.
        self.socket = None;
        let post = poster(&self.shared);
        let address = page::socket_address(&format!("/sessions/{}/stream", self.id));
        let mut protocols = vec![SUBPROTOCOL.to_owned()];
        let token = self.token.as_deref();
        protocols.extend(token.map(|token| format!("{TOKEN_SUBPROTOCOL_PREFIX}{token}")));
        let tell = post.clone();
        let socket = Socket::dial(&address, &protocols, move |event| match event {
            SocketEvent::Opened => tell(ConversationInput::Opened(generation)),
            SocketEvent::Text(text) => tell(ConversationInput::Text(generation, text)),
            SocketEvent::Binary(bytes) => {
                if let Some((seq, len)) = frame_header(&bytes) {
                    tell(ConversationInput::Binary(generation, Seq(seq), len));
                }
            }
            SocketEvent::Closed { code } => tell(ConversationInput::Closed(generation, code)),
        });
        match socket {
            Ok(socket) => self.socket = Some(socket),
            Err(_) => post(ConversationInput::Closed(generation, close::ABNORMAL)),
        }
    }

    fn hang_up(&mut self) {
        self.socket = None;
    }

    fn send_text(&mut self, text: &str) {
        if let Some(socket) = &self.socket {
            socket.send_text(text);
        }
    }

    fn tick_at(&mut self, time: Option<Time>) {
        let post = poster(&self.shared);
        self.alarm.set(time, move || post(ConversationInput::Tick));
    }

    fn show(&mut self, view: &ConversationView) {
        (self.show)(view.clone());
    }

    fn changed(&mut self, change: ConversationChange) {
        self.changes.borrow_mut().insert(change);
        self.report.ask();
    }

    fn keep(&mut self, number: RequestNumber, request: &UserRequest) {
        if let Some(key) = kept::keep(&self.id, number, request) {
            self.kept.insert(number, key);
        }
    }

    fn forget(&mut self, number: RequestNumber) {
        if let Some(key) = self.kept.remove(&number) {
            kept::forget(&key);
        }
    }

    fn answered(&mut self, request: RequestNumber, answer: Result<(), String>) {
        if let Some(shared) = self.shared.upgrade() {
            shared.answers.borrow_mut().push_back((request, answer));
        }
    }
}
