//! All sessions and projects, as the relay tells of them while they change (`GET /api/events`).
//! One stream serves the whole page, for as long as something shows what it tells.

use leptos::prelude::*;
use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::rest::{Overview as Told, Project, SessionSummary};
use moorline_shared::sse::SseEvent;
use serde::Deserialize;

use crate::access::Access;
use crate::session::{EventStream, StreamStatus};

/// What is known of all sessions and projects.
#[derive(Debug, Clone, Copy)]
pub struct Overview {
    access: Access,
    /// `None` until the relay has told of them.
    pub sessions: RwSignal<Option<Vec<SessionSummary>>>,
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
    pub fn session(self, id: &SessionId) -> Option<SessionSummary> {
        self.sessions.with(|list| list.iter().flatten().find(|s| s.session_id == *id).cloned())
    }

    /// A project's name; tracked.
    #[must_use]
    pub fn project_name(self, id: &ProjectId) -> Option<String> {
        self.projects.with(|list| list.iter().find(|p| p.id == *id).map(|p| p.name.clone()))
    }

    /// Puts a session in its place: the relay's answer to a change comes before its event.
    pub fn put(self, session: SessionSummary) {
        self.sessions.update(|list| {
            let Some(list) = list else { return };
            match list.iter_mut().find(|known| known.session_id == session.session_id) {
                Some(known) => *known = session,
                None => list.insert(0, session),
            }
        });
    }

    /// Takes a session out.
    pub fn remove(self, id: &SessionId) {
        self.sessions
            .update(|list| list.iter_mut().for_each(|l| l.retain(|s| s.session_id != *id)));
    }

    /// Puts a project in its place.
    pub fn put_project(self, project: Project) {
        self.projects.update(|list| {
            list.retain(|known| known.id != project.id);
            list.push(project);
            list.sort_by(|one, other| one.name.cmp(&other.name));
        });
    }

    /// Takes a project out; its sessions stay.
    pub fn remove_project(self, id: &ProjectId) {
        self.projects.update(|list| list.retain(|project| project.id != *id));
    }

    fn told(self, event: &SseEvent) {
        if event.kind == "sessions" {
            let Ok(told) = serde_json::from_str::<Told>(&event.data) else { return };
            self.projects.set(told.projects);
            self.sessions.set(Some(told.sessions));
            return;
        }
        let Ok(news) = serde_json::from_str::<News>(&event.data) else { return };
        match (event.kind.as_str(), news) {
            ("session", News { session: Some(session), .. }) => self.put(session),
            ("session-deleted", News { session_id: Some(id), .. }) => self.remove(&id),
            ("project", News { project: Some(project), .. }) => self.put_project(project),
            ("project-deleted", News { project_id: Some(id), .. }) => self.remove_project(&id),
            _ => {}
        }
    }
}

/// What an event of the stream tells; which of it is there depends on the event.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct News {
    session: Option<SessionSummary>,
    session_id: Option<SessionId>,
    project: Option<Project>,
    project_id: Option<ProjectId>,
}
