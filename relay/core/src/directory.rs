//! All sessions, projects and hosts of a relay, and every decision about them.
//!
//! A method checks a request, changes nothing, and returns a [`Change`]: the rows to store. The relay stores them, and
//! only then passes the change to [`Directory::apply`], which returns the [`Effect`]s to carry out. So a change that
//! cannot be stored does not happen, and a change that was answered is stored.
//!
//! A session starts in three steps: [`Directory::reserve`] takes its id, the relay asks the host, and
//! [`Directory::started`] lists the session. [`Directory::release`] returns the id, whatever the outcome.
//!
//! Nothing here waits or reads a clock. The caller passes in which hosts are connected.

mod change;
mod hosts;
mod listed_session;
mod projects;
mod report;
mod sessions;
mod start;
#[cfg(test)]
mod tests;
mod workspaces;

use std::collections::{BTreeMap, BTreeSet};

use moorline_shared::id::{HostId, ProjectId, SessionId, WorkspaceId};

use crate::record::{HostRecord, ProjectRecord, SessionRecord, WorkspaceRecord};
pub use change::{Change, Effect, Row};
pub use hosts::Greeting;
use listed_session::ListedSession;
pub use listed_session::SessionReport;
pub use report::{Counts, Reported};
pub use start::{Draft, Reservation, created_event};
use workspaces::LeavingSession;

/// The sessions, projects and hosts of a relay. See the module for the order of calls.
#[derive(Debug, Default)]
pub struct Directory {
    sessions: BTreeMap<SessionId, ListedSession>,
    projects: BTreeMap<ProjectId, ProjectRecord>,
    workspaces: BTreeMap<WorkspaceId, WorkspaceRecord>,
    hosts: BTreeMap<HostId, HostRecord>,
    /// Deleted sessions that their hosts have not yet confirmed to have forgotten.
    deleted: BTreeMap<SessionId, HostId>,
    /// Ids under which a session is being started or removed. Nobody else may use them meanwhile.
    reserved: BTreeSet<SessionId>,
    /// The workspaces of sessions that are being started.
    loading: BTreeMap<SessionId, WorkspaceId>,
    /// The workspaces of sessions that were removed while they ran: their last files may still come.
    leaving: BTreeMap<SessionId, LeavingSession>,
    /// True if the relay runs a host of its own, connected yet or not.
    has_own_host: bool,
}

impl Directory {
    /// Returns an empty directory, to be filled with stored rows by [`Directory::apply`].
    #[must_use]
    pub fn new(has_own_host: bool) -> Self {
        Self { has_own_host, ..Self::default() }
    }

    /// Returns the project's row.
    #[must_use]
    pub fn project_record(&self, id: &ProjectId) -> Option<&ProjectRecord> {
        self.projects.get(id)
    }

    /// Returns the session's row as it was last stored or replaced.
    #[must_use]
    pub fn record(&self, id: &SessionId) -> Option<&SessionRecord> {
        self.sessions.get(id).map(|listed| &listed.record)
    }

    /// Returns the host that still has to forget the deleted session with this id.
    #[must_use]
    pub fn deleted_from(&self, id: &SessionId) -> Option<&HostId> {
        self.deleted.get(id)
    }

    /// Returns true if a session is being started or removed under this id.
    #[must_use]
    pub fn is_reserved(&self, id: &SessionId) -> bool {
        self.reserved.contains(id)
    }

    /// Returns the sessions of a host that are not over.
    fn running_on<'a>(&'a self, host: &'a HostId) -> impl Iterator<Item = &'a SessionId> {
        let of_host = move |listed: &&ListedSession| {
            listed.record.host.as_ref() == Some(host) && !listed.lifecycle().is_over()
        };
        self.sessions.values().filter(of_host).map(|listed| &listed.record.id)
    }
}
