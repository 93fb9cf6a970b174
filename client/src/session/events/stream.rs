//! [`Events`] in a real page.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use moorline_shared::link::Generation;
use moorline_shared::sse::SseEvent;
use moorline_shared::time::Time;

use super::{Events, Happening, StreamStatus, Surroundings};
use crate::bindings::clock;
use crate::bindings::fetch::{Call, Download, Fetch};
use crate::bindings::page::{self, PageEvent, PageWatch};
use crate::session::alarm::Alarm;

/// An event stream of the server that the page came from. It stays open, over everything that
/// passes, until it is dropped; then nothing more is told.
#[must_use = "dropping it ends the stream"]
pub struct EventStream {
    shared: Rc<Shared>,
    _watch: PageWatch,
}

impl EventStream {
    /// Opens the stream at `path` and tells of its events and of its status. It begins as
    /// [`StreamStatus::Connecting`], which is not told; nothing is told before this returns.
    pub fn open(
        path: String,
        token: Option<String>,
        on_event: impl Fn(SseEvent) + 'static,
        on_status: impl Fn(StreamStatus) + 'static,
    ) -> Self {
        let shared = Rc::new(Shared::default());
        let browser = Browser {
            shared: Rc::downgrade(&shared),
            path,
            token,
            on_event: Box::new(on_event),
            on_status: Box::new(on_status),
            fetch: None,
            alarm: Alarm::default(),
        };
        let seed = clock::random_bits() as u64;
        *shared.events.borrow_mut() = Some(Events::new(browser, seed));
        let post = poster(&Rc::downgrade(&shared));
        let watch = page::watch(move |event| match event {
            PageEvent::Online => post(Happening::Online),
            PageEvent::Visible => post(Happening::Seen),
            PageEvent::Hidden => post(Happening::Hidden),
            PageEvent::Offline => {}
        });
        shared.post(Happening::Dial);
        Self { shared, _watch: watch }
    }

    /// Dials now, where the stream is not open.
    pub fn retry(&self) {
        self.shared.post(Happening::Dial);
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        // It may be dropped by what it tells: then the rest of that news stays untold.
        self.shared.closed.set(true);
    }
}

#[derive(Default)]
struct Shared {
    inbox: RefCell<VecDeque<Happening>>,
    running: Cell<bool>,
    closed: Cell<bool>,
    events: RefCell<Option<Events<Browser>>>,
}

impl Shared {
    /// What is told may come back here, so what happens goes through a queue.
    fn post(&self, happening: Happening) {
        self.inbox.borrow_mut().push_back(happening);
        if self.running.replace(true) {
            return;
        }
        loop {
            let Some(happening) = self.inbox.borrow_mut().pop_front() else { break };
            if let Some(events) = self.events.borrow_mut().as_mut() {
                events.handle(happening);
            }
        }
        self.running.set(false);
    }
}

fn poster(shared: &Weak<Shared>) -> impl Fn(Happening) + Clone + 'static + use<> {
    let shared = shared.clone();
    move |happening| {
        if let Some(shared) = shared.upgrade() {
            shared.post(happening);
        }
    }
}

struct Browser {
    shared: Weak<Shared>,
    path: String,
    token: Option<String>,
    on_event: Box<dyn Fn(SseEvent)>,
    on_status: Box<dyn Fn(StreamStatus)>,
    fetch: Option<Fetch>,
    alarm: Alarm,
}

impl Browser {
    fn is_closed(&self) -> bool {
        self.shared.upgrade().is_none_or(|shared| shared.closed.get())
    }
}

impl Surroundings for Browser {
    fn now(&self) -> Time {
        clock::now()
    }

    fn dial(&mut self, generation: Generation, last_event_id: Option<&str>) {
        let post = poster(&self.shared);
        let call = Call {
            method: "GET",
            path: &self.path,
            token: self.token.as_deref(),
            body: None,
            last_event_id,
        };
        self.fetch = Some(Fetch::open(call, move |download| {
            post(match download {
                Download::Answered { status } => Happening::Answered(generation, status),
                Download::Bytes(bytes) => Happening::Bytes(generation, bytes),
                Download::Ended | Download::Failed => Happening::Closed(generation),
            });
        }));
    }

    fn hang_up(&mut self) {
        self.fetch = None;
    }

    fn tick_at(&mut self, time: Option<Time>) {
        let post = poster(&self.shared);
        self.alarm.set(time, move || post(Happening::Tick));
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
