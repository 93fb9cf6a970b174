//! The bodies of the REST API.

mod agent;
mod audit;
mod changes;
mod files;
mod hosts;
mod metrics;
mod operations;
mod passkeys;
mod pods;
mod projects;
mod push;
mod terminal;
mod tmux;
mod tokens;
mod workspace;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agent::prompt::PromptImage;
use crate::agent::spec::AgentSpec;
use crate::event::Activity;
#[cfg(feature = "openapi")]
use crate::fold::ApprovalEntry;
use crate::id::{Epoch, HostId, ProjectId, Seq, SessionId, TurnId, WorkspaceId};
use crate::pod::{PodPhase, PodSpec};
use crate::session::{ExitReason, ForkedFrom, Lifecycle};
use crate::tmux::TmuxSpec;
pub use crate::workspace::{WorkspaceFile, WorkspaceTree};
pub use agent::{
    ActionAccepted, AgentOverview, ApprovalCard, ApprovalCards, ChangePrompt, ConfigureAgent,
    DecideApproval, LogInAgent, PromptList, SessionApprovals, StopTurn,
};
pub use audit::{AuditEvent, AuditKind, AuditList};
pub use changes::{ChangesSettled, SessionChangeList, SettleChanges};
pub use files::FileMatches;
pub use hosts::{HostAgents, HostList, HostSummary, MissingDriver, RuleList};
pub use metrics::{DebugMetrics, EventBusMetrics, SseMetrics, StoreMetrics};
pub use operations::{ExecuteOperations, OperationsDone, OperationsPreviewed, PreviewOperations};
pub use passkeys::{
    AddPasskey, LogInByPasskey, NewPasskey, NewPasskeyResponse, PasskeyAdded, PasskeyAlgorithm,
    PasskeyAssertion, PasskeyCreation, PasskeyDescriptor, PasskeyList, PasskeyRelay,
    PasskeyRequest, PasskeySelection, PasskeySummary, PasskeyUser,
};
pub use pods::HostPods;
pub use projects::{ChangeProject, CreateProject, Project, ProjectChanged, ProjectList};
pub use push::{PushKey, PushKeys, PushSubscribed, SubscribePush};
pub use terminal::{
    CreateTerminal, CreatedTerminal, Done, OutputPiece, TerminalInput, TerminalOutput,
};
pub use tmux::{HostTmux, SessionTmux};
pub use tokens::{
    ChangeToken, CreateToken, LoggedOut, LoginStatus, TokenChanged, TokenCreated, TokenList,
    TokenSummary,
};
pub use workspace::{
    CreateWorkspace, FilesChanged, FilesChangedEvent, FilesConflictEvent, RenameFile,
    RenameWorkspace, WorkspaceChanged, WorkspaceDetails, WorkspaceList, WorkspaceSummary,
};

/// The body of `POST /api/sessions`. Every field may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct CreateSession {
    /// The session's id, if the caller chooses it; ids that are taken are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The program and its arguments; the user's login shell by default. With the driver `agent`, a
    /// program that speaks the Agent Client Protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_items = 1))]
    pub command: Option<Vec<String>>,
    /// The folder to start in; by default the project's, or else the user's home.
    #[serde(skip_serializing_if = "Option::is_none", alias = "workingDir")]
    pub cwd: Option<String>,
    /// Environment variables, in addition to the host's own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The name to display.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub name: Option<String>,
    /// The project that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    /// The name of the driver that runs it; `pty` by default, `agent` with an
    /// `agent`, `tmux` with a `tmux`, and `kubernetes` with a `pod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The agent, for a session of the driver `agent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentSpec>,
    /// The pane to open or to create, for a session of the driver `tmux`. Then `cols`, `rows` and
    /// `command` only count if a tmux session is created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tmux: Option<TmuxSpec>,
    /// The workspace whose files it works with: they are in its folder before it starts, and what
    /// changes there is back in the workspace within a second. Without `cwd`, the host makes a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
    /// The pod to start, for a session of the driver `kubernetes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodSpec>,
    /// The host to run it on; by default the relay's own, or else the one that is connected.
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
    /// The id of the new session.
    pub session_id: SessionId,
    /// The new session, in the form of the list.
    pub session: SessionSummary,
    /// The point that it was forked from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<ForkedFrom>,
}

/// The answer to `GET /api/sessions`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SessionList {
    /// The sessions that match, newest first, up to the size of a page.
    pub sessions: Vec<SessionSummary>,
    /// The number of sessions that match.
    pub total: usize,
    /// The `cursor` of the next page; `None` on the last.
    pub next_cursor: Option<String>,
}

/// One session in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SessionSummary {
    /// The session's id.
    pub session_id: SessionId,
    /// The name to display; if it was given none, one made from its command and folder.
    pub name: String,
    /// True if the session was given its name.
    #[serde(default)]
    pub named: bool,
    /// The project that it belongs to.
    pub project: Option<ProjectId>,
    /// The name of the driver that runs it.
    pub driver: String,
    /// The host that runs it.
    #[serde(default)]
    pub host: Option<HostId>,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The shell's current folder if the shell reports it; otherwise the folder that it started in.
    pub cwd: Option<String>,
    /// The lifecycle of the session.
    pub lifecycle: Lifecycle,
    /// The activity of the session.
    pub status: Activity,
    /// The command line that is running, if the shell reports it.
    pub running: Option<String>,
    /// The exit code of the last command, if the shell reports it.
    pub last_exit_code: Option<i32>,
    /// The exit code, if the process exited by itself.
    pub exit_code: Option<i32>,
    /// The signal's name, if the process was killed.
    pub exit_signal: Option<String>,
    /// The reason of an end without code and signal, such as a pane that was closed in tmux.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_reason: Option<ExitReason>,
    /// When the session was created, as RFC 3339.
    pub created_at: String,
    /// When there was last output or input, as RFC 3339.
    pub last_activity: String,
    /// The number of clients that follow it now.
    pub clients: usize,
    /// Its agent, or the state that a program of it has reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentOverview>,
    /// The pane that it shows, in a session of the driver `tmux`: `session` is the name of the tmux
    /// session that the pane was in when its log reported that last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tmux: Option<TmuxSpec>,
    /// The workspace that its folder is in sync with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
    /// The phase of its pod, as the log has last told it, in a session of the driver `kubernetes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_phase: Option<PodPhase>,
}

/// The answer to `GET /api/session/:id/status` (seed 000 §4.1, plus facts from the log).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SessionDetails {
    /// The session, in the form of the list.
    #[serde(flatten)]
    pub summary: SessionSummary,
    /// The name of the session's driver.
    pub mode: String,
    /// The id of the session's process, if it runs on this machine.
    pub pid: Option<u32>,
    /// Milliseconds since the session was created.
    pub uptime: u64,
    /// The epoch of the log.
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
    /// The new name; empty to remove it.
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub name: String,
}

/// The body of `POST /api/sessions/:id/move`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MoveSession {
    /// The project to move to; `null` for none.
    #[serde(alias = "project", deserialize_with = "Option::deserialize")]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub project_id: Option<ProjectId>,
}

/// The body of `POST /api/sessions/:id/duplicate`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct DuplicateSession {
    /// The new session's name; by default one made from the original's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub name: Option<String>,
    /// The terminal's columns; by default those of the original.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 2, maximum = 1000))]
    pub cols: Option<u16>,
    /// The terminal's rows; by default those of the original.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 500))]
    pub rows: Option<u16>,
}

/// The body of `POST /api/sessions/:id/fork`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ForkSession {
    /// The last entry to take over; the head by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1))]
    pub seq: Option<Seq>,
    /// The new session's name; by default one made from the original's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub name: Option<String>,
    /// The terminal's columns; by default those of the original.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 2, maximum = 1000))]
    pub cols: Option<u16>,
    /// The terminal's rows; by default those of the original.
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
    /// The session after the change.
    pub session: SessionSummary,
}

/// The body of `POST /api/session/:id/prompt` (seed 000 §4.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct SendPrompt {
    /// The text to type, followed by Enter; at most 64 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, required, min_length = 1))]
    pub command: Option<String>,
    /// The files that the prompt refers to; they are listed among the session's context files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Vec<String>>,
    /// Images, for a session of the driver `agent`; at most 200 KiB together with the text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<PromptImage>,
    /// True if the prompt is for the turn that runs now, if the agent can take it. Otherwise it is
    /// queued.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub steer: bool,
}

/// The answer to a prompt that was typed, or queued for an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Prompted {
    /// Always true.
    pub success: bool,
    /// The session that the prompt was typed into.
    pub session_id: SessionId,
    /// Always `Command sent`.
    pub message: String,
    /// When it was typed or queued, in milliseconds since 1970.
    pub timestamp: u64,
    /// The turn that it began, in a session of an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<TurnId>,
    /// True if it is queued for an agent: it is stored, and reaches the agent even if the host is
    /// away now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub queued: bool,
}

/// The answer to `GET /api/session/:id/context`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SessionContext {
    /// The session that works with the files.
    pub session_id: SessionId,
    /// The files that the session works with.
    pub context: Vec<ContextFile>,
    /// When they were listed, in milliseconds since 1970.
    pub timestamp: u64,
}

/// A file that a session works with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ContextFile {
    /// The absolute path.
    pub path: String,
    /// The size in bytes.
    pub size: u64,
    /// When the file was last modified, in milliseconds since 1970.
    pub modified: u64,
    /// The reason why it is listed.
    pub source: ContextSource,
}

/// The reason why a file belongs to a session's context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ContextSource {
    /// A prompt named the file.
    Prompt,
    /// Agents read the file by convention, such as `AGENTS.md`.
    Folder,
}

/// The answer to `GET /api/session/:id/events/status` (seed 000 §3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct EventsStatus {
    /// The session whose event streams are counted.
    pub session_id: SessionId,
    /// The number of event streams that are open now.
    pub active_connections: usize,
    /// When they were counted, in milliseconds since 1970.
    pub timestamp: u64,
}

/// The answer to `POST /api/tickets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// The secret for one `?ticket=`; it allows the same as the caller's token.
    pub ticket: String,
    /// Milliseconds for which the ticket is valid.
    pub expires_in_ms: u64,
}

/// The data of the `sessions` event of `GET /api/events`, which comes first on each connection.
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
    /// Always `Session deleted`.
    pub message: String,
    /// The session that was deleted.
    pub session_id: SessionId,
}

/// The answer to `GET /healthz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `ok`, or `degraded` while nothing can be stored.
    pub status: String,
    /// True if the output of sessions is being stored.
    pub storing: bool,
    /// The relay's version.
    pub version: String,
}

/// The body of every answer that reports an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// A sentence for the user, in the seed's wording: `Session not found`.
    pub error: String,
    /// A stable code for programs, such as `not_found`.
    pub code: String,
    /// A sentence that says what to do, if there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The requested session, as the caller gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The pattern of a valid id, if the given one is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The approval as it was decided, if somebody else decided first. Few clients read it, so it is
    /// not parsed here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ApprovalEntry>))]
    pub approval: Option<Box<Value>>,
    /// The file of a workspace as it is, if the request has not seen it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Box<WorkspaceFile>>,
}
