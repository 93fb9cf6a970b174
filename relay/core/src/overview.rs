//! The list of sessions and projects as server-sent events: the whole list first, then each change.
//!
//! There is no log, so events have no id: a reader that reconnects gets the whole list again.

use std::collections::BTreeMap;
use std::time::Duration;

use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::rest::{Overview, Project, SessionSummary};
use moorline_shared::sse;
use serde::Serialize;

/// The shortest time between two updates of a stream. Changes within it are sent together.
pub const ROUND: Duration = Duration::from_millis(250);

/// The event stream of one reader. It holds the list that the reader has.
#[derive(Debug, Default)]
pub struct OverviewStream(Option<Overview>);

/// The data of an event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum OverviewData<'a> {
    Project(&'a Project),
    Session(&'a SessionSummary),
    ProjectId(&'a ProjectId),
    SessionId(&'a SessionId),
}

impl OverviewStream {
    /// Returns the events that bring a reader up to date; empty if nothing has changed.
    pub fn update(&mut self, now: Overview) -> String {
        let told = match &self.0 {
            None => event("sessions", &now),
            Some(known) => difference(known, &now),
        };
        self.0 = Some(now);
        told
    }
}

fn difference(old: &Overview, new: &Overview) -> String {
    let project: fn(&Project) -> &str = |project| project.id.as_str();
    let session: fn(&SessionSummary) -> &str = |session| session.session_id.as_str();
    let mut told = String::new();
    for it in changed(&old.projects, &new.projects, project) {
        told += &event("project", &OverviewData::Project(it));
    }
    for it in changed(&old.sessions, &new.sessions, session) {
        told += &event("session", &OverviewData::Session(it));
    }
    for it in gone(&old.sessions, &new.sessions, session) {
        told += &event("session-deleted", &OverviewData::SessionId(&it.session_id));
    }
    for it in gone(&old.projects, &new.projects, project) {
        told += &event("project-deleted", &OverviewData::ProjectId(&it.id));
    }
    told
}

fn changed<'a, T: PartialEq>(
    old: &'a [T],
    new: &'a [T],
    id: fn(&T) -> &str,
) -> impl Iterator<Item = &'a T> {
    let places = places(old, id);
    new.iter().filter(move |item| places.get(id(item)).map(|&place| &old[place]) != Some(item))
}

fn gone<'a, T>(old: &'a [T], new: &'a [T], id: fn(&T) -> &str) -> impl Iterator<Item = &'a T> {
    let places = places(new, id);
    old.iter().filter(move |item| !places.contains_key(id(item)))
}

/// All lists share one type of map: each further type adds some kilobytes to the Worker.
fn places<T>(items: &[T], id: fn(&T) -> &str) -> BTreeMap<&str, usize> {
    items.iter().map(id).zip(0..).collect()
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
