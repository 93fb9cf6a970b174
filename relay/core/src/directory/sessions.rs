//! The list of sessions, and changes of a session that exists.

use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::rest::{MoveSession, Overview, RenameSession, SessionList, SessionSummary};

use super::change::{Change, Row};
use super::{Directory, ListedSession};
use crate::api::{ApiError, ListQuery, name, sort};
use crate::auth::Access;
use crate::record::SessionRecord;

impl Directory {
    /// Returns a page of the sessions that a token with this access reaches.
    ///
    /// # Errors
    /// Those of [`ListQuery::filter`].
    pub fn list(&self, wanted: ListQuery, access: &Access) -> Result<SessionList, ApiError> {
        Ok(wanted.filter()?.page(self.reached(access)))
    }

    /// Returns the sessions that a token with this access reaches, newest first.
    fn reached(&self, access: &Access) -> Vec<SessionSummary> {
        let mut list = self.summaries();
        list.retain(|session| {
            access.scope_of(&session.session_id, session.project.as_ref()).is_some()
        });
        list
    }

    /// Returns true if a token with this access reaches a session.
    #[must_use]
    pub fn reaches(&self, access: &Access, session: &SessionId) -> bool {
        let project = self.record(session).and_then(|record| record.project.as_ref());
        access.scope_of(session, project).is_some()
    }

    /// Returns all sessions, newest first.
    #[must_use]
    pub fn summaries(&self) -> Vec<SessionSummary> {
        let mut list: Vec<_> = self.sessions.values().map(ListedSession::summary).collect();
        sort(&mut list);
        list
    }

    /// Returns everything that lists show to a token with this access.
    #[must_use]
    pub fn overview(&self, access: &Access) -> Overview {
        Overview { sessions: self.reached(access), projects: self.projects(access) }
    }

    /// Returns one session, as lists show it.
    ///
    /// # Errors
    /// `not_found`.
    pub fn summary(&self, id: &SessionId) -> Result<SessionSummary, ApiError> {
        self.listed(id).map(ListedSession::summary)
    }

    /// Returns true if the session is listed.
    #[must_use]
    pub fn contains(&self, id: &SessionId) -> bool {
        self.sessions.contains_key(id)
    }

    /// Renames a session. An empty name removes the name that it was given.
    ///
    /// # Errors
    /// `not_found`, or `bad_request` if the name is not valid.
    pub fn rename(&self, id: &SessionId, wanted: &RenameSession) -> Result<Change, ApiError> {
        let name = name(Some(&wanted.name))?;
        let record = SessionRecord { name, ..self.listed(id)?.record.clone() };
        Ok(Row::Name { record: Box::new(record) }.into())
    }

    /// Moves a session to a project, or out of any.
    ///
    /// # Errors
    /// `not_found` or `no_such_project`.
    pub fn move_to(&self, id: &SessionId, wanted: MoveSession) -> Result<Change, ApiError> {
        let project = wanted.project_id;
        let listed = self.listed(id)?;
        self.check_project(project.as_ref())?;
        let record = SessionRecord { project, ..listed.record.clone() };
        Ok(Row::Membership { record: Box::new(record) }.into())
    }

    /// Removes a session, and has its host forget it. `now_ms` is the time in milliseconds since 1970.
    ///
    /// # Errors
    /// `not_found`.
    pub fn remove(&self, id: &SessionId, now_ms: u64) -> Result<Change, ApiError> {
        let host = self.listed(id)?.record.host.clone();
        let mut rows = vec![Row::SessionRemoved { id: id.clone(), at_ms: now_ms }];
        rows.extend(host.map(|host| Row::Deleted { session: id.clone(), host, at_ms: now_ms }));
        Ok(Change { rows })
    }

    pub(super) fn listed(&self, id: &SessionId) -> Result<&ListedSession, ApiError> {
        self.sessions.get(id).ok_or_else(|| ApiError::no_session(id.as_str()))
    }

    pub(super) fn check_project(&self, id: Option<&ProjectId>) -> Result<(), ApiError> {
        match id {
            Some(id) if !self.projects.contains_key(id) => Err(ApiError::no_project(id)),
            _ => Ok(()),
        }
    }
}
