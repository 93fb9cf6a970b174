//! Runs [`Events`] in a real page.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use moorline_shared::link::Generation;
use moorline_shared::message::{EVENTS_SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX, close};
use moorline_shared::sse::SseEvent;
use moorline_shared::time::Time;

use super::{Events, StreamEffects, StreamInput, StreamStatus, TAKEN};
use crate::bindings::clock;
use crate::bindings::page::{self, PageEvent, PageWatch};
use crate::bindings::socket::{Socket, SocketEvent, to_vec};
use crate::session::alarm::Alarm;

/// An event stream of the server that served the page. It stays open through interruptions until it
/// is dropped. Then nothing more is reported.
#[must_use = "dropping it ends the stream"]
pub struct EventSubscription {
    shared: Rc<SharedStream>,
    _watch: PageWatch,
}

impl EventSubscription {
    /// Opens the stream at `path`, after the event with the id `after` if there is one, and reports
    /// its events and its status. The initial [`StreamStatus::Connecting`] is not reported, and
    /// nothing is reported before this returns.
    pub fn open(
        path: String,
        after: Option<String>,
        token: Option<String>,
        on_event: impl Fn(SseEvent) + 'static,
        on_status: impl Fn(StreamStatus) + 'static,
    ) -> Self {
        let shared = Rc::new(SharedStream::default());
        let browser = StreamPage {
            shared: Rc::downgrade(&shared),
            path,
            after,
            token,
            on_event: Box::new(on_event),
            on_status: Box::new(on_status),
            socket: None,
            alarm: Alarm::default(),
        };
        let seed = clock::random_bits() as u64;
        *shared.events.borrow_mut() = Some(Events::new(browser, seed));
        let post = poster(&Rc::downgrade(&shared));
        let watch = page::watch(move |event| match event {
            PageEvent::Online | PageEvent::Offline => post(StreamInput::NetworkChanged),
            PageEvent::Visible => post(StreamInput::Seen),
            PageEvent::Hidden => post(StreamInput::Hidden),
        });
        shared.post(StreamInput::Dial);
        Self { shared, _watch: watch }
    }

    /// Dials now, unless the stream is open.
    pub fn retry(&self) {
        self.shared.post(StreamInput::Dial);
    }
}

impl Drop for EventSubscription {
    fn drop(&mut self) {
        // The stream may be dropped from its own callback: then the rest of that message is not
        // reported.
        self.shared.closed.set(true);
    }
}

#[derive(Default)]
struct SharedStream {
    inbox: RefCell<VecDeque<StreamInput>>,
    running: Cell<bool>,
    closed: Cell<bool>,
    events: RefCell<Option<Events<StreamPage>>>,
}

impl SharedStream {
    /// Callbacks may post again, so inputs go through a queue.
    fn post(&self, input: StreamInput) {
        self.inbox.borrow_mut().push_back(input);
        if self.running.replace(true) {
            return;
        }
        loop {
            let Some(input) = self.inbox.borrow_mut().pop_front() else { break };
            if let Some(events) = self.events.borrow_mut().as_mut() {
                events.handle(input);
            }
        }
        self.running.set(false);
    }
}

fn poster(shared: &Weak<SharedStream>) -> impl Fn(StreamInput) + Clone + 'static + use<> {
    let shared = shared.clone();
    move |input| {
        if let Some(shared) = shared.upgrade() {
            shared.post(input);
        }
    }
}

struct StreamPage {
    shared: Weak<SharedStream>,
    path: String,
    /// The id of the event after which the first connection begins.
    after: Option<String>,
    token: Option<String>,
    on_event: Box<dyn Fn(SseEvent)>,
    on_status: Box<dyn Fn(StreamStatus)>,
    socket: Option<Socket>,
    alarm: Alarm,
}

impl StreamPage {
    fn is_closed(&self) -> bool {
        self.shared.upgrade().is_none_or(|shared| shared.closed.get())
    }
}

impl StreamEffects for StreamPage {
    fn now(&self) -> Time {
        clock::now()
    }

    fn dial(&mut self, generation: Generation, last_event_id: Option<&str>) {
        // The old socket is silenced before the new one reports anything.
        self.socket = None;
        let post = poster(&self.shared);
        let mut address = page::socket_address(&self.path);
        if let Some(id) = last_event_id.or(self.after.as_deref()) {
            address = format!("{address}?lastEventId={id}");
        }
        let mut protocols = vec![EVENTS_SUBPROTOCOL.to_owned()];
        let token = self.token.as_deref();
        protocols.extend(token.map(|token| format!("{TOKEN_SUBPROTOCOL_PREFIX}{token}")));
        let tell = post.clone();
        let socket = Socket::dial(&address, &protocols, move |event| match event {
            SocketEvent::Opened => tell(StreamInput::Opened(generation)),
            SocketEvent::Binary(bytes) => tell(StreamInput::Bytes(generation, to_vec(&bytes))),
            SocketEvent::Text(_) => {}
            SocketEvent::Closed { code } => tell(StreamInput::Closed(generation, code)),
        });
        match socket {
            Ok(socket) => self.socket = Some(socket),
            Err(_) => post(StreamInput::Closed(generation, close::ABNORMAL)),
        }
    }

    fn hang_up(&mut self) {
        self.socket = None;
    }

    fn answer(&mut self) {
        if let Some(socket) = &self.socket {
            socket.send_text(TAKEN);
        }
    }

    fn tick_at(&mut self, time: Option<Time>) {
        let post = poster(&self.shared);
        self.alarm.set(time, move || post(StreamInput::Tick));
    }

    fn event(&mut self, event: SseEvent) {
        if !self.is_closed() {
            (self.on_event)(event);
        }
    }

    fn show(&mut self, status: StreamStatus) {
        if !self.is_closed() {
            (self.on_status)(status);
        }
    }
}
