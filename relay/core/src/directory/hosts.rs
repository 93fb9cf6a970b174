//! Hosts: the list, and the consequences of a host's hello.

use moorline_shared::control::{Hello, Hosted};
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::rest::HostList;
use moorline_shared::session::Lifecycle;

use super::Directory;
use super::change::{Change, Effect, Row};
use super::start::created_event;
use crate::hosts::{self, ListedHost};
use crate::plan::{HostError, adopted, choose};
use crate::reconciliation::Reconciliation;
use crate::record::{HostRecord, SessionRecord};

/// The consequences of a host's hello.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// The host's row, the newly listed sessions, and the deleted sessions that the host has forgotten.
    pub change: Change,
    /// The rows of the newly listed sessions.
    pub adopted: Vec<SessionRecord>,
    /// Sessions to mark as lost: their host no longer has them.
    pub lost: Vec<SessionId>,
    /// Deleted sessions that the host still has and must forget.
    pub forget: Vec<SessionId>,
}

impl Directory {
    /// Handles the hello of a host that has connected. `now_ms` is in milliseconds since 1970.
    #[must_use]
    pub fn greet(&self, id: &HostId, hello: &Hello, now_ms: u64) -> Greeting {
        self.warn_of_doubles(id, hello);
        let deleted = self.deleted.iter().filter(|(_, host)| *host == id);
        let deleted = deleted.map(|(session, _)| session.clone()).collect();
        let is_known = |session: &SessionId| self.is_known(session);
        let meeting = Reconciliation::of(hello, is_known, self.running_on(id), deleted);
        let mut change = Change::from(Row::Host(HostRecord {
            id: id.clone(),
            name: hello.name.clone(),
            version: hello.version.clone(),
            drivers: hello.drivers.clone(),
            missing: hello.missing.clone(),
            last_seen_ms: now_ms,
        }));
        let mut adopted_rows = Vec::new();
        for hosted in meeting.adopt {
            let listing = self.adoption(id, hosted, now_ms);
            adopted_rows.extend(listing.rows.iter().filter_map(|row| match row {
                Row::Session { record, .. } => Some(SessionRecord::clone(record)),
                _ => None,
            }));
            change.rows.extend(listing.rows);
        }
        change.rows.extend(meeting.forgotten.into_iter().map(Row::Forgotten));
        Greeting { change, adopted: adopted_rows, lost: meeting.lost, forget: meeting.forget }
    }

    fn warn_of_doubles(&self, id: &HostId, hello: &Hello) {
        for session in hello.sessions.iter().map(|hosted| &hosted.session_id) {
            let other = self.sessions.get(session).filter(|it| it.record.host.as_ref() != Some(id));
            if other.is_some() {
                tracing::warn!(%session, "another host has a session with this id");
            }
        }
    }

    /// Returns true if an id is taken: by a session, by one that is being started or removed, or by a deleted one.
    fn is_known(&self, id: &SessionId) -> bool {
        self.sessions.contains_key(id)
            || self.reserved.contains(id)
            || self.deleted.contains_key(id)
    }

    /// Lists a session that a host has started for a request that no longer waits. `None` if its id is taken.
    #[must_use]
    pub fn adopt(&self, host: &HostId, hosted: &Hosted, now_ms: u64) -> Option<Change> {
        let is_new = !self.is_known(&hosted.session_id);
        is_new.then(|| self.adoption(host, hosted, now_ms))
    }

    /// Lists a session that a host has. One that it has opened beside another session of its own belongs to that one's
    /// project.
    fn adoption(&self, host: &HostId, hosted: &Hosted, now_ms: u64) -> Change {
        let mut record = adopted(host, hosted, now_ms);
        let parent = hosted.facts.beside.as_ref().and_then(|parent| self.record(parent));
        let parent = parent.filter(|parent| parent.host.as_ref() == Some(host));
        if let Some(parent) = parent {
            record.project.clone_from(&parent.project);
        }
        self.listing(record, parent.map(|parent| parent.id.clone()))
    }

    /// Returns the effect that reports a session, which a host has opened, to the one that it was opened beside.
    #[must_use]
    pub fn opened(&self, id: &SessionId, now_ms: u64) -> Option<Effect> {
        let session = self.sessions.get(id)?.beside.clone()?;
        let event = created_event(&session, &self.summary(id).ok()?, None, now_ms);
        Some(Effect::Append { session, event })
    }

    /// Marks the row of a session that is not in memory as lost. `None` if the session is not listed.
    #[must_use]
    pub fn lose(&self, id: &SessionId) -> Option<Change> {
        let record = SessionRecord { lifecycle: Lifecycle::Lost, ..self.record(id)?.clone() };
        Some(Row::Session { record: Box::new(record), beside: None }.into())
    }

    /// Records that a host was connected until `now_ms`, in milliseconds since 1970. `None` if the host is unknown.
    #[must_use]
    pub fn host_left(&self, id: &HostId, now_ms: u64) -> Option<Change> {
        let record = HostRecord { last_seen_ms: now_ms, ..self.hosts.get(id)?.clone() };
        Some(Row::Host(record).into())
    }

    /// Returns true if the host has ever connected.
    #[must_use]
    pub fn knows_host(&self, id: &HostId) -> bool {
        self.hosts.contains_key(id)
    }

    /// Lists all hosts. `is_here` returns true if a host is connected; `now_ms` is in milliseconds since 1970.
    #[must_use]
    pub fn hosts(&self, is_here: impl Fn(&HostId) -> bool, now_ms: u64) -> HostList {
        let listed = |record: &HostRecord| ListedHost {
            record: record.clone(),
            connected: is_here(&record.id),
            sessions: self.running_on(&record.id).count(),
        };
        hosts::list(self.hosts.values().map(listed), now_ms)
    }

    /// Chooses the host that starts a session: the named one, else the relay's own, else the only one that is
    /// connected.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn choose_host(
        &self,
        wanted: Option<&HostId>,
        is_here: impl Fn(&HostId) -> bool,
    ) -> Result<HostId, HostError> {
        let hosts: Vec<_> = self.hosts.keys().map(|id| (id, is_here(id))).collect();
        choose(hosts.iter().copied(), wanted, self.has_own_host)
    }
}
