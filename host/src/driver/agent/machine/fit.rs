//! Cuts events to the size that a log takes.

use moorline_shared::agent::content::{
    AgentOption, ContentBlock, KnownContent, KnownToolContent, ToolContent,
};
use moorline_shared::event::{AgentCommands, AgentConfig, AgentPlan, AgentTool, AgentUpdate};
use moorline_shared::limits::AGENT_EVENT_BYTES;
use serde::Serialize;
use serde_json::{Value, json};

/// Most bytes of a text that is cut, besides others in its event.
const TEXT_BYTES: usize = 8 * 1024;
/// Most bytes of a text that is one line.
const LINE_BYTES: usize = 2 * 1024;

/// Returns the number of bytes of a value as JSON.
pub(super) fn json_bytes(value: &impl Serialize) -> usize {
    // A value that cannot be encoded is too large for everything.
    serde_json::to_vec(value).map_or(usize::MAX, |json| json.len())
}

/// Cuts a text at a character near a number of bytes. Returns true if anything is missing.
pub(super) fn cut(text: &mut String, bytes: usize) -> bool {
    let is_long = text.len() > bytes;
    if is_long {
        text.truncate(text.floor_char_boundary(bytes));
        text.push('…');
    }
    is_long
}

/// Cuts a tool call: its output first, then its input, then what it has produced.
pub(super) fn fit_tool(event: &mut AgentTool) {
    for line in [&mut event.title, &mut event.kind].into_iter().flatten() {
        event.truncated |= cut(line, LINE_BYTES);
    }
    let fits = |event: &AgentTool| json_bytes(event) <= AGENT_EVENT_BYTES;
    if fits(event) {
        return;
    }
    event.truncated = true;
    event.output = None;
    if !fits(event) {
        event.input = None;
    }
    if !fits(event) {
        let content = event.content.iter_mut().flatten();
        content.for_each(|content| cut_tool_content(content, TEXT_BYTES));
    }
    // Half as much each time always comes to an end.
    while !fits(event) {
        let content = event.content.as_mut().filter(|content| !content.is_empty());
        let locations = event.locations.as_mut().filter(|locations| !locations.is_empty());
        match (content, locations) {
            (Some(content), _) => content.truncate(content.len() / 2),
            (None, Some(locations)) => locations.truncate(locations.len() / 2),
            (None, None) => return,
        }
    }
}

/// Cuts the texts of a piece of what a tool has produced.
fn cut_tool_content(content: &mut ToolContent, bytes: usize) {
    match content {
        ToolContent::Known(KnownToolContent::Content { content }) => {
            cut_block(content, bytes);
        }
        ToolContent::Known(KnownToolContent::Diff { old_text, new_text, .. }) => {
            old_text.iter_mut().for_each(|text| _ = cut(text, bytes));
            cut(new_text, bytes);
        }
        ToolContent::Known(KnownToolContent::Terminal { .. }) => {}
        ToolContent::Other(value) => cut_value(value, bytes),
    }
}

/// Cuts the content of a message. Returns true if anything is missing.
pub(super) fn fit_blocks(blocks: &mut Vec<ContentBlock>) -> bool {
    // Escapes can make a text several times as long.
    let most = AGENT_EVENT_BYTES - LINE_BYTES;
    if json_bytes(blocks) <= most {
        return false;
    }
    blocks.iter_mut().for_each(|block| cut_block(block, TEXT_BYTES));
    while json_bytes(blocks) > most {
        blocks.truncate(blocks.len() / 2);
    }
    true
}

fn cut_block(block: &mut ContentBlock, bytes: usize) {
    match block {
        ContentBlock::Known(KnownContent::Text { text }) => _ = cut(text, bytes),
        ContentBlock::Known(KnownContent::Image { data, uri, .. }) => {
            // A part of an image is no image.
            if data.len() > bytes {
                data.clear();
            }
            uri.take_if(|uri| uri.len() > bytes);
        }
        ContentBlock::Known(KnownContent::ResourceLink { uri, name, .. }) => {
            cut(uri, LINE_BYTES);
            cut(name, LINE_BYTES);
        }
        ContentBlock::Other(value) => cut_value(value, bytes),
    }
}

/// Replaces a value that is too large by one with its kind only.
fn cut_value(value: &mut Value, bytes: usize) {
    if json_bytes(value) > bytes {
        let mut kind = value.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        cut(&mut kind, 64);
        *value = json!({ "type": kind, "truncated": true });
    }
}

/// Cuts an update of an unknown kind.
pub(super) fn fit_update(mut update: Value) -> AgentUpdate {
    if json_bytes(&update) > AGENT_EVENT_BYTES {
        let kind = update.get("sessionUpdate").and_then(Value::as_str).unwrap_or_default();
        let mut kind = kind.to_owned();
        cut(&mut kind, 64);
        update = json!({ "sessionUpdate": kind, "truncated": true });
    }
    AgentUpdate { update }
}

/// Cuts a plan.
pub(super) fn fit_plan(plan: &mut AgentPlan) {
    for entry in &mut plan.entries {
        cut(&mut entry.content, LINE_BYTES);
        cut(&mut entry.priority, 64);
        cut(&mut entry.status, 64);
    }
    while json_bytes(plan) > AGENT_EVENT_BYTES {
        plan.entries.truncate(plan.entries.len() / 2);
    }
}

/// Cuts a list of commands.
pub(super) fn fit_commands(list: &mut AgentCommands) {
    for command in &mut list.commands {
        cut(&mut command.description, LINE_BYTES);
        command.hint.iter_mut().for_each(|hint| _ = cut(hint, LINE_BYTES));
    }
    list.commands.retain(|command| command.name.len() <= LINE_BYTES);
    while json_bytes(list) > AGENT_EVENT_BYTES {
        list.commands.truncate(list.commands.len() / 2);
    }
}

/// Cuts settings: the descriptions first, then the choices.
pub(super) fn fit_config(config: &mut AgentConfig) {
    let fits = |config: &AgentConfig| json_bytes(config) <= AGENT_EVENT_BYTES;
    if !fits(config) {
        for option in &mut config.options {
            option.description = None;
            option.choices.iter_mut().for_each(|choice| choice.description = None);
        }
    }
    while !fits(config) {
        let longest = config.options.iter_mut().max_by_key(|option| option.choices.len());
        match longest.filter(|option| !option.choices.is_empty()) {
            Some(AgentOption { choices, .. }) => choices.truncate(choices.len() / 2),
            None => config.options.truncate(config.options.len() / 2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_call_of_any_size_fits() {
        let huge = "\u{1}".repeat(AGENT_EVENT_BYTES);
        let diff = ToolContent::Known(KnownToolContent::Diff {
            path: "/a".into(),
            old_text: Some(huge.clone()),
            new_text: huge.clone(),
        });
        let mut event = AgentTool {
            tool_call_id: "t".into(),
            title: Some(huge.clone()),
            content: Some(vec![diff; 100]),
            input: Some(huge.clone().into()),
            output: Some(huge.into()),
            ..AgentTool::default()
        };
        fit_tool(&mut event);
        assert!(event.truncated && json_bytes(&event) <= AGENT_EVENT_BYTES);
        assert!(!event.content.unwrap().is_empty());
        let mut small = AgentTool { output: Some(json!(1)), ..AgentTool::default() };
        fit_tool(&mut small);
        assert!(!small.truncated && small.output.is_some());
    }

    #[test]
    fn content_of_any_size_fits() {
        let data = "x".repeat(AGENT_EVENT_BYTES);
        let image = KnownContent::Image { mime_type: "image/png".into(), data, uri: None };
        let mut blocks = vec![ContentBlock::Known(image), ContentBlock::text("seen")];
        assert!(fit_blocks(&mut blocks));
        assert_eq!(blocks[1].as_text(), Some("seen"));
        let update = json!({ "sessionUpdate": "new", "x": "y".repeat(AGENT_EVENT_BYTES) });
        let cut = fit_update(update).update;
        assert_eq!(cut, json!({ "sessionUpdate": "new", "truncated": true }));
    }
}
