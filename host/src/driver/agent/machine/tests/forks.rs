//! What a fork takes over of the session that it continues.

use moorline_shared::agent::prompt::{Prompt, PromptImage, TurnState};
use moorline_shared::event::{AgentTurn, Event};
use moorline_shared::fold::AgentSummary;
use moorline_shared::id::Seq;
use moorline_shared::limits::ENDED_TURNS;
use serde_json::json;

use super::bench::{Bench, turn};
use crate::driver::agent::{AgentInput, AgentSettings};
use moorline_shared::agent::action::SessionAction;

fn retry(of: &str, name: &str) -> SessionAction {
    SessionAction::Retry { turn_id: turn(of), new_turn_id: turn(name), by: "phone".into() }
}

/// Returns the machine of a fork at a point with a turn in each state.
fn fork() -> Bench {
    let mut source = AgentSummary::default();
    for (seq, (name, state)) in
        (1..).zip([("a", "done"), ("b", "failed"), ("c", "requires-action"), ("d", "queued")])
    {
        let image = PromptImage { mime_type: "image/png".into(), data: String::new() };
        let images = if name == "a" { vec![image] } else { Vec::new() };
        let prompt = Prompt { images, ..Prompt::text(format!("do {name}")) };
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
fn all_turns_are_reported_and_those_that_were_open_as_over() {
    let fork = fork();
    let events = fork.events::<AgentTurn>();
    let states = events.iter().map(|turn| (turn.turn_id.clone(), turn.state)).collect::<Vec<_>>();
    let (failed, withdrawn) = (TurnState::Failed, TurnState::Withdrawn);
    let ends = [("a", TurnState::Done), ("b", failed), ("c", failed), ("d", withdrawn)];
    assert_eq!(states, ends.map(|(name, state)| (turn(name), state)));
    let errors: Vec<_> = events.iter().map(|it| it.error.as_ref().map(|it| &*it.code)).collect();
    assert_eq!(errors, [None, None, Some("forked"), None]);
    assert_eq!(events[2].prompt.as_ref().unwrap().text, "do c", "it is reported in full");
    assert!(events.iter().all(|turn| turn.by.as_deref() == Some("phone")));
}

#[test]
fn a_prompt_of_which_the_log_has_a_part_is_not_sent_again() {
    let mut source = AgentSummary::default();
    let fields = json!({
        "turnId": turn("a"), "state": "failed", "prompt": { "text": "a part" }, "truncated": true,
    });
    let event = Event::of_kind("session_1".parse().unwrap(), "agent-turn", 1, fields);
    source.apply(Seq(1), &event);
    let inherited = source.turns.entries().to_vec();
    let mut fork = Bench::with(AgentSettings { inherited, ..AgentSettings::default() });
    fork.start(&json!({}));
    fork.act(retry("a", "b"));
    assert_eq!(fork.errors(), ["unknown_turn"]);
    assert_eq!(fork.events::<AgentTurn>().len(), 1, "the turn itself is listed");
}

#[test]
fn of_many_turns_the_last_are_reported() {
    let mut source = AgentSummary::default();
    for number in 1..=ENDED_TURNS + 2 {
        let state = if number > ENDED_TURNS { "queued" } else { "done" };
        let fields = json!({ "turnId": turn(&number.to_string()), "state": state });
        let event = Event::of_kind("session_1".parse().unwrap(), "agent-turn", 1, fields);
        source.apply(Seq(number as u64), &event);
    }
    let inherited = source.turns.entries().to_vec();
    let mut fork = Bench::with(AgentSettings { inherited, ..AgentSettings::default() });
    fork.handle(AgentInput::Timeout);
    let reported: Vec<_> = fork.events::<AgentTurn>().into_iter().map(|it| it.turn_id).collect();
    let last: Vec<_> = (3..=ENDED_TURNS + 2).map(|number| turn(&number.to_string())).collect();
    assert_eq!(reported, last);
}

#[test]
fn turns_of_the_source_can_be_retried() {
    let mut fork = fork();
    fork.restore();
    fork.start(&json!({}));
    fork.act(retry("c", "e"));
    let sent = fork.request("session/prompt")["params"]["prompt"].to_string();
    assert!(sent.contains("do c"), "{sent}");
    fork.finish("end_turn");
    fork.act(retry("b", "f"));
    assert!(fork.request("session/prompt")["params"]["prompt"].to_string().contains("do b"));
    assert_eq!(fork.errors(), [""; 0]);
    // One with an image, which the fork does not have, is not sent without it.
    fork.act(retry("a", "g"));
    assert_eq!(fork.errors(), ["unknown_turn"]);
}
