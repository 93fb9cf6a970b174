//! Updates of version 2 of the protocol, which is a preview.

use moorline_shared::agent::content::MessageRole;
use serde_json::{Value, json};

use super::content::{block, id, plan, tool, tool_content};
use super::v1::{chunk, shared_news};
use super::{AcpVersion, AgentNews, RpcError, line, list, terminal, text, turn_usage};

/// Reads an update; `None` if it is of an unknown kind, or lacks what its kind needs.
pub(super) fn news(update: &Value) -> Option<AgentNews> {
    let kind = update.get("sessionUpdate")?.as_str()?;
    match kind {
        "user_message_chunk" => chunk(MessageRole::User, update),
        "agent_message_chunk" => chunk(MessageRole::Agent, update),
        "agent_thought_chunk" => chunk(MessageRole::Thought, update),
        "user_message" => message(MessageRole::User, update),
        "agent_message" => message(MessageRole::Agent, update),
        "agent_thought" => message(MessageRole::Thought, update),
        "tool_call_update" => Some(AgentNews::Tool(tool(AcpVersion::V2, update)?.into())),
        "tool_call_content_chunk" => Some(AgentNews::ToolChunk {
            tool_call_id: id(update, "toolCallId")?,
            content: tool_content(AcpVersion::V2, update.get("content")?),
        }),
        "terminal_update" => terminal::update(update).map(AgentNews::Terminal),
        "terminal_output_chunk" => terminal::chunk(update).map(AgentNews::Terminal),
        "plan_update" => plan_update(update.get("plan")?),
        "plan_removed" => Some(AgentNews::Plan(Vec::new())),
        "state_update" => state(update),
        "replay_complete" => Some(AgentNews::Replayed),
        kind => shared_news(kind, update),
    }
}

fn message(role: MessageRole, update: &Value) -> Option<AgentNews> {
    let message_id = id(update, "messageId")?;
    let content = match update.get("content") {
        None => None,
        Some(Value::Null) => Some(Vec::new()),
        Some(content) => Some(content.as_array()?.iter().map(block).collect()),
    };
    Some(AgentNews::Message { role, message_id, content })
}

/// Reads a plan. One in Markdown becomes a plan of one step.
fn plan_update(value: &Value) -> Option<AgentNews> {
    let entries = match list(value, "entries") {
        Some(entries) => plan(entries),
        None => plan(&[json!({ "content": text(value, "content")? })]),
    };
    Some(AgentNews::Plan(entries))
}

fn state(update: &Value) -> Option<AgentNews> {
    match update.get("state")?.as_str()? {
        "running" => Some(AgentNews::Running),
        "idle" => {
            let error = update.get("error").filter(|error| error.is_object()).map(|error| {
                let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
                RpcError::new(code, line(error, "message").unwrap_or_default())
            });
            let (stop_reason, usage) = (line(update, "stopReason"), turn_usage(update));
            Some(AgentNews::Idle { stop_reason, error, usage })
        }
        // The question itself tells it.
        "requires_action" => Some(AgentNews::Nothing),
        _ => None,
    }
}
