//! What the page knows of its session: from its event stream, its status, and the list of all.

use std::sync::Arc;

use gloo_timers::callback::{Interval, Timeout};
use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::event::{self, Event, kind};
use moorline_shared::id::{Cursor, Epoch, Seq, SessionId};
use moorline_shared::rest::{SessionStatus, SessionSummary};
use moorline_shared::session::Size;
use moorline_shared::sse::SseEvent;
use serde::Deserialize;

use super::history::{History, STEP_MS};
use super::preview::Preview;
use super::timeline::Timeline;
use crate::access::Access;
use crate::actions::{Action, Actions};
use crate::api::{self, ApiError};
use crate::bindings::clock;
use crate::bindings::observe::FrameRequest;
use crate::overview::Overview;
use crate::route::Router;
use crate::session::{EventStream, StreamStatus};

/// So many entries are read at first: the log itself may be long.
const REACH: u64 = 500;
/// How much further back each wish for more goes.
const FURTHER: u64 = 8;
/// When the page asks again for what the relay did not answer.
const RETRY_MS: u32 = 3_000;

/// Whether there is a session to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Nothing is known yet.
    Unknown,
    /// It is there.
    Here,
    /// There is none, or this page's token may not see it.
    Missing,
    /// It was deleted while the page was open.
    Deleted,
}

/// What the page knows.
#[derive(Clone, Copy)]
pub(super) struct Record {
    access: Access,
    actions: Actions,
    overview: Overview,
    router: Router,
    id: StoredValue<SessionId>,
    pub(super) presence: RwSignal<Presence>,
    /// Why the session's status did not come.
    pub(super) problem: RwSignal<Option<ApiError>>,
    /// The answer to the last question.
    status: RwSignal<Option<Arc<SessionStatus>>>,
    /// What the session said last of what it does.
    pub(super) told: RwSignal<Option<Arc<event::Status>>>,
    /// Of the session's events.
    pub(super) stream: RwSignal<StreamStatus>,
    pub(super) timeline: RwSignal<Timeline>,
    pub(super) preview: RwSignal<Preview>,
    pub(super) history: RwSignal<History>,
    /// There are entries before those that were read.
    pub(super) has_earlier: RwSignal<bool>,
    /// Everything that was asked for has come.
    pub(super) caught_up: RwSignal<bool>,
    /// Counts up whenever times are to be shown anew.
    pub(super) beat: RwSignal<u32>,
    reach: StoredValue<u64>,
    position: StoredValue<Position>,
    live: StoredValue<Option<Live>, LocalStorage>,
    retry: StoredValue<Option<Timeout>, LocalStorage>,
}

/// What runs while the page is there.
struct Live {
    stream: EventStream,
    frame: FrameRequest,
}

/// Where the stream is in the log.
#[derive(Debug, Clone, Copy, Default)]
struct Position {
    epoch: Epoch,
    /// The log's head when the stream was opened: what comes up to it is of the past.
    head: Seq,
    /// The next status tells of now, and is no entry of the log.
    opening: bool,
}

impl Record {
    /// Asks for the session and follows it; known to all components below.
    pub(super) fn provide(id: SessionId) -> Self {
        let record = Self {
            access: Access::expect(),
            actions: Actions::expect(),
            router: Router::expect(),
            overview: Overview::expect(),
            id: StoredValue::new(id),
            presence: RwSignal::new(Presence::Unknown),
            problem: RwSignal::default(),
            status: RwSignal::default(),
            told: RwSignal::default(),
            stream: RwSignal::default(),
            timeline: RwSignal::default(),
            preview: RwSignal::default(),
            history: RwSignal::new(History::new(clock::wall_ms())),
            has_earlier: RwSignal::new(false),
            caught_up: RwSignal::new(false),
            beat: RwSignal::default(),
            reach: StoredValue::new(REACH),
            position: StoredValue::default(),
            live: StoredValue::new_local(None),
            retry: StoredValue::new_local(None),
        };
        record.overview.follow();
        record.load();
        let beat = Interval::new(STEP_MS, move || {
            record.history.update(|history| history.advance(clock::wall_ms()));
            record.beat.update(|beat| *beat += 1);
        });
        let _: StoredValue<Interval, LocalStorage> = StoredValue::new_local(beat);
        let clients = Memo::new(move |_| record.summary().map(|session| session.clients));
        Effect::new(move |before: Option<Option<usize>>| {
            let now = clients.get();
            record.history.update(|history| history.clients(now.unwrap_or_default()));
            if before.flatten().is_some_and(|before| Some(before) != now) {
                // Whoever comes may bring another size.
                record.load();
            }
            now
        });
        provide_context(record);
        record
    }

    pub(super) fn expect() -> Self {
        expect_context()
    }

    /// Which session.
    pub(super) fn id(self) -> SessionId {
        self.id.get_value()
    }

    /// The session as in the list; tracked. A token of one session may not see the list.
    pub(super) fn summary(self) -> Option<Arc<SessionSummary>> {
        let listed = self.id.with_value(|id| self.overview.session(id));
        listed.or_else(|| {
            self.status.with(|status| status.as_ref().map(|s| Arc::new(s.summary.clone())))
        })
    }

    /// Whether it is over; tracked.
    pub(super) fn is_over(self) -> bool {
        self.summary().is_some_and(|session| session.lifecycle.is_over())
    }

    /// What can be done with it; tracked.
    pub(super) fn actions(self) -> Vec<Action> {
        let session = self.summary();
        session.map(|session| self.actions.of_session(&session)).unwrap_or_default()
    }

    /// Goes to the list of all sessions.
    pub(super) fn to_list(self) {
        self.router.navigate("/sessions");
    }

    /// What only its status tells; tracked.
    pub(super) fn status(self) -> Option<Arc<SessionStatus>> {
        self.status.get()
    }

    /// The folder that it is in; tracked.
    pub(super) fn folder(self) -> Option<String> {
        let told = self.told.get().and_then(|told| told.cwd.clone());
        told.or_else(|| self.summary()?.cwd.clone())
    }

    /// Asks what the session is, and follows it once that is known.
    pub(super) fn load(self) {
        spawn_local(async move {
            let (token, id) = (self.access.token(), self.id.try_get_value());
            let Some(id) = id else { return };
            let answer = api::status(token.as_deref(), &id).await;
            // The page may be gone by now.
            if self.id.try_get_value().is_none() {
                return;
            }
            match api::noting_refusal(self.access, answer) {
                Ok(status) => self.learn(status),
                Err(ApiError::Missing(_)) => self.lose(Presence::Missing),
                Err(error) => {
                    self.problem.set(Some(error));
                    let retry = Timeout::new(RETRY_MS, move || self.load());
                    self.retry.set_value(Some(retry));
                }
            }
        });
    }

    fn learn(self, status: SessionStatus) {
        self.problem.set(None);
        self.presence.set(Presence::Here);
        let size = Size { cols: status.cols, rows: status.rows };
        self.preview.update(|preview| preview.resize(size));
        let (epoch, head, tail) = (status.epoch, status.head, status.tail);
        self.status.set(Some(Arc::new(status)));
        if self.live.with_value(Option::is_none) {
            let reach = self.reach.get_value();
            let first = head.0.saturating_sub(reach);
            let oldest = tail.0.saturating_sub(1);
            self.has_earlier.set(first > oldest);
            self.follow(Cursor { epoch, seq: Seq(first.max(oldest)) });
        }
    }

    /// Reads the log again, from further back.
    pub(super) fn reach_further(self) {
        self.reach.update_value(|reach| *reach = reach.saturating_mul(FURTHER));
        self.live.set_value(None);
        self.forget();
        self.load();
    }

    fn forget(self) {
        self.timeline.set(Timeline::default());
        self.preview.update(Preview::clear);
        self.caught_up.set(false);
    }

    fn follow(self, after: Cursor) {
        let id = self.id();
        let stream = EventStream::open(
            format!("/api/session/{id}/events?lastEventId={after}"),
            self.access.token(),
            move |event| self.hear(&event),
            move |status| self.stand(status),
        );
        let frame = FrameRequest::new(move || {
            self.timeline.notify();
            self.preview.notify();
        });
        self.live.set_value(Some(Live { stream, frame }));
    }

    /// Dials at once.
    pub(super) fn reconnect(self) {
        self.live.with_value(|live| live.iter().for_each(|live| live.stream.retry()));
        self.overview.retry();
    }

    fn stand(self, status: StreamStatus) {
        match status {
            StreamStatus::Refused { status: 401 } => self.access.refuse(),
            StreamStatus::Refused { .. } => self.lose(Presence::Deleted),
            StreamStatus::Ended => self.caught_up.set(true),
            _ => {}
        }
        self.stream.set(status);
    }

    fn lose(self, how: Presence) {
        let was_here = self.presence.get_untracked() == Presence::Here;
        let gone = self.presence.get_untracked() == Presence::Deleted;
        if !gone {
            self.presence.set(if was_here { Presence::Deleted } else { how });
        }
    }

    fn hear(self, event: &SseEvent) {
        let seq = event.id.as_deref().and_then(|id| id.parse::<Cursor>().ok()).map(|id| id.seq);
        match (event.kind.as_str(), seq) {
            (kind::CONNECTED, _) => self.connected(&event.data),
            (kind::SESSION_DELETED, _) => self.presence.set(Presence::Deleted),
            (kind::SESSION_OUTPUT, Some(seq)) => self.output(seq, &event.data),
            (kind, seq) => {
                let Ok(event) = serde_json::from_str::<Event>(&event.data) else { return };
                self.happened(kind, seq, &event);
            }
        }
        let head = self.position.with_value(|position| position.head);
        if seq.is_some_and(|seq| seq >= head) && !self.caught_up.get_untracked() {
            self.caught_up.set(true);
        }
        self.live.with_value(|live| live.iter().for_each(|live| live.frame.ask()));
    }

    fn connected(self, data: &str) {
        #[derive(Deserialize)]
        struct Connected {
            epoch: Epoch,
            head: Seq,
        }
        let Ok(Connected { epoch, head }) = serde_json::from_str(data) else { return };
        let known = self.position.with_value(|position| position.epoch);
        if known != epoch && known != Epoch::default() {
            // Another log: nothing of the old one is true any more.
            self.forget();
        }
        self.position.set_value(Position { epoch, head, opening: true });
    }

    fn happened(self, kind: &str, seq: Option<Seq>, event: &Event) {
        if kind == kind::GAP {
            let to = event.fields.get("to").and_then(serde_json::Value::as_u64).unwrap_or_default();
            let at = event.timestamp;
            return self.timeline.update_untracked(|timeline| timeline.gap(Seq(to), at));
        }
        let Some(seq) = seq else { return };
        let mut opening = false;
        if let Some(status) = event.status() {
            self.position.update_value(|position| {
                opening = std::mem::take(&mut position.opening);
            });
            let over = matches!(status.status, event::Activity::Exited | event::Activity::Error);
            let news = self.told.with_untracked(|told| told.as_deref() != Some(&status));
            if news && (opening || seq > self.position.with_value(|position| position.head)) {
                self.told.set(Some(Arc::new(status)));
                if over && !opening {
                    // How it ended stands in its status.
                    self.load();
                }
            }
        }
        if !opening {
            self.timeline.update_untracked(|timeline| timeline.event(seq, event));
        }
    }

    fn output(self, seq: Seq, data: &str) {
        #[derive(Deserialize)]
        struct Output {
            timestamp: u64,
            content: String,
        }
        let Ok(output) = serde_json::from_str::<Output>(data) else { return };
        let bytes = output.content.len() as u64;
        let is_live = seq > self.position.with_value(|position| position.head);
        if is_live {
            self.history.update_untracked(|history| {
                history.advance(clock::wall_ms());
                history.output(bytes);
            });
        }
        let at = is_live.then_some(output.timestamp);
        self.timeline.update_untracked(|timeline| timeline.output(seq, bytes, at));
        self.preview.update_untracked(|preview| preview.push(&output.content));
    }
}
