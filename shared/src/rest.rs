//! The bodies of the REST API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{Epoch, Seq, SessionId};
use crate::session::Lifecycle;

/// The body of `POST /api/sessions`. Every field may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateSession {
    /// Program and arguments; without it the user's login shell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// The folder to start in; without it the user's home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Variables on top of the host's own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The project that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// What runs it; `pty` without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The terminal's columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cols: Option<u16>,
    /// The terminal's rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
}

/// The answer to `POST /api/sessions`: 201.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// Always true.
    pub success: bool,
    /// The new session.
    pub session_id: SessionId,
    /// The same as in the list.
    pub session: SessionSummary,
}

/// The answer to `GET /api/sessions`, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionList {
    /// All sessions, newest first.
    pub sessions: Vec<SessionSummary>,
}

/// One session in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionSummary {
    /// Its id.
    pub session_id: SessionId,
    /// For people; the id where it was given none.
    pub name: String,
    /// The project that it belongs to.
    pub project: Option<String>,
    /// What runs it.
    pub driver: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// The folder that it started in.
    pub cwd: Option<String>,
    /// Whether it runs.
    pub lifecycle: Lifecycle,
    /// Where it exited by itself.
    pub exit_code: Option<i32>,
    /// Where it was killed.
    pub exit_signal: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339: the last output or input.
    pub last_activity: String,
    /// Clients that follow it now.
    pub clients: usize,
}

/// The answer to `GET /api/session/:id/status` (seed 000 §4.1, and what the log knows).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionStatus {
    /// As in the list.
    #[serde(flatten)]
    pub summary: SessionSummary,
    /// `running`, or how it ended: the lifecycle's name.
    pub status: String,
    /// The driver's name.
    pub mode: String,
    /// The session's process, where it runs on this machine.
    pub pid: Option<u32>,
    /// Milliseconds since it was created.
    pub uptime: u64,
    /// The log's incarnation.
    pub epoch: Epoch,
    /// The log's last entry.
    pub head: Seq,
    /// The oldest retained entry.
    pub tail: Seq,
    /// The terminal's columns.
    pub cols: u16,
    /// The terminal's rows.
    pub rows: u16,
}

/// The answer to `DELETE /api/session/:id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// Always true.
    pub success: bool,
    /// `Session deleted`.
    pub message: String,
    /// The session that was.
    pub session_id: SessionId,
}

/// The body of every answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// For people, as the seed words it: `Session not found`.
    pub error: String,
    /// Stable, for programs: `not_found`.
    pub code: String,
    /// What to do, where there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The session that was asked for, as it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
}
