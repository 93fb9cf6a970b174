//! What the page knows of the sessions and projects.

use std::sync::Arc;

use gloo_timers::callback::Interval;
use leptos::prelude::*;
use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::rest::{Project, SessionSummary};

use crate::session::StreamStatus;
use crate::session::catalogue::Sessions;
use crate::session::overview::Overview;
use crate::session::route::Router;

/// How often the page says anew how long ago something was.
const BEAT_MS: u32 = 10_000;

/// What the page knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Store {
    pub(super) router: Router,
    overview: Overview,
    /// `None` until the relay has told.
    pub(super) sessions: RwSignal<Option<Sessions>>,
    /// By name.
    pub(super) projects: RwSignal<Vec<Project>>,
    /// Of the stream that tells.
    pub(super) status: RwSignal<StreamStatus>,
    /// Counts up whenever times are to be shown anew.
    pub(super) beat: RwSignal<u32>,
}

impl Store {
    /// Follows the relay while the page is there, and makes itself known to all components below.
    pub(super) fn provide() -> Self {
        let overview = Overview::expect();
        overview.follow();
        let store = Self {
            router: Router::expect(),
            overview,
            sessions: overview.sessions,
            projects: overview.projects,
            status: overview.status,
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

    /// A session as it is now; tracked.
    pub(super) fn session(self, id: &SessionId) -> Option<Arc<SessionSummary>> {
        self.overview.session(id)
    }

    /// A project as it is now; tracked.
    pub(super) fn project(self, id: &ProjectId) -> Option<Project> {
        self.overview.project(id)
    }

    /// What a session's host is called, where there are several; tracked.
    pub(super) fn host_name(self, session: &SessionSummary) -> Option<String> {
        self.overview.host_name(session)
    }

    /// Asks the relay at once, where it is away.
    pub(super) fn reconnect(self) {
        self.overview.retry();
    }
}
