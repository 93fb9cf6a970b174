//! The bodies of the REST API.

mod hosts;
mod metrics;
mod terminal;
mod tokens;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::Activity;
use crate::id::{Epoch, HostId, ProjectId, Seq, SessionId};
use crate::session::{ForkedFrom, Lifecycle};
pub use hosts::{HostList, HostSummary};
pub use metrics::{DebugMetrics, EventBusMetrics, SseMetrics, StoreMetrics};
pub use terminal::{
    CreateTerminal, Done, OutputPiece, TerminalCreated, TerminalInput, TerminalOutput,
};
pub use tokens::{CreateToken, TokenCreated, TokenList, TokenSummary};

/// The body of `POST /api/sessions`. Every field may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct CreateSession {
    /// Its id, where the caller chooses; taken ids are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// Program and arguments; without it the user's login shell.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_items = 1))]
    pub command: Option<Vec<String>>,
    /// The folder to start in; without it the project's, else the user's home.
    #[serde(skip_serializing_if = "Option::is_none", alias = "workingDir")]
    pub cwd: Option<String>,
    /// Variables on top of the host's own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub name: Option<String>,
    /// The project that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    /// What runs it; `pty` without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The host to run it; without it the relay's own, else the one that is connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// The terminal's columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 2, maximum = 1000))]
    pub cols: Option<u16>,
    /// The terminal's rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 500))]
    pub rows: Option<u16>,
}

/// The answer to `POST /api/sessions`, `…/duplicate` and `…/fork`: 201.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// Always true.
    pub success: bool,
    /// The new session.
    pub session_id: SessionId,
    /// The same as in the list.
    pub session: SessionSummary,
    /// Where it was forked from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<ForkedFrom>,
}

/// The answer to `GET /api/sessions`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SessionList {
    /// Those that match, newest first, as many as fit on the page.
    pub sessions: Vec<SessionSummary>,
    /// How many match.
    pub total: usize,
    /// The next page's `cursor`; `None` on the last.
    pub next_cursor: Option<String>,
}

/// One session in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SessionSummary {
    /// Its id.
    pub session_id: SessionId,
    /// For people; where it was given none, one of its command and folder.
    pub name: String,
    /// Whether it was given its name.
    #[serde(default)]
    pub named: bool,
    /// The project that it belongs to.
    pub project: Option<ProjectId>,
    /// What runs it.
    pub driver: String,
    /// The host that runs it.
    #[serde(default)]
    pub host: Option<HostId>,
    /// Program and arguments.
    pub command: Vec<String>,
    /// The folder that it is in, where its shell tells; else the one that it started in.
    pub cwd: Option<String>,
    /// Whether it runs.
    pub lifecycle: Lifecycle,
    /// What it does.
    pub status: Activity,
    /// The command line that runs, where its shell tells.
    pub running: Option<String>,
    /// The exit code of the last command, where its shell tells.
    pub last_exit_code: Option<i32>,
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SessionStatus {
    /// As in the list.
    #[serde(flatten)]
    pub summary: SessionSummary,
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

/// The body of `PATCH /api/sessions/:id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RenameSession {
    /// The new name; empty for none.
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub name: String,
}

/// The body of `POST /api/sessions/:id/move`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MoveSession {
    /// The project to belong to; `null` for none.
    #[serde(alias = "project", deserialize_with = "Option::deserialize")]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub project_id: Option<ProjectId>,
}

/// The body of `POST /api/sessions/:id/duplicate`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct DuplicateSession {
    /// The new session's name; without it one that tells of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub name: Option<String>,
    /// The terminal's columns; without them those of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 2, maximum = 1000))]
    pub cols: Option<u16>,
    /// The terminal's rows; without them those of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 500))]
    pub rows: Option<u16>,
}

/// The body of `POST /api/sessions/:id/fork`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ForkSession {
    /// The last entry to take over; without it the head.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1))]
    pub seq: Option<Seq>,
    /// The new session's name; without it one that tells of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub name: Option<String>,
    /// The terminal's columns; without them those of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 2, maximum = 1000))]
    pub cols: Option<u16>,
    /// The terminal's rows; without them those of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 500))]
    pub rows: Option<u16>,
}

/// The answer to a change of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// Always true.
    pub success: bool,
    /// The session as it is now.
    pub session: SessionSummary,
}

/// A project: a named folder that sessions belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// For people.
    pub name: String,
    /// Where its sessions start.
    pub directory: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// How many sessions belong to it.
    pub sessions: usize,
}

/// The body of `POST /api/projects`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CreateProject {
    /// For people; not empty.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub name: String,
    /// Where its sessions start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
}

/// The body of `PATCH /api/projects/:id`: what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ChangeProject {
    /// The new name; not empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub name: Option<String>,
    /// The new folder; empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
}

/// The answer to `GET /api/projects`, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProjectList {
    /// All projects.
    pub projects: Vec<Project>,
}

/// The answer to a change of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProjectChanged {
    /// Always true.
    pub success: bool,
    /// The project as it is now, or as it last was.
    pub project: Project,
}

/// The body of `POST /api/session/:id/prompt` (seed 000 §4.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Prompt {
    /// What is typed, followed by Enter; at most 64 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, required, min_length = 1))]
    pub command: Option<String>,
    /// Files that it speaks of; they show up among the session's context files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Vec<String>>,
}

/// The answer to a prompt that was typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Prompted {
    /// Always true.
    pub success: bool,
    /// The session.
    pub session_id: SessionId,
    /// `Command sent`.
    pub message: String,
    /// Milliseconds since 1970.
    pub timestamp: u64,
}

/// The answer to `GET /api/session/:id/context`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SessionContext {
    /// The session.
    pub session_id: SessionId,
    /// The files.
    pub context: Vec<ContextFile>,
    /// Milliseconds since 1970.
    pub timestamp: u64,
}

/// A file that a session works with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ContextFile {
    /// Absolute.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Milliseconds since 1970.
    pub modified: u64,
    /// Why it is here.
    pub source: ContextSource,
}

/// Why a file is among a session's context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ContextSource {
    /// A prompt named it.
    Prompt,
    /// Agents read it by convention, as `AGENTS.md`.
    Folder,
}

/// The answer to `GET /api/session/:id/events/status` (seed 000 §3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct EventsStatus {
    /// The session.
    pub session_id: SessionId,
    /// Event streams that are open now.
    pub active_connections: usize,
    /// Milliseconds since 1970.
    pub timestamp: u64,
}

/// The answer to `POST /api/tickets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// For one `?ticket=`, with what the caller's token allows.
    pub ticket: String,
    /// How long it is valid.
    pub expires_in_ms: u64,
}

/// The data of the `sessions` event of `GET /api/events`: the first on each connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// All sessions, newest first.
    pub sessions: Vec<SessionSummary>,
    /// All projects, by name.
    pub projects: Vec<Project>,
}

/// The answer to `DELETE /api/session/:id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// Always true.
    pub success: bool,
    /// `Session deleted`.
    pub message: String,
    /// The session that was.
    pub session_id: SessionId,
}

/// The answer to `GET /healthz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `ok`, or `degraded` while nothing can be stored.
    pub status: String,
    /// Whether what sessions put out is stored.
    pub storing: bool,
    /// The relay's version.
    pub version: String,
}

/// The body of every answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
    /// What an id must be, if this one is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}
