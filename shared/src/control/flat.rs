//! The wire form of a hosted session.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Facts, Hosted};
use crate::agent::spec::AgentSpec;
use crate::id::{Epoch, ProjectId, SessionId, WorkspaceId};
use crate::pod::PodSpec;
use crate::session::Size;
use crate::tmux::TmuxSpec;

/// The wire form of [`Hosted`]. With all fields in one struct, serde reads them directly from the
/// text instead of through a buffer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlatHosted {
    session_id: SessionId,
    epoch: Epoch,
    name: Option<String>,
    project: Option<ProjectId>,
    #[serde(default)]
    driver: String,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    size: Size,
    agent: Option<AgentSpec>,
    tmux: Option<TmuxSpec>,
    workspace: Option<WorkspaceId>,
    pod: Option<PodSpec>,
    beside: Option<SessionId>,
    cwd: String,
    pid: Option<u32>,
    created_at: u64,
}

impl From<FlatHosted> for Hosted {
    fn from(flat: FlatHosted) -> Self {
        let FlatHosted { session_id, epoch, cwd, pid, created_at, .. } = flat;
        let FlatHosted { name, project, driver, command, env, size, .. } = flat;
        let FlatHosted { agent, tmux, workspace, pod, beside, .. } = flat;
        let facts = Facts {
            name,
            project,
            driver,
            command,
            env,
            size,
            agent,
            tmux,
            workspace,
            pod,
            beside,
        };
        Self { session_id, epoch, facts, cwd, pid, created_at }
    }
}
