//! What a new agent is told of the conversation that it continues.

use moorline_shared::agent::content::{ContentBlock, MessageRole};
use moorline_shared::fold::{Conversation, ConversationItem};

/// Most bytes of the history. Beyond this, the beginning is left out.
const HISTORY_BYTES: usize = 96 * 1024;
/// What stands before the history.
const INTRODUCTION: &str =
    "This conversation continues another one. What was said and done so far:";

/// Returns the conversation as text for an agent; `None` if nothing was said.
pub(super) fn history(conversation: &Conversation) -> Option<String> {
    let mut text = String::new();
    for item in &conversation.items {
        match item {
            ConversationItem::Message(message) => {
                let speaker = match message.role {
                    MessageRole::User => "User",
                    MessageRole::Agent => "Agent",
                    MessageRole::Thought | MessageRole::Other => continue,
                };
                let said: String =
                    message.content.iter().filter_map(ContentBlock::as_text).collect();
                text.push_str(&format!("\n\n{speaker}: {said}"));
            }
            ConversationItem::Tool(tool) if !tool.title.is_empty() => {
                text.push_str(&format!("\n\n[{}]", tool.title));
            }
            _ => {}
        }
    }
    if text.is_empty() {
        return None;
    }
    let start = text.ceil_char_boundary(text.len().saturating_sub(HISTORY_BYTES));
    let cut = if start > 0 { "\n\n(The beginning is left out.)" } else { "" };
    Some(format!("{INTRODUCTION}{cut}{}", &text[start..]))
}

#[cfg(test)]
mod tests {
    use moorline_shared::event::Event;
    use moorline_shared::id::Seq;
    use serde_json::json;

    use super::*;

    fn conversation(said: &str) -> Conversation {
        let mut conversation = Conversation::default();
        let id: moorline_shared::id::SessionId = "session_1".parse().unwrap();
        for (seq, (kind, fields)) in (1..).zip([
            ("agent-message", json!({ "messageId": "a", "role": "user", "delta": "Say it." })),
            ("agent-message", json!({ "messageId": "b", "role": "thought", "delta": "Hm." })),
            ("agent-tool", json!({ "toolCallId": "t", "title": "Read notes.txt" })),
            ("agent-message", json!({ "messageId": "c", "role": "agent", "delta": said })),
        ]) {
            conversation.apply(Seq(seq), &Event::of_kind(id.clone(), kind, 1, fields));
        }
        conversation
    }

    #[test]
    fn an_agent_is_told_what_was_said_and_done() {
        let text = history(&conversation("Done.")).unwrap();
        assert!(text.ends_with("\n\nUser: Say it.\n\n[Read notes.txt]\n\nAgent: Done."), "{text}");
        assert_eq!(history(&Conversation::default()), None);
    }

    #[test]
    fn of_a_long_conversation_the_end_is_told() {
        let text = history(&conversation(&"é".repeat(HISTORY_BYTES))).unwrap();
        assert!(text.len() < HISTORY_BYTES + 200 && text.contains("left out"));
    }
}
