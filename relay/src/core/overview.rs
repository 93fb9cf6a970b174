//! The list of sessions and projects as server-sent events: all of it at first, then what changes.
//!
//! There is no log behind it and so no id to resume at: a reader that comes back gets all of it
//! again.

use std::collections::BTreeMap;

use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::rest::{Overview, Project, SessionSummary};
use moorline_shared::sse;
use serde::Serialize;
use serde_json::json;

/// What one reader knows.
#[derive(Debug, Default)]
pub struct OverviewStream {
    is_open: bool,
    sessions: BTreeMap<SessionId, SessionSummary>,
    projects: BTreeMap<ProjectId, Project>,
}

impl OverviewStream {
    /// The events that bring a reader up to date; empty where it is.
    pub fn update(&mut self, now: Overview) -> String {
        let mut told = String::new();
        if !std::mem::replace(&mut self.is_open, true) {
            told = event("sessions", &now);
            self.sessions = by_id(now.sessions, |session| session.session_id.clone());
            self.projects = by_id(now.projects, |project| project.id.clone());
            return told;
        }
        let projects = by_id(now.projects, |project| project.id.clone());
        for project in changed(&self.projects, &projects) {
            told += &event("project", &json!({ "project": project }));
        }
        let sessions = by_id(now.sessions, |session| session.session_id.clone());
        for session in changed(&self.sessions, &sessions) {
            told += &event("session", &json!({ "session": session }));
        }
        for id in self.sessions.keys().filter(|id| !sessions.contains_key(id)) {
            told += &event("session-deleted", &json!({ "sessionId": id }));
        }
        for id in self.projects.keys().filter(|id| !projects.contains_key(id)) {
            told += &event("project-deleted", &json!({ "projectId": id }));
        }
        (self.sessions, self.projects) = (sessions, projects);
        told
    }
}

fn by_id<I: Ord, T>(items: Vec<T>, id: impl Fn(&T) -> I) -> BTreeMap<I, T> {
    items.into_iter().map(|item| (id(&item), item)).collect()
}

fn changed<'a, I: Ord, T: PartialEq>(
    old: &'a BTreeMap<I, T>,
    new: &'a BTreeMap<I, T>,
) -> impl Iterator<Item = &'a T> {
    new.iter().filter(|(id, item)| old.get(id) != Some(item)).map(|(_, item)| item)
}

fn event(kind: &str, data: &impl Serialize) -> String {
    let data = serde_json::to_string(data).expect("these bodies always encode");
    sse::encode(kind, None, &data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(id: &str, name: &str) -> Project {
        Project {
            id: id.parse().unwrap(),
            name: name.into(),
            directory: None,
            created_at: "2026-01-01T00:00:00.000Z".into(),
            sessions: 0,
        }
    }

    fn overview(projects: &[Project]) -> Overview {
        Overview { sessions: Vec::new(), projects: projects.to_vec() }
    }

    #[test]
    fn a_reader_gets_all_of_it_and_then_what_changes() {
        let mut stream = OverviewStream::default();
        let (one, two) = (project("project_1", "one"), project("project_2", "two"));
        let told = stream.update(overview(std::slice::from_ref(&one)));
        assert!(
            told.starts_with("event: sessions\ndata: {\"sessions\":[],\"projects\":[{"),
            "{told}"
        );
        assert_eq!(stream.update(overview(std::slice::from_ref(&one))), "");
        let told = stream.update(overview(&[one, two.clone()]));
        assert!(told.starts_with("event: project\ndata: {\"project\":{"), "{told}");
        assert_eq!(told.matches("event:").count(), 1);
        let told = stream.update(overview(&[two]));
        assert_eq!(told, "event: project-deleted\ndata: {\"projectId\":\"project_1\"}\n\n");
    }
}
