//! The fields of events about agents and approvals. Each event is an upsert by its id: absent
//! fields leave what an earlier event said.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agent::approval::{ApprovalDecision, ApprovalState};
use crate::agent::content::{
    AgentCommand, AgentOption, ContentBlock, LoginMethod, MessageRole, PlanEntry, ToolContent,
    ToolLocation, ToolStatus,
};
use crate::agent::prompt::{Prompt, TurnError, TurnState, TurnUsage};
use crate::id::{ApprovalId, TurnId};

/// The state of a session's agent, or of a program that reports one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentState {
    /// `idle`, `working`, `waiting` (for an approval), `error`, or a program's own.
    pub value: String,
    /// The tool that is running.
    #[serde(default)]
    pub tool: Option<String>,
}

/// An agent, and whether it is ready.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentInfo {
    /// `starting`, `ready`, `needs-login`, `exited` or `failed`; empty if it is unchanged.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub phase: String,
    /// A sentence for the user, in the last three.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Its name, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The version of its program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version of the protocol that it speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u64>,
    /// The title that it gives the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// True if it takes images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes_images: Option<bool>,
    /// True if it can be loaded again after it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_resume: Option<bool>,
    /// True if this version of it was last seen to ask before it changed a file, false if it did
    /// not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asks: Option<bool>,
    /// The ways to log in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub login: Vec<LoginMethod>,
}

/// A turn, by `turnId`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentTurn {
    /// Its id.
    pub turn_id: TurnId,
    /// Its state.
    pub state: TurnState,
    /// The prompt, without the data of images; in the first event, and when it was edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Prompt>,
    /// Who sent the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why the agent stopped, in its own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// The tokens used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<TurnUsage>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<TurnError>,
    /// The turn that it retries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<TurnId>,
    /// True if a part of the prompt is missing, because the event would be too large.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A piece of an image of a turn's prompt. The images follow the turn's `queued` event in order, each
/// in one or more pieces, and again when the prompt's images were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentImage {
    /// The turn.
    pub turn_id: TurnId,
    /// The place of the image in the prompt, from 0.
    pub image: usize,
    /// The number of images that the prompt has.
    pub images: usize,
    /// The place of the piece in the image, from 0.
    #[serde(default)]
    pub piece: usize,
    /// The media type of the image.
    #[serde(default)]
    pub mime_type: String,
    /// A piece of the image in base64. All pieces together are the whole text.
    #[serde(default)]
    pub data: String,
    /// True if the image is continued in the next piece.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// The order of the queued prompts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentQueue {
    /// Their turns, next first.
    pub order: Vec<TurnId>,
}

/// A message, by `messageId`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentMessage {
    /// Its id, unique in the session.
    pub message_id: String,
    /// The turn that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<TurnId>,
    /// Who speaks.
    pub role: MessageRole,
    /// Text that follows what was said so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<String>,
    /// All of its content, which replaces what was said so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Vec<ContentBlock>>,
    /// The tool call of the sub-agent that speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// True if content is missing, because the event would be too large.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A tool call, by `toolCallId`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentTool {
    /// Its id, unique in the session.
    pub tool_call_id: String,
    /// The turn that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<TurnId>,
    /// What it does, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The kind of tool: `read`, `edit`, `delete`, `move`, `search`, `execute`, `think`, `fetch`,
    /// `switch_mode`, `other`, or the agent's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ToolStatus>,
    /// The places in files that it works on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locations: Option<Vec<ToolLocation>>,
    /// All that it has produced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Vec<ToolContent>>,
    /// Its input, as the agent gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Its output, as the agent gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// The tool call of the sub-agent that makes this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// True if content, input or output are missing, because the event would be too large.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// The agent's plan, which replaces the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentPlan {
    /// Its steps, in order.
    #[serde(default)]
    pub entries: Vec<PlanEntry>,
}

/// The settings of the agent, which replace those before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentConfig {
    /// The settings, in the agent's order.
    #[serde(default)]
    pub options: Vec<AgentOption>,
}

/// The commands of the agent, which replace those before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCommands {
    /// The commands, in the agent's order.
    #[serde(default)]
    pub commands: Vec<AgentCommand>,
}

/// How much of the model's context and of the user's money the agent has used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentUsage {
    /// Tokens in the context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// Tokens that fit into the context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The cost so far, as text, such as `0.42`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// The currency of the cost, such as `USD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// The files that the agent has changed, and that nobody has kept or reverted. It replaces the one
/// before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentChanges {
    /// The turn whose end was reached; absent if changes were kept or reverted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<TurnId>,
    /// The number of files.
    pub files: usize,
    /// The number of lines that were added in all of them that are text.
    pub added: usize,
    /// The number of lines that were removed.
    pub removed: usize,
    /// True if changes may be missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}

/// What will follow from the requests that the session's host has not carried out, as far as it can
/// be foreseen. It replaces the one before; empty if nothing waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentPending {
    /// The turns that will be new or changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<AgentTurn>,
    /// The order of the queued prompts, next first, if it will change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<TurnId>,
    /// The decisions that are not delivered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalConfirmed>,
}

impl AgentPending {
    /// Returns true if nothing waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        let Self { turns, order, approvals } = self;
        turns.is_empty() && order.is_empty() && approvals.is_empty()
    }
}

/// An update of the agent that this version does not know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentUpdate {
    /// The update, as the agent sent it.
    #[serde(default)]
    pub update: Value,
}

/// A decision that reached whoever asked for it, unless a later event says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalConfirmed {
    /// The approval.
    pub approval_id: ApprovalId,
    /// True if what was asked for is allowed.
    pub approved: bool,
    /// The command to run instead, if it was changed.
    #[serde(default)]
    pub custom_command: Option<String>,
    /// The decision in full.
    #[serde(default)]
    pub decision: ApprovalDecision,
}

/// An approval that nobody decided in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalExpired {
    /// The approval.
    pub approval_id: ApprovalId,
}

/// A change of an approval's state that has no event of its own: `seen`, `done`, `withdrawn`,
/// `undelivered`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalProgress {
    /// The approval.
    pub approval_id: ApprovalId,
    /// Its new state.
    pub state: ApprovalState,
    /// Who has seen it, or why it was withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
