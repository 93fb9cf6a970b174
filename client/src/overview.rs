//! All sessions and projects, as the relay tells of them while they change (`GET /api/events`).
//! One stream serves the whole page, for as long as something shows what it tells.

use std::sync::Arc;

use leptos::prelude::*;
use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::rest::{Project, SessionSummary};
use moorline_shared::sse::SseEvent;

use crate::access::Access;
use crate::catalogue::{self, News, Sessions};
use crate::session::{EventStream, StreamStatus};
use crate::sorting::sorted;

/// What is known of all sessions and projects.
#[derive(Debug, Clone, Copy)]
pub struct Overview {
    access: Access,
    /// `None` until the relay has told of them.
    pub sessions: RwSignal<Option<Sessions>>,
    /// By name.
    pub projects: RwSignal<Vec<Project>>,
    /// Where the stream stands.
    pub status: RwSignal<StreamStatus>,
    stream: StoredValue<Option<EventStream>, LocalStorage>,
    followers: StoredValue<usize>,
}

impl Overview {
    /// Nothing is known yet; makes itself known to all components below.
    pub fn provide() -> Self {
        let overview = Self {
            access: Access::expect(),
            sessions: RwSignal::new(None),
            projects: RwSignal::default(),
            status: RwSignal::default(),
            stream: StoredValue::new_local(None),
            followers: StoredValue::new(0),
        };
        provide_context(overview);
        overview
    }

    /// The one that was provided.
    #[must_use]
    pub fn expect() -> Self {
        expect_context()
    }

    /// Follows the relay for as long as the component or effect lives that calls this. What is
    /// known stays known, and is replaced when somebody follows again.
    pub fn follow(self) {
        self.followers.update_value(|followers| *followers += 1);
        if self.followers.get_value() == 1 {
            self.status.set(StreamStatus::default());
            self.stream.set_value(Some(EventStream::open(
                "/api/events".to_owned(),
                self.access.token(),
                move |event| self.told(&event),
                move |status| {
                    if status == (StreamStatus::Refused { status: 401 }) {
                        self.access.refuse();
                    }
                    self.status.set(status);
                },
            )));
        }
        on_cleanup(move || {
            let left = self.followers.try_update_value(|followers| {
                *followers -= 1;
                *followers
            });
            if left == Some(0) {
                self.stream.set_value(None);
            }
        });
    }

    /// Dials now, where the stream is not open.
    pub fn retry(self) {
        self.stream.with_value(|stream| stream.iter().for_each(EventStream::retry));
    }

    /// What is known of a session; tracked.
    #[must_use]
    pub fn session(self, id: &SessionId) -> Option<Arc<SessionSummary>> {
        self.sessions.with(|sessions| sessions.as_ref()?.get(id).cloned())
    }

    /// All sessions, the newest first; tracked.
    #[must_use]
    pub fn newest(self) -> Vec<Arc<SessionSummary>> {
        let all: Vec<_> = self
            .sessions
            .with(|sessions| sessions.iter().flat_map(Sessions::iter).cloned().collect());
        let mut all = sorted(&all, |session| session.created_at.clone());
        all.reverse();
        all
    }

    /// What is known of a project; tracked.
    #[must_use]
    pub fn project(self, id: &ProjectId) -> Option<Project> {
        self.projects.with(|projects| projects.iter().find(|project| project.id == *id).cloned())
    }

    /// A project's name; tracked.
    #[must_use]
    pub fn project_name(self, id: &ProjectId) -> Option<String> {
        self.projects.with(|list| list.iter().find(|p| p.id == *id).map(|p| p.name.clone()))
    }

    /// Puts a session in its place: the answer to a change comes before its event.
    pub fn put(self, session: SessionSummary) {
        self.put_shared(Arc::new(session));
    }

    /// Takes a session out.
    pub fn remove(self, id: &SessionId) {
        self.sessions.update(|sessions| {
            if let Some(sessions) = sessions {
                sessions.remove(id);
            }
        });
    }

    fn put_shared(self, session: Arc<SessionSummary>) {
        self.sessions.update(|sessions| {
            if let Some(sessions) = sessions {
                sessions.put(session);
            }
        });
    }

    fn told(self, event: &SseEvent) {
        match News::of(event) {
            Some(News::All(sessions, projects)) => {
                self.projects.set(projects);
                self.sessions.set(Some(sessions));
            }
            Some(News::Session(session)) => self.put_shared(session),
            Some(News::SessionGone(id)) => self.remove(&id),
            Some(News::Project(project)) => {
                self.projects.update(|projects| catalogue::put_project(projects, project));
            }
            Some(News::ProjectGone(id)) => {
                self.projects.update(|projects| projects.retain(|project| project.id != id));
            }
            None => {}
        }
    }
}
