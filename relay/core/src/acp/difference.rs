//! The updates that lead a client from one state of a conversation to another: the whole history
//! from an empty one, and what was missed after a snapshot has replaced the state.

use moorline_shared::agent::content::{ContentBlock, MessageRole};
use moorline_shared::event::AgentTool;
use moorline_shared::fold::{Conversation, ConversationItem, MessageItem, ToolItem};
use moorline_shared::id::TurnId;
use serde_json::Value;

use super::updates;

/// Returns the updates that lead from `old` to `new`. Messages of turns for which `is_own` is true
/// are left out if they are new: the client has sent them itself.
pub(super) fn difference(
    old: &Conversation,
    new: &Conversation,
    is_own: impl Fn(&TurnId) -> bool,
) -> Vec<Value> {
    let mut updates = Vec::new();
    for item in &new.items {
        match item {
            ConversationItem::Message(message) => {
                let known = match old.message_item(&message.message_id) {
                    Some(ConversationItem::Message(known)) => Some(known),
                    _ => None,
                };
                if known.is_some() || !is_prompt_of(message, &is_own) {
                    updates.extend(message_updates(known, message));
                }
            }
            ConversationItem::Tool(tool) => updates.extend(tool_update(old, tool)),
            ConversationItem::Turn { .. }
            | ConversationItem::Approval { .. }
            | ConversationItem::Update { .. } => {}
        }
    }
    updates.extend(state_difference(old, new));
    updates
}

/// Returns true if a message is the prompt of a turn for which `is_own` is true.
pub(super) fn is_prompt_of(message: &MessageItem, is_own: impl Fn(&TurnId) -> bool) -> bool {
    let is_user = message.role == MessageRole::User;
    is_user && message.turn_id.as_ref().is_some_and(is_own)
}

/// Returns the pieces that lead from one state of a message to another. The protocol cannot take a
/// piece back: if the message was replaced, the whole new one follows as a message of its own.
pub(super) fn message_updates(old: Option<&MessageItem>, new: &MessageItem) -> Vec<Value> {
    let told = old.map_or(&[][..], |old| &old.content);
    match rest(told, &new.content) {
        Some(rest) => rest.iter().filter_map(|block| updates::chunk(new, block)).collect(),
        None => {
            let message_id = format!("{}~{}", new.message_id, new.content.len());
            let replaced = MessageItem { message_id, ..new.clone() };
            let content = replaced.content.iter();
            content.filter_map(|block| updates::chunk(&replaced, block)).collect()
        }
    }
}

/// Returns what follows `told` in `content`; `None` if it does not begin with that.
fn rest(told: &[ContentBlock], content: &[ContentBlock]) -> Option<Vec<ContentBlock>> {
    let Some((last, first)) = told.split_last() else { return Some(content.to_vec()) };
    let (same, more) = content.split_at_checked(first.len())?;
    let (begun, more) = more.split_first()?;
    if same != first {
        return None;
    }
    let mut rest = Vec::new();
    match (last.as_text(), begun.as_text()) {
        _ if last == begun => {}
        (Some(last), Some(begun)) => rest.push(ContentBlock::text(begun.strip_prefix(last)?)),
        _ => return None,
    }
    rest.extend_from_slice(more);
    Some(rest)
}

fn tool_update(old: &Conversation, new: &ToolItem) -> Option<Value> {
    match old.tool_item(&new.tool_call_id) {
        Some(ConversationItem::Tool(known)) if **known == *new => None,
        Some(ConversationItem::Tool(_)) => Some(updates::tool_call_update(whole(new))),
        _ => Some(updates::tool_call(new)),
    }
}

/// Returns the event that says all of a tool call.
fn whole(tool: &ToolItem) -> AgentTool {
    AgentTool {
        tool_call_id: tool.tool_call_id.clone(),
        title: Some(tool.title.clone()),
        kind: Some(tool.kind.clone()).filter(|kind| !kind.is_empty()),
        status: Some(tool.status),
        locations: Some(tool.locations.clone()),
        content: Some(tool.content.clone()),
        input: tool.input.clone(),
        output: tool.output.clone(),
        parent: tool.parent.clone(),
        ..AgentTool::default()
    }
}

/// Returns the updates of all that is not an item.
pub(super) fn state_difference(old: &Conversation, new: &Conversation) -> Vec<Value> {
    let mut updates = Vec::new();
    if old.plan != new.plan {
        updates.push(updates::plan(&new.plan.entries));
    }
    if old.commands != new.commands {
        updates.push(updates::commands(&new.commands.commands));
    }
    if old.config != new.config {
        let (old, new) = (&old.config.options, &new.config.options);
        let mode = updates::mode_of(new);
        if mode.map(|mode| &mode.value) != updates::mode_of(old).map(|mode| &mode.value) {
            updates.extend(mode.map(updates::mode));
        }
        updates.push(updates::config(new));
    }
    if old.info.title != new.info.title {
        updates.extend(new.info.title.as_deref().map(updates::title));
    }
    if old.usage != new.usage {
        updates.extend(updates::usage(&new.usage));
    }
    updates
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(content: Vec<ContentBlock>) -> MessageItem {
        let (message_id, role) = ("m".to_owned(), MessageRole::Agent);
        MessageItem { message_id, role, content, ..MessageItem::default() }
    }

    fn told(old: Option<Vec<ContentBlock>>, new: Vec<ContentBlock>) -> Vec<(String, Value)> {
        let old = old.map(message);
        let updates = message_updates(old.as_ref(), &message(new)).into_iter();
        updates.map(|it| (it["messageId"].to_string(), it["content"]["text"].clone())).collect()
    }

    #[test]
    fn a_message_goes_on_where_it_was() {
        let text = |text: &str| ContentBlock::text(text);
        let one = |text: &str| vec![("\"m\"".to_owned(), json!(text))];
        assert_eq!(told(None, vec![text("ab")]), one("ab"));
        assert_eq!(told(Some(vec![text("ab")]), vec![text("abc")]), one("c"));
        assert_eq!(told(Some(vec![text("ab")]), vec![text("ab")]), []);
        assert_eq!(told(Some(vec![text("ab")]), vec![text("ab"), text("c")]), one("c"));
        let replaced = vec![("\"m~1\"".to_owned(), json!("x"))];
        assert_eq!(told(Some(vec![text("ab")]), vec![text("x")]), replaced);
        let two = vec![text("ab"), text("c")];
        assert_eq!(told(Some(two), vec![text("ab")]).len(), 1, "it is shorter");
    }
}
