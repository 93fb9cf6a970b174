//! The words of the Agent Client Protocol: writes what is said to an agent, and reads what it says
//! into the types of `moorline_shared::agent`.
//!
//! Only this module knows the names of methods and fields. Two versions of the protocol are spoken,
//! each in a module of its own: [`v1`] and [`v2`]. The host asks for the newest that it speaks, and
//! speaks the one that the agent answers with.
//!
//! Reading is lenient, because agents differ and the protocol moves: each part of an update is read
//! on its own, a part of the wrong form counts as absent, and an update of an unknown kind is kept
//! as it is ([`AgentNews::Unknown`]). That is why the types of the crate
//! `agent-client-protocol-schema` are not used: those of version 1 are closed enums, so that one
//! unknown word loses the whole message. It also turns on serde_json's `preserve_order` for
//! everything that is built together with it, and with that changes the order of fields in what a
//! relay stores and passes on.

mod content;
mod diff;
mod form_order;
mod opening;
mod options;
mod permission;
mod prompt;
mod services;
mod terminal;
mod v1;
mod v2;

use moorline_shared::agent::content::{
    AgentCommand, ContentBlock, MessageRole, PlanEntry, ToolContent,
};
use moorline_shared::agent::prompt::TurnUsage;
use moorline_shared::event::{AgentTool, AgentUsage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rpc::RpcError;

pub(super) use content::{block_text, hash_of};
pub(super) use form_order::form_order;
pub(super) use opening::{
    AgentAbilities, OpenedSession, cancel, close, hello, initialize, log_in, quoted,
};
pub(super) use options::{OfferedOption, OptionSetter, offered, set_option};
pub(super) use permission::{
    AskedForm, AskedPermission, form, form_answer, permission, permission_answer,
};
pub(super) use prompt::{prompt_blocks, prompt_request, text_block};
pub use services::{ServiceAnswer, ServiceRequest};
pub(super) use services::{hung_up, service, service_answer};
pub(super) use terminal::{TerminalBytes, TerminalNews, terminal_of};
pub(super) use v1::commands;

/// The version of the protocol that an agent speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum AcpVersion {
    /// Version 1.
    #[default]
    V1,
    /// Version 2, a preview.
    V2,
}

/// The newest version that the host speaks, which it asks for.
pub(super) const NEWEST: u64 = 2;
/// The oldest version that it speaks.
pub(super) const OLDEST: u64 = 1;

/// Most bytes of a name or a sentence.
const LINE_BYTES: usize = 1024;

/// The methods that requests and notifications of an agent name.
pub(super) mod method {
    pub(in super::super) const UPDATE: &str = "session/update";
    pub(in super::super) const PERMISSION: &str = "session/request_permission";
    pub(in super::super) const ELICITATION: &str = "elicitation/create";
    pub(in super::super) const CANCEL_REQUEST: &str = "$/cancel_request";
}

/// A request to an agent: its method and parameters.
pub(super) type AgentCall = (&'static str, Value);

/// One thing that an agent reports.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum AgentNews {
    /// A piece of a message.
    Chunk {
        /// The speaker.
        role: MessageRole,
        /// The message, if the agent names it.
        message_id: Option<String>,
        /// The piece.
        content: ContentBlock,
    },
    /// All of a message's content, which replaces what was said so far.
    Message {
        /// The speaker.
        role: MessageRole,
        /// The message.
        message_id: String,
        /// The content; `None` if it is unchanged.
        content: Option<Vec<ContentBlock>>,
    },
    /// A tool call, or changes of one.
    Tool(Box<ToolNews>),
    /// One more piece of what a tool has produced.
    ToolChunk {
        /// The tool call.
        tool_call_id: String,
        /// The piece, which is several if it changes several parts of files.
        content: Vec<ToolContent>,
    },
    /// More output of a terminal of the agent's.
    Terminal(TerminalNews),
    /// The plan.
    Plan(Vec<PlanEntry>),
    /// The commands.
    Commands(Vec<AgentCommand>),
    /// The mode that the agent is in now.
    Mode(String),
    /// All settings.
    Options(Vec<OfferedOption>),
    /// The title of the session; `None` if it has none.
    Title(Option<String>),
    /// The context and money that were used.
    Usage(AgentUsage),
    /// The agent works on the session.
    Running,
    /// The agent waits for the next prompt.
    Idle {
        /// The reason why it stopped, in its own word.
        stop_reason: Option<String>,
        /// The error because of which it stopped.
        error: Option<RpcError>,
        /// The tokens that it has used.
        usage: Option<TurnUsage>,
    },
    /// The history that was asked for is complete.
    Replayed,
    /// An update of an unknown kind, as the agent sent it.
    Unknown(Value),
    /// An update that has no consequence.
    Nothing,
}

/// A tool call as an agent reports it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ToolNews {
    /// The fields that are known. Its id is never empty.
    pub(super) event: AgentTool,
    /// The BLAKE3 of each field that says what is done, as the agent sent it, by its name.
    pub(super) hashes: Vec<(&'static str, String)>,
}

/// Reads an update of a session.
pub(super) fn news(dialect: AcpVersion, update: Value) -> AgentNews {
    let read = match dialect {
        AcpVersion::V1 => v1::news(&update),
        AcpVersion::V2 => v2::news(&update),
    };
    read.unwrap_or(AgentNews::Unknown(update))
}

/// Returns the session that a message is about, if it names one.
pub(super) fn session_of(params: &Value) -> Option<&str> {
    params.get("sessionId")?.as_str()
}

/// Returns the text of a field.
fn text(value: &Value, name: &str) -> Option<String> {
    Some(value.get(name)?.as_str()?.to_owned())
}

/// Returns the text of a field that is a name or a sentence: the beginning, if it is longer.
fn line(value: &Value, name: &str) -> Option<String> {
    let text = value.get(name)?.as_str()?;
    Some(text[..text.floor_char_boundary(LINE_BYTES)].to_owned())
}

/// Returns the elements of a field; `None` if it is not a list.
fn list<'a>(value: &'a Value, name: &str) -> Option<&'a [Value]> {
    Some(value.get(name)?.as_array()?)
}

/// Returns true if a field marks a capability: it is there, and neither null nor false.
fn has(value: &Value, path: &[&str]) -> bool {
    let found = path.iter().try_fold(value, |value, name| value.get(name));
    found.is_some_and(|found| !matches!(found, Value::Null | Value::Bool(false)))
}

/// Returns the tokens that a turn has used, if an agent tells.
pub(super) fn turn_usage(answer: &Value) -> Option<TurnUsage> {
    let usage = answer.get("usage").filter(|usage| usage.is_object())?;
    let number = |name: &str| usage.get(name).and_then(Value::as_u64);
    Some(TurnUsage {
        input_tokens: number("inputTokens"),
        output_tokens: number("outputTokens"),
        total_tokens: number("totalTokens"),
    })
}

/// Returns the reason why an agent has stopped, in its own word.
pub(super) fn stop_reason(answer: &Value) -> Option<String> {
    line(answer, "stopReason")
}
