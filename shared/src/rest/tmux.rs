//! The bodies of `/api/hosts/:id/tmux` and `/api/session/:id/tmux`.

use serde::{Deserialize, Serialize};

use crate::id::{HostId, SessionId};
use crate::tmux::{TmuxServer, TmuxSession};

/// The answer to `GET /api/hosts/:id/tmux`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HostTmux {
    /// The host that was asked.
    pub host_id: HostId,
    /// The tmux servers of its user, the default one first.
    pub servers: Vec<TmuxServer>,
}

/// The answer to `GET` and `POST /api/session/:id/tmux`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SessionTmux {
    /// Always true.
    pub success: bool,
    /// The session that was asked about.
    pub session_id: SessionId,
    /// The pane that it shows.
    pub pane: String,
    /// The tmux session that the pane is in.
    pub session: TmuxSession,
}
