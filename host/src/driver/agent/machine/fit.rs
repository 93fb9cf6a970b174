//! Cuts events to the size that a log takes.

use moorline_shared::agent::content::{
    AgentOption, ContentBlock, KnownContent, KnownToolContent, ToolContent,
};
use moorline_shared::event::{AgentCommands, AgentConfig, AgentPlan, AgentTool, AgentUpdate};
use moorline_shared::limits::AGENT_EVENT_BYTES;
use serde_json::{Map, Value, json};

use super::cuts::{COMMAND_ENDS, cut, cut_middle, json_bytes};
use super::excerpt::reduced;

/// Most bytes of an event's fields. Its session, its type and its time take some more.
pub(super) const FIELDS_BYTES: usize = AGENT_EVENT_BYTES - 512;
/// Most bytes of a text that is cut, besides others in its event.
const TEXT_BYTES: usize = 8 * 1024;
/// Most fields of an object that is cut. One with more is left out.
const LARGE_FIELDS: usize = 64;
/// Most changes of files of a tool call that are reduced, because that takes time.
const REDUCED_PIECES: usize = 64;
/// Most bytes of a text that is one line.
const LINE_BYTES: usize = 2 * 1024;

/// Cuts a tool call: changes of files to the lines that differ, of which nothing is missing, then
/// its output, then its input, then what it has produced.
pub(super) fn fit_tool(event: &mut AgentTool) {
    let (head, tail) = COMMAND_ENDS;
    if let Some(title) = &mut event.title {
        event.truncated |= cut_middle(title, head, tail);
    }
    if let Some(kind) = &mut event.kind {
        event.truncated |= cut(kind, LINE_BYTES);
    }
    let fits = |event: &AgentTool| json_bytes(event) <= FIELDS_BYTES;
    if fits(event) {
        return;
    }
    for content in event.content.iter_mut().flatten().take(REDUCED_PIECES) {
        reduce_change(content, usize::MAX);
    }
    if fits(event) {
        return;
    }
    event.truncated = true;
    event.output = None;
    if !fits(event) {
        event.input = None;
    }
    if !fits(event) {
        for (place, content) in event.content.iter_mut().flatten().enumerate() {
            if place < REDUCED_PIECES && is_change(content) {
                reduce_change(content, 2 * TEXT_BYTES);
            } else {
                cut_tool_content(content, TEXT_BYTES);
            }
        }
    }
    if fits(event) {
        return;
    }
    let pieces = event.content.as_ref().map_or(0, Vec::len);
    halve_tool(event);
    // Whoever decides about it must see that files may be missing.
    let content = event.content.as_mut().filter(|content| content.len() < pieces);
    content.into_iter().for_each(|content| content.push(rest_note()));
}

/// Leaves out pieces of what a tool has produced, then places, until the event fits.
fn halve_tool(event: &mut AgentTool) {
    let most = FIELDS_BYTES - json_bytes(&rest_note()) - 1;
    // Half as much each time always comes to an end.
    while json_bytes(event) > most {
        let content = event.content.as_mut().filter(|content| !content.is_empty());
        let locations = event.locations.as_mut().filter(|locations| !locations.is_empty());
        match (content, locations) {
            (Some(content), _) => content.truncate(content.len() / 2),
            (None, Some(locations)) => locations.truncate(locations.len() / 2),
            (None, None) => return,
        }
    }
}

/// Returns the piece that stands for those that are left out.
fn rest_note() -> ToolContent {
    let content = ContentBlock::text("The rest is too large to show.");
    ToolContent::Known(KnownToolContent::Content { content })
}

const fn is_change(content: &ToolContent) -> bool {
    matches!(content, ToolContent::Known(KnownToolContent::Diff { .. }))
}

/// Reduces a change of a file to the lines that differ, and these to a number of bytes.
fn reduce_change(content: &mut ToolContent, bytes: usize) {
    if let ToolContent::Known(KnownToolContent::Diff { path, old_text, new_text }) = content {
        let change = reduced(path.clone(), old_text.as_deref(), new_text, bytes);
        *content = ToolContent::Known(change.content);
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
    let most = FIELDS_BYTES - LINE_BYTES;
    if json_bytes(blocks) <= most {
        return false;
    }
    for bytes in [most / 4 * 3, most / 4, TEXT_BYTES] {
        if json_bytes(blocks) > most {
            blocks.iter_mut().for_each(|block| cut_block(block, bytes));
        }
    }
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
    if json_bytes(&update) > FIELDS_BYTES {
        let kind = update.get("sessionUpdate").and_then(Value::as_str).unwrap_or_default();
        let mut kind = kind.to_owned();
        cut(&mut kind, 64);
        update = json!({ "sessionUpdate": kind, "truncated": true });
    }
    AgentUpdate { update }
}

/// Cuts a plan. Returns true if anything is missing.
pub(super) fn fit_plan(plan: &mut AgentPlan) -> bool {
    let mut is_cut = false;
    for entry in &mut plan.entries {
        is_cut |= cut(&mut entry.content, LINE_BYTES);
        is_cut |= cut(&mut entry.priority, 64);
        is_cut |= cut(&mut entry.status, 64);
    }
    while json_bytes(plan) > FIELDS_BYTES {
        is_cut = true;
        plan.entries.truncate(plan.entries.len() / 2);
    }
    is_cut
}

/// Cuts a list of commands. Returns true if anything is missing.
pub(super) fn fit_commands(list: &mut AgentCommands) -> bool {
    let mut is_cut = false;
    for command in &mut list.commands {
        is_cut |= cut(&mut command.description, LINE_BYTES);
        command.hint.iter_mut().for_each(|hint| is_cut |= cut(hint, LINE_BYTES));
    }
    is_cut |= list.commands.extract_if(.., |it| it.name.len() > LINE_BYTES).count() > 0;
    while json_bytes(list) > FIELDS_BYTES {
        is_cut = true;
        list.commands.truncate(list.commands.len() / 2);
    }
    is_cut
}

/// Cuts settings: the descriptions first, then the choices. Returns true if anything is missing.
pub(super) fn fit_config(config: &mut AgentConfig) -> bool {
    let fits = |config: &AgentConfig| json_bytes(config) <= FIELDS_BYTES;
    let is_cut = !fits(config);
    if is_cut {
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
    is_cut
}

/// Cuts an event of any kind that is still too large: what is longest first. Returns true if anything
/// is missing.
pub(super) fn fit_fields(fields: &mut Map<String, Value>) -> bool {
    let is_cut = json_bytes(fields) > FIELDS_BYTES;
    while json_bytes(fields) > FIELDS_BYTES {
        let longest = fields.values_mut().max_by_key(json_bytes);
        let Some(longest) = longest.filter(|value| !value.is_null()) else { break };
        let before = json_bytes(longest);
        halve(longest);
        if json_bytes(longest) >= before {
            *longest = Value::Null;
        }
    }
    is_cut
}

/// Removes about half of a value that is too large.
fn halve(value: &mut Value) {
    match value {
        Value::String(text) => _ = cut(text, text.len() / 2),
        Value::Array(items) if items.len() > 1 => items.truncate(items.len() / 2),
        Value::Array(items) if items.len() == 1 => halve(&mut items[0]),
        Value::Object(fields) if (1..=LARGE_FIELDS).contains(&fields.len()) => {
            fields.values_mut().max_by_key(json_bytes).into_iter().for_each(halve);
        }
        _ => *value = Value::Null,
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
    fn a_change_in_a_large_file_is_reduced_and_not_cut() {
        let old: String = (0..20_000).map(|line| format!("line {line}\n")).collect();
        let new = old.replace("line 9000\n", "changed\n");
        let (path, old_text) = ("/a".to_owned(), Some(old));
        let diff = KnownToolContent::Diff { path, old_text, new_text: new };
        let content = Some(vec![ToolContent::Known(diff)]);
        let mut event = AgentTool { content, output: Some(json!(1)), ..AgentTool::default() };
        fit_tool(&mut event);
        assert!(!event.truncated && event.output.is_some());
        let json = serde_json::to_string(&event.content).unwrap();
        assert!(json.contains("changed") && json.len() < 500, "{json}");
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

    #[test]
    fn an_event_of_any_kind_fits() {
        for value in [
            json!("x".repeat(2 * AGENT_EVENT_BYTES)),
            json!(["\u{1}".repeat(AGENT_EVENT_BYTES)]),
            json!({ "a": [{ "b": "x".repeat(AGENT_EVENT_BYTES) }, 1] }),
            (0..AGENT_EVENT_BYTES).collect(),
            Map::from_iter([("x".repeat(AGENT_EVENT_BYTES), json!(1))]).into(),
            (0..30_000).map(|key| (key.to_string(), json!(1))).collect::<Map<_, _>>().into(),
        ] {
            let mut fields = Map::from_iter([("id".into(), json!("t")), ("rest".into(), value)]);
            assert!(fit_fields(&mut fields));
            assert!(json_bytes(&fields) <= FIELDS_BYTES && fields["id"] == "t");
        }
        assert!(!fit_fields(&mut Map::from_iter([("id".into(), json!("t"))])));
    }
}
