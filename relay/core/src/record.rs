//! The stored rows of sessions, projects, hosts and tokens.

use std::collections::BTreeMap;

use moorline_shared::agent::spec::AgentSpec;
use moorline_shared::event::Activity;
use moorline_shared::id::{Epoch, HostId, ProjectId, Seq, SessionId, WorkspaceId};
use moorline_shared::limits::NAME_CHARACTERS;
use moorline_shared::pod::{PodSpec, PodStatus};
use moorline_shared::rest::{AgentOverview, MissingDriver, SessionSummary, TokenSummary};
use moorline_shared::session::{ExitStatus, Lifecycle, Size};
use moorline_shared::text::plain_text;
use moorline_shared::time::Time;
use moorline_shared::tmux::TmuxSpec;
use serde::{Deserialize, Serialize};

use super::rfc3339;

/// The row of one session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// The epoch of its log.
    pub epoch: Epoch,
    /// The name that it was given, if any.
    pub name: Option<String>,
    /// The project that it belongs to.
    pub project: Option<ProjectId>,
    /// The driver that runs it.
    pub driver: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The folder that it started in.
    pub cwd: Option<String>,
    /// Variables in addition to the host's own.
    pub env: BTreeMap<String, String>,
    /// Its terminal's size.
    pub size: Size,
    /// The time of its creation, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// The time of its last activity, in milliseconds since 1970.
    pub last_activity_ms: u64,
    /// Its state.
    pub lifecycle: Lifecycle,
    /// The exit status; `None` unless its process has exited.
    pub exit: Option<ExitStatus>,
    /// The log's last entry.
    pub head: Seq,
    /// The host that runs it; `None` for a session older than hosts.
    pub host: Option<HostId>,
    /// The agent, in a session of the driver `agent`.
    #[serde(default)]
    pub agent: Option<AgentSpec>,
    /// The pane, in a session of the driver `tmux`.
    #[serde(default)]
    pub tmux: Option<TmuxSpec>,
    /// The workspace that its folder is in sync with.
    #[serde(default)]
    pub workspace: Option<WorkspaceId>,
    /// The pod, in a session of the driver `kubernetes`.
    #[serde(default)]
    pub pod: Option<PodSpec>,
    /// The state of that pod, as the log has last told it.
    #[serde(default)]
    pub pod_status: Option<PodStatus>,
}

/// The row of one project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRecord {
    /// Its id.
    pub id: ProjectId,
    /// Its name, for people.
    pub name: String,
    /// The folder in which its sessions start.
    pub directory: Option<String>,
    /// The time of its creation, in milliseconds since 1970.
    pub created_at_ms: u64,
}

/// The row of one workspace, without its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceRecord {
    /// Its id.
    pub id: WorkspaceId,
    /// The name that it was given, if any.
    pub name: Option<String>,
    /// The project that it belongs to.
    pub project: Option<ProjectId>,
    /// The time of its creation, in milliseconds since 1970.
    pub created_at_ms: u64,
}

impl WorkspaceRecord {
    /// Returns the name to display.
    #[must_use]
    pub fn shown_name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.id.as_str())
    }
}

/// The row of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRecord {
    /// Its id.
    pub id: HostId,
    /// Its name, for people: that of its machine.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// The drivers that can start sessions on it.
    pub drivers: Vec<String>,
    /// The drivers that it supports but that could not start sessions at its last hello.
    pub missing: Vec<MissingDriver>,
    /// The time at which it was last connected, in milliseconds since 1970.
    pub last_seen_ms: u64,
}

/// The row of one token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Its id, for lists and for revoking. It is not secret.
    pub id: String,
    /// Its scope, as text.
    pub scope: String,
    /// Its label, for people.
    pub label: Option<String>,
    /// The time of its creation, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// The time of its expiry, in milliseconds since 1970; `None` if it is valid until it is
    /// revoked.
    pub expires_at_ms: Option<u64>,
    /// The time of its last use, in milliseconds since 1970, to a minute; `None` if it was not used.
    pub last_used_ms: Option<u64>,
    /// For a browser's own token, which it was given for a code: whose browser it is, as
    /// [`Grant::person`](crate::auth::Grant::person) has it.
    pub browser_of: Option<String>,
}

impl TokenRecord {
    /// Returns the token as lists show it.
    #[must_use]
    pub fn summary(self) -> TokenSummary {
        TokenSummary {
            id: self.id,
            scope: self.scope,
            label: self.label,
            created_at: rfc3339(self.created_at_ms),
            expires_at: self.expires_at_ms.map(rfc3339),
            last_used: self.last_used_ms.map(rfc3339),
            for_browser: self.browser_of.is_some(),
        }
    }
}

/// The stored facts of a token that a request presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundToken {
    /// Its id.
    pub id: String,
    /// Its stored hash.
    pub hash: Vec<u8>,
    /// Its scope, as text.
    pub scope: String,
    /// Its label, for people.
    pub label: Option<String>,
    /// The time of its expiry; `None` if it does not expire.
    pub expires_at: Option<Time>,
    /// For a browser's own token: whose browser it is.
    pub browser_of: Option<String>,
}

/// Returns a session as lists show it, from its row.
#[must_use]
pub fn summary(record: &SessionRecord, clients: usize) -> SessionSummary {
    let exit = record.exit.clone().unwrap_or_default();
    SessionSummary {
        session_id: record.id.clone(),
        name: name(record),
        named: record.name.is_some(),
        project: record.project.clone(),
        driver: record.driver.clone(),
        command: record.command.clone(),
        cwd: record.cwd.clone(),
        lifecycle: record.lifecycle,
        status: match record.lifecycle {
            Lifecycle::Live | Lifecycle::Detached => Activity::Running,
            Lifecycle::Exited => Activity::Exited,
            Lifecycle::Lost | Lifecycle::Expired => Activity::Error,
        },
        running: None,
        last_exit_code: exit.code,
        exit_code: exit.code,
        exit_signal: exit.signal,
        exit_reason: exit.reason,
        created_at: rfc3339(record.created_at_ms),
        last_activity: rfc3339(record.last_activity_ms),
        clients,
        agent: record
            .agent
            .as_ref()
            .map(|spec| AgentOverview { id: spec.agent.clone(), ..AgentOverview::default() }),
        host: record.host.clone(),
        tmux: record.tmux.clone(),
        workspace: record.workspace.clone(),
        pod_phase: record.pod_status.as_ref().map(|status| status.phase),
    }
}

/// Returns the name of a session everywhere: the name that it was given, else its program or
/// agent and its folder, such as `htop` or `bash in src`.
#[must_use]
pub fn name(record: &SessionRecord) -> String {
    if let Some(name) = &record.name {
        return name.clone();
    }
    let agent = record.agent.as_ref().and_then(|spec| spec.agent.as_deref());
    if let Some(TmuxSpec { pane: Some(pane), session, .. }) = &record.tmux {
        // As tmux counts it: what runs in a pane changes.
        let session = session.as_deref().unwrap_or("tmux");
        let number = pane.trim_start_matches('%');
        return plain_text(&format!("{session} pane {number}"), NAME_CHARACTERS);
    }
    if let Some(TmuxSpec { session: Some(session), .. }) = &record.tmux {
        return plain_text(session, NAME_CHARACTERS);
    }
    let tmux = record.tmux.as_ref().map(|_| "tmux");
    let program = record.command.first().map(|program| last_part(program)).or(agent).or(tmux);
    let program = program.unwrap_or("shell");
    let folder = record.cwd.as_deref().filter(|cwd| !cwd.is_empty() && !is_home(cwd));
    let folder = folder.map(last_part);
    // They come from a command line and a file system, which allow any character.
    let shown = match folder {
        Some(folder) => format!("{program} in {folder}"),
        None => program.to_owned(),
    };
    plain_text(&shown, NAME_CHARACTERS)
}

/// Returns the last part of a path, or all of it if it has no parts.
fn last_part(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().filter(|part| !part.is_empty()).unwrap_or(path)
}

/// Returns true if a folder is a home, where shells start. Such a folder is left out of names.
fn is_home(folder: &str) -> bool {
    let parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    matches!(parts[..], ["root"] | ["home" | "Users", _])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;
    use moorline_shared::rest::CreateSession;

    fn record(name: Option<&str>, command: &[&str], cwd: Option<&str>) -> SessionRecord {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        let id = "abcdefgh".parse().unwrap();
        let plan = plan::record(CreateSession::default(), id, 1).unwrap();
        SessionRecord {
            name: name.map(str::to_owned),
            command,
            cwd: cwd.map(str::to_owned),
            ..plan
        }
    }

    #[test]
    fn a_session_is_called_by_its_name_or_by_what_it_is() {
        for (given, command, cwd, called) in [
            (Some("notes"), &["vim"][..], Some("/srv"), "notes"),
            (None, &[], None, "shell"),
            (None, &[], Some("/root"), "shell"),
            (None, &[], Some("/home/ann/"), "shell"),
            (None, &[], Some("/home/ann/src/"), "shell in src"),
            (None, &["/usr/bin/htop", "-d"], Some("/"), "htop in /"),
            (None, &["sh", "-c", "x"], Some("/srv/a\u{202e}b\nc"), "sh in ab c"),
        ] {
            let record = record(given, command, cwd);
            assert_eq!(name(&record), called);
            assert_eq!(summary(&record, 0).name, called);
            assert_eq!(summary(&record, 0).named, given.is_some());
        }
        let agent = Some(AgentSpec { agent: Some("codex".to_owned()), ..AgentSpec::default() });
        let record = SessionRecord { agent, ..record(None, &[], Some("/srv")) };
        assert_eq!(name(&record), "codex in srv");
    }
}
