//! The list of sessions.

use moorline_shared::id::SessionId;
use moorline_shared::rest::{Overview, SessionList, SessionSummary};

use super::{Known, Registry, Slot};
use moorline_core::api::{Filter, sort};
use moorline_core::record::summary;

impl Registry {
    /// A page of the list.
    #[must_use]
    pub fn list(&self, filter: &Filter) -> SessionList {
        filter.page(self.known().summaries())
    }

    /// One session, as the list shows it.
    #[must_use]
    pub fn summary(&self, id: &SessionId) -> Option<SessionSummary> {
        self.known().slots.get(id).map(Slot::summary)
    }

    /// Everything that lists show.
    #[must_use]
    pub fn overview(&self) -> Overview {
        let known = self.known();
        let sessions = known.summaries();
        let projects = known.projects_with(&sessions);
        Overview { sessions, projects }
    }
}

impl Known {
    /// All sessions, newest first.
    pub(super) fn summaries(&self) -> Vec<SessionSummary> {
        let mut list: Vec<_> = self.slots.values().map(Slot::summary).collect();
        sort(&mut list);
        list
    }
}

impl Slot {
    fn summary(&self) -> SessionSummary {
        match self {
            Self::Running(handle) => handle.summary(),
            Self::Stored { record, opened } => match opened.upgrade() {
                Some(handle) => handle.summary(),
                None => summary(record, 0),
            },
        }
    }
}
