//! Agents that break the protocol.

use std::time::Duration;

use serde_json::json;

use super::super::AgentInput;
use super::bench::{Bench, options, prompt};

#[test]
fn faults_are_told_a_few_times_a_minute() {
    let mut bench = Bench::ready();
    for _ in 0..10 {
        bench.handle(AgentInput::Line(b"Loading model...".to_vec()));
        bench.handle(AgentInput::LineTooLong);
        bench.say(&json!([1, 2]));
    }
    assert_eq!(bench.errors(), ["agent_protocol"; 3]);
    bench.pass(Duration::from_mins(2));
    bench.say(&json!({ "id": 99, "result": 1 }));
    assert_eq!(bench.errors().len(), 4);
    // The session goes on.
    bench.act(prompt("a"));
    assert_eq!(bench.turns().last().unwrap(), "a running");
}

#[test]
fn an_answer_counts_once() {
    let mut bench = Bench::ready();
    bench.act(prompt("a"));
    bench.act(prompt("b"));
    let first = bench.request("session/prompt")["id"].clone();
    let answer = json!({ "id": first, "result": { "stopReason": "end_turn" } });
    bench.say(&answer);
    bench.say(&answer);
    assert_eq!(bench.turns(), ["a queued", "a running", "b queued", "a done", "b running"]);
    assert_eq!(bench.errors(), ["agent_protocol"]);
}

#[test]
fn a_repeated_question_is_one_question() {
    let mut bench = Bench::ready();
    bench.act(prompt("a"));
    let tool = json!({ "toolCallId": "t" });
    let id = bench.ask_permission(7, &tool);
    let params = json!({ "toolCall": tool, "options": options() });
    bench.ask(7, "session/request_permission", &params);
    bench.decide(&id, None);
    assert_eq!(bench.answers(7).len(), 1);
    assert_eq!(bench.errors(), ["agent_protocol"]);
}

#[test]
fn a_question_without_what_it_needs_is_refused() {
    let mut bench = Bench::ready();
    for (id, params) in [
        (1, json!({ "toolCall": { "title": "no id" }, "options": options() })),
        (2, json!({ "toolCall": { "toolCallId": "t" }, "options": "none" })),
    ] {
        bench.ask(id, "session/request_permission", &params);
        assert_eq!(bench.answers(id)[0]["error"]["code"], -32602);
    }
    assert!(bench.asked().is_none());
}

#[test]
fn an_update_about_another_session_is_ignored() {
    let mut bench = Bench::ready();
    let update = json!({ "sessionUpdate": "plan", "entries": [] });
    let params = json!({ "sessionId": "other", "update": update });
    bench.say(&json!({ "method": "session/update", "params": params }));
    assert_eq!(bench.errors(), ["agent_protocol"]);
    assert!(bench.events::<moorline_shared::event::AgentPlan>().is_empty());
}

#[test]
fn lines_of_an_agent_that_has_ended_are_ignored() {
    let mut bench = Bench::ready();
    bench.exit(0);
    bench.take();
    bench.chunk("ghost");
    bench.say(&json!({ "id": 1, "method": "session/request_permission", "params": {} }));
    assert!(bench.outputs().is_empty());
}

#[test]
fn a_session_without_an_id_is_a_failure() {
    let mut bench = Bench::new();
    bench.handle(AgentInput::Started);
    bench.answer("initialize", &json!(null));
    bench.answer("session/new", &json!({ "sessionId": "" }));
    assert_eq!(bench.shown.info.phase, "failed");
}
