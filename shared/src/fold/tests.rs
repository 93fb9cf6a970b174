use serde_json::json;

use super::*;
use crate::agent::action::SessionAction;
use crate::agent::approval::{ApprovalDecision, ApprovalState};
use crate::agent::prompt::{Prompt, TurnState};
use crate::event::Event;
use crate::id::{ApprovalId, Seq, TurnId};
use crate::limits::{CONVERSATION_BYTES, CONVERSATION_MESSAGE_BYTES, SNAPSHOT_BYTES};

fn event(kind: &str, fields: serde_json::Value) -> Event {
    Event::of_kind("session_1".parse().unwrap(), kind, 1000, fields)
}

fn turn_id(number: u8) -> TurnId {
    format!("turn_{number:04}").parse().unwrap()
}

fn folded(events: &[Event]) -> Conversation {
    let mut conversation = Conversation::default();
    for (seq, event) in (1..).zip(events) {
        conversation.apply(Seq(seq), event);
    }
    conversation
}

fn asked() -> Vec<Event> {
    let request = json!({
        "approvalId": "approval_1", "command": "make", "explanation": "to build",
        "expiresAt": 5000, "kind": "command", "digest": "d1gest",
        "options": [
            { "optionId": "yes", "name": "Yes", "kind": "allow_once" },
            { "optionId": "no", "name": "No", "kind": "reject_once" },
        ],
    });
    vec![event("approval-request", request)]
}

fn decision(approved: bool, option: Option<&str>, key: Option<&str>) -> ApprovalDecision {
    ApprovalDecision {
        approved,
        option_id: option.map(str::to_owned),
        key: key.map(str::to_owned),
        by: "phone".into(),
        at: 2000,
        ..ApprovalDecision::default()
    }
}

fn said() -> Vec<Event> {
    let (first, second) = (turn_id(1), turn_id(2));
    vec![
        event("agent-info", json!({ "phase": "ready", "name": "peer" })),
        event(
            "agent-turn",
            json!({ "turnId": first, "state": "queued", "prompt": { "text": "a" } }),
        ),
        event("agent-turn", json!({ "turnId": first, "state": "running" })),
        event(
            "agent-turn",
            json!({ "turnId": second, "state": "queued", "prompt": { "text": "b" } }),
        ),
        event("agent-message", json!({ "messageId": "m1", "role": "agent", "delta": "Hel" })),
        event("agent-tool", json!({ "toolCallId": "t1", "title": "ls", "status": "pending" })),
        event("agent-message", json!({ "messageId": "m1", "delta": "lo" })),
        event(
            "agent-tool",
            json!({ "toolCallId": "t1", "status": "completed", "output": { "n": 1 } }),
        ),
        event("agent-update", json!({ "update": { "sessionUpdate": "new" } })),
        event("agent-state", json!({ "value": "working", "tool": "ls" })),
        event("weather", json!({ "rain": true })),
    ]
}

#[test]
fn events_of_one_id_are_one_item() {
    let conversation = folded(&said());
    let [_, _, message, tool, update] = &conversation.items[..] else {
        panic!("{:?}", conversation.items)
    };
    let ConversationItem::Message(message) = message else { panic!("{message:?}") };
    assert_eq!(message.content[0].as_text(), Some("Hello"));
    let ConversationItem::Tool(tool) = tool else { panic!("{tool:?}") };
    assert_eq!((&*tool.title, &tool.output), ("ls", &Some(json!({ "n": 1 }))));
    assert!(matches!(update, ConversationItem::Update { .. }));
    assert_eq!(conversation.summary.state.unwrap().state.value, "working");
}

#[test]
fn a_message_knows_its_entries() {
    let mut conversation = folded(&said());
    let seqs = |conversation: &Conversation| match conversation.message_item("m1") {
        Some(ConversationItem::Message(message)) => (message.first_seq, message.seq),
        other => panic!("{other:?}"),
    };
    assert_eq!(seqs(&conversation), (Some(Seq(5)), Some(Seq(7))));
    // A snapshot of an earlier version has no entries, and what came first is not made up.
    let ConversationItem::Message(message) = &mut conversation.items[2] else { panic!() };
    (message.first_seq, message.seq) = (None, None);
    let stored = conversation.snapshot().unwrap();
    assert!(!String::from_utf8(stored.clone()).unwrap().contains("firstSeq"));
    let mut restored = Conversation::from_snapshot(&stored).unwrap();
    assert_eq!(seqs(&restored), (None, None));
    restored.apply(Seq(20), &event("agent-message", json!({ "messageId": "m1", "delta": "!" })));
    assert_eq!(seqs(&restored), (None, Some(Seq(20))));
}

#[test]
fn a_fold_continues_from_its_snapshot_wherever_the_events_begin() {
    let mut events = said();
    events.extend(asked());
    let whole = folded(&events);
    for cut in 0..=events.len() {
        let stored = folded(&events[..cut]).snapshot().unwrap();
        let mut restored = Conversation::from_snapshot(&stored).unwrap();
        for (seq, event) in (1..).zip(&events) {
            let is_new = restored.apply(Seq(seq), event);
            assert!(!is_new || seq as usize > cut);
        }
        assert_eq!(restored, whole);
    }
}

#[test]
fn a_snapshot_that_is_too_large_leaves_out_the_oldest_items() {
    let text = "x".repeat(SNAPSHOT_BYTES / 8);
    let message =
        |n| event("agent-message", json!({ "messageId": format!("m{n}"), "delta": text }));
    let events: Vec<_> = (0..40).map(message).collect();
    let stored = folded(&events).snapshot().unwrap();
    assert!(stored.len() <= SNAPSHOT_BYTES);
    let mut restored = Conversation::from_snapshot(&stored).unwrap();
    assert_eq!(restored.omitted as usize + restored.items.len(), 40);
    let more = event("agent-message", json!({ "messageId": "m39", "delta": "!" }));
    assert!(restored.apply(Seq(41), &more));
    let Some(ConversationItem::Message(last)) = restored.items.last() else { panic!() };
    assert!(last.content[0].as_text().unwrap().ends_with('!'));
}

#[test]
fn a_conversation_has_a_bound_in_bytes() {
    let mut conversation = Conversation::default();
    let part = "x".repeat(100_000);
    let mut seq = 0;
    let mut apply = |id: &str, conversation: &mut Conversation| {
        seq += 1;
        let fields = json!({ "messageId": id, "role": "agent", "delta": part });
        conversation.apply(Seq(seq), &event("agent-message", fields));
    };
    // One message that never ends.
    for _ in 0..100 {
        apply("long", &mut conversation);
    }
    let ConversationItem::Message(long) = &conversation.items[0] else { panic!() };
    let text = long.content[0].as_text().unwrap();
    assert_eq!((text.len(), long.truncated), (CONVERSATION_MESSAGE_BYTES, true));
    for number in 0..200 {
        apply(&format!("m{number}"), &mut conversation);
    }
    let json = serde_json::to_vec(&conversation).unwrap();
    assert!(json.len() < CONVERSATION_BYTES + CONVERSATION_BYTES / 4, "{}", json.len());
    let Conversation { omitted, items, .. } = &conversation;
    assert_eq!(*omitted as usize + items.len(), 201);
    assert!(items.len() >= 60, "{}", items.len());
    let snapshot = conversation.snapshot().unwrap();
    assert!(snapshot.len() > SNAPSHOT_BYTES / 2 && snapshot.len() <= SNAPSHOT_BYTES);
    assert_eq!(Conversation::from_snapshot(&snapshot).unwrap().items.last(), items.last());
}

#[test]
fn the_queue_has_the_order_that_was_asked_for() {
    let queued = |number| {
        let turn_id = turn_id(number);
        event(
            "agent-turn",
            json!({ "turnId": turn_id, "state": "queued", "prompt": { "text": "x" } }),
        )
    };
    let order = json!({ "order": [turn_id(3), turn_id(1)] });
    let running = json!({ "turnId": turn_id(3), "state": "running" });
    let mut events = vec![queued(1), queued(2), queued(3), event("agent-queue", order)];
    let ids = |conversation: &Conversation| -> Vec<_> {
        conversation.summary.turns.queued().map(|turn| turn.turn_id.clone()).collect()
    };
    assert_eq!(ids(&folded(&events)), [turn_id(3), turn_id(1), turn_id(2)]);
    events.push(event("agent-turn", running));
    let conversation = folded(&events);
    assert_eq!(ids(&conversation), [turn_id(1), turn_id(2)]);
    assert_eq!(conversation.summary.turns.active().unwrap().turn_id, turn_id(3));
}

#[test]
fn what_waits_for_the_host_is_foreseen() {
    let mut summary = folded(&said()).summary;
    let (by, steer) = ("laptop".to_owned(), false);
    let prompt = Prompt::text("c");
    let actions = [
        SessionAction::Prompt { turn_id: turn_id(3), prompt, by, steer },
        SessionAction::EditPrompt { turn_id: turn_id(2), prompt: Prompt::text("b2") },
        SessionAction::Reorder { order: vec![turn_id(3)] },
    ];
    for action in &actions {
        summary.foresee(action, 3000);
    }
    let queue: Vec<_> =
        summary.turns.queued().map(|turn| (&*turn.prompt.text, turn.pending)).collect();
    assert_eq!(queue, [("c", true), ("b2", false)]);
    summary.foresee(&SessionAction::Withdraw { turn_id: turn_id(2) }, 3000);
    assert_eq!(summary.turns.get(&turn_id(2)).unwrap().state, TurnState::Withdrawn);
    // Only the host ends a turn that runs.
    summary.foresee(&SessionAction::Withdraw { turn_id: turn_id(1) }, 3000);
    assert_eq!(summary.turns.get(&turn_id(1)).unwrap().state, TurnState::Running);
}

#[test]
fn an_approval_is_decided_once() {
    let id: ApprovalId = "approval_1".parse().unwrap();
    let mut list = folded(&asked()).summary.approvals;
    let check = |list: &ApprovalList, decision, digest| list.check(&id, &decision, digest);
    let allowed = decision(true, Some("yes"), Some("k1"));
    assert_eq!(check(&list, allowed.clone(), Some("d1gest")), Ok(true));
    assert_eq!(check(&list, allowed.clone(), Some("other")), Err(DecisionRefused::Digest));
    assert_eq!(check(&list, allowed.clone(), None), Err(DecisionRefused::Digest));
    assert_eq!(check(&list, decision(false, None, None), None), Ok(true));
    let contrary = decision(true, Some("no"), None);
    assert_eq!(check(&list, contrary, Some("d1gest")), Err(DecisionRefused::Option));
    let late = ApprovalDecision { at: 5000, ..allowed.clone() };
    assert_eq!(check(&list, late, Some("d1gest")), Err(DecisionRefused::Expired));

    list.decide(&id, allowed.clone());
    assert_eq!(list.get(&id).unwrap().state, ApprovalState::Decided);
    assert_eq!(check(&list, allowed, Some("d1gest")), Ok(false));
    let second = check(&list, decision(false, None, Some("k2")), None);
    assert!(
        matches!(second, Err(DecisionRefused::Decided(entry)) if entry.decision.as_ref().unwrap().by == "phone")
    );
    list.decide(&id, decision(false, None, None));
    assert!(list.get(&id).unwrap().decision.as_ref().unwrap().approved);
}

#[test]
fn an_approval_only_moves_forward() {
    let id: ApprovalId = "approval_1".parse().unwrap();
    let mut list = folded(&asked()).summary.approvals;
    let progress = |state| event("approval-progress", json!({ "approvalId": id, "state": state }));
    let confirmed = json!({ "approvalId": id, "approved": true, "customCommand": null });
    for (event, state) in [
        (progress("seen"), ApprovalState::Seen),
        (event("approval-confirmed", confirmed), ApprovalState::Delivered),
        (progress("seen"), ApprovalState::Delivered),
        (progress("done"), ApprovalState::Done),
        (event("approval-expired", json!({ "approvalId": id })), ApprovalState::Done),
    ] {
        assert!(list.apply(Seq(9), &event));
        assert_eq!(list.get(&id).unwrap().state, state, "{event:?}");
    }
}
