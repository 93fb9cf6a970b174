//! What a relay runs, as `/api/events` tells it.

use std::collections::BTreeMap;
use std::sync::Arc;

use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::rest::{Overview, Project, SessionSummary};
use moorline_shared::sse::SseEvent;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// All sessions. Each is shared, so that what shows one can cheaply tell whether it has changed.
pub type Sessions = BTreeMap<SessionId, Arc<SessionSummary>>;

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Everything as it is now: the first on each connection.
    All(Sessions, Vec<Project>),
    /// A session is new or has changed.
    Session(Arc<SessionSummary>),
    /// A session is gone.
    SessionGone(SessionId),
    /// A project is new or has changed.
    Project(Project),
    /// A project is gone.
    ProjectGone(ProjectId),
}

#[derive(Deserialize)]
struct OneSession {
    session: SessionSummary,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GoneSession {
    session_id: SessionId,
}

#[derive(Deserialize)]
struct OneProject {
    project: Project,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GoneProject {
    project_id: ProjectId,
}

impl News {
    /// Reads an event; `None` for what this page does not know.
    #[must_use]
    pub fn of(event: &SseEvent) -> Option<Self> {
        Some(match event.kind.as_str() {
            "sessions" => {
                let all: Overview = read(event)?;
                let sessions = all.sessions.into_iter();
                let sessions = sessions.map(|one| (one.session_id.clone(), Arc::new(one)));
                Self::All(sessions.collect(), all.projects)
            }
            "session" => Self::Session(Arc::new(read::<OneSession>(event)?.session)),
            "session-deleted" => Self::SessionGone(read::<GoneSession>(event)?.session_id),
            "project" => Self::Project(read::<OneProject>(event)?.project),
            "project-deleted" => Self::ProjectGone(read::<GoneProject>(event)?.project_id),
            _ => return None,
        })
    }
}

fn read<T: DeserializeOwned>(event: &SseEvent) -> Option<T> {
    serde_json::from_str(&event.data).ok()
}

/// Puts a project among the others, by name.
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
            project: None,
            driver: "pty".into(),
            command: Vec::new(),
            cwd: None,
            lifecycle: Lifecycle::Live,
            status: Activity::Idle,
            running: None,
            last_exit_code: None,
            exit_code: None,
            exit_signal: None,
            created_at: String::new(),
            last_activity: String::new(),
            clients: 0,
        }
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
        let known = Sessions::from([(one.session_id.clone(), Arc::new(one.clone()))]);
        assert_eq!(News::of(&event("sessions", &all)), Some(News::All(known, vec![home.clone()])));
        let data = serde_json::json!({
            "session": one, "sessionId": "session1", "project": home, "projectId": "project1"
        });
        let read = |kind| News::of(&event(kind, &data));
        assert_eq!(read("session"), Some(News::Session(Arc::new(one.clone()))));
        assert_eq!(read("session-deleted"), Some(News::SessionGone(one.session_id)));
        assert_eq!(read("project"), Some(News::Project(home.clone())));
        assert_eq!(read("project-deleted"), Some(News::ProjectGone(home.id)));
        assert_eq!(read("weather"), None);
        assert_eq!(
            News::of(&SseEvent { kind: "session".into(), data: "{".into(), id: None }),
            None
        );
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
