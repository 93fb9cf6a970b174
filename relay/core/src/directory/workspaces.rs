//! Workspaces: their list, and changes of it.

use moorline_shared::id::{SessionId, WorkspaceId};
use moorline_shared::limits::WORKSPACES;
use moorline_shared::rest::{CreateWorkspace, RenameWorkspace, WorkspaceSummary};

use super::change::{Change, Row};
use super::{Directory, ListedSession};
use crate::api::{ApiError, name};
use crate::auth::{Access, Reach, Reached};
use crate::record::WorkspaceRecord;
use crate::rfc3339;
use moorline_shared::message::Scope;

/// Time for which the host of a removed session may still write to its workspace. A host ends the
/// session, and waits up to ten seconds for its last files.
const LEAVE_MS: u64 = 30_000;

/// A session that was removed while it ran.
#[derive(Debug)]
pub(super) struct LeavingSession {
    workspace: WorkspaceId,
    /// When its host may not write any more, in milliseconds since 1970.
    until_ms: u64,
}

impl Directory {
    /// Returns the workspaces that a token with this access reaches, sorted by name.
    #[must_use]
    pub fn workspaces(&self, access: &Access) -> Vec<WorkspaceSummary> {
        let records = self.workspaces.values();
        let reached = records.filter(|record| access.scope_in(record.project.as_ref()).is_some());
        let mut workspaces: Vec<_> = reached.map(|record| self.summarised(record)).collect();
        workspaces.sort_by_cached_key(|it| (it.name.to_lowercase(), it.id.clone()));
        workspaces
    }

    /// Returns one workspace, in the form of the list.
    ///
    /// # Errors
    /// `no_such_workspace`.
    pub fn workspace(&self, id: &WorkspaceId) -> Result<WorkspaceSummary, ApiError> {
        self.workspace_record(id).map(|record| self.summarised(record))
    }

    /// Returns the row of a workspace.
    ///
    /// # Errors
    /// `no_such_workspace`.
    pub fn workspace_record(&self, id: &WorkspaceId) -> Result<&WorkspaceRecord, ApiError> {
        self.workspaces.get(id).ok_or_else(|| ApiError::no_workspace(id.as_str()))
    }

    /// Returns what the access to a session or workspace depends on. `now_ms` is the time in
    /// milliseconds since 1970.
    #[must_use]
    pub fn reach(&self, reach: Reach<'_>, now_ms: u64) -> Reached {
        match reach {
            Reach::Session(id) => {
                let project = self.record(id).and_then(|record| record.project.clone());
                Reached { project, ..Reached::default() }
            }
            Reach::Workspace(id) => {
                let project = self.workspaces.get(id).and_then(|record| record.project.clone());
                let sessions = self.using(id).map(|listed| listed.record.id.clone());
                let reserved = self.loading.iter().filter(|(_, used)| *used == id);
                let reserved = reserved.map(|(session, _)| session.clone());
                let leaving = self.leaving.values();
                let is_leaving =
                    leaving.filter(|left| left.until_ms > now_ms).any(|left| left.workspace == *id);
                Reached { project, sessions: sessions.chain(reserved).collect(), is_leaving }
            }
        }
    }

    /// Creates a workspace for a caller with this access. `now_ms` is the time in milliseconds since
    /// 1970.
    ///
    /// # Errors
    /// `bad_request`, `exists`, `no_such_project`, `forbidden`, or `overloaded` if the limit of
    /// workspaces is reached.
    pub fn create_workspace(
        &self,
        wanted: CreateWorkspace,
        id: WorkspaceId,
        access: &Access,
        now_ms: u64,
    ) -> Result<Change, ApiError> {
        let name = name(wanted.name.as_deref())?;
        let project = wanted.project.or_else(|| access.only_project().cloned());
        self.check_project(project.as_ref())?;
        if access.scope_in(project.as_ref()) != Some(Scope::Write) {
            return Err(ApiError::forbidden());
        }
        if self.workspaces.contains_key(&id) {
            return Err(ApiError::workspace_exists(&id));
        }
        if self.workspaces.len() >= WORKSPACES {
            let most = format!("There are {WORKSPACES} workspaces already: delete one first.");
            return Err(ApiError::too_many_workspaces(most));
        }
        Ok(Row::Workspace(WorkspaceRecord { id, name, project, created_at_ms: now_ms }).into())
    }

    /// Changes the name of a workspace. An empty one removes it.
    ///
    /// # Errors
    /// `no_such_workspace` or `bad_request`.
    pub fn rename_workspace(
        &self,
        id: &WorkspaceId,
        wanted: &RenameWorkspace,
    ) -> Result<Change, ApiError> {
        let name = name(Some(&wanted.name))?;
        let record = self.workspace_record(id)?.clone();
        Ok(Row::Workspace(WorkspaceRecord { name, ..record }).into())
    }

    /// Removes a workspace with its files.
    ///
    /// # Errors
    /// `no_such_workspace`, or `in_use` if sessions that run use it.
    pub fn remove_workspace(&self, id: &WorkspaceId) -> Result<Change, ApiError> {
        self.workspace_record(id)?;
        let running = self.using(id).filter(|listed| !listed.lifecycle().is_over()).count();
        match running + self.loading.values().filter(|used| *used == id).count() {
            0 => Ok(Row::WorkspaceRemoved(id.clone()).into()),
            sessions => Err(ApiError::workspace_in_use(sessions)),
        }
    }

    /// Checks that a workspace exists and that a caller with this access may write to it.
    ///
    /// # Errors
    /// `no_such_workspace`.
    pub fn check_workspace(
        &self,
        id: Option<&WorkspaceId>,
        access: &Access,
    ) -> Result<(), ApiError> {
        let Some(id) = id else { return Ok(()) };
        let record = self.workspace_record(id)?;
        match access.scope_in(record.project.as_ref()) {
            Some(Scope::Write) => Ok(()),
            // A caller does not learn what it cannot reach.
            _ => Err(ApiError::no_workspace(id.as_str())),
        }
    }

    fn using<'a>(&'a self, id: &'a WorkspaceId) -> impl Iterator<Item = &'a ListedSession> {
        self.sessions.values().filter(move |listed| listed.record.workspace.as_ref() == Some(id))
    }

    fn summarised(&self, record: &WorkspaceRecord) -> WorkspaceSummary {
        WorkspaceSummary {
            id: record.id.clone(),
            name: record.shown_name().to_owned(),
            project: record.project.clone(),
            created_at: rfc3339(record.created_at_ms),
            sessions: self.using(&record.id).count(),
        }
    }

    /// Remembers the workspace of a session that is removed while it runs.
    pub(super) fn begin_leaving(&mut self, removed: &ListedSession, at_ms: u64) {
        self.leaving.retain(|_, left| left.until_ms > at_ms);
        let workspace =
            removed.record.workspace.as_ref().filter(|_| !removed.lifecycle().is_over());
        if let Some(workspace) = workspace.cloned() {
            let until_ms = at_ms.saturating_add(LEAVE_MS);
            let left = LeavingSession { workspace, until_ms };
            self.leaving.insert(removed.record.id.clone(), left);
        }
    }

    /// Remembers the workspace of a session that is being started: its host loads the files before the
    /// session is listed.
    pub(super) fn begin_loading(&mut self, session: &SessionId, workspace: Option<&WorkspaceId>) {
        if let Some(workspace) = workspace {
            self.loading.insert(session.clone(), workspace.clone());
        }
    }
}
