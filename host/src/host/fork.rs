//! The beginning of a forked session.

use moorline_shared::control::{Facts, Fork, ForkedEvent};
use moorline_shared::fold::Conversation;
use moorline_shared::frame::FrameError;
use moorline_shared::session::AGENT_DRIVER;

use crate::session::{SessionOrigin, SessionPainter};

/// The error of a fork that cannot be restored.
#[derive(Debug, thiserror::Error)]
pub enum ForkError {
    /// Its log does not begin with a valid entry.
    #[error("a fork must begin with a valid entry: {0}")]
    Entry(#[from] FrameError),
    /// Its driver runs agents, but its snapshot is not a conversation.
    #[error("the snapshot of a fork is not that of an agent: {0}")]
    Conversation(#[from] serde_json::Error),
}

/// Restores a session as it was at the fork's entry. `facts` are those of the new session. Takes CPU
/// time: call it where blocking is allowed.
///
/// # Errors
/// [`ForkError`].
pub(super) fn origin(fork: Fork, facts: &Facts) -> Result<SessionOrigin, ForkError> {
    if facts.driver != AGENT_DRIVER {
        let painter = SessionPainter::forked(&fork, facts.size)?;
        let Fork { from, approvals: open, .. } = fork;
        return Ok(SessionOrigin { from, painter, conversation: None, open });
    }
    let conversation = conversation(&fork)?;
    let asked = conversation.summary.approvals.entries().iter();
    let open = asked.filter(|entry| entry.state.is_open());
    let open = open.map(|entry| entry.request.approval_id.clone()).collect();
    let painter = SessionPainter::new(facts.size);
    Ok(SessionOrigin { from: fork.from, painter, conversation: Some(conversation), open })
}

/// Folds the conversation up to the fork's entry.
fn conversation(fork: &Fork) -> serde_json::Result<Conversation> {
    let mut conversation = Conversation::default();
    if let Some(snapshot) = &fork.snapshot {
        conversation = Conversation::from_snapshot(&snapshot.data)?;
        // The driver that made it does not know the numbers of entries.
        conversation.summary.seq = snapshot.seq;
    }
    for ForkedEvent { seq, event } in &fork.events {
        conversation.apply(*seq, event);
    }
    conversation.summary.seq = conversation.summary.seq.max(fork.seq());
    Ok(conversation)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use moorline_shared::control::Output;
    use moorline_shared::event::Event;
    use moorline_shared::fold::ConversationItem;
    use moorline_shared::id::{Epoch, Seq, SessionId};
    use moorline_shared::message::Snapshot;
    use moorline_shared::session::ForkedFrom;
    use serde_json::json;

    use super::*;

    fn id() -> SessionId {
        "abcdefgh".parse().unwrap()
    }

    fn facts(driver: &str) -> Facts {
        Facts { driver: driver.to_owned(), ..Facts::default() }
    }

    fn message(seq: u64, id_of_message: &str, delta: &str) -> ForkedEvent {
        let fields = json!({"messageId": id_of_message, "role": "agent", "delta": delta});
        ForkedEvent { seq: Seq(seq), event: Event::of_kind(id(), "agent-message", 7, fields) }
    }

    fn fork(seq: u64, snapshot: Option<Snapshot>, events: Vec<ForkedEvent>) -> Fork {
        let from = ForkedFrom { session_id: id(), epoch: Epoch(1), seq: Seq(seq) };
        Fork { epoch: Epoch(2), from, snapshot, output: vec![], events, approvals: vec![] }
    }

    fn snapshot(seq: u64, data: Vec<u8>) -> Option<Snapshot> {
        let data = Bytes::from(data);
        Some(Snapshot { seq: Seq(seq), data, cols: None, rows: None, reason: None })
    }

    fn texts(conversation: &Conversation) -> Vec<String> {
        let text = |item: &ConversationItem| serde_json::to_string(item).unwrap();
        conversation.items.iter().map(text).collect()
    }

    #[test]
    fn a_conversation_is_the_same_from_its_log_or_a_snapshot_of_any_entry() {
        let events = [message(2, "a", "one "), message(5, "a", "two"), message(6, "b", "three")];
        let whole = origin(fork(8, None, events.to_vec()), &facts("agent")).unwrap();
        let whole = whole.conversation.unwrap();
        assert_eq!((whole.items.len(), whole.summary.seq), (2, Seq(8)));
        assert!(texts(&whole)[0].contains("one two"), "{:?}", texts(&whole));
        for taken in 0..=events.len() {
            let mut before = Conversation::default();
            for ForkedEvent { seq, event } in &events[..taken] {
                before.apply(*seq, event);
            }
            let at = before.summary.seq.0;
            // The driver counts in its own way.
            before.summary.seq = Seq(1000);
            let snapshot = snapshot(at, before.snapshot().unwrap());
            let rest = events[taken..].to_vec();
            let start = origin(fork(8, snapshot, rest), &facts("agent")).unwrap();
            assert_eq!(start.conversation.unwrap(), whole, "after {taken} events");
        }
    }

    #[test]
    fn what_was_open_is_known() {
        let asked = |seq, approval: &str| {
            let fields = json!({ "approvalId": approval, "digest": "d" });
            ForkedEvent {
                seq: Seq(seq),
                event: Event::of_kind(id(), "approval-request", 7, fields),
            }
        };
        let over = json!({ "approvalId": "approval1" });
        let over = Event::of_kind(id(), "approval-expired", 7, over);
        let events = vec![
            asked(1, "approval1"),
            asked(2, "approval2"),
            ForkedEvent { seq: Seq(3), event: over },
        ];
        let agent = origin(fork(3, None, events), &facts("agent")).unwrap();
        assert_eq!(agent.open, ["approval2".parse().unwrap()]);
        // The relay tells it of other sessions, whose host does not get events.
        let other = Fork { approvals: vec!["approval3".parse().unwrap()], ..fork(3, None, vec![]) };
        assert_eq!(origin(other, &facts("pty")).unwrap().open, ["approval3".parse().unwrap()]);
    }

    #[test]
    fn a_terminal_has_a_screen_and_no_conversation() {
        let mut fork = fork(3, snapshot(2, b"not JSON".to_vec()), vec![message(3, "a", "x")]);
        fork.output = vec![Output(Bytes::from_static(b"more"))];
        let start = origin(fork.clone(), &facts("pty")).unwrap();
        assert_eq!((start.conversation, start.from), (None, fork.from.clone()));
        let error = origin(fork, &facts("agent")).unwrap_err();
        assert!(matches!(error, ForkError::Conversation(_)), "{error}");
    }
}
