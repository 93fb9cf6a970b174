//! What the page knows of the sessions and projects, and what it can do with them.

use std::sync::Arc;

use gloo_timers::callback::Interval;
use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::rest::{
    ChangeProject, CreateProject, CreateSession, Created, ForkSession, Project, SessionSummary,
};

use crate::access::Access;
use crate::api::{self, ApiError};
use crate::catalogue::{self, Sessions};
use crate::overview::Overview;
use crate::route::{Route, Router, Shelf};
use crate::session::StreamStatus;

/// How often the page says anew how long ago something was.
const BEAT_MS: u32 = 10_000;

/// What the page knows, and what it can do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Store {
    access: Access,
    pub(super) router: Router,
    overview: Overview,
    /// `None` until the relay has told.
    pub(super) sessions: RwSignal<Option<Sessions>>,
    /// By name.
    pub(super) projects: RwSignal<Vec<Project>>,
    /// Of the stream that tells.
    pub(super) status: RwSignal<StreamStatus>,
    /// Why the last action failed.
    pub(super) problem: RwSignal<Option<ApiError>>,
    /// A session is being created.
    pub(super) creating: RwSignal<bool>,
    /// Counts up whenever times are to be shown anew.
    pub(super) beat: RwSignal<u32>,
}

impl Store {
    /// Follows the relay while the page is there, and makes itself known to all components below.
    pub(super) fn provide() -> Self {
        let overview = Overview::expect();
        overview.follow();
        let store = Self {
            access: Access::expect(),
            router: Router::expect(),
            overview,
            sessions: overview.sessions,
            projects: overview.projects,
            status: overview.status,
            problem: RwSignal::default(),
            creating: RwSignal::default(),
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
        self.projects.with(|projects| projects.iter().find(|project| project.id == *id).cloned())
    }

    /// Asks the relay at once, where it is away.
    pub(super) fn reconnect(self) {
        self.overview.retry();
    }

    /// Creates a session and opens it.
    pub(super) fn create(self, wish: CreateSession) {
        self.start(async move |token| api::create(token, &wish).await);
    }

    /// Starts what a session runs once more, and opens it.
    pub(super) fn duplicate(self, id: SessionId) {
        self.start(async move |token| api::duplicate(token, &id).await);
    }

    /// Starts a session that goes on from what another one has shown, and opens it.
    pub(super) fn fork(self, id: SessionId) {
        self.start(async move |token| api::fork(token, &id, &ForkSession::default()).await);
    }

    fn start(self, start: impl AsyncFnOnce(Option<&str>) -> Result<Created, ApiError> + 'static) {
        if self.creating.get_untracked() {
            return;
        }
        self.creating.set(true);
        spawn_local(async move {
            let answer = start(self.access.token().as_deref()).await;
            self.creating.set(false);
            // Who has left the page meanwhile is not taken to the new session.
            if let Some(created) = self.take(answer).filter(|_| self.router.is_list()) {
                self.router.go(&Route::Terminal(created.session_id));
            }
        });
    }

    /// Deletes sessions, one after the other.
    pub(super) fn delete(self, doomed: Vec<SessionId>) {
        spawn_local(async move {
            for id in doomed {
                let answer = api::delete(self.access.token().as_deref(), &id).await;
                if self.take(answer).is_none() {
                    return;
                }
                self.overview.remove(&id);
            }
        });
    }

    /// Gives a session another name.
    pub(super) fn rename(self, id: SessionId, name: String) {
        spawn_local(async move {
            let answer = api::rename(self.access.token().as_deref(), &id, name).await;
            if let Some(changed) = self.take(answer) {
                self.overview.put(changed.session);
            }
        });
    }

    /// Moves sessions to a project, or out of all.
    pub(super) fn move_to(self, ids: Vec<SessionId>, project: Option<ProjectId>) {
        spawn_local(async move {
            for id in ids {
                let token = self.access.token();
                let answer = api::move_to(token.as_deref(), &id, project.clone()).await;
                let Some(changed) = self.take(answer) else { return };
                self.overview.put(changed.session);
            }
        });
    }

    /// Makes a project and goes there, or changes one.
    pub(super) fn save_project(self, id: Option<ProjectId>, name: String, directory: String) {
        spawn_local(async move {
            let token = self.access.token();
            let answer = match &id {
                Some(id) => {
                    let change = ChangeProject { name: Some(name), directory: Some(directory) };
                    api::change_project(token.as_deref(), id, &change).await
                }
                None => {
                    let directory = Some(directory).filter(|directory| !directory.is_empty());
                    let new = CreateProject { name, directory };
                    api::create_project(token.as_deref(), &new).await
                }
            };
            let Some(changed) = self.take(answer) else { return };
            let made = changed.project.id.clone();
            self.projects.update(|all| catalogue::put_project(all, changed.project));
            if id.is_none() && self.router.is_list() {
                self.router.go(&Route::Sessions { shelf: Shelf::Project(made) });
            }
        });
    }

    /// Removes a project and leaves its shelf; its sessions stay.
    pub(super) fn delete_project(self, id: ProjectId) {
        spawn_local(async move {
            let answer = api::delete_project(self.access.token().as_deref(), &id).await;
            if self.take(answer).is_none() {
                return;
            }
            self.projects.update(|projects| projects.retain(|project| project.id != id));
            if self.router.is_at(&Shelf::Project(id)) {
                self.router.go(&Route::Sessions { shelf: Shelf::All });
            }
        });
    }

    /// What was asked for; otherwise shows why not.
    fn take<T>(self, answer: Result<T, ApiError>) -> Option<T> {
        match api::noting_refusal(self.access, answer) {
            Ok(answer) => {
                self.problem.set(None);
                Some(answer)
            }
            Err(error) => {
                self.problem.set(Some(error));
                None
            }
        }
    }
}
