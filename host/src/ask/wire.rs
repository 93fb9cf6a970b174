//! The messages on the socket: one JSON object a line.
//!
//! A connection carries one [`LocalRequest`]. [`LocalRequest::State`] and [`LocalRequest::Rules`]
//! are answered by one [`LocalReply`]. [`LocalRequest::Ask`] is answered by [`LocalReply::Asked`],
//! and then by the outcome. A client that gets [`LocalReply::Decided`] writes
//! [`LocalFollowUp::Received`] before it acts: a client that cannot has no decision. A connection
//! that closes before that withdraws the question.

use moorline_shared::agent::approval::{ApprovalDecision, ApprovalKind};
use moorline_shared::agent::content::KnownToolContent;
use moorline_shared::agent::rule::{ApprovalRule, RulesQuestion};
use moorline_shared::id::{ApprovalId, SessionId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The first line of a connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum LocalRequest {
    /// Asks for an approval.
    Ask {
        /// The session that the program belongs to.
        session: SessionId,
        /// The session's key.
        key: String,
        /// The question.
        #[serde(flatten)]
        question: Box<LocalQuestion>,
    },
    /// Reports the state of the program.
    State {
        /// The session that the program belongs to.
        session: SessionId,
        /// The session's key.
        key: String,
        /// `idle`, `working`, `waiting`, `error`, or a word of the program's own.
        value: String,
        /// The tool that is running.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool: Option<String>,
    },
    /// Asks for the host's rules.
    Rules {
        /// The host's key.
        key: String,
        /// The question.
        question: RulesQuestion,
    },
}

/// A question of a program.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LocalQuestion {
    /// `command` or `tool`.
    pub kind: ApprovalKind,
    /// The command, or the use of the tool in one line.
    pub command: String,
    /// The reason, in a sentence.
    pub explanation: String,
    /// The kind of tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The agent that the program belongs to, such as `claude`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The absolute path of the folder in which it happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Time after which it expires, in milliseconds; 0 for never. Without it, five minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// The changes of files, and what else is to be shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<KnownToolContent>,
    /// The tool's input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
}

/// A later line of a client that asks for an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum LocalFollowUp {
    /// The client has the decision.
    Received,
    /// The client no longer waits.
    Withdraw {
        /// The reason, in a sentence.
        #[serde(default)]
        reason: String,
    },
}

/// A line of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum LocalReply {
    /// The question is recorded.
    Asked {
        /// The id of the approval.
        approval_id: ApprovalId,
    },
    /// It was decided.
    Decided {
        /// True if it is allowed.
        approved: bool,
        /// The command to run: the one that was asked for, or the one that replaces it.
        command: String,
        /// The decision in full.
        decision: Box<ApprovalDecision>,
    },
    /// Nobody decided in time.
    Expired,
    /// The session has ended, or the client has withdrawn the question.
    Withdrawn {
        /// The reason, in a sentence.
        reason: String,
    },
    /// The state is recorded.
    Done,
    /// The host's rules.
    Rules {
        /// The rules, oldest first.
        rules: Vec<ApprovalRule>,
    },
    /// The request is not accepted.
    Refused {
        /// A stable code: `bad_request`, `forbidden`, `not_found`, `no_such_rule`, `too_large`,
        /// `overloaded`, `internal`.
        code: String,
        /// A sentence for the user that says what to do.
        message: String,
    },
}
