//! Content of messages and tool calls.

use moorline_shared::agent::content::{
    ContentBlock, KnownContent, KnownToolContent, PlanEntry, ToolContent, ToolLocation, ToolStatus,
};
use moorline_shared::event::AgentTool;
use serde_json::{Map, Value};

use super::diff::changes;
use super::{AcpVersion, ToolNews, list, text};

/// Most bytes of an id that an agent has chosen.
const ID_BYTES: usize = 256;

/// The fields of a tool call that say what is done.
const DEEDS: [&str; 5] = ["title", "kind", "content", "locations", "rawInput"];

/// Reads a piece of content, of a known type or not.
pub(super) fn block(value: &Value) -> ContentBlock {
    serde_json::from_value(value.clone()).unwrap_or_else(|_| ContentBlock::Other(value.clone()))
}

/// Returns a piece of content as text that people can read.
pub(in super::super) fn block_text(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Known(KnownContent::Text { text }) => text.clone(),
        ContentBlock::Known(KnownContent::Image { mime_type, .. }) => format!("[{mime_type}]"),
        ContentBlock::Known(KnownContent::ResourceLink { uri, .. }) => format!("[{uri}]"),
        ContentBlock::Other(value) => {
            let kind = text(value, "type").unwrap_or_else(|| "content".to_owned());
            let resource = value.get("resource").and_then(|resource| text(resource, "uri"));
            format!("[{}]", resource.unwrap_or(kind))
        }
    }
}

/// Reads a piece of what a tool has produced, of a known type or not. Changes of several parts of
/// files are several pieces.
pub(super) fn tool_content(dialect: AcpVersion, value: &Value) -> Vec<ToolContent> {
    // In version 1 the host runs the terminals: each is a session, and has its id.
    if dialect == AcpVersion::V1
        && text(value, "type").as_deref() == Some("terminal")
        && let Some(session_id) = id(value, "terminalId")
    {
        return vec![ToolContent::Known(KnownToolContent::Terminal { session_id })];
    }
    changes(value).unwrap_or_else(|| {
        let known = serde_json::from_value(value.clone());
        vec![known.unwrap_or_else(|_| ToolContent::Other(value.clone()))]
    })
}

/// Reads an id that an agent has chosen; `None` if it is empty or too long.
pub(super) fn id(value: &Value, name: &str) -> Option<String> {
    text(value, name).filter(|id| !id.is_empty() && id.len() <= ID_BYTES)
}

/// Reads a tool call, or changes of one; `None` if it has no id.
pub(super) fn tool(dialect: AcpVersion, value: &Value) -> Option<ToolNews> {
    let contents = list(value, "content");
    let event = AgentTool {
        tool_call_id: id(value, "toolCallId")?,
        title: text(value, "title"),
        kind: text(value, "kind"),
        status: text(value, "status").map(|status| status_of(&status)),
        locations: list(value, "locations").map(|list| list.iter().filter_map(location).collect()),
        content: contents
            .map(|list| list.iter().flat_map(|piece| tool_content(dialect, piece)).collect()),
        input: present(value, "rawInput"),
        output: present(value, "rawOutput"),
        // Claude Code names the call of the sub-agent that makes this one.
        parent: value.pointer("/_meta/claudeCode").and_then(|meta| id(meta, "parentToolUseId")),
        ..AgentTool::default()
    };
    let hash = |name| Some((name, hash_of(&present(value, name)?)));
    Some(ToolNews { event, hashes: DEEDS.into_iter().filter_map(hash).collect() })
}

fn present(value: &Value, name: &str) -> Option<Value> {
    value.get(name).filter(|field| !field.is_null()).cloned()
}

fn status_of(word: &str) -> ToolStatus {
    // Every text is a status, if only an unknown one.
    serde_json::from_value(word.into()).unwrap_or(ToolStatus::Other)
}

fn location(value: &Value) -> Option<ToolLocation> {
    let line = value.get("line").and_then(Value::as_u64);
    Some(ToolLocation { path: text(value, "path")?, line })
}

/// Reads the steps of a plan.
pub(super) fn plan(entries: &[Value]) -> Vec<PlanEntry> {
    let entry = |value: &Value| PlanEntry {
        content: text(value, "content").unwrap_or_default(),
        priority: text(value, "priority").unwrap_or_default(),
        status: text(value, "status").unwrap_or_default(),
    };
    entries.iter().map(entry).collect()
}

/// Returns the BLAKE3, in hexadecimal, of a value's canonical form: JSON without spaces, with the
/// fields of each object in the order of their names.
pub(in super::super) fn hash_of(value: &Value) -> String {
    let mut hasher = blake3::Hasher::new();
    feed(value, &mut hasher);
    hasher.finalize().to_hex().to_string()
}

fn feed(value: &Value, hasher: &mut blake3::Hasher) {
    match value {
        Value::Object(fields) => feed_object(fields, hasher),
        Value::Array(values) => {
            for (place, value) in values.iter().enumerate() {
                hasher.update(if place == 0 { b"[" } else { b"," });
                feed(value, hasher);
            }
            hasher.update(if values.is_empty() { b"[]" } else { b"]" });
        }
        value => {
            hasher.update(value.to_string().as_bytes());
        }
    }
}

fn feed_object(fields: &Map<String, Value>, hasher: &mut blake3::Hasher) {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    for (place, (name, value)) in sorted.into_iter().enumerate() {
        hasher.update(if place == 0 { b"{" } else { b"," });
        hasher.update(Value::from(name.as_str()).to_string().as_bytes());
        hasher.update(b":");
        feed(value, hasher);
    }
    hasher.update(if fields.is_empty() { b"{}" } else { b"}" });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_hash_is_that_of_the_canonical_json() {
        let value = json!({ "b": [1, {}, [], "x\n"], "a": null });
        let text = r#"{"a":null,"b":[1,{},[],"x\n"]}"#;
        assert_eq!(hash_of(&value), blake3::hash(text.as_bytes()).to_hex().to_string());
    }

    #[test]
    fn a_part_of_the_wrong_form_does_not_lose_the_others() {
        let news = tool(AcpVersion::V1, &json!({
            "toolCallId": "t", "title": "Edit", "kind": 5, "status": "paused",
            "content": [{ "type": "hologram", "x": 1 }, { "type": "diff", "path": "/a", "newText": "" }],
            "locations": [{ "path": "/a", "line": "no" }, 7],
        }))
        .unwrap();
        let event = news.event;
        assert_eq!((event.title.as_deref(), event.kind), (Some("Edit"), None));
        assert_eq!(event.status, Some(ToolStatus::Other));
        let content = event.content.unwrap();
        assert_eq!(content[0], ToolContent::Other(json!({ "type": "hologram", "x": 1 })));
        assert!(matches!(content[1], ToolContent::Known(_)));
        assert_eq!(event.locations, Some(vec![ToolLocation { path: "/a".into(), line: None }]));
        assert_eq!(tool(AcpVersion::V1, &json!({ "title": "nameless" })), None);
    }
}
