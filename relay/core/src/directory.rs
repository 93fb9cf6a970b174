//! All sessions, projects and hosts of a relay, and every decision about them.
//!
//! A request is checked by a method that changes nothing and returns a [`Change`]: the rows that store it. The
//! relay stores them, and only then hands the change to [`Directory::apply`], which returns the [`Effect`]s that are
//! to be carried out. So a change that cannot be stored does not happen, and one that was answered is kept.
//!
//! A session is started in three steps: [`Directory::reserve`] takes its id, the relay asks the host, and
//! [`Directory::started`] lists it. Whatever comes of it, [`Directory::release`] gives the id back.
//!
//! Nothing here waits, reads a clock or knows which connections exist: who is connected is passed in.

mod change;
mod hosts;
mod projects;
mod report;
mod sessions;
mod start;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use moorline_shared::id::{HostId, ProjectId, SessionId};
use moorline_shared::session::Lifecycle;

use crate::record::{HostRecord, ProjectRecord, SessionRecord};
pub use change::{Change, Effect, Row};
pub use hosts::Greeting;
pub use report::{Counts, Reported, SessionReport};
pub use start::{Draft, Reservation, created_event};

/// The directory. See the module for the order of calls.
#[derive(Debug, Default)]
pub struct Directory {
    sessions: BTreeMap<SessionId, ListedSession>,
    projects: BTreeMap<ProjectId, ProjectRecord>,
    hosts: BTreeMap<HostId, HostRecord>,
    /// Deleted sessions that their hosts have not confirmed to have forgotten.
    deleted: BTreeMap<SessionId, HostId>,
    /// Ids under which a session is being started or removed. They are free for nobody else meanwhile.
    reserved: BTreeSet<SessionId>,
    /// Whether the relay runs a host of its own, connected yet or not.
    has_own_host: bool,
}

/// A session of the list.
#[derive(Debug)]
struct ListedSession {
    /// Its row. What the session reports counts more.
    record: SessionRecord,
    /// Its last report; `None` until the first one.
    report: Option<SessionReport>,
    /// The session that it was opened beside, as a terminal.
    beside: Option<SessionId>,
    /// When its report was stored last, in milliseconds since 1970.
    stored_at_ms: u64,
}

impl Directory {
    /// An empty directory, to be filled with stored rows by [`Directory::apply`].
    #[must_use]
    pub fn new(has_own_host: bool) -> Self {
        Self { has_own_host, ..Self::default() }
    }

    /// The project, with its row.
    #[must_use]
    pub fn project_record(&self, id: &ProjectId) -> Option<&ProjectRecord> {
        self.projects.get(id)
    }

    /// The session's row, as it was stored or replaced last.
    #[must_use]
    pub fn record(&self, id: &SessionId) -> Option<&SessionRecord> {
        self.sessions.get(id).map(|listed| &listed.record)
    }

    /// The host that is still to forget a session with this id, which was deleted.
    #[must_use]
    pub fn deleted_from(&self, id: &SessionId) -> Option<&HostId> {
        self.deleted.get(id)
    }

    /// Whether a session is being started or removed under this id.
    #[must_use]
    pub fn is_reserved(&self, id: &SessionId) -> bool {
        self.reserved.contains(id)
    }

    /// The sessions of a host that are not over.
    fn running_on<'a>(&'a self, host: &'a HostId) -> impl Iterator<Item = &'a SessionId> {
        let of_host = move |listed: &&ListedSession| {
            listed.record.host.as_ref() == Some(host) && !listed.lifecycle().is_over()
        };
        self.sessions.values().filter(of_host).map(|listed| &listed.record.id)
    }
}

impl ListedSession {
    fn lifecycle(&self) -> Lifecycle {
        self.report.as_ref().map_or(self.record.lifecycle, |report| report.summary.lifecycle)
    }
}
