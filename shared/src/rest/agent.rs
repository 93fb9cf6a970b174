//! The bodies about agents: prompts, turns and approvals.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::agent::prompt::PromptImage;
use crate::fold::{ApprovalEntry, TurnEntry};
use crate::id::{SessionId, TurnId};

/// The state of a session's agent in a few words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct AgentOverview {
    /// The id of the agent, if the host knows it by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The state that it has reported: `idle`, `working`, `waiting`, `error`, or a program's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The tool that is running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The phase of the agent's process: `starting`, `ready`, `needs-login`, `exited` or `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The number of approvals that await a decision.
    pub approvals: usize,
    /// The number of prompts that are queued.
    pub queued: usize,
}

/// The answer to a request that is stored, and carried out once by the session's host. The host may
/// be away now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ActionAccepted {
    /// Always true.
    pub success: bool,
    /// The session.
    pub session_id: SessionId,
    /// The turn that the request is about, or that it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<TurnId>,
    /// When it was stored, in milliseconds since 1970.
    pub timestamp: u64,
}

/// The answer to `GET /api/session/:id/prompts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PromptList {
    /// The session.
    pub session_id: SessionId,
    /// The last turns that are over, the one that runs, then the queue, next first.
    pub turns: Vec<TurnEntry>,
}

/// The body of `PATCH /api/session/:id/prompts/:turnId`. Fields that are left out do not change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ChangePrompt {
    /// The new text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The new files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Vec<String>>,
    /// The new images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<Vec<PromptImage>>,
    /// The queued turn to move it in front of; `null` to move it to the end.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<TurnId>))]
    pub before: Option<Option<String>>,
}

/// Reads a field that differs from one that is left out even if it is null.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// The body of `POST /api/session/:id/stop`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct StopTurn {
    /// The turn to stop; by default the one that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<TurnId>))]
    pub turn_id: Option<String>,
    /// True to end the agent's process, if it does not stop by itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// The body of `POST /api/session/:id/config`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfigureAgent {
    /// The setting's id, from the event `agent-config`.
    #[cfg_attr(feature = "openapi", schema(min_length = 1))]
    pub option: String,
    /// Its new value.
    pub value: String,
}

/// The body of `POST /api/session/:id/login`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogInAgent {
    /// The id of the way to log in, from the event `agent-info`.
    #[cfg_attr(feature = "openapi", schema(min_length = 1))]
    pub method: String,
}

/// The answer to `GET /api/session/:id/approvals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SessionApprovals {
    /// The session.
    pub session_id: SessionId,
    /// The approvals, oldest first.
    pub approvals: Vec<ApprovalEntry>,
}

/// The body of `POST /api/session/:id/approvals/:approvalId`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct DecideApproval {
    /// True to allow what is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = bool, required))]
    pub approved: Option<bool>,
    /// The answer that was chosen, one of the approval's `options`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option_id: Option<String>,
    /// The command to run instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_command: Option<String>,
    /// The reason, which is told to whoever asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The answers to a form, by field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<Value>,
    /// The approval's `digest`, as it was shown. Required to allow something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// A key of the request: with the same key, its repetition gets the same answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// An open approval of one of many sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ApprovalCard {
    /// The session that asks.
    pub session_id: SessionId,
    /// Its name.
    pub session_name: String,
    /// The approval.
    #[serde(flatten)]
    pub approval: ApprovalEntry,
}

/// The answer to `GET /api/approvals`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApprovalCards {
    /// The open approvals, oldest first.
    pub approvals: Vec<ApprovalCard>,
}
