//! The sessions and projects that the page shows.

use std::sync::Arc;

use gloo_timers::callback::Interval;
use leptos::prelude::*;
use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::rest::{Project, SessionSummary};

use crate::session::StreamStatus;
use crate::session::catalogue::Sessions;
use crate::session::overview::OverviewState;
use crate::session::route::Router;

/// Interval at which displayed times are updated, in milliseconds.
const BEAT_MS: u32 = 10_000;

/// The data of the sessions page.
#[derive(Debug, Clone, Copy)]
pub(super) struct SessionsStore {
    pub(super) router: Router,
    overview: OverviewState,
    /// All sessions; `None` until the relay has sent them.
    pub(super) sessions: RwSignal<Option<Sessions>>,
    /// All projects, sorted by name.
    pub(super) projects: RwSignal<Vec<Project>>,
    /// The status of the event stream.
    pub(super) status: RwSignal<StreamStatus>,
    /// True if this page cannot read the relay's list of sessions.
    pub(super) unreadable: RwSignal<bool>,
    /// Incremented whenever displayed times must be updated.
    pub(super) beat: RwSignal<u32>,
}

impl SessionsStore {
    /// Follows the relay while the page is open, and provides the store to all components below.
    pub(super) fn provide() -> Self {
        let overview = OverviewState::expect();
        overview.follow();
        let store = Self {
            router: Router::expect(),
            overview,
            sessions: overview.sessions,
            projects: overview.projects,
            status: overview.status,
            unreadable: overview.unreadable,
            beat: RwSignal::default(),
        };
        let beat = Interval::new(BEAT_MS, move || store.beat.update(|beat| *beat += 1));
        let _: StoredValue<Interval, LocalStorage> = StoredValue::new_local(beat);
        provide_context(store);
        store
    }

    pub(super) fn expect() -> Self {
        expect_context()
    }

    /// Returns a session, if it is known; tracked.
    pub(super) fn session(self, id: &SessionId) -> Option<Arc<SessionSummary>> {
        self.overview.session(id)
    }

    /// Returns a project, if it is known; tracked.
    pub(super) fn project(self, id: &ProjectId) -> Option<Project> {
        self.overview.project(id)
    }

    /// Returns the name of a session's host, if there are several hosts; tracked.
    pub(super) fn host_name(self, session: &SessionSummary) -> Option<String> {
        self.overview.host_name(session)
    }

    /// Dials the relay at once, unless the stream is open.
    pub(super) fn reconnect(self) {
        self.overview.retry();
    }
}
