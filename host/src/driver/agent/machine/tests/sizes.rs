//! Events that would be too large, and events that would say nothing. The bench checks the size of
//! every event of every test.

use moorline_shared::agent::action::SessionAction;
use moorline_shared::agent::content::ToolStatus;
use moorline_shared::event::{
    AgentCommands, AgentConfig, AgentInfo, AgentMessage, AgentPlan, AgentTool, AgentTurn,
    SessionError,
};
use moorline_shared::limits::{AGENT_EVENT_BYTES, AGENT_PROMPT_BYTES};
use serde_json::{Value, json};

use super::bench::{Bench, prompt, turn};
use crate::driver::agent::AgentOutput;

/// Returns the values of `truncated` of all events of a kind.
fn truncated(bench: &Bench, wanted: &str) -> Vec<bool> {
    let events = bench.outputs().iter().filter_map(|output| match output {
        AgentOutput::Event { kind, fields } if *kind == wanted => {
            Some(fields.get("truncated") == Some(&Value::Bool(true)))
        }
        _ => None,
    });
    events.collect()
}

#[test]
fn a_long_prompt_reaches_the_agent_and_is_shown_in_part() {
    for text in ["x".repeat(AGENT_PROMPT_BYTES), "\u{1}".repeat(AGENT_PROMPT_BYTES)] {
        let mut bench = Bench::ready();
        let SessionAction::Prompt { turn_id, mut prompt, by, steer } = prompt("a") else {
            panic!("no prompt")
        };
        prompt.text.clone_from(&text);
        bench.act(SessionAction::Prompt { turn_id, prompt: prompt.clone(), by, steer });
        let sent = bench.request("session/prompt");
        assert_eq!(sent["params"]["prompt"][0]["text"].as_str(), Some(&*text));
        let turns = bench.events::<AgentTurn>();
        let shown = turns[0].prompt.as_ref().unwrap().text.len();
        assert!(turns[0].truncated && shown > 4096, "{shown} bytes are shown");
        assert!(!turns[1].truncated, "it repeats no prompt");
        let told = &bench.events::<AgentMessage>()[0];
        assert!(told.truncated && told.content.is_some());
        let entry = bench.shown.summary.turns.get(&turn("a")).unwrap();
        assert!(entry.truncated);
        bench.act(super::bench::prompt("b"));
        prompt.text.push('y');
        bench.act(SessionAction::EditPrompt { turn_id: turn("b"), prompt });
        let edited = bench.events::<AgentTurn>();
        assert!(edited.last().unwrap().truncated);
    }
}

#[test]
fn whatever_an_agent_says_fits_and_says_what_is_missing() {
    let mut bench = Bench::ready();
    bench.act(prompt("a"));
    bench.forget_events();
    let long = "x".repeat(2 * AGENT_EVENT_BYTES);
    let text = json!({ "type": "text", "text": long });
    bench.update(
        "tool_call",
        &json!({
            "toolCallId": "t", "title": long, "rawInput": { "a": long }, "rawOutput": long,
            "content": [{ "type": "content", "content": text }],
            "locations": [{ "path": long }],
        }),
    );
    bench.update("plan", &json!({ "entries": [{ "content": long, "status": "pending" }] }));
    let line = "x".repeat(1000);
    let command = json!({ "name": "a", "description": line });
    let commands = json!({ "availableCommands": vec![command; 300] });
    bench.update("available_commands_update", &commands);
    let choice = json!({ "value": "v", "name": line, "description": line });
    let option = json!({
        "id": "o", "name": "O", "type": "select", "currentValue": "v",
        "options": vec![choice; 300],
    });
    bench.update("config_option_update", &json!({ "configOptions": [option] }));
    bench.update("session_info_update", &json!({ "title": long }));
    bench.update("later", &json!({ "x": long }));
    bench.refuse("session/prompt", -32603, &long);
    for kind in ["agent-tool", "agent-plan", "agent-commands", "agent-config"] {
        assert_eq!(truncated(&bench, kind).first(), Some(&true), "{kind}");
    }
    assert!(bench.events::<AgentTool>()[0].truncated);
    assert_eq!(bench.events::<AgentPlan>().len(), 1);
    assert_eq!(bench.events::<AgentCommands>().len() + bench.events::<AgentConfig>().len(), 2);
    // The error of a turn is told in its event.
    assert_eq!(bench.events::<SessionError>(), []);
    let failed = bench.events::<AgentTurn>();
    assert_eq!(failed.last().unwrap().error.as_ref().unwrap().code, "agent_error");
}

#[test]
fn a_question_reports_only_what_is_new_of_its_tool_call() {
    let mut bench = Bench::ready();
    bench.act(prompt("a"));
    let tool = json!({
        "toolCallId": "t", "title": "Edit", "kind": "edit", "status": "pending",
        "locations": [{ "path": "/work/a" }], "rawInput": { "path": "/work/a" },
        "content": [{ "type": "diff", "path": "/work/a", "newText": "x" }],
    });
    bench.update("tool_call", &tool);
    let question = bench.ask_permission(1, &tool);
    assert_eq!(bench.events::<AgentTool>().len(), 1, "nothing is new");
    bench.decide(&question, None);
    let mut changed = tool.clone();
    changed["title"] = "Edit a".into();
    bench.ask_permission(2, &changed);
    let events = bench.events::<AgentTool>();
    let denied = AgentTool {
        tool_call_id: events[0].tool_call_id.clone(),
        status: Some(ToolStatus::Failed),
        ..AgentTool::default()
    };
    let expected = AgentTool {
        turn_id: Some(turn("a")),
        title: Some("Edit a".into()),
        status: Some(ToolStatus::Pending),
        ..denied.clone()
    };
    assert_eq!(events[1..], [denied, expected]);
    // One that the agent has not reported before is reported with its question.
    bench.ask_permission(3, &json!({ "toolCallId": "u", "title": "Delete" }));
    assert_eq!(bench.events::<AgentTool>().len(), 4);
    bench.update("tool_call_update", &json!({ "toolCallId": "t", "status": "completed" }));
    assert_eq!(bench.events::<AgentTool>().len(), 5);
}

#[test]
fn an_unchanged_phase_is_left_out() {
    let mut bench = Bench::new();
    bench.start(&json!({}));
    bench.update("session_info_update", &json!({ "title": "Tests" }));
    let info = bench.outputs().iter().filter_map(|output| match output {
        AgentOutput::Event { kind: "agent-info", fields } => Some(fields.get("phase").cloned()),
        _ => None,
    });
    let phases: Vec<_> = info.collect();
    assert!(phases.contains(&None) && !phases.contains(&Some("".into())), "{phases:?}");
    assert_eq!(bench.events::<AgentInfo>().last().unwrap().title.as_deref(), Some("Tests"));
    assert_eq!(bench.shown.info.phase, "ready");
}
