//! The rows of a conversation's page, from its items.

use moorline_shared::fold::{Conversation, ConversationItem};

/// The prefix of a tool call's key.
const TOOL: &str = "tool ";

/// The number of tool calls in a row from which they are one group.
const GROUP: usize = 3;

/// Returns the key of an item: its kind and id. An update has its place in the conversation.
pub(super) fn key_of(item: &ConversationItem, place: u64) -> String {
    match item {
        ConversationItem::Turn { turn_id } => format!("turn {turn_id}"),
        ConversationItem::Message(message) => format!("message {}", message.message_id),
        ConversationItem::Tool(tool) => format!("{TOOL}{}", tool.tool_call_id),
        ConversationItem::Approval { approval_id } => format!("approval {approval_id}"),
        ConversationItem::Update { .. } => format!("update {place}"),
    }
}

/// Returns true if this is the key of a tool call.
pub(super) fn is_tool(key: &str) -> bool {
    key.starts_with(TOOL)
}

/// A row of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ConversationRow {
    /// The item with this key.
    Item(String),
    /// Tool calls that follow each other, by their keys.
    Tools(Vec<String>),
}

impl ConversationRow {
    fn is_of_tools(&self) -> bool {
        match self {
            Self::Item(key) => is_tool(key),
            Self::Tools(_) => true,
        }
    }

    /// Returns the row's key, which stays the same while it grows.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Item(key) => key.clone(),
            Self::Tools(keys) => format!("group {}", keys.first().map_or("", String::as_str)),
        }
    }
}

/// The rows of a conversation, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct RowList {
    rows: Vec<ConversationRow>,
    /// The number of the conversation's items that have their rows.
    taken: u64,
}

impl RowList {
    /// Returns the rows from this place on.
    pub(super) fn from(&self, first: usize) -> &[ConversationRow] {
        &self.rows[first.min(self.rows.len())..]
    }

    /// Returns the number of the conversation's items that have their rows.
    pub(super) const fn taken(&self) -> u64 {
        self.taken
    }

    pub(super) const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Takes the conversation's new items, which come last.
    pub(super) fn extend(&mut self, conversation: &Conversation) {
        let known = self.taken.saturating_sub(conversation.omitted) as usize;
        let new = conversation.items.get(known..).unwrap_or_default();
        let first = conversation.omitted + known as u64;
        // The last tool calls may become a group.
        let mut tools = self.take_last_tools();
        for (place, item) in (first..).zip(new) {
            match item {
                ConversationItem::Tool(_) => tools.push(key_of(item, place)),
                item => {
                    end_group(&mut tools, &mut self.rows);
                    self.rows.push(ConversationRow::Item(key_of(item, place)));
                }
            }
        }
        end_group(&mut tools, &mut self.rows);
        self.taken = conversation.omitted + conversation.items.len() as u64;
    }

    fn take_last_tools(&mut self) -> Vec<String> {
        let mut groups = Vec::new();
        while let Some(row) = self.rows.pop_if(|row| row.is_of_tools()) {
            groups.push(match row {
                ConversationRow::Item(key) => vec![key],
                ConversationRow::Tools(keys) => keys,
            });
        }
        groups.into_iter().rev().flatten().collect()
    }
}

fn end_group(tools: &mut Vec<String>, rows: &mut Vec<ConversationRow>) {
    let keys = std::mem::take(tools);
    if keys.len() >= GROUP {
        rows.push(ConversationRow::Tools(keys));
    } else {
        rows.extend(keys.into_iter().map(ConversationRow::Item));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use moorline_shared::fold::{MessageItem, ToolItem};
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn tool(id: &str) -> ConversationItem {
        let tool = ToolItem { tool_call_id: id.into(), ..ToolItem::default() };
        ConversationItem::Tool(Box::new(tool))
    }

    fn message(id: &str) -> ConversationItem {
        let message_id = id.to_owned();
        ConversationItem::Message(MessageItem { message_id, ..MessageItem::default() })
    }

    fn keys(rows: &RowList) -> Vec<String> {
        rows.from(0).iter().map(ConversationRow::key).collect()
    }

    #[test]
    fn three_tool_calls_in_a_row_are_a_group() {
        let mut conversation = Conversation::default();
        let mut rows = RowList::default();
        for item in [tool("1"), tool("2"), message("m"), tool("3"), tool("4")] {
            conversation.items.push(item);
            rows.extend(&conversation);
        }
        assert_eq!(keys(&rows), ["tool 1", "tool 2", "message m", "tool 3", "tool 4"]);
        conversation.items.push(tool("5"));
        rows.extend(&conversation);
        assert_eq!(keys(&rows), ["tool 1", "tool 2", "message m", "group tool 3"]);
        // It keeps its key while it grows.
        conversation.items.extend([tool("6"), message("n")]);
        rows.extend(&conversation);
        assert_eq!(keys(&rows)[3..], ["group tool 3", "message n"]);
        let ConversationRow::Tools(of_group) = &rows.from(3)[0] else { panic!("no group") };
        assert_eq!(of_group.len(), 4);
        // All at once is the same.
        let mut whole = RowList::default();
        whole.extend(&conversation);
        assert_eq!(keys(&whole), keys(&rows));
    }
}
