//! What the access to a session or workspace depends on.

use moorline_shared::id::{ProjectId, SessionId, WorkspaceId};
use moorline_shared::message::Scope;
use serde::{Deserialize, Serialize};

use super::Access;

/// What the access to a route may depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach<'a> {
    /// The session that the path names.
    Session(&'a SessionId),
    /// The workspace that the path names.
    Workspace(&'a WorkspaceId),
}

/// What the directory knows of a [`Reach`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The project of the session or workspace.
    pub project: Option<ProjectId>,
    /// The sessions that use the workspace.
    #[serde(default)]
    pub sessions: Vec<SessionId>,
    /// True if a session used the workspace until a moment ago: its host may still send the last files.
    #[serde(default)]
    pub is_leaving: bool,
}

impl Reached {
    /// Returns the scope of a token with this access for a workspace: that for the project of the
    /// workspace, or for a session that uses it. A host may write to a workspace that a session uses, or
    /// has used until a moment ago.
    pub(crate) fn workspace_scope(&self, access: &Access) -> Option<Scope> {
        match access {
            Access::Host => (self.is_leaving || !self.sessions.is_empty()).then_some(Scope::Write),
            Access::Session { id, scope } => self.sessions.contains(id).then_some(*scope),
            _ => access.scope_in(self.project.as_ref()),
        }
    }
}
