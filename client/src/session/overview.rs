//! All sessions and projects, kept up to date by the relay's events (`GET /api/events`). One stream
//! serves the whole page, for as long as something on it follows.

use std::sync::Arc;

use leptos::prelude::*;
use moorline_shared::id::{HostId, ProjectId, SessionId};
use moorline_shared::message::close;
use moorline_shared::rest::{Project, SessionSummary};
use moorline_shared::sse::SseEvent;

use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest};
use crate::session::catalogue::{self, HostEntry, News, Piece, Sessions};
use crate::session::login;
use crate::session::{EventSubscription, StreamStatus};
use crate::ui::sort::sorted;

/// The known sessions, projects and hosts.
#[derive(Debug, Clone, Copy)]
pub struct OverviewState {
    access: PageAccess,
    /// All sessions; `None` until the relay has sent them.
    pub sessions: RwSignal<Option<Sessions>>,
    /// All projects, sorted by name.
    pub projects: RwSignal<Vec<Project>>,
    /// All hosts, the relay's own first; `None` until the relay has sent them.
    pub hosts: RwSignal<Option<Vec<HostEntry>>>,
    /// The status of the stream.
    pub status: RwSignal<StreamStatus>,
    /// True if this page cannot read the relay's list of sessions.
    pub unreadable: RwSignal<bool>,
    stream: StoredValue<Option<EventSubscription>, LocalStorage>,
    followers: StoredValue<usize>,
}

impl OverviewState {
    /// Creates an empty overview and provides it to all components below.
    pub fn provide() -> Self {
        let overview = Self {
            access: PageAccess::expect(),
            sessions: RwSignal::new(None),
            projects: RwSignal::default(),
            hosts: RwSignal::default(),
            status: RwSignal::default(),
            unreadable: RwSignal::default(),
            stream: StoredValue::new_local(None),
            followers: StoredValue::new(0),
        };
        provide_context(overview);
        overview
    }

    /// Returns the overview that was provided.
    #[must_use]
    pub fn expect() -> Self {
        expect_context()
    }

    /// Follows the relay for as long as the calling component or effect lives. What is known stays,
    /// and is replaced when something follows again.
    pub fn follow(self) {
        self.followers.update_value(|followers| *followers += 1);
        if self.followers.get_value() == 1 {
            self.status.set(StreamStatus::default());
            self.stream.set_value(Some(EventSubscription::open(
                "/api/events".to_owned(),
                None,
                self.access.token(),
                move |event| self.told(&event),
                move |status| {
                    if status == (StreamStatus::Refused { code: close::UNAUTHORIZED }) {
                        login::check(self.access);
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

    /// Dials now, unless the stream is open.
    pub fn retry(self) {
        self.stream.with_value(|stream| stream.iter().for_each(EventSubscription::retry));
    }

    /// Returns a session, if it is known; tracked.
    #[must_use]
    pub fn session(self, id: &SessionId) -> Option<Arc<SessionSummary>> {
        self.sessions.with(|sessions| sessions.as_ref()?.get(id).cloned())
    }

    /// Returns the number of questions that wait for a decision, in all sessions; tracked.
    #[must_use]
    pub fn open_approvals(self) -> usize {
        self.sessions.with(|sessions| {
            let all = sessions.iter().flat_map(Sessions::iter);
            all.filter_map(|session| session.agent.as_ref()).map(|agent| agent.approvals).sum()
        })
    }

    /// Returns all sessions, the newest first; tracked.
    #[must_use]
    pub fn newest(self) -> Vec<Arc<SessionSummary>> {
        let all: Vec<_> = self
            .sessions
            .with(|sessions| sessions.iter().flat_map(Sessions::iter).cloned().collect());
        let mut all = sorted(&all, |session| session.created_at.clone());
        all.reverse();
        all
    }

    /// Returns a project, if it is known; tracked.
    #[must_use]
    pub fn project(self, id: &ProjectId) -> Option<Project> {
        self.projects.with(|projects| projects.iter().find(|project| project.id == *id).cloned())
    }

    /// Returns a project's name; tracked.
    #[must_use]
    pub fn project_name(self, id: &ProjectId) -> Option<String> {
        self.projects.with(|list| list.iter().find(|p| p.id == *id).map(|p| p.name.clone()))
    }

    /// Asks the relay for its hosts.
    pub fn ask_for_hosts(self) {
        api::ask(self.access, ApiRequest::get("/api/hosts".to_owned()), move |answer| {
            // A relay without hosts to list does not have this path.
            if let Ok(piece) = answer.and_then(|text| api::parse::<Piece>(&text)) {
                let hosts = piece.hosts.into_iter().map(catalogue::shown_host).collect();
                self.hosts.set(Some(hosts));
            }
        });
    }

    /// Returns the name of a session's host, if there are several hosts; tracked.
    #[must_use]
    pub fn host_name(self, session: &SessionSummary) -> Option<String> {
        let id = session.host.as_ref()?;
        self.hosts.with(|hosts| {
            let hosts = hosts.as_ref().filter(|hosts| hosts.len() > 1)?;
            hosts.iter().find(|host| host.host_id == *id).map(|host| host.name.clone())
        })
    }

    /// Returns the host on which a session starts unless the user chooses: the one of the newest
    /// session. Returns `None` if fewer than two are connected, and the relay decides. Tracked.
    #[must_use]
    pub fn usual_host(self) -> Option<HostId> {
        let hosts = self.hosts.get()?;
        let newest = self.newest();
        usual(&hosts, newest.iter().filter_map(|session| session.host.as_ref()))
    }

    /// Returns the host on which a session starts if the user has chosen `chosen`, or nothing;
    /// tracked.
    #[must_use]
    pub fn starting_host(self, chosen: Option<&HostId>) -> Option<HostEntry> {
        let wanted = chosen.cloned().or_else(|| self.usual_host());
        self.hosts.with(|hosts| {
            let mut here = hosts.iter().flatten().filter(|host| host.connected);
            // Without a choice there is at most one.
            here.find(|host| wanted.as_ref().is_none_or(|id| *id == host.host_id)).cloned()
        })
    }

    /// Inserts or replaces a session: the answer to a change comes before its event.
    pub fn put(self, session: SessionSummary) {
        self.put_shared(Arc::new(session));
    }

    /// Removes a session, if it is known.
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
                self.unreadable.set(false);
                self.projects.set(projects);
                self.sessions.set(Some(sessions));
                self.ask_for_hosts();
            }
            Some(News::Hosts(hosts)) => self.hosts.set(Some(hosts)),
            Some(News::Session(session)) => self.put_shared(session),
            Some(News::SessionGone(id)) => self.remove(&id),
            Some(News::Project(project)) => {
                self.projects.update(|projects| catalogue::put_project(projects, project));
            }
            Some(News::ProjectGone(id)) => {
                self.projects.update(|projects| projects.retain(|project| project.id != id));
            }
            // Without the list, changes of it are of no use.
            None if event.kind == "sessions" => self.unreadable.set(true),
            None => {}
        }
    }
}

/// Returns the first of `used` that is connected, otherwise the first connected host. Returns
/// `None` if fewer than two are connected.
fn usual<'a>(hosts: &[HostEntry], mut used: impl Iterator<Item = &'a HostId>) -> Option<HostId> {
    let connected = || hosts.iter().filter(|host| host.connected);
    connected().nth(1)?;
    let used = used.find(|id| connected().any(|host| host.host_id == **id));
    used.or(connected().next().map(|host| &host.host_id)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::catalogue::tests::host;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_session_starts_where_the_last_one_did() {
        let all = [host("host_one", "a", true), host("host_two", "b", true)];
        let away = [host("host_one", "a", true), host("host_two", "b", false)];
        let used: Vec<HostId> = vec!["host_two".parse().unwrap(), "host_one".parse().unwrap()];
        assert_eq!(usual(&all, used.iter()), Some(used[0].clone()));
        assert_eq!(usual(&all, [].iter()), Some(used[1].clone()));
        assert_eq!(usual(&away, used.iter()), None, "there is nothing to choose");
    }
}
