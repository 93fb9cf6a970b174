//! Runs a [`SessionDriver`] in a real page, with its socket, timer and terminal.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use bytes::Bytes;
use js_sys::ArrayBuffer;
use moorline_shared::event::Event;
use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Cursor, Seq, SessionId};
use moorline_shared::link::{Generation, SavedInput};
use moorline_shared::message::{SUBPROTOCOL, Snapshot, TOKEN_SUBPROTOCOL_PREFIX, close};
use moorline_shared::session::Size;
use moorline_shared::time::Time;

use super::alarm::Alarm;
use super::digest::Digest;
use super::driver::{DriverInput, Notice, SessionDriver, SessionEffects, TerminalWrite};
use super::screen_record::ScreenRecord;
use super::tab_state::{self, TabState};
use super::view::SessionView;
use crate::bindings::clock;
use crate::bindings::observe::FrameRequest;
use crate::bindings::page;
use crate::bindings::screen::{Chunk, Screen, frame_header};
use crate::bindings::socket::{Socket, SocketEvent};

/// Everything that a session needs to run.
pub struct Setup {
    /// The id of the session.
    pub id: SessionId,
    /// The access token, if any.
    pub token: Option<String>,
    /// The terminal that shows it.
    pub screen: Rc<Screen>,
    /// True to compute a digest of what is applied, for tests.
    pub digest: bool,
    /// The place in another page, for a page in a frame.
    pub framed: Option<FramedSetup>,
}

/// The settings of a session on an embedded page.
#[derive(Default)]
pub struct FramedSetup {
    /// The terminal that an earlier frame handed on.
    pub handed: Option<HandedScreen>,
    /// True if this page may only watch, whatever its token allows.
    pub only_watches: bool,
}

/// A terminal that one page hands on to a later one.
#[derive(Debug, Clone)]
pub struct HandedScreen {
    /// The last entry on it.
    pub cursor: Cursor,
    /// Its size, if it is known.
    pub size: Option<Size>,
    /// The bytes that paint it.
    pub bytes: Chunk,
}

/// Callbacks from a session to the page.
pub struct SessionHooks {
    /// Called when the view has changed.
    pub show: Box<dyn Fn(SessionView)>,
    /// Called with a passing notice.
    pub notify: Box<dyn Fn(Notice)>,
    /// Called with each `tmux-layout` and `pod-status` event.
    pub layout: Box<dyn Fn(Event)>,
    /// Called with the progress of the terminal's content, at most once per frame.
    pub progress: Box<dyn Fn(&Progress)>,
}

/// Progress of the terminal's content: a debugging aid, also read by byte-exact tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// The last entry on the screen.
    pub seq: Seq,
    /// Bytes of entries applied since `from`.
    pub bytes: u64,
    /// The number of the snapshot that everything counts from; 0 without one.
    pub from: Seq,
    /// Digest of the entries after `from`, if it is computed.
    pub digest: Option<Digest>,
}

type Message = DriverInput<ArrayBuffer>;

#[derive(Default)]
struct SharedSession {
    inbox: RefCell<VecDeque<Message>>,
    running: Cell<bool>,
    driver: RefCell<Option<SessionDriver<PageEffects>>>,
}

impl SharedSession {
    /// Queues an event and handles the queue. The terminal may parse, answer and report while the
    /// driver writes to it, so an event may be posted from within.
    fn post(&self, event: Message) {
        self.inbox.borrow_mut().push_back(event);
        if self.running.replace(true) {
            return;
        }
        loop {
            let Some(event) = self.inbox.borrow_mut().pop_front() else { break };
            if let Some(driver) = self.driver.borrow_mut().as_mut() {
                driver.handle(event);
            }
        }
        self.running.set(false);
    }
}

/// A handle on a running session. The session ends when the last handle is dropped.
#[derive(Clone, Default)]
pub struct Session(Rc<SharedSession>);

impl Session {
    /// Creates a session that does nothing until [`Session::start`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Restores what an earlier page of this tab stored, and dials.
    pub fn start(&self, mut setup: Setup, hooks: SessionHooks) {
        let bits = clock::random_bits();
        let left = tab_state::take(&setup.id).unwrap_or_else(|| TabState {
            client_id: ClientId::from_random(bits),
            input: SavedInput::default(),
        });
        // The bits that the id does not use.
        let seed = (bits >> 64) as u64;
        let framed = setup.framed.take();
        let effects = PageEffects::new(Rc::downgrade(&self.0), setup, hooks, framed.is_some());
        let mut driver = SessionDriver::new(effects, left.client_id, seed, &left.input);
        if let Some(framed) = framed {
            begin_framed(&mut driver, framed);
        }
        *self.0.driver.borrow_mut() = Some(driver);
        self.post(DriverInput::Dial);
    }

    /// Posts an event to the session.
    pub fn post(&self, event: Message) {
        self.0.post(event);
    }

    /// Returns the terminal as it is, for a later page, and the last entry on it. `None` instead of
    /// the terminal if only a new snapshot could tell it, or nothing is known of the session yet.
    pub fn hand_on(&self) -> (Seq, Option<HandedScreen>) {
        let Ok(mut driver) = self.0.driver.try_borrow_mut() else { return (Seq::ZERO, None) };
        let Some(driver) = driver.as_mut() else { return (Seq::ZERO, None) };
        let cursor = driver.cursor();
        let Some(record) = &mut driver.effects_mut().record else { return (Seq::ZERO, None) };
        let (seq, painted) = record.read();
        let cursor = cursor.filter(|cursor| cursor.seq == seq);
        let handed =
            painted.zip(cursor).map(|((bytes, size), cursor)| HandedScreen { cursor, size, bytes });
        (seq, handed)
    }

    /// Returns a function that posts events without keeping the session alive.
    pub fn poster(&self) -> impl Fn(Message) + Clone + 'static + use<> {
        let shared = Rc::downgrade(&self.0);
        move |event| {
            if let Some(shared) = shared.upgrade() {
                shared.post(event);
            }
        }
    }
}

/// Begins in a frame: paints what an earlier one handed on.
fn begin_framed(driver: &mut SessionDriver<PageEffects>, framed: FramedSetup) {
    if framed.only_watches {
        driver.only_watch();
    }
    let Some(HandedScreen { cursor, size, bytes }) = framed.handed else { return };
    let data = bytes.to_vec().into();
    let (cols, rows) = (size.map(|size| size.cols), size.map(|size| size.rows));
    driver.restore(cursor, &Snapshot { seq: cursor.seq, data, cols, rows, reason: None });
}

impl Drop for SharedSession {
    fn drop(&mut self) {
        // Returning to the session continues as the same client.
        if let Some(driver) = self.driver.get_mut() {
            driver.handle(DriverInput::Hidden);
        }
    }
}

struct PageEffects {
    events: Weak<SharedSession>,
    setup: Setup,
    hooks: Rc<SessionHooks>,
    progress: Rc<Cell<Progress>>,
    report: Rc<FrameRequest>,
    socket: Option<Socket>,
    alarm: Alarm,
    /// The bytes for the next embedded page's first screen; `None` on a page that is not embedded.
    record: Option<ScreenRecord>,
}

impl PageEffects {
    fn new(
        events: Weak<SharedSession>,
        setup: Setup,
        hooks: SessionHooks,
        is_framed: bool,
    ) -> Self {
        let hooks = Rc::new(hooks);
        let digest = setup.digest.then(Digest::default);
        let progress = Rc::new(Cell::new(Progress { digest, ..Progress::default() }));
        let (told, teller) = (Rc::clone(&progress), Rc::clone(&hooks));
        let report = Rc::new(FrameRequest::new(move || (teller.progress)(&told.get())));
        let (socket, alarm) = (None, Alarm::default());
        let record = is_framed.then(ScreenRecord::default);
        Self { events, setup, hooks, progress, report, socket, alarm, record }
    }

    fn poster(&self) -> impl Fn(Message) + Clone + 'static + use<> {
        let events = self.events.clone();
        move |event| {
            if let Some(shared) = events.upgrade() {
                shared.post(event);
            }
        }
    }

    fn write(&self, chunk: &Chunk, write: TerminalWrite, then: impl FnOnce() + 'static) {
        let post = self.poster();
        let (progress, report) = (Rc::clone(&self.progress), Rc::clone(&self.report));
        let hashed = (self.setup.digest && !write.snapshot).then(|| chunk.to_vec());
        self.setup.screen.write(chunk, write.replayed, move |replies| {
            if let Some(replies) = replies {
                post(DriverInput::Replied(write, replies.into_bytes()));
            }
            progress.set(advance(progress.get(), write, hashed.as_deref()));
            report.ask();
            then();
            post(DriverInput::Applied(write));
        });
    }
}

fn advance(mut progress: Progress, write: TerminalWrite, data: Option<&[u8]>) -> Progress {
    progress.seq = write.seq;
    if write.snapshot {
        let digest = progress.digest.map(|_| Digest::default());
        return Progress { seq: write.seq, from: write.seq, bytes: 0, digest };
    }
    progress.bytes += write.bytes as u64;
    if let (Some(digest), Some(data)) = (&mut progress.digest, data) {
        digest.update(data);
    }
    progress
}

impl SessionEffects for PageEffects {
    type Bytes = ArrayBuffer;

    fn now(&self) -> Time {
        clock::now()
    }

    fn dial(&mut self, generation: Generation) {
        // The old socket is silenced before the new one reports anything.
        self.socket = None;
        let post = self.poster();
        let address = page::socket_address(&format!("/sessions/{}/stream", self.setup.id));
        let mut protocols = vec![SUBPROTOCOL.to_owned()];
        let token = self.setup.token.as_deref();
        protocols.extend(token.map(|token| format!("{TOKEN_SUBPROTOCOL_PREFIX}{token}")));
        let tell = post.clone();
        let socket = Socket::dial(&address, &protocols, move |event| {
            tell(match event {
                SocketEvent::Opened => DriverInput::Opened(generation),
                SocketEvent::Text(text) => DriverInput::Text(generation, text),
                SocketEvent::Binary(buffer) => DriverInput::Binary(generation, buffer),
                SocketEvent::Closed { code } => DriverInput::Closed(generation, code),
            });
        });
        match socket {
            Ok(socket) => self.socket = Some(socket),
            Err(_) => post(DriverInput::Closed(generation, close::ABNORMAL)),
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

    fn send_frame(&mut self, frame: &Frame) {
        if let Some(socket) = &self.socket {
            socket.send_binary(&frame.encoded());
        }
    }

    fn header(&self, bytes: &ArrayBuffer) -> Option<(Seq, usize)> {
        frame_header(bytes).map(|(seq, len)| (Seq(seq), len))
    }

    fn write_frame(&mut self, bytes: ArrayBuffer, write: TerminalWrite) {
        if let Some(chunk) = Chunk::of_frame(&bytes) {
            if let Some(record) = &mut self.record {
                record.push(write.seq, chunk.clone(), self.setup.screen.size());
            }
            self.write(&chunk, write, || ());
        }
    }

    fn paint(&mut self, snapshot: &Bytes, write: TerminalWrite) {
        // A user who has scrolled back keeps their place.
        let above = self.setup.screen.lines_above_bottom();
        let screen = Rc::downgrade(&self.setup.screen);
        let chunk = Chunk::copy(snapshot);
        if let Some(record) = &mut self.record {
            record.restart(write.seq, chunk.clone(), self.setup.screen.size());
        }
        self.write(&chunk, write, move || {
            if let Some(screen) = screen.upgrade().filter(|_| above > 0) {
                screen.scroll_above_bottom(above);
            }
        });
    }

    fn write_nothing(&mut self, write: TerminalWrite) {
        if let Some(record) = &mut self.record {
            record.skip(write.seq);
        }
        self.write(&Chunk::copy(&[]), write, || ());
    }

    fn clear(&mut self) {
        if let Some(record) = &mut self.record {
            record.clear();
        }
        self.setup.screen.write(&Chunk::copy(b"\x1bc"), true, |_| ());
        let digest = self.progress.get().digest.map(|_| Digest::default());
        self.progress.set(Progress { digest, ..Progress::default() });
    }

    fn resize(&mut self, size: Size) {
        self.setup.screen.resize(size);
    }

    fn tick_at(&mut self, time: Option<Time>) {
        let post = self.poster();
        self.alarm.set(time, move || post(DriverInput::Tick));
    }

    fn show(&mut self, view: &SessionView) {
        (self.hooks.show)(view.clone());
    }

    fn notify(&mut self, notice: Notice) {
        (self.hooks.notify)(notice);
    }

    fn layout(&mut self, event: Event) {
        (self.hooks.layout)(event);
    }

    fn keep(&mut self, state: Option<&TabState>) {
        tab_state::keep(&self.setup.id, state);
    }
}
