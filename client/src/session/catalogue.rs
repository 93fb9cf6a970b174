//! The sessions, projects and hosts of a relay, as `/api/events` reports them.

use std::sync::Arc;

use moorline_shared::id::{HostId, ProjectId, SessionId};
use moorline_shared::rest::{MissingDriver, Project, SessionSummary};
use moorline_shared::sse::SseEvent;
use serde::Deserialize;

use crate::session::words;
use crate::ui::sort::sorted;

/// All sessions, sorted by id. Each is shared, so that a view can cheaply compare whether its
/// session has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sessions(Vec<Arc<SessionSummary>>);

impl Sessions {
    /// Creates a collection of these sessions.
    #[must_use]
    pub fn new(all: Vec<SessionSummary>) -> Self {
        let all: Vec<_> = all.into_iter().map(Arc::new).collect();
        Self(sorted(&all, |session| session.session_id.to_string()))
    }

    /// Returns the session with this id.
    #[must_use]
    pub fn get(&self, id: &SessionId) -> Option<&Arc<SessionSummary>> {
        self.place(id).ok().map(|place| &self.0[place])
    }

    /// Inserts a session, or replaces the one with its id.
    pub fn put(&mut self, session: Arc<SessionSummary>) {
        match self.place(&session.session_id) {
            Ok(place) => self.0[place] = session,
            Err(place) => self.0.insert(place, session),
        }
    }

    /// Removes the session with this id, if any.
    pub fn remove(&mut self, id: &SessionId) {
        if let Ok(place) = self.place(id) {
            self.0.remove(place);
        }
    }

    /// Iterates over all sessions, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<SessionSummary>> {
        self.0.iter()
    }

    /// Returns true if there are no sessions.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn place(&self, id: &SessionId) -> Result<usize, usize> {
        self.0.binary_search_by(|session| session.session_id.as_str().cmp(id.as_str()))
    }
}

/// An event of the stream `/api/events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Everything as it is now: the first event of each connection.
    All(Sessions, Vec<Project>),
    /// A session is new or has changed.
    Session(Arc<SessionSummary>),
    /// A session is gone.
    SessionGone(SessionId),
    /// A project is new or has changed.
    Project(Project),
    /// A project is gone.
    ProjectGone(ProjectId),
    /// The current state of all hosts.
    Hosts(Vec<HostEntry>),
}

/// The properties of a host that a page needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostEntry {
    /// The id of the host.
    pub host_id: HostId,
    /// The name shown to people.
    pub name: String,
    /// True if sessions can be started on it.
    pub connected: bool,
    /// The drivers that can start sessions on it. An older relay does not say.
    #[serde(default)]
    pub drivers: Vec<String>,
    /// The drivers that it supports but that cannot start sessions now.
    #[serde(default)]
    pub missing: Vec<MissingDriver>,
}

/// The fields that an event or the answer to a change can have. Its kind decides which are present.
/// One type for all, because each further type adds to the download.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Piece {
    /// The current state of a session.
    pub session: Option<SessionSummary>,
    /// The session that was created or deleted.
    pub session_id: Option<SessionId>,
    /// The current state of a project.
    pub project: Option<Project>,
    /// The project that was deleted.
    pub project_id: Option<ProjectId>,
    /// The current state of all hosts.
    pub hosts: Vec<HostEntry>,
    /// All workspaces. They have the fields of a project.
    pub workspaces: Vec<Project>,
    sessions: Vec<SessionSummary>,
    projects: Vec<Project>,
}

impl News {
    /// Reads an event. Returns `None` if it is malformed or this page does not know its kind.
    #[must_use]
    pub fn of(event: &SseEvent) -> Option<Self> {
        let piece: Piece = serde_json::from_str(&event.data).ok()?;
        Some(match event.kind.as_str() {
            "sessions" => {
                let projects = piece.projects.into_iter().map(shown_project).collect();
                Self::All(Sessions::new(piece.sessions), projects)
            }
            "session" => Self::Session(Arc::new(piece.session?)),
            "session-deleted" => Self::SessionGone(piece.session_id?),
            "project" => Self::Project(shown_project(piece.project?)),
            "project-deleted" => Self::ProjectGone(piece.project_id?),
            "hosts" => Self::Hosts(piece.hosts.into_iter().map(shown_host).collect()),
            _ => return None,
        })
    }
}

/// Returns a project with its name cleaned for display.
#[must_use]
pub fn shown_project(project: Project) -> Project {
    Project { name: words::plain(&project.name), ..project }
}

/// Returns a host with its texts cleaned for display.
#[must_use]
pub fn shown_host(mut host: HostEntry) -> HostEntry {
    host.name = words::plain(&host.name);
    for missing in &mut host.missing {
        missing.reason = words::plain(&missing.reason);
    }
    host
}

/// Inserts a project, sorted by name, or replaces the one with its id.
pub fn put_project(projects: &mut Vec<Project>, project: Project) {
    projects.retain(|known| known.id != project.id);
    let after = projects.partition_point(|known| known.name <= project.name);
    projects.insert(after, project);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use moorline_shared::event::Activity;
    use moorline_shared::session::Lifecycle;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// A session to test with.
    pub(crate) fn session(id: &str) -> SessionSummary {
        SessionSummary {
            session_id: id.parse().unwrap(),
            name: id.into(),
            named: false,
            project: None,
            driver: "pty".into(),
            agent: None,
            tmux: None,
            workspace: None,
            pod_phase: None,
            host: None,
            command: Vec::new(),
            cwd: None,
            lifecycle: Lifecycle::Live,
            status: Activity::Idle,
            running: None,
            last_exit_code: None,
            exit_code: None,
            exit_signal: None,
            exit_reason: None,
            created_at: String::new(),
            last_activity: String::new(),
            clients: 0,
        }
    }

    /// A host to test with.
    pub(crate) fn host(id: &str, name: &str, connected: bool) -> HostEntry {
        let (host_id, name) = (id.parse().unwrap(), name.into());
        HostEntry { host_id, name, connected, drivers: vec!["pty".into()], missing: Vec::new() }
    }

    fn project(id: &str, name: &str) -> Project {
        Project {
            id: id.parse().unwrap(),
            name: name.into(),
            directory: None,
            created_at: String::new(),
            sessions: 0,
        }
    }

    fn event(kind: &str, data: &serde_json::Value) -> SseEvent {
        SseEvent { kind: kind.into(), data: data.to_string(), id: None }
    }

    #[test]
    fn news_are_read_by_their_names() {
        let (one, home) = (session("session1"), project("project1", "home"));
        let all = serde_json::json!({ "sessions": [one], "projects": [home] });
        let known = Sessions::new(vec![one.clone()]);
        assert_eq!(News::of(&event("sessions", &all)), Some(News::All(known, vec![home.clone()])));
        let data = serde_json::json!({
            "session": one, "sessionId": "session1", "project": home, "projectId": "project1"
        });
        let read = |kind| News::of(&event(kind, &data));
        assert_eq!(read("session"), Some(News::Session(Arc::new(one.clone()))));
        assert_eq!(read("session-deleted"), Some(News::SessionGone(one.session_id)));
        assert_eq!(read("project"), Some(News::Project(home.clone())));
        assert_eq!(read("project-deleted"), Some(News::ProjectGone(home.id)));
        let summary = serde_json::json!({
            "hostId": "builder1", "name": "builder", "version": "0.1.0", "connected": true,
            "sessions": 1, "drivers": ["pty"]
        });
        assert_eq!(
            News::of(&event("hosts", &serde_json::json!({ "hosts": [summary] }))),
            Some(News::Hosts(vec![host("builder1", "builder", true)]))
        );
        assert_eq!(read("weather"), None);
        assert_eq!(
            News::of(&SseEvent { kind: "session".into(), data: "{".into(), id: None }),
            None
        );
    }

    #[test]
    fn sessions_are_found_replaced_and_taken_out() {
        let mut all = Sessions::new(vec![session("session3"), session("session1")]);
        for (id, name) in [("session2", "two"), ("session3", "three")] {
            all.put(Arc::new(SessionSummary { name: name.into(), ..session(id) }));
        }
        all.remove(&"session1".parse().unwrap());
        all.remove(&"session9".parse().unwrap());
        let names: Vec<_> = all.iter().map(|session| session.name.as_str()).collect();
        assert_eq!(names, ["two", "three"]);
        assert_eq!(all.get(&"session3".parse().unwrap()).unwrap().name, "three");
        assert_eq!(all.get(&"session1".parse().unwrap()), None);
    }

    #[test]
    fn projects_stay_in_order_and_single() {
        let mut projects = Vec::new();
        for (id, name) in [("project1", "b"), ("project2", "a"), ("project1", "0")] {
            put_project(&mut projects, project(id, name));
        }
        let names: Vec<_> = projects.iter().map(|project| project.name.as_str()).collect();
        assert_eq!(names, ["0", "a"]);
    }
}
