//! Requests of clients that are answered once what they ask for is stored.

use serde::{Deserialize, Serialize};

use crate::id::{ApprovalId, TurnId};
use crate::rest::{DecideApproval, SendPrompt};

/// Queues a prompt for the session's agent. Its repetition with the same turn changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromptMessage {
    /// The number that the answer repeats.
    pub request: u64,
    /// The id of the new turn, which the client chooses.
    pub turn_id: TurnId,
    /// The prompt.
    pub prompt: SendPrompt,
}

/// Decides about an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecideMessage {
    /// The number that the answer repeats.
    pub request: u64,
    /// The approval.
    pub approval_id: ApprovalId,
    /// The decision.
    pub decision: DecideApproval,
}

/// Stops the turn that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CancelMessage {
    /// The number that the answer repeats.
    pub request: u64,
    /// The turn to stop; by default the one that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<TurnId>,
    /// True to end the agent's process, if it does not stop by itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoneMessage {
    /// The number of the request.
    pub request: u64,
    /// Why it was refused: a code of the REST API, or `read_only`. `None` if it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence for the user that says what to do, if it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
