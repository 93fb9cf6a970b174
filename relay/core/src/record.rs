//! What is stored of sessions, projects and tokens besides logs: their rows.

use std::collections::BTreeMap;

use moorline_shared::event::Activity;
use moorline_shared::id::{Epoch, HostId, ProjectId, Seq, SessionId};
use moorline_shared::limits::NAME_CHARACTERS;
use moorline_shared::rest::{SessionSummary, TokenSummary};
use moorline_shared::session::{ExitStatus, Lifecycle, Size};
use moorline_shared::text::plain_text;
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};

use super::rfc3339;
use super::session::{Facts, Session};

/// One session's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// Its log's incarnation.
    pub epoch: Epoch,
    /// For people, where it was given one.
    pub name: Option<String>,
    /// The project that it belongs to.
    pub project: Option<ProjectId>,
    /// What runs it.
    pub driver: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// The folder that it started in.
    pub cwd: Option<String>,
    /// Variables on top of the host's own.
    pub env: BTreeMap<String, String>,
    /// Its terminal's size.
    pub size: Size,
    /// Milliseconds since 1970.
    pub created_at_ms: u64,
    /// Milliseconds since 1970.
    pub last_activity_ms: u64,
    /// Whether it runs.
    pub lifecycle: Lifecycle,
    /// How it ended, where it did.
    pub exit: Option<ExitStatus>,
    /// The log's last entry.
    pub head: Seq,
    /// What runs it; `None` for one from before there were hosts.
    pub host: Option<HostId>,
}

impl SessionRecord {
    /// The row as it should be stored now.
    #[must_use]
    pub fn of(&self, session: &Session, last_activity_ms: u64) -> Self {
        let exited = session.lifecycle() == Lifecycle::Exited;
        Self {
            epoch: session.log().epoch(),
            size: session.size(),
            lifecycle: session.lifecycle(),
            exit: exited.then(|| session.exit().clone()),
            last_activity_ms,
            head: session.durable(),
            ..self.clone()
        }
    }

    /// Whether that differs in what is worth a write: the time of the last activity is when it is
    /// `step_ms` later.
    #[must_use]
    pub fn is_behind(&self, session: &Session, last_activity_ms: u64, step_ms: u64) -> bool {
        self.lifecycle != session.lifecycle()
            || self.size != session.size()
            || self.epoch != session.log().epoch()
            || last_activity_ms >= self.last_activity_ms + step_ms
    }
}

/// One project's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRecord {
    /// Its id.
    pub id: ProjectId,
    /// For people.
    pub name: String,
    /// Where its sessions start.
    pub directory: Option<String>,
    /// Milliseconds since 1970.
    pub created_at_ms: u64,
}

/// One host's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRecord {
    /// Its id.
    pub id: HostId,
    /// For people: its machine's name.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// The drivers that it has.
    pub drivers: Vec<String>,
    /// Milliseconds since 1970: when it was last heard of.
    pub last_seen_ms: u64,
}

/// One token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Names it in lists and for revoking; no secret.
    pub id: String,
    /// What it allows, as text.
    pub scope: String,
    /// For people.
    pub label: Option<String>,
    /// Milliseconds since 1970.
    pub created_at_ms: u64,
    /// Milliseconds since 1970; `None` for one that stays valid until it is revoked.
    pub expires_at_ms: Option<u64>,
}

impl TokenRecord {
    /// The token in lists.
    #[must_use]
    pub fn summary(self) -> TokenSummary {
        TokenSummary {
            id: self.id,
            scope: self.scope,
            label: self.label,
            created_at: rfc3339(self.created_at_ms),
            expires_at: self.expires_at_ms.map(rfc3339),
        }
    }
}

/// What is known of a token that was presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundToken {
    /// Its hash, as stored.
    pub hash: Vec<u8>,
    /// What it allows, as text.
    pub scope: String,
    /// When it expires, in milliseconds since 1970.
    pub expires_at: Option<Time>,
}

/// A session's row, as the list tells it.
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
        created_at: rfc3339(record.created_at_ms),
        last_activity: rfc3339(record.last_activity_ms),
        clients,
        host: record.host.clone(),
    }
}

/// A session in memory, as the list tells it. `record` is its row as it is now, `wall_ms` the time in
/// milliseconds since 1970.
#[must_use]
pub fn summary_now(record: &SessionRecord, session: &Session, wall_ms: u64) -> SessionSummary {
    let status = session.status(wall_ms);
    SessionSummary {
        status: status.status,
        running: status.command.filter(|_| status.status == Activity::Running),
        last_exit_code: status.exit_code,
        cwd: status.cwd.or_else(|| record.cwd.clone()),
        ..summary(record, session.clients())
    }
}

/// What a session is called everywhere: by the name that it was given, else by what it was started
/// with and where, such as `htop` or `bash in src`.
#[must_use]
pub fn name(record: &SessionRecord) -> String {
    if let Some(name) = &record.name {
        return name.clone();
    }
    let program = record.command.first().map_or("shell", |program| last_part(program));
    let folder = record.cwd.as_deref().filter(|cwd| !is_home(cwd)).map(last_part);
    // They come from a command line and a file system, where any character may stand.
    let shown = match folder {
        Some(folder) => format!("{program} in {folder}"),
        None => program.to_owned(),
    };
    plain_text(&shown, NAME_CHARACTERS)
}

/// The last part of a path, or all of what has no parts.
fn last_part(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().filter(|part| !part.is_empty()).unwrap_or(path)
}

/// Whether a folder is where shells start: it tells nothing.
fn is_home(folder: &str) -> bool {
    let parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    matches!(parts[..], ["root"] | ["home" | "Users", _])
}

/// What clients are told of a session by its row.
#[must_use]
pub fn facts(record: &SessionRecord) -> Facts {
    Facts {
        id: record.id.clone(),
        name: name(record),
        created_at_ms: record.created_at_ms,
        driver: record.driver.clone(),
    }
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
            assert_eq!(
                (summary(&record, 0).name, facts(&record).name),
                (called.into(), called.into())
            );
            assert_eq!(summary(&record, 0).named, given.is_some());
        }
    }
}
