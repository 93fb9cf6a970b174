//! The content of `session/update`s: what an event or an item of a conversation is to a client.

use moorline_shared::agent::content::{
    AgentChoice, AgentCommand, AgentOption, ContentBlock, KnownContent, KnownToolContent,
    MessageRole, PlanEntry, ToolContent, ToolLocation, ToolStatus,
};
use moorline_shared::event::{AgentTool, AgentUsage};
use moorline_shared::fold::{MessageItem, ToolItem};
use serde_json::{Map, Number, Value, json};

/// Returns a piece of a message; `None` if nobody whom a client knows says it.
pub(super) fn chunk(message: &MessageItem, content: &ContentBlock) -> Option<Value> {
    let kind = match message.role {
        MessageRole::User => "user_message_chunk",
        MessageRole::Agent => "agent_message_chunk",
        MessageRole::Thought => "agent_thought_chunk",
        MessageRole::Other => return None,
    };
    let mut update = json!({
        "sessionUpdate": kind, "messageId": message.message_id, "content": block(content),
    });
    add_parent(&mut update, message.parent.as_deref());
    Some(update)
}

/// Returns a piece of content. Images that are not recorded are text, and so is what a client may
/// not know: many clients drop a whole message if they cannot read a part of it.
fn block(content: &ContentBlock) -> Value {
    match content {
        ContentBlock::Known(KnownContent::Image { mime_type, data, .. }) if data.is_empty() => {
            text(&format!("[{mime_type}]"))
        }
        ContentBlock::Known(known) => json!(known),
        ContentBlock::Other(other) => match kind_of(other) {
            "audio" | "resource" => other.clone(),
            kind => text(&format!("[{kind}]")),
        },
    }
}

fn kind_of(content: &Value) -> &str {
    content.get("type").and_then(Value::as_str).unwrap_or("content")
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// Names the tool call of the sub-agent that speaks or acts. The protocol has no field for it.
fn add_parent(update: &mut Value, parent: Option<&str>) {
    if let Some(parent) = parent {
        update["_meta"] = json!({ "moorline": { "parent": parent } });
    }
}

/// Returns a tool call that the client does not know.
pub(super) fn tool_call(tool: &ToolItem) -> Value {
    let ToolItem { tool_call_id, title, kind, status, locations, content, input, output, .. } =
        tool;
    let mut update = json!({
        "sessionUpdate": "tool_call", "toolCallId": tool_call_id, "title": title,
        "locations": places(locations), "content": pieces(content),
    });
    let kind = if kind.is_empty() { "other" } else { kind };
    update["kind"] = json!(kind);
    set(&mut update, "status", status_word(*status).map(Value::from));
    set(&mut update, "rawInput", input.clone());
    set(&mut update, "rawOutput", output.clone());
    add_parent(&mut update, tool.parent.as_deref());
    update
}

/// Returns a change of a tool call that the client knows.
pub(super) fn tool_call_update(tool: AgentTool) -> Value {
    let AgentTool { tool_call_id, title, kind, status, locations, content, .. } = tool;
    let mut update = json!({ "sessionUpdate": "tool_call_update", "toolCallId": tool_call_id });
    set(&mut update, "title", title.map(Value::from));
    set(&mut update, "kind", kind.map(Value::from));
    set(&mut update, "status", status.and_then(status_word).map(Value::from));
    set(&mut update, "locations", locations.as_deref().map(places));
    set(&mut update, "content", content.as_deref().map(pieces));
    set(&mut update, "rawInput", tool.input);
    set(&mut update, "rawOutput", tool.output);
    add_parent(&mut update, tool.parent.as_deref());
    update
}

fn set(update: &mut Value, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        update[name] = value;
    }
}

const fn status_word(status: ToolStatus) -> Option<&'static str> {
    Some(match status {
        ToolStatus::Pending => "pending",
        ToolStatus::InProgress => "in_progress",
        ToolStatus::Completed => "completed",
        // Version 1 has no word for a call that was stopped.
        ToolStatus::Failed | ToolStatus::Cancelled => "failed",
        ToolStatus::Other => return None,
    })
}

fn places(locations: &[ToolLocation]) -> Value {
    json!(locations)
}

/// Returns what a tool shows. A terminal is a session of its own, which the client cannot open by
/// this protocol, so its name stands for it.
fn pieces(content: &[ToolContent]) -> Value {
    content.iter().map(piece).collect()
}

fn piece(content: &ToolContent) -> Value {
    match content {
        ToolContent::Known(known) => known_piece(known),
        ToolContent::Other(other) => {
            json!({ "type": "content", "content": text(&format!("[{}]", kind_of(other))) })
        }
    }
}

/// Returns a piece of what a tool shows.
pub(super) fn known_piece(content: &KnownToolContent) -> Value {
    match content {
        KnownToolContent::Content { content } => {
            json!({ "type": "content", "content": block(content) })
        }
        KnownToolContent::Diff { .. } => json!(content),
        KnownToolContent::Terminal { session_id } => {
            json!({ "type": "content", "content": text(&format!("[terminal {session_id}]")) })
        }
    }
}

/// Returns the plan.
pub(super) fn plan(entries: &[PlanEntry]) -> Value {
    let known = |word: &str, words: &[&str], usual: &str| {
        if words.contains(&word) { word.to_owned() } else { usual.to_owned() }
    };
    let entry = |entry: &PlanEntry| {
        let priority = known(&entry.priority, &["high", "medium", "low"], "medium");
        let status = known(&entry.status, &["pending", "in_progress", "completed"], "pending");
        json!({ "content": entry.content, "priority": priority, "status": status })
    };
    let entries: Vec<_> = entries.iter().map(entry).collect();
    json!({ "sessionUpdate": "plan", "entries": entries })
}

/// Returns the commands.
pub(super) fn commands(commands: &[AgentCommand]) -> Value {
    let command = |command: &AgentCommand| {
        let mut told = json!({ "name": command.name, "description": command.description });
        set(&mut told, "input", command.hint.as_ref().map(|hint| json!({ "hint": hint })));
        told
    };
    let commands: Vec<_> = commands.iter().map(command).collect();
    json!({ "sessionUpdate": "available_commands_update", "availableCommands": commands })
}

/// Returns the use of the context; `None` if its size is not known.
pub(super) fn usage(usage: &AgentUsage) -> Option<Value> {
    let mut update =
        json!({ "sessionUpdate": "usage_update", "used": usage.used?, "size": usage.size? });
    let amount = usage.cost.as_ref().and_then(|cost| serde_json::from_str::<Number>(cost).ok());
    let cost = amount.zip(usage.currency.as_ref());
    let cost = cost.map(|(amount, currency)| json!({ "amount": amount, "currency": currency }));
    set(&mut update, "cost", cost);
    Some(update)
}

/// Returns the session's title.
pub(super) fn title(title: &str) -> Value {
    json!({ "sessionUpdate": "session_info_update", "title": title })
}

/// Returns all settings.
pub(super) fn config(options: &[AgentOption]) -> Value {
    json!({ "sessionUpdate": "config_option_update", "configOptions": config_options(options) })
}

/// Returns the mode.
pub(super) fn mode(mode: &AgentOption) -> Value {
    json!({ "sessionUpdate": "current_mode_update", "currentModeId": mode.value })
}

/// Returns the settings as the field `configOptions`.
pub(super) fn config_options(options: &[AgentOption]) -> Value {
    options.iter().map(config_option).collect()
}

fn config_option(option: &AgentOption) -> Value {
    let choices: Vec<_> = option.choices.iter().map(|it| choice(it, "value")).collect();
    let mut told = json!({
        "id": option.id, "name": option.name, "type": "select", "currentValue": option.value,
        "options": choices,
    });
    set(&mut told, "description", option.description.clone().map(Value::from));
    set(&mut told, "category", option.category.clone().map(Value::from));
    told
}

fn choice(choice: &AgentChoice, id: &str) -> Value {
    let mut told = Map::new();
    told.insert(id.to_owned(), json!(choice.value));
    told.insert("name".to_owned(), json!(choice.name));
    told.extend(choice.description.as_ref().map(|text| ("description".to_owned(), json!(text))));
    Value::Object(told)
}

/// Returns the setting that is the agent's mode.
pub(super) fn mode_of(options: &[AgentOption]) -> Option<&AgentOption> {
    options.iter().find(|option| option.category.as_deref() == Some("mode"))
}

/// Returns the modes as the field `modes`, for clients that know no settings.
pub(super) fn modes(options: &[AgentOption]) -> Option<Value> {
    let mode = mode_of(options)?;
    let modes: Vec<_> = mode.choices.iter().map(|it| choice(it, "id")).collect();
    Some(json!({ "currentModeId": mode.value, "availableModes": modes }))
}
