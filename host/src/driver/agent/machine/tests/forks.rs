//! What a fork takes over of the session that it continues.

use moorline_shared::agent::prompt::{Prompt, PromptImage, TurnState};
use moorline_shared::event::{AgentTurn, Event};
use moorline_shared::fold::AgentSummary;
use moorline_shared::id::Seq;
use serde_json::json;

use super::bench::{Bench, turn};
use crate::driver::agent::{AgentInput, AgentSettings};
use moorline_shared::agent::action::SessionAction;

/// Returns the machine of a fork at a point with a turn in each state.
fn fork() -> Bench {
    let mut source = AgentSummary::default();
    for (seq, (name, state)) in
        (1..).zip([("a", "done"), ("b", "failed"), ("c", "requires-action"), ("d", "queued")])
    {
        let image = PromptImage { mime_type: "image/png".into(), data: String::new() };
        let prompt = Prompt { images: vec![image], ..Prompt::text(format!("do {name}")) };
        let fields = json!({
            "turnId": turn(name), "state": state, "prompt": prompt, "by": "phone",
        });
        let event = Event::of_kind("session_1".parse().unwrap(), "agent-turn", 1, fields);
        source.apply(Seq(seq), &event);
    }
    let inherited = source.turns.entries().to_vec();
    let mut fork = Bench::with(AgentSettings { inherited, ..AgentSettings::default() });
    fork.handle(AgentInput::Timeout);
    fork
}

#[test]
fn turns_that_were_open_are_reported_as_over() {
    let fork = fork();
    let events = fork.events::<AgentTurn>();
    let ends = events.iter().map(|turn| (&turn.turn_id, turn.state)).collect::<Vec<_>>();
    let (c, d) = (turn("c"), turn("d"));
    assert_eq!(ends, [(&c, TurnState::Failed), (&d, TurnState::Withdrawn)]);
    assert_eq!(events[0].error.as_ref().unwrap().code, "forked");
    assert_eq!(events[0].prompt.as_ref().unwrap().text, "do c", "it is reported in full");
    assert_eq!((events[0].by.as_deref(), &events[1].error), (Some("phone"), &None));
}

#[test]
fn turns_of_the_source_can_be_retried() {
    let mut fork = fork();
    fork.restore();
    fork.start(&json!({}));
    let retry = |of: &str, name: &str| SessionAction::Retry {
        turn_id: turn(of),
        new_turn_id: turn(name),
        by: "phone".into(),
    };
    fork.act(retry("c", "e"));
    let sent = fork.request("session/prompt")["params"]["prompt"].to_string();
    assert!(sent.contains("do c") && !sent.contains("image"), "{sent}");
    fork.finish("end_turn");
    fork.act(retry("b", "f"));
    assert!(fork.request("session/prompt")["params"]["prompt"].to_string().contains("do b"));
    assert_eq!(fork.errors(), [""; 0]);
}
