//! The fields of each kind of event. All travel in camelCase, as seed clients know them from the session
//! API's events.

use serde::{Deserialize, Serialize};

use crate::id::{Epoch, Seq, SessionId};
use crate::session::ForkedFrom;

/// How an event stream begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connected {
    /// A sentence for people.
    #[serde(default)]
    pub message: String,
    /// The log's epoch.
    #[serde(default)]
    pub epoch: Epoch,
    /// The log's last entry when the stream was opened.
    #[serde(default)]
    pub head: Seq,
    /// The oldest entry that is retained.
    #[serde(default)]
    pub tail: Seq,
    /// The entry after which the stream begins.
    #[serde(default)]
    pub from: Seq,
}

/// Entries that a stream does not bring though they were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// `trimmed`: they are not retained. `epoch`: the cursor was of another life of the log.
    pub reason: String,
    /// The log's epoch.
    #[serde(default)]
    pub epoch: Epoch,
    /// The first missing entry, if they were trimmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Seq>,
    /// The last missing entry, if they were trimmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Seq>,
}

/// What a session was created with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionCreated {
    /// The driver.
    pub mode: String,
    /// The folder that it begins in.
    #[serde(default)]
    pub working_dir: String,
    /// The name that the user gave it, if any.
    #[serde(default)]
    pub name: Option<String>,
    /// Program and arguments; empty for a shell.
    #[serde(default)]
    pub command: Vec<String>,
}

/// A piece of output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOutput {
    /// The entry.
    #[serde(default)]
    pub seq: Seq,
    /// `stdout`: a terminal has one stream.
    #[serde(default)]
    pub stream: String,
    /// `base64` if the content is encoded so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// The output.
    #[serde(default)]
    pub content: String,
}

/// Something that went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionError {
    /// A sentence for people.
    #[serde(default)]
    pub error: String,
}

/// The end of a session's log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionDeleted {}

/// A prompt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandSent {
    /// The prompt, or its beginning and `...`.
    pub command: String,
}

/// A terminal that was opened beside the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TerminalCreated {
    /// The terminal's session.
    pub terminal_id: SessionId,
    /// The folder that it begins in, if the relay knows it.
    #[serde(default)]
    pub working_dir: Option<String>,
    /// The mode that was asked for, else the driver.
    #[serde(default)]
    pub mode: String,
}

/// A terminal beside the session that was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TerminalClosed {
    /// The terminal's session.
    pub terminal_id: SessionId,
}

/// Where a copy of a log ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionForked {
    /// The other log's last entry that both have.
    pub from: ForkedFrom,
}

/// What a session does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Activity {
    /// A command runs, or nothing is known of what runs.
    #[default]
    Running,
    /// The shell waits for a command.
    Idle,
    /// The process ended.
    Exited,
    /// The process is gone, and how it ended is not known.
    Error,
}

impl Activity {
    /// The name on the wire.
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

/// What a session does, in detail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// In one word.
    pub status: Activity,
    /// The session's process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Milliseconds since the process was started.
    #[serde(default)]
    pub uptime: u64,
    /// The shell's folder, if the shell reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The exit code of the last command, if the shell reports it; of the process, once it has exited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The command that runs, if the shell reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}
