//! Connects the link machine to the page.

use bytes::Bytes;
use moorline_shared::event::{Event, EventKind};
use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Cursor, Seq};
use moorline_shared::limits::NAME_CHARACTERS;
use moorline_shared::link::{
    Client, Generation, Input as LinkInput, Output, Refusal, SavedInput, Verdict,
};
use moorline_shared::message::{Scope, ServerMessage, Snapshot, close};
use moorline_shared::session::{Lifecycle, Size, TMUX_DRIVER};
use moorline_shared::text::plain_text;
use moorline_shared::time::Time;

use super::backlog::{Backlog, MOST_BYTES};
use super::fit::Fit;
use super::tab_state::TabState;
use super::view::{LinkView, Pending, SessionView};

/// Time after which waiting input is shown even on a live connection, in milliseconds.
const PENDING_SHOWN_AFTER_MS: u64 = 1000;

/// The driver's effects on the page and its socket, and the clock that it reads.
pub trait SessionEffects {
    /// A received binary message.
    type Bytes;

    /// Returns the current time on a monotonic clock.
    fn now(&self) -> Time;
    /// Opens a socket. Posts its events as `Opened`, `Text`, `Binary` and `Closed` with this
    /// generation.
    fn dial(&mut self, generation: Generation);
    /// Closes the socket, if any.
    fn hang_up(&mut self);
    /// Sends a text message.
    fn send_text(&mut self, text: &str);
    /// Sends a piece of input.
    fn send_frame(&mut self, frame: &Frame);
    /// Returns the number of a binary message and the size of its data in bytes, or `None` if it is
    /// not a frame.
    fn header(&self, bytes: &Self::Bytes) -> Option<(Seq, usize)>;
    /// Writes a frame's data to the terminal, and posts `Applied` with `write` once it is parsed.
    fn write_frame(&mut self, bytes: Self::Bytes, write: TerminalWrite);
    /// Replaces the terminal's content with a snapshot, and posts `Applied` once it is parsed.
    fn paint(&mut self, snapshot: &Bytes, write: TerminalWrite);
    /// Writes nothing, in order with the writes, and posts `Applied` in its turn.
    fn write_nothing(&mut self, write: TerminalWrite);
    /// Clears the terminal, in order with the writes.
    fn clear(&mut self);
    /// Resizes the terminal to `size`.
    fn resize(&mut self, size: Size);
    /// Posts `Tick` at `time`, and not at a time that was requested before. `None` cancels it.
    fn tick_at(&mut self, time: Option<Time>);
    /// Shows a view that has changed.
    fn show(&mut self, view: &SessionView);
    /// Shows the user a passing notice.
    fn notify(&mut self, notice: Notice);
    /// Takes a `tmux-layout` or `pod-status` event. It is not read here: few sessions have it.
    fn layout(&mut self, event: Event);
    /// Stores `saved` for a later page of the tab. `None` removes what was stored.
    fn keep(&mut self, saved: Option<&TabState>);
}

/// A piece that is written to the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalWrite {
    /// Its number in the log.
    pub seq: Seq,
    /// Its size in bytes.
    pub bytes: usize,
    /// True if it is from the past: queries in it must not be answered.
    pub replayed: bool,
    /// True if it is a snapshot, which replaces everything before.
    pub snapshot: bool,
    /// Counts how often the terminal was cleared, to ignore pieces from before.
    incarnation: u32,
}

/// A passing notice for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Typing was refused, for this reason.
    Refused(Refusal),
    /// A paste exceeds the most bytes that can wait, given here. Nothing of it was taken.
    TooMuch(usize),
    /// The number of pieces of typing that may or may not have been delivered. They are not sent
    /// again.
    GaveUp(usize),
    /// An error message from the relay.
    Relay(String),
}

/// An event for the driver. `B` is a received binary message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriverInput<B> {
    /// Start, or retry at once.
    Dial,
    /// The network is back, or the page is visible again.
    Wake,
    /// The network went away.
    NetworkLost,
    /// The page is visible.
    Shown,
    /// The page is hidden, or goes away.
    Hidden,
    /// The socket is open.
    Opened(Generation),
    /// A text message arrived.
    Text(Generation, String),
    /// A binary message arrived.
    Binary(Generation, B),
    /// The socket is closed, with this close code.
    Closed(Generation, u16),
    /// The terminal's answer to the queries in a piece, which may be empty. Comes before the
    /// `Applied` of that piece.
    Replied(TerminalWrite, Vec<u8>),
    /// The terminal has applied a piece.
    Applied(TerminalWrite),
    /// The user typed, moved the mouse over a program that tracks it, or changed the focus.
    Typed(Vec<u8>),
    /// A terminal of this size fits the page.
    Fits(Size),
    /// The user wants the session to have the size that fits this page.
    TakeSize,
    /// The user takes back waiting input: all of it while the host is away, otherwise what was
    /// never sent.
    Discard,
    /// The user cancels the unsent rest of a large paste.
    EndPaste,
    /// Sets whether typing waits for a host that is away.
    Hold(bool),
    /// The page wants a fresh snapshot.
    Repaint,
    /// The requested time has come.
    Tick,
}

/// Drives one session's link through its [`SessionEffects`].
pub struct SessionDriver<W: SessionEffects> {
    effects: W,
    id: ClientId,
    client: Client,
    fit: Fit,
    /// Entries up to here count as replayed: they were in the log before this connection.
    replayed_to: Seq,
    incarnation: u32,
    /// The number of snapshots that are written and not on the screen yet. Their lines wrap at
    /// their own size.
    painting: u32,
    pending_since: Option<Time>,
    /// Typing that exceeds what may be in flight.
    backlog: Backlog,
    hidden: bool,
    kept: bool,
    /// True if this page may only watch, whatever its token allows.
    watches: bool,
    view: SessionView,
}

impl<W: SessionEffects> SessionDriver<W> {
    /// Creates a driver that has not dialled yet. `seed` randomises its delays.
    pub fn new(effects: W, id: ClientId, seed: u64, saved: &SavedInput) -> Self {
        let mut client = Client::new(id.clone(), seed, saved);
        client.answer_queries(true);
        Self {
            effects,
            client,
            id,
            fit: Fit::default(),
            replayed_to: Seq::ZERO,
            incarnation: 0,
            painting: 0,
            pending_since: None,
            backlog: Backlog::default(),
            hidden: false,
            kept: false,
            watches: false,
            view: SessionView::default(),
        }
    }

    /// Paints what an earlier page handed on, and continues there. Comes before the first `Dial`.
    pub fn restore(&mut self, cursor: Cursor, painted: &Snapshot) {
        self.client.start_at(cursor);
        self.paint(painted);
    }

    /// Keeps this page from typing, answering queries and choosing the size, whatever its token
    /// allows. Comes before the first `Dial`.
    pub const fn only_watch(&mut self) {
        self.watches = true;
        self.client.answer_queries(false);
    }

    /// Returns the last entry that was written, with its epoch; `None` before the first answer.
    pub fn cursor(&self) -> Option<Cursor> {
        self.client.cursor()
    }

    /// Returns the driver's effects, to read them.
    pub const fn effects(&self) -> &W {
        &self.effects
    }

    /// Returns the driver's effects, to change them.
    pub const fn effects_mut(&mut self) -> &mut W {
        &mut self.effects
    }

    /// Handles an event, performs the effects that follow from it, and sets the next `Tick`.
    pub fn handle(&mut self, input: DriverInput<W::Bytes>) {
        let now = self.effects.now();
        match input {
            DriverInput::Dial => self.client.handle(now, LinkInput::Dial),
            DriverInput::Wake => self.client.handle(now, LinkInput::Wake),
            DriverInput::NetworkLost => self.client.handle(now, LinkInput::NetworkLost),
            DriverInput::Shown => self.hidden = false,
            DriverInput::Hidden => self.hidden = true,
            DriverInput::Opened(generation) => {
                self.client.handle(now, LinkInput::Opened(generation))
            }
            DriverInput::Text(generation, text) => self.text(now, generation, &text),
            DriverInput::Binary(generation, bytes) => self.binary(now, generation, bytes),
            DriverInput::Closed(generation, code) => {
                self.client.handle(now, LinkInput::Closed(generation, code));
            }
            DriverInput::Replied(write, data) => {
                if write.incarnation == self.incarnation && !self.watches {
                    self.client.reply(write.seq, data.into(), false);
                }
            }
            DriverInput::Applied(write) => self.applied(now, write),
            DriverInput::Typed(data) => self.typed(now, &data),
            DriverInput::Fits(size) => {
                let wanted = self.fit.fits(size);
                self.ask_for_size(now, wanted);
            }
            DriverInput::TakeSize => {
                let wanted = self.fit.claim_if_foreign(now);
                self.ask_for_size(now, wanted);
            }
            DriverInput::Discard => {
                self.end_paste(now);
                if self.view.lifecycle == Some(Lifecycle::Detached) {
                    self.client.discard_input();
                } else {
                    self.client.discard_unsent_input();
                }
            }
            DriverInput::EndPaste => self.end_paste(now),
            DriverInput::Hold(hold) => self.client.hold_input(hold),
            DriverInput::Repaint => self.client.handle(now, LinkInput::Repaint),
            DriverInput::Tick => {
                // That timer has rung, even if too early.
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
            ServerMessage::SessionMeta(meta) => {
                if let Some(meta) = &meta.extended {
                    let size = Size { cols: meta.cols, rows: meta.rows };
                    self.fit.session_has(size, self.watches || !meta.may_resize());
                }
            }
            ServerMessage::Resumed(resumed) => self.replayed_to = resumed.head,
            ServerMessage::Snapshot(snapshot) => {
                self.replayed_to = self.replayed_to.max(snapshot.seq);
            }
            _ => {}
        }
        self.client.handle(now, LinkInput::Message(generation, message));
    }

    fn binary(&mut self, now: Time, generation: Generation, bytes: W::Bytes) {
        let Some((seq, len)) = self.effects.header(&bytes) else { return };
        if self.client.frame(now, generation, seq) == Verdict::Apply {
            let write = self.piece(seq, len);
            self.effects.write_frame(bytes, write);
        }
    }

    fn piece(&self, seq: Seq, bytes: usize) -> TerminalWrite {
        let replayed = seq <= self.replayed_to;
        TerminalWrite { seq, bytes, replayed, snapshot: false, incarnation: self.incarnation }
    }

    fn applied(&mut self, now: Time, write: TerminalWrite) {
        if write.snapshot {
            self.painting = self.painting.saturating_sub(1);
        }
        if write.incarnation == self.incarnation {
            self.client.applied(now, write.seq, write.bytes);
        }
    }

    fn typed(&mut self, now: Time, data: &[u8]) {
        if self.watches {
            return self.effects.notify(Notice::Refused(Refusal::ReadOnly));
        }
        let wanted = self.fit.claim_if_foreign(now);
        self.ask_for_size(now, wanted);
        if self.backlog.push(data).is_err() {
            self.effects.notify(Notice::TooMuch(MOST_BYTES));
        }
    }

    /// Passes on what was typed, as far as there is room.
    fn feed(&mut self, now: Time) {
        loop {
            let on_its_way = self.client.pending_input().map(<[u8]>::len).sum();
            let Some(piece) = self.backlog.next(on_its_way) else { return };
            self.hand_on(now, &piece);
        }
    }

    fn hand_on(&mut self, now: Time, data: &[u8]) {
        match self.client.type_input(data) {
            Ok(()) => {
                self.pending_since.get_or_insert(now);
            }
            Err(refusal) => {
                self.backlog.clear();
                self.effects.notify(Notice::Refused(refusal));
            }
        }
    }

    fn end_paste(&mut self, now: Time) {
        if let Some(end) = self.backlog.clear() {
            self.hand_on(now, end);
        }
    }

    /// Asks the session to take a size. The link machine skips a size that it has requested
    /// already, so it first gets the size that the session has had since.
    fn ask_for_size(&mut self, now: Time, wanted: Option<Size>) {
        let Some(size) = wanted else { return };
        if let Some(foreign) = self.view.foreign_size {
            self.client.handle(now, LinkInput::Resize(foreign));
            self.perform(now);
        }
        self.client.handle(now, LinkInput::Resize(size));
    }

    fn settle(&mut self, now: Time) {
        self.feed(now);
        self.perform(now);
        if self.client.status().is_connected() {
            self.fit.sent(now);
        }
        if let Some(size) = self.fit.shown(now).filter(|_| self.painting == 0) {
            self.effects.resize(size);
        }
        if self.client.pending_input().next().is_none() {
            self.pending_since = None;
        }
        let view = self.compose(now);
        if view != self.view {
            self.effects.show(&view);
            self.view = view;
        }
        self.keep();
        let mine = [self.pending_shown_at(), self.fit.timeout()].into_iter().flatten();
        let next = mine.filter(|at| *at > now).chain(self.client.poll_timeout()).min();
        self.effects.tick_at(next);
    }

    fn perform(&mut self, now: Time) {
        while let Some(output) = self.client.poll_output(now) {
            match output {
                Output::Dial(generation) => self.effects.dial(generation),
                Output::HangUp => self.effects.hang_up(),
                Output::Send(message) => {
                    if let Ok(text) = serde_json::to_string(&message) {
                        self.effects.send_text(&text);
                    }
                }
                Output::SendFrame(frame) => self.effects.send_frame(&frame),
                Output::Clear => {
                    self.incarnation = self.incarnation.wrapping_add(1);
                    self.effects.clear();
                }
                Output::Paint(snapshot) => self.paint(&snapshot),
                Output::Event(seq, event) => {
                    if matches!(event.known_kind(), EventKind::TmuxLayout | EventKind::PodStatus) {
                        self.effects.layout(event);
                    }
                    let write = self.piece(seq, 0);
                    self.effects.write_nothing(write);
                }
                Output::Error(_, message) => self.effects.notify(Notice::Relay(message)),
                Output::GaveUp(pieces) => self.effects.notify(Notice::GaveUp(pieces)),
            }
        }
    }

    fn paint(&mut self, snapshot: &Snapshot) {
        if let (Some(cols), Some(rows)) = (snapshot.cols, snapshot.rows) {
            // Lines of the snapshot wrap at its own size. The terminal reflows them afterwards.
            self.effects.resize(Size { cols, rows }.clamped());
        }
        self.painting += 1;
        let piece = self.piece(snapshot.seq, snapshot.data.len());
        self.effects
            .paint(&snapshot.data, TerminalWrite { replayed: true, snapshot: true, ..piece });
    }

    fn pending_shown_at(&self) -> Option<Time> {
        self.pending_since.map(|since| Time::from_ms(since.ms + PENDING_SHOWN_AFTER_MS))
    }

    fn compose(&self, now: Time) -> SessionView {
        let link = LinkView::of(&self.client.status());
        let meta = self.client.meta();
        let extended = meta.and_then(|meta| meta.extended.as_ref());
        let waits_long = self.pending_shown_at().is_some_and(|at| at <= now);
        let lifecycle = extended.map(|meta| meta.lifecycle);
        let away = !link.is_connected() || lifecycle == Some(Lifecycle::Detached);
        SessionView {
            link,
            offline_since: self.client.offline_since(),
            name: meta.map(|meta| plain_text(&meta.name, NAME_CHARACTERS)),
            lifecycle,
            read_only: self.watches || extended.is_some_and(|meta| meta.scope == Scope::Read),
            is_pane: extended.is_some_and(|meta| meta.driver == TMUX_DRIVER),
            foreign_size: self.fit.foreign(now),
            fitting: self.fit.fitting(),
            pending: (waits_long || away)
                .then(|| Pending::of(self.client.pending_input()))
                .flatten(),
            pasting: self.backlog.progress(),
        }
    }

    /// Stores the tab's state or removes it: see [`super::tab_state`] for when.
    fn keep(&mut self) {
        let waits = self.pending_since.is_some() && !self.view.link.is_connected();
        if self.hidden || waits {
            let input = self.client.save_input();
            self.effects.keep(Some(&TabState { client_id: self.id.clone(), input }));
            self.kept = true;
        } else if std::mem::take(&mut self.kept) {
            self.effects.keep(None);
        }
    }
}
