//! The bodies of `/api/terminal` (seed 000 §4.2).

use serde::{Deserialize, Serialize};

use crate::id::{Epoch, Seq, SessionId};
use crate::session::Lifecycle;

/// The body of `POST /api/terminal`. Every field may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct CreateTerminal {
    /// The folder to start in; without it that of the session, else the user's home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// What it is for; the session's log tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub mode: Option<String>,
    /// The session that it is opened beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The terminal's columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 2, maximum = 1000))]
    pub cols: Option<u16>,
    /// The terminal's rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 500))]
    pub rows: Option<u16>,
}

/// The answer to `POST /api/terminal`. A terminal is a session of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TerminalCreated {
    /// Always true.
    pub success: bool,
    /// The session's id.
    pub terminal_id: SessionId,
}

/// The answer to `GET /api/terminal/:id/output`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TerminalOutput {
    /// Always true.
    pub success: bool,
    /// The terminal.
    pub terminal_id: SessionId,
    /// What it put out after `since`, about 1 MiB at most. Older output than is retained is left
    /// out.
    pub output: Vec<OutputPiece>,
    /// As it was asked for.
    pub since: Seq,
    /// What to ask for next.
    pub next: Seq,
    /// The log's incarnation: after another one `since` means nothing any more.
    pub epoch: Epoch,
    /// Whether more can come.
    pub lifecycle: Lifecycle,
}

/// Some output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OutputPiece {
    /// Its entry's number.
    pub index: Seq,
    /// `stdout`: a terminal has one output.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was put out, by the host's clock: milliseconds since 1970.
    pub timestamp: u64,
    /// The text. A character is never cut; what is no UTF-8 is U+FFFD.
    pub content: String,
}

/// The body of `POST /api/terminal/:id/input`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct TerminalInput {
    /// What is typed, as it is; at most 64 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, required, min_length = 1))]
    pub data: Option<String>,
}

/// The answer to what has no more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// Always true.
    pub success: bool,
}
