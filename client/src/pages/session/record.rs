//! The data of a session's page, from its event stream, its status, and the list of all sessions.

use std::sync::Arc;

use gloo_timers::callback::{Interval, Timeout};
use leptos::prelude::*;
use moorline_shared::event::{Activity, Connected, Event, EventKind, Gap, SessionOutput, Status};
use moorline_shared::id::{Cursor, Epoch, Seq, SessionId};
use moorline_shared::message::close;
use moorline_shared::rest::SessionSummary;
use moorline_shared::session::Size;
use moorline_shared::sse::SseEvent;

use super::history::{History, STEP_MS};
use super::preview::Preview;
use super::timeline::Timeline;
use crate::bindings::clock;
use crate::bindings::observe::FrameRequest;
use crate::session::access::PageAccess;
use crate::session::actions::Actions;
use crate::session::api::{self, ApiRequest, Extent, RequestError};
use crate::session::login;
use crate::session::overview::OverviewState;
use crate::session::route::Router;
use crate::session::{EventSubscription, StreamStatus};
use crate::ui::Action;
use crate::ui::when::effect;

/// The number of newest entries that are read at first, because the log may be long.
const REACH: u64 = 500;
/// The factor by which each request for more extends that number.
const FURTHER: u64 = 8;
/// Delay before a failed request is repeated, in milliseconds.
const RETRY_MS: u32 = 3_000;

/// The existence of a session, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Nothing is known yet.
    Unknown,
    /// The session exists and is shown.
    Here,
    /// The session does not exist, or this page's token may not see it.
    Missing,
    /// It was deleted while the page was open.
    Deleted,
}

/// The data of a session's page.
#[derive(Clone, Copy)]
pub(super) struct Record {
    access: PageAccess,
    actions: Actions,
    overview: OverviewState,
    router: Router,
    pub(super) presence: RwSignal<Presence>,
    /// The reason why the session's status could not be loaded.
    pub(super) problem: RwSignal<Option<String>>,
    known: RwSignal<KnownState>,
    /// The status of the session's event stream.
    pub(super) stream: RwSignal<StreamStatus>,
    pub(super) book: RwSignal<Book>,
    /// True if the log has entries before those that were read.
    pub(super) has_earlier: RwSignal<bool>,
    /// True once everything that was requested has arrived.
    pub(super) caught_up: RwSignal<bool>,
    /// Incremented whenever displayed times must be updated.
    pub(super) beat: RwSignal<u32>,
    own: StoredValue<RecordParts, LocalStorage>,
}

/// The latest known state. Both parts are shared, because they are handed out.
#[derive(Clone, Default)]
struct KnownState {
    /// The answer to the last status request.
    standing: Option<Arc<Standing>>,
    /// The session's current status, from its events.
    status: Option<Arc<Status>>,
}

/// The answer to `GET /api/session/:id/status`. The type of `shared` reads both parts at once, but
/// needs much more code.
pub(super) struct Standing {
    summary: SessionSummary,
    pub(super) extent: Extent,
}

impl Standing {
    fn of(text: &str) -> Result<Self, RequestError> {
        Ok(Self { summary: api::parse(text)?, extent: api::parse(text)? })
    }
}

/// The parts that are drawn from the session's events.
pub(super) struct Book {
    pub(super) timeline: Timeline,
    pub(super) preview: Preview,
    pub(super) history: History,
}

/// The parts that are not drawn.
struct RecordParts {
    id: SessionId,
    /// The number of entries before the head that are read.
    reach: u64,
    position: LogPosition,
    /// The session's event stream; `None` until the session's status is known.
    stream: Option<EventSubscription>,
    frame: Option<FrameRequest>,
    retry: Option<Timeout>,
}

/// The position of the stream in the log.
#[derive(Debug, Clone, Copy, Default)]
struct LogPosition {
    epoch: Epoch,
    /// The log's head when the stream was opened. Entries up to it are from the past.
    head: Seq,
    /// True if the next status is the current one and not an entry of the log.
    opening: bool,
}

impl Record {
    /// Loads the session, follows it, and provides the record to all components below.
    pub(super) fn provide(id: SessionId) -> Self {
        let history = History::new(clock::wall_ms());
        let book = Book { timeline: Timeline::default(), preview: Preview::default(), history };
        let position = LogPosition::default();
        let own =
            RecordParts { id, reach: REACH, position, stream: None, frame: None, retry: None };
        let record = Self {
            access: PageAccess::expect(),
            actions: Actions::expect(),
            router: Router::expect(),
            overview: OverviewState::expect(),
            presence: RwSignal::new(Presence::Unknown),
            problem: RwSignal::default(),
            known: RwSignal::default(),
            stream: RwSignal::default(),
            book: RwSignal::new(book),
            has_earlier: RwSignal::new(false),
            caught_up: RwSignal::new(false),
            beat: RwSignal::default(),
            own: StoredValue::new_local(own),
        };
        record.overview.follow();
        record.load();
        let beat = Interval::new(STEP_MS, move || {
            record.book.update_untracked(|book| book.history.advance(clock::wall_ms()));
            record.beat.update(|beat| *beat += 1);
        });
        let _: StoredValue<Interval, LocalStorage> = StoredValue::new_local(beat);
        let clients = Memo::new(move |_| record.summary().map_or(0, |session| session.clients));
        effect(move || {
            let now = clients.get();
            record.book.update_untracked(|book| book.history.clients(now));
            record.beat.update(|beat| *beat += 1);
            if record.presence.get_untracked() == Presence::Here {
                // A new client may bring another size.
                record.load();
            }
        });
        provide_context(record);
        record
    }

    pub(super) fn expect() -> Self {
        expect_context()
    }

    /// Returns the session's id.
    pub(super) fn id(self) -> SessionId {
        self.own.with_value(|own| own.id.clone())
    }

    /// Returns the session as in the list; tracked. Falls back to the session's status, because a
    /// token of one session may not see the list.
    pub(super) fn summary(self) -> Option<Arc<SessionSummary>> {
        let listed = self.own.with_value(|own| self.overview.session(&own.id));
        listed.or_else(|| {
            let standing = self.standing()?;
            Some(Arc::new(standing.summary.clone()))
        })
    }

    /// Returns true if the session is over; tracked.
    pub(super) fn is_over(self) -> bool {
        self.summary().is_some_and(|session| session.lifecycle.is_over())
    }

    /// Returns the session's actions; tracked.
    pub(super) fn actions(self) -> Vec<Action> {
        let session = self.summary();
        session.map(|session| self.actions.of_session(&session)).unwrap_or_default()
    }

    /// Goes to the list of all sessions.
    pub(super) fn to_list(self) {
        self.router.navigate("/sessions");
    }

    /// Returns the answer to the last status request; tracked.
    pub(super) fn standing(self) -> Option<Arc<Standing>> {
        self.known.with(|known| known.standing.clone())
    }

    /// Returns the session's current status; tracked.
    pub(super) fn status(self) -> Option<Arc<Status>> {
        self.known.with(|known| known.status.clone())
    }

    /// Returns the session's current folder; tracked.
    pub(super) fn folder(self) -> Option<String> {
        let folder = self.status().and_then(|status| status.cwd.clone());
        folder.or_else(|| self.summary()?.cwd.clone())
    }

    /// Requests the session's status, and follows its events once that has arrived.
    pub(super) fn load(self) {
        let request = ApiRequest::get(format!("/api/session/{}/status", self.id()));
        api::ask(self.access, request, move |answer| {
            // The page may be gone by now.
            if self.own.try_with_value(|_| ()).is_none() {
                return;
            }
            match answer.and_then(|text| Standing::of(&text)) {
                Ok(standing) => self.learn(standing),
                Err(RequestError::Missing(_)) => self.lose(Presence::Missing),
                Err(error) => {
                    self.problem.set(Some(error.to_string()));
                    let retry = Timeout::new(RETRY_MS, move || self.load());
                    self.own.update_value(|own| own.retry = Some(retry));
                }
            }
        });
    }

    fn learn(self, standing: Standing) {
        self.problem.set(None);
        let extent = standing.extent;
        self.known.update(|known| known.standing = Some(Arc::new(standing)));
        self.presence.set(Presence::Here);
        let size = Size { cols: extent.cols, rows: extent.rows };
        self.book.update(|book| book.preview.resize(size));
        if self.own.with_value(|own| own.stream.is_none()) {
            let first = extent.head.0.saturating_sub(self.own.with_value(|own| own.reach));
            let oldest = extent.tail.0.saturating_sub(1);
            self.has_earlier.set(first > oldest);
            self.follow(Cursor { epoch: extent.epoch, seq: Seq(first.max(oldest)) });
        }
    }

    /// Reads the log again, from further back.
    pub(super) fn reach_further(self) {
        self.own.update_value(|own| {
            own.reach = own.reach.saturating_mul(FURTHER);
            own.stream = None;
        });
        self.forget();
        self.load();
    }

    fn forget(self) {
        self.book.update(|book| {
            book.timeline = Timeline::default();
            book.preview.clear();
        });
        self.caught_up.set(false);
    }

    fn follow(self, after: Cursor) {
        let stream = EventSubscription::open(
            format!("/api/session/{}/events", self.id()),
            Some(after.to_string()),
            self.access.token(),
            move |event| self.hear(&event),
            move |status| self.stand(status),
        );
        let frame = FrameRequest::new(move || self.book.notify());
        self.own.update_value(|own| {
            own.stream = Some(stream);
            own.frame = Some(frame);
        });
    }

    /// Dials both event streams at once.
    pub(super) fn reconnect(self) {
        self.own.with_value(|own| own.stream.iter().for_each(EventSubscription::retry));
        self.overview.retry();
    }

    fn stand(self, status: StreamStatus) {
        match status {
            StreamStatus::Refused { code: close::UNAUTHORIZED } => login::check(self.access),
            StreamStatus::Refused { .. } => self.lose(Presence::Deleted),
            StreamStatus::Ended => self.caught_up.set(true),
            _ => {}
        }
        self.stream.set(status);
    }

    fn lose(self, how: Presence) {
        match self.presence.get_untracked() {
            Presence::Deleted => {}
            Presence::Here => self.presence.set(Presence::Deleted),
            Presence::Unknown | Presence::Missing => self.presence.set(how),
        }
    }

    fn hear(self, sse: &SseEvent) {
        let Ok(event) = serde_json::from_str::<Event>(&sse.data) else { return };
        let seq = sse.id.as_deref().and_then(|id| id.parse::<Cursor>().ok()).map(|id| id.seq);
        let timestamp = event.timestamp;
        match (event.known_kind(), seq) {
            (EventKind::Connected, _) => self.connected(&event.into_fields().unwrap_or_default()),
            (EventKind::SessionDeleted, _) => self.presence.set(Presence::Deleted),
            (EventKind::Gap, _) => {
                let to = event.into_fields().and_then(|gap: Gap| gap.to).unwrap_or_default();
                self.book.update_untracked(|book| book.timeline.gap(to, timestamp));
            }
            (EventKind::SessionOutput, Some(seq)) => {
                self.output(seq, timestamp, &event.into_fields().unwrap_or_default());
            }
            (EventKind::SessionStatus, Some(seq)) => {
                if let Some(status) = event.into_fields() {
                    self.changed(seq, timestamp, status);
                }
            }
            (_, Some(seq)) => {
                self.book.update_untracked(|book| book.timeline.event(seq, &event));
            }
            _ => {}
        }
        let head = self.position().head;
        if seq.is_some_and(|seq| seq >= head) && !self.caught_up.get_untracked() {
            self.caught_up.set(true);
        }
        self.own.with_value(|own| own.frame.iter().for_each(FrameRequest::ask));
    }

    fn position(self) -> LogPosition {
        self.own.with_value(|own| own.position)
    }

    fn connected(self, connected: &Connected) {
        let &Connected { epoch, head, .. } = connected;
        let known = self.position().epoch;
        if known != epoch && known != Epoch::default() {
            // The log has a new epoch: nothing of the old one holds any more.
            self.forget();
        }
        self.own.update_value(|own| own.position = LogPosition { epoch, head, opening: true });
    }

    fn changed(self, seq: Seq, timestamp: u64, status: Status) {
        let position = self.position();
        if position.opening {
            self.own.update_value(|own| own.position.opening = false);
        } else {
            self.book.update_untracked(|book| book.timeline.status(seq, timestamp, &status));
        }
        if position.opening || seq > position.head {
            let is_over = matches!(status.status, Activity::Exited | Activity::Error);
            self.known.update(|known| known.status = Some(Arc::new(status)));
            if is_over && !position.opening {
                // The status says how it ended.
                self.load();
            }
        }
    }

    fn output(self, seq: Seq, timestamp: u64, output: &SessionOutput) {
        let bytes = output.content.len() as u64;
        let is_live = seq > self.position().head;
        self.book.update_untracked(|book| {
            if is_live {
                book.history.advance(clock::wall_ms());
                book.history.output(bytes);
            }
            book.timeline.output(seq, bytes, Some(timestamp));
            book.preview.push(&output.content);
        });
    }
}
