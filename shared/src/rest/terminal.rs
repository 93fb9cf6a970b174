//! The bodies of `/api/terminal` (seed 000 §4.2).

use serde::{Deserialize, Serialize};

use crate::id::{Epoch, Seq, SessionId};
use crate::session::Lifecycle;

/// The body of `POST /api/terminal`. Every field may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct CreateTerminal {
    /// The folder to start in; by default the session's, or else the user's home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// The purpose of the terminal, which is recorded in the session's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub mode: Option<String>,
    /// The session that the terminal is opened beside.
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
pub struct CreatedTerminal {
    /// Always true.
    pub success: bool,
    /// The id of the terminal's session.
    pub terminal_id: SessionId,
}

/// The answer to `GET /api/terminal/:id/output`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TerminalOutput {
    /// Always true.
    pub success: bool,
    /// The terminal's session.
    pub terminal_id: SessionId,
    /// The output after `since`, about 1 MiB at most. Output that is no longer retained is left
    /// out.
    pub output: Vec<OutputPiece>,
    /// The `since` of the request.
    pub since: Seq,
    /// The `since` to send with the next request.
    pub next: Seq,
    /// The log's epoch. When it changes, `since` is void.
    pub epoch: Epoch,
    /// The state of the terminal's session, which says whether more output can come.
    pub lifecycle: Lifecycle,
}

/// A piece of output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OutputPiece {
    /// The number of its entry.
    pub index: Seq,
    /// Always `stdout`: a terminal has one output stream.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was output, in milliseconds since 1970 by the host's clock.
    pub timestamp: u64,
    /// The text. A character is never cut; bytes that are not UTF-8 become U+FFFD.
    pub content: String,
}

/// The body of `POST /api/terminal/:id/input`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct TerminalInput {
    /// The text to type, unchanged; at most 64 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, required, min_length = 1))]
    pub data: Option<String>,
}

/// The answer to a request that succeeded and returns nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// Always true.
    pub success: bool,
}
