//! What a new agent takes over of the conversation that it continues.

use moorline_shared::agent::content::{ContentBlock, MessageRole};
use moorline_shared::agent::prompt::TurnState;
use moorline_shared::fold::{Conversation, ConversationItem, TurnEntry};

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

/// Returns the turns of the conversation. One that had begun, but whose prompt was not said yet, still
/// counts as queued: the conversation was forked before that prompt.
pub(super) fn turns(conversation: &Conversation) -> Vec<TurnEntry> {
    let is_unsaid = |turn: &TurnEntry| {
        let begins = |item: &ConversationItem| match item {
            ConversationItem::Turn { turn_id, .. } => *turn_id == turn.turn_id,
            _ => false,
        };
        let is_of_it = |item: &ConversationItem| match item {
            ConversationItem::Message(message) => message.turn_id.as_ref() == Some(&turn.turn_id),
            _ => false,
        };
        let items = &conversation.items;
        let begin = items.iter().position(begins);
        begin.is_some_and(|begin| !items[begin..].iter().any(is_of_it))
    };
    let turn = |turn: &TurnEntry| {
        let is_open = turn.state.is_active() && is_unsaid(turn);
        let state = if is_open { TurnState::Queued } else { turn.state };
        TurnEntry { state, ..turn.clone() }
    };
    conversation.summary.turns.entries().iter().map(turn).collect()
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
    fn a_turn_whose_prompt_was_not_said_is_queued() {
        let mut conversation = Conversation::default();
        let id: moorline_shared::id::SessionId = "session_1".parse().unwrap();
        let running =
            json!({ "turnId": "turn_number_1", "state": "running", "prompt": { "text": "go" } });
        let said =
            json!({ "messageId": "a", "turnId": "turn_number_1", "role": "user", "delta": "go" });
        for (seq, kind, fields, state) in [
            (1, "agent-turn", running, TurnState::Queued),
            (2, "agent-message", said, TurnState::Running),
        ] {
            assert!(conversation.apply(Seq(seq), &Event::of_kind(id.clone(), kind, 1, fields)));
            assert_eq!(turns(&conversation)[0].state, state);
        }
    }

    #[test]
    fn of_a_long_conversation_the_end_is_told() {
        let text = history(&conversation(&"é".repeat(HISTORY_BYTES))).unwrap();
        assert!(text.len() < HISTORY_BYTES + 200 && text.contains("left out"));
    }
}
