//! The fields of each kind of event. All are camelCase on the wire, the form that clients of the
//! seed's session API already know.

use serde::{Deserialize, Serialize};

use crate::agent::spec::AgentSpec;
use crate::id::{Epoch, Seq, SessionId};
use crate::operation::{Operation, OperationPreview, OperationResult};
use crate::session::{ExitReason, ForkedFrom};
use crate::tmux::TmuxSession;

/// The first event of an event stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connected {
    /// A sentence for the user.
    #[serde(default)]
    pub message: String,
    /// The epoch of the log.
    #[serde(default)]
    pub epoch: Epoch,
    /// The log's last entry when the stream opened.
    #[serde(default)]
    pub head: Seq,
    /// The oldest entry that is retained.
    #[serde(default)]
    pub tail: Seq,
    /// The entry after which the stream begins.
    #[serde(default)]
    pub from: Seq,
}

/// The range of requested entries that a stream cannot deliver.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// `trimmed` if they are no longer retained, `epoch` if the cursor belongs to another epoch.
    pub reason: String,
    /// The epoch of the log.
    #[serde(default)]
    pub epoch: Epoch,
    /// The first missing entry, for `trimmed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Seq>,
    /// The last missing entry, for `trimmed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Seq>,
}

/// The settings that a session was created with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionCreated {
    /// The name of its driver.
    pub mode: String,
    /// The folder that the session starts in.
    #[serde(default)]
    pub working_dir: String,
    /// The name that the user gave it, if any.
    #[serde(default)]
    pub name: Option<String>,
    /// The program and its arguments; empty for a shell.
    #[serde(default)]
    pub command: Vec<String>,
    /// The agent, in a session of the driver `agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentSpec>,
}

/// A piece of output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOutput {
    /// The number of its entry.
    #[serde(default)]
    pub seq: Seq,
    /// Always `stdout`: a terminal has one output stream.
    #[serde(default)]
    pub stream: String,
    /// `base64` if the content is base64; absent if it is plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// The output itself, as `encoding` says.
    #[serde(default)]
    pub content: String,
}

/// An error that the session reports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionError {
    /// A sentence for the user.
    #[serde(default)]
    pub error: String,
    /// A code for programs, if there is one, such as `PREVIEW_ERROR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// True if the session goes on, false if not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recoverable: Option<bool>,
}

/// The end of a session's log. It has no fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionDeleted {}

/// A prompt that was sent to the session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandSent {
    /// The prompt; a long one is cut off and ends in `...`.
    pub command: String,
}

impl CommandSent {
    /// Returns the event for a prompt, with its first 100 characters.
    #[must_use]
    pub fn of(prompt: &str) -> Self {
        let mut command: String = prompt.chars().take(100).collect();
        if command.len() < prompt.len() {
            command.push_str("...");
        }
        Self { command }
    }
}

/// Operations that a text contains, as they were previewed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationsDetected {
    /// The operations, in order.
    pub operations: Vec<OperationPreview>,
    /// The text.
    #[serde(default)]
    pub response: String,
    /// True if the event would be too large: content, diffs, or the end of the text are missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// The results of operations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationsExecuted {
    /// The results, in the order of the operations.
    pub results: Vec<OperationResult>,
    /// True if the event would be too large: results at the end are missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// Operations that could not be executed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationsError {
    /// A sentence for the user.
    pub error: String,
    /// A stable code for programs, such as `no_folder`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The operations, without the content of files.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// True if the event would be too large: operations at the end are missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A terminal that was opened beside the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TerminalCreated {
    /// The session that runs the terminal.
    pub terminal_id: SessionId,
    /// The folder that the terminal starts in, if the relay knows it.
    #[serde(default)]
    pub working_dir: Option<String>,
    /// The requested mode, or else the driver.
    #[serde(default)]
    pub mode: String,
}

/// A terminal beside the session that was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TerminalClosed {
    /// The session that ran the terminal.
    pub terminal_id: SessionId,
}

/// The point at which a copied log ends and the session's own entries begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionForked {
    /// The last entry of the original log that both logs have.
    pub from: ForkedFrom,
}

/// A session's activity in one word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Activity {
    /// A command runs, or it is unknown what runs.
    #[default]
    Running,
    /// The shell waits for a command.
    Idle,
    /// The session's process ended.
    Exited,
    /// The process is gone, and its exit status is unknown.
    Error,
}

impl Activity {
    /// Returns the name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Idle => "idle",
            Self::Exited => "exited",
            Self::Error => "error",
        }
    }
}

/// A session's activity in detail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The activity in one word.
    pub status: Activity,
    /// The id of the session's process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Milliseconds since the process was started.
    #[serde(default)]
    pub uptime: u64,
    /// The shell's current folder, if the shell reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The exit code of the last command, if the shell reports it; once the process has exited, its
    /// exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended the process, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The reason of an end without code and signal, such as a pane that was closed in tmux.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ExitReason>,
    /// The command that is running, if the shell reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// The windows and panes of the tmux session that a pane's session is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TmuxLayout {
    /// The pane that the session shows.
    pub pane: String,
    /// The tmux session.
    pub session: TmuxSession,
}
