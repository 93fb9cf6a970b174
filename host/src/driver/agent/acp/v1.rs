//! Updates of version 1 of the protocol.

use moorline_shared::agent::content::{AgentCommand, MessageRole};
use moorline_shared::event::AgentUsage;
use serde_json::Value;

use super::content::{block, id, plan, tool};
use super::options::offered;
use super::{AcpVersion, AgentNews, line, list};

/// Reads an update; `None` if it is of an unknown kind, or lacks what its kind needs.
pub(super) fn news(update: &Value) -> Option<AgentNews> {
    let kind = update.get("sessionUpdate")?.as_str()?;
    match kind {
        "user_message_chunk" => chunk(MessageRole::User, update),
        "agent_message_chunk" => chunk(MessageRole::Agent, update),
        "agent_thought_chunk" => chunk(MessageRole::Thought, update),
        "tool_call" | "tool_call_update" => {
            Some(AgentNews::Tool(tool(AcpVersion::V1, update)?.into()))
        }
        "plan" => Some(AgentNews::Plan(plan(list(update, "entries")?))),
        // The example of the documentation has the second name.
        "current_mode_update" => {
            line(update, "currentModeId").or_else(|| line(update, "modeId")).map(AgentNews::Mode)
        }
        kind => shared_news(kind, update),
    }
}

/// Reads an update that both versions have.
pub(super) fn shared_news(kind: &str, update: &Value) -> Option<AgentNews> {
    match kind {
        "available_commands_update" => Some(AgentNews::Commands(commands(update)?)),
        "config_option_update" => offered(update).map(AgentNews::Options),
        "session_info_update" => Some(match update.get("title") {
            None => AgentNews::Nothing,
            Some(_) => AgentNews::Title(line(update, "title")),
        }),
        "usage_update" => Some(AgentNews::Usage(usage(update))),
        _ => None,
    }
}

/// Reads a piece of a message.
pub(super) fn chunk(role: MessageRole, update: &Value) -> Option<AgentNews> {
    let content = block(update.get("content")?);
    Some(AgentNews::Chunk { role, message_id: id(update, "messageId"), content })
}

/// Reads the commands of an answer or update; `None` if it has none.
pub(in super::super) fn commands(value: &Value) -> Option<Vec<AgentCommand>> {
    let command = |value: &Value| {
        Some(AgentCommand {
            name: line(value, "name")?.trim_start_matches('/').to_owned(),
            description: line(value, "description").unwrap_or_default(),
            hint: value.get("input").and_then(|input| line(input, "hint")),
        })
    };
    Some(list(value, "availableCommands")?.iter().filter_map(command).collect())
}

fn usage(update: &Value) -> AgentUsage {
    let cost = update.get("cost").unwrap_or(&Value::Null);
    AgentUsage {
        used: update.get("used").and_then(Value::as_u64),
        size: update.get("size").and_then(Value::as_u64),
        cost: cost.get("amount").filter(|amount| amount.is_number()).map(Value::to_string),
        currency: line(cost, "currency"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(update: Value) -> AgentNews {
        super::super::news(super::super::AcpVersion::V1, update)
    }

    #[test]
    fn each_kind_of_update_is_read() {
        let AgentNews::Chunk { role, message_id, .. } = read(json!({
            "sessionUpdate": "agent_thought_chunk", "content": { "type": "text", "text": "hm" },
        })) else {
            panic!("no chunk");
        };
        assert_eq!((role, message_id), (MessageRole::Thought, None));
        let mode = |name: &str| read(json!({ "sessionUpdate": "current_mode_update", name: "x" }));
        assert_eq!(mode("currentModeId"), AgentNews::Mode("x".into()));
        assert_eq!(mode("modeId"), AgentNews::Mode("x".into()));
        let commands = read(json!({ "sessionUpdate": "available_commands_update",
            "availableCommands": [{ "name": "web", "description": "d", "input": { "hint": "q" } }, 5] }));
        let AgentNews::Commands(commands) = commands else { panic!("no commands") };
        assert_eq!((commands.len(), commands[0].hint.as_deref()), (1, Some("q")));
        let usage = read(json!({ "sessionUpdate": "usage_update", "used": 5, "size": "?",
            "cost": { "amount": 0.42, "currency": "USD" } }));
        let cost = Some("0.42".to_owned());
        let currency = Some("USD".to_owned());
        assert_eq!(
            usage,
            AgentNews::Usage(AgentUsage { used: Some(5), size: None, cost, currency })
        );
        let title = json!({ "sessionUpdate": "session_info_update", "title": null });
        assert_eq!(read(title), AgentNews::Title(None));
        let untitled = json!({ "sessionUpdate": "session_info_update", "updatedAt": "now" });
        assert_eq!(read(untitled), AgentNews::Nothing);
    }

    #[test]
    fn what_is_unknown_is_kept() {
        for update in [
            json!({ "sessionUpdate": "subagent_update", "x": 1 }),
            json!({ "sessionUpdate": "tool_call", "title": "no id" }),
            json!({ "sessionUpdate": 5 }),
            json!("text"),
        ] {
            assert_eq!(read(update.clone()), AgentNews::Unknown(update));
        }
    }
}
