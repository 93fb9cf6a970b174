//! Between the link machine and the page.

use bytes::Bytes;
use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Seq};
use moorline_shared::limits::NAME_CHARACTERS;
use moorline_shared::link::{
    Client, Generation, Input as LinkInput, Output, Refusal, SavedInput, Status, Verdict,
};
use moorline_shared::message::{Scope, ServerMessage, Snapshot};
use moorline_shared::session::{Lifecycle, Size};
use moorline_shared::text::plain_text;
use moorline_shared::time::Time;

use super::backlog::{Backlog, MOST_BYTES};
use super::fit::Fit;
use super::tab_state::TabState;
use super::view::{LinkView, Pending, View};

/// Input that waits longer than this is shown even on a live connection.
const PENDING_SHOWN_AFTER_MS: u64 = 1000;
/// The close code where none is known.
const ABNORMAL: u16 = 1006;

/// What the driver does to the page and its socket, and the clock that it reads.
pub trait SessionEffects {
    /// A received binary message.
    type Bytes;

    /// The moment on a monotonic clock.
    fn now(&self) -> Time;
    /// Opens a socket; tells `Opened`, `Text`, `Binary` and `Closed` of this generation.
    fn dial(&mut self, generation: Generation);
    /// Closes the socket, if any.
    fn hang_up(&mut self);
    /// Sends a text message.
    fn send_text(&mut self, text: &str);
    /// Sends a piece of input.
    fn send_frame(&mut self, frame: &Frame);
    /// The number of a binary message and how many bytes follow it; `None` where it is no frame.
    fn header(&self, bytes: &Self::Bytes) -> Option<(Seq, usize)>;
    /// Writes a frame's data to the terminal; tells `Applied` with `write`.
    fn write_frame(&mut self, bytes: Self::Bytes, write: Write);
    /// Writes a picture to the terminal in place of everything there; tells `Applied`.
    fn paint(&mut self, picture: &Bytes, write: Write);
    /// Writes nothing, in order with the writes; tells `Applied`.
    fn write_nothing(&mut self, write: Write);
    /// Clears the terminal, in order with the writes.
    fn clear(&mut self);
    /// Gives the terminal this size.
    fn resize(&mut self, size: Size);
    /// Tells `Tick` at that time, and at no earlier one that was asked for.
    fn tick_at(&mut self, time: Option<Time>);
    /// Shows what has changed.
    fn show(&mut self, view: &View);
    /// Tells the user something that passes.
    fn notify(&mut self, notice: Notice);
    /// Keeps this for a later page of the tab, or forgets what was kept.
    fn keep(&mut self, saved: Option<&TabState>);
}

/// A piece that is written to the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write {
    /// Its place in the log.
    pub seq: Seq,
    /// Its size.
    pub bytes: usize,
    /// It tells of the past: queries in it must not be answered.
    pub replayed: bool,
    /// It is a picture, in place of everything before.
    pub picture: bool,
    /// Distinguishes what was written before everything became void.
    incarnation: u32,
}

/// Something that passes and that the user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Typing was refused.
    Refused(Refusal),
    /// More was pasted than can wait; nothing of it was taken. The most is told, in bytes.
    TooMuch(usize),
    /// So many pieces of typing may or may not have been delivered, and are not sent again.
    GaveUp(usize),
    /// The relay could not do something.
    Relay(String),
}

/// Something that happened, for the driver. `B` is a received binary message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionInput<B> {
    /// Begin, or try again now.
    Dial,
    /// The network is back or the page is seen again.
    Wake,
    /// The page is seen.
    Shown,
    /// The page is hidden, or goes away.
    Hidden,
    /// The socket is open.
    Opened(Generation),
    /// A text message arrived.
    Text(Generation, String),
    /// A binary message arrived.
    Binary(Generation, B),
    /// The socket is gone.
    Closed(Generation, u16),
    /// The terminal was asked something by a piece, and answers this, which may be nothing. Comes
    /// before `Applied` of it.
    Replied(Write, Vec<u8>),
    /// A piece is on the screen.
    Applied(Write),
    /// The user typed, moved the mouse over a program that wants to know, or changed the focus.
    Typed(Vec<u8>),
    /// The page has place for a terminal of this size.
    Fits(Size),
    /// The user wants the session to have the size that fits this page.
    TakeSize,
    /// The user takes back what waits: while the host is away all of it, else what was never sent.
    Discard,
    /// The user gives up what has not gone in of a large paste.
    EndPaste,
    /// Whether typing waits for a host that is away.
    Hold(bool),
    /// The time that was asked for has come.
    Tick,
}

/// Drives one session's link by its [`SessionEffects`].
pub struct Driver<W: SessionEffects> {
    effects: W,
    id: ClientId,
    client: Client,
    fit: Fit,
    /// Entries up to here were in the log before this connection.
    replayed_to: Seq,
    incarnation: u32,
    /// Pictures that are written and not on the screen yet. Their lines wrap at their own size.
    painting: u32,
    pending_since: Option<Time>,
    /// Typing that is more than may be on its way.
    backlog: Backlog,
    hidden: bool,
    kept: bool,
    view: View,
}

impl<W: SessionEffects> Driver<W> {
    /// A driver that has not dialled yet. `seed` spreads its waits.
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
            view: View::default(),
        }
    }

    /// What the driver acts on.
    pub const fn effects(&self) -> &W {
        &self.effects
    }

    /// What the driver acts on, to change it.
    pub const fn effects_mut(&mut self) -> &mut W {
        &mut self.effects
    }

    /// Handles what happened.
    pub fn handle(&mut self, input: SessionInput<W::Bytes>) {
        let now = self.effects.now();
        match input {
            SessionInput::Dial => self.client.handle(now, LinkInput::Dial),
            SessionInput::Wake => self.client.handle(now, LinkInput::Wake),
            SessionInput::Shown => self.hidden = false,
            SessionInput::Hidden => self.hidden = true,
            SessionInput::Opened(generation) => {
                self.client.handle(now, LinkInput::Opened(generation))
            }
            SessionInput::Text(generation, text) => self.text(now, generation, &text),
            SessionInput::Binary(generation, bytes) => self.binary(now, generation, bytes),
            SessionInput::Closed(generation, code) => {
                self.client.handle(now, LinkInput::Closed(generation, code));
            }
            SessionInput::Replied(write, data) => {
                if write.incarnation == self.incarnation {
                    self.client.reply(write.seq, data.into(), false);
                }
            }
            SessionInput::Applied(write) => self.applied(now, write),
            SessionInput::Typed(data) => self.typed(now, &data),
            SessionInput::Fits(size) => {
                let wanted = self.fit.fits(size);
                self.ask_for_size(now, wanted);
            }
            SessionInput::TakeSize => {
                let wanted = self.fit.claim_if_foreign(now);
                self.ask_for_size(now, wanted);
            }
            SessionInput::Discard => {
                self.end_paste(now);
                if self.view.lifecycle == Some(Lifecycle::Detached) {
                    self.client.discard_input();
                } else {
                    self.client.discard_unsent_input();
                }
            }
            SessionInput::EndPaste => self.end_paste(now),
            SessionInput::Hold(hold) => self.client.hold_input(hold),
            SessionInput::Tick => {
                // That timer is spent, even if it rang too early.
                self.effects.tick_at(None);
                self.client.tick(now);
            }
        }
        self.settle(now);
    }

    fn text(&mut self, now: Time, generation: Generation, text: &str) {
        // The relay never sends anything else; a message that is none breaks the connection.
        let Ok(message) = ServerMessage::from_json(text) else {
            self.client.handle(now, LinkInput::Closed(generation, ABNORMAL));
            self.effects.hang_up();
            return;
        };
        match &message {
            ServerMessage::SessionMeta(meta) => {
                if let Some(meta) = &meta.extended {
                    let size = Size { cols: meta.cols, rows: meta.rows };
                    self.fit.session_has(size, meta.scope == Scope::Read);
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

    fn piece(&self, seq: Seq, bytes: usize) -> Write {
        let replayed = seq <= self.replayed_to;
        Write { seq, bytes, replayed, picture: false, incarnation: self.incarnation }
    }

    fn applied(&mut self, now: Time, write: Write) {
        if write.picture {
            self.painting = self.painting.saturating_sub(1);
        }
        if write.incarnation == self.incarnation {
            self.client.applied(now, write.seq, write.bytes);
        }
    }

    fn typed(&mut self, now: Time, data: &[u8]) {
        let wanted = self.fit.claim_if_foreign(now);
        self.ask_for_size(now, wanted);
        if self.backlog.push(data).is_err() {
            self.effects.notify(Notice::TooMuch(MOST_BYTES));
        }
    }

    /// Hands on what was typed, as far as there is room.
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

    /// Asks the session to take a size. The machine skips a size that it has asked for already, so
    /// it hears of the one in between first.
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
        if matches!(self.client.status(), Status::Live | Status::CatchingUp { .. }) {
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
                Output::Event(seq, _) => {
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
            // Lines of the picture wrap where they did; afterwards the terminal reflows them.
            self.effects.resize(Size { cols, rows }.clamped());
        }
        self.painting += 1;
        let piece = self.piece(snapshot.seq, snapshot.data.len());
        self.effects.paint(&snapshot.data, Write { replayed: true, picture: true, ..piece });
    }

    fn pending_shown_at(&self) -> Option<Time> {
        self.pending_since.map(|since| Time::from_ms(since.ms + PENDING_SHOWN_AFTER_MS))
    }

    fn compose(&self, now: Time) -> View {
        let link = link_view(&self.client.status());
        let meta = self.client.meta();
        let extended = meta.and_then(|meta| meta.extended.as_ref());
        let waits_long = self.pending_shown_at().is_some_and(|at| at <= now);
        let lifecycle = extended.map(|meta| meta.lifecycle);
        let away = !link.is_connected() || lifecycle == Some(Lifecycle::Detached);
        View {
            link,
            offline_since: self.client.offline_since(),
            name: meta.map(|meta| plain_text(&meta.name, NAME_CHARACTERS)),
            lifecycle,
            read_only: extended.is_some_and(|meta| meta.scope == Scope::Read),
            foreign_size: self.fit.foreign(now),
            fitting: self.fit.fitting(),
            pending: (waits_long || away)
                .then(|| Pending::of(self.client.pending_input()))
                .flatten(),
            pasting: self.backlog.progress(),
        }
    }

    /// See [`super::tab_state`] for when something is kept.
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

fn link_view(status: &Status) -> LinkView {
    match status {
        Status::Idle | Status::Connecting => LinkView::Connecting,
        Status::CatchingUp { done, total } => {
            let percent = done.saturating_mul(100) / (*total).max(1);
            LinkView::CatchingUp { percent: u8::try_from(percent).unwrap_or(100).min(100) }
        }
        Status::Live => LinkView::Live,
        Status::Waiting { until, attempt } => {
            LinkView::Waiting { until: *until, attempt: *attempt }
        }
        Status::Ended(exit) => LinkView::Ended(exit.clone()),
        Status::Refused { code } => LinkView::Refused { code: *code },
    }
}
