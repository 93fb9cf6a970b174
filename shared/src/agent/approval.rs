//! Approvals: questions that wait for a person's decision.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::content::KnownToolContent;
use crate::id::{ApprovalId, TurnId};

/// The kind of question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalKind {
    /// A command is to be run. It may be changed before it is approved.
    Command,
    /// An agent is to use a tool.
    Tool,
    /// A form is to be filled in.
    Form,
    /// A kind that this version does not know.
    #[default]
    #[serde(other)]
    Other,
}

/// The meaning of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AnswerKind {
    /// Allow it this time.
    AllowOnce,
    /// Allow it until this session ends.
    AllowSession,
    /// Allow it from now on.
    AllowAlways,
    /// Do not allow it this time.
    RejectOnce,
    /// Do not allow it from now on.
    RejectAlways,
    /// A meaning that this version does not know. It allows nothing by itself.
    #[default]
    #[serde(other)]
    Other,
}

impl AnswerKind {
    /// Returns true if the answer allows what was asked for.
    #[must_use]
    pub const fn allows(self) -> bool {
        matches!(self, Self::AllowOnce | Self::AllowSession | Self::AllowAlways)
    }

    /// Returns true if the answer forbids what was asked for.
    #[must_use]
    pub const fn rejects(self) -> bool {
        matches!(self, Self::RejectOnce | Self::RejectAlways)
    }
}

/// One possible answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ApprovalOption {
    /// The id by which a decision names it.
    pub option_id: String,
    /// Its label.
    pub name: String,
    /// Its meaning.
    #[serde(default)]
    pub kind: AnswerKind,
}

/// Exactly what will be done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ApprovalSubject {
    /// The tool call, in sessions of agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// The kind of tool, such as `edit` or `execute`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The folder in which a command runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The changes of files, and what else the tool shows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub content: Vec<KnownToolContent>,
    /// The tool's input, as the agent gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
}

/// The state of an approval. It only moves forward.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalState {
    /// It was asked for.
    #[default]
    Requested,
    /// A person has it on screen.
    Seen,
    /// A decision is recorded, and on its way.
    Decided,
    /// Whoever asked has the decision.
    Delivered,
    /// What was allowed has been done, or has failed.
    Done,
    /// Nobody decided in time.
    Expired,
    /// Whoever asked no longer waits.
    Withdrawn,
    /// A decision is recorded, but whoever asked was gone before it arrived.
    Undelivered,
    /// A state that this version does not know.
    #[serde(other)]
    Other,
}

impl ApprovalState {
    /// Returns true if a decision is still awaited.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Requested | Self::Seen)
    }

    /// Returns true if this state may follow directly or after states that were not reported.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match next {
            Self::Requested | Self::Other => false,
            Self::Seen => matches!(self, Self::Requested),
            Self::Decided | Self::Expired | Self::Withdrawn => self.is_open(),
            Self::Delivered => self.is_open() || matches!(self, Self::Decided),
            Self::Done => matches!(self, Self::Delivered),
            Self::Undelivered => !matches!(self, Self::Delivered | Self::Done | Self::Undelivered),
        }
    }
}

/// A decision about an approval.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ApprovalDecision {
    /// True if what was asked for is allowed.
    pub approved: bool,
    /// The answer that was chosen; `None` for the usual one of its kind.
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
    /// Who decided: the label of a token, or `rule` with its id.
    pub by: String,
    /// When it was decided, in milliseconds since 1970.
    pub at: u64,
    /// The key of the request that decided, so that its repetition gets the same answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A question that waits for a decision: the fields of an `approval-request` event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRequest {
    /// Its id.
    pub approval_id: ApprovalId,
    /// What will be done, in one line: a command, or the title of a tool call.
    #[serde(default)]
    pub command: String,
    /// Why, in a sentence.
    #[serde(default)]
    pub explanation: String,
    /// When it expires, in milliseconds since 1970; `None` if it does not.
    #[serde(default)]
    pub expires_at: Option<u64>,
    /// Its kind.
    #[serde(default)]
    pub kind: ApprovalKind,
    /// The possible answers.
    #[serde(default)]
    pub options: Vec<ApprovalOption>,
    /// Exactly what will be done.
    #[serde(default)]
    pub subject: ApprovalSubject,
    /// The BLAKE3 of exactly what will be done, in hexadecimal. A decision that allows it names it.
    #[serde(default)]
    pub digest: String,
    /// The turn in which it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<TurnId>,
    /// The JSON schema of the form to fill in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Value>,
    /// The names of the form's fields in the order in which they are shown. Fields that are not named
    /// follow. JSON objects have no order of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub form_order: Vec<String>,
    /// The part of the agent that asks, if it is not the main one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// True if a part of what will be done is missing here, because it is too large: the command is
    /// cut in its middle, or a part of the content or the input is left out. The digest is that of
    /// the whole. A change of a file that has only the lines that differ lacks nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}
