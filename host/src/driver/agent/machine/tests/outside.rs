//! What the machine has done outside: looks at the session's files, and terminals.

use moorline_shared::event::AgentChanges;
use serde_json::json;

use super::bench::{Bench, prompt, turn};
use crate::driver::agent::{AgentInput, AgentOutput, AgentSettings, ServiceAnswer};

fn place(bench: &Bench, wanted: impl Fn(&AgentOutput) -> bool) -> usize {
    bench.outputs().iter().position(wanted).expect("no such output")
}

fn changes(files: usize, of: Option<&str>) -> AgentInput {
    let turn_id = of.map(turn);
    AgentInput::Changes(AgentChanges { turn_id, files, ..AgentChanges::default() })
}

#[test]
fn files_are_looked_at_before_a_prompt_and_after_its_turn() {
    let mut bench = Bench::ready();
    bench.act(prompt("a"));
    let turn_id = turn("a");
    let begins = place(&bench, |it| *it == AgentOutput::TurnBegins { turn_id: turn_id.clone() });
    let sent =
        |it: &AgentOutput| matches!(it, AgentOutput::Line(line) if line.contains("session/prompt"));
    assert!(begins < place(&bench, sent));
    assert_eq!(bench.machine.active_turn(), Some(turn_id.clone()));
    let over = AgentOutput::TurnOver { turn_id };
    assert!(!bench.outputs().contains(&over));
    bench.finish("end_turn");
    assert!(bench.outputs().contains(&over));
    assert_eq!(bench.machine.active_turn(), None);
}

#[test]
fn changes_are_reported_once() {
    let mut bench = Bench::ready();
    bench.handle(changes(0, Some("a")));
    assert_eq!(bench.events::<AgentChanges>(), [], "none, as before");
    bench.handle(changes(2, Some("a")));
    bench.restore();
    bench.handle(changes(2, Some("b")));
    bench.handle(changes(0, None));
    let files: Vec<_> = bench.events::<AgentChanges>().iter().map(|it| it.files).collect();
    assert_eq!(files, [2, 0]);
    assert_eq!(bench.shown.changes.files, 0);
    let history = Some("What was said.".to_owned());
    let mut fork = Bench::with(AgentSettings { history, ..AgentSettings::default() });
    fork.handle(AgentInput::Timeout);
    assert_eq!(
        fork.events::<AgentChanges>(),
        [AgentChanges::default()],
        "another's are not its own"
    );
}

#[test]
fn open_terminals_are_known_to_the_next_host() {
    let mut bench = Bench::ready();
    bench.act(prompt("a"));
    bench.ask(7, "terminal/create", &json!({ "command": "make" }));
    let (work, _) = bench.work().unwrap();
    let result = Ok(ServiceAnswer::Terminal("terminal_1".into()));
    bench.handle(AgentInput::Served { work, result });
    assert_eq!(bench.answers(7)[0]["result"]["terminalId"], "terminal_1");
    bench.restore();
    assert_eq!(bench.machine.open_terminals(), ["terminal_1"]);
    let content = json!([{ "type": "terminal", "terminalId": "terminal_1" }]);
    bench.update("tool_call", &json!({ "toolCallId": "t", "title": "Make", "content": content }));
    let shown = serde_json::to_value(&bench.shown.items).unwrap().to_string();
    assert!(shown.contains(r#"{"sessionId":"terminal_1","type":"terminal"}"#), "{shown}");
    bench.ask(9, "terminal/wait_for_exit", &json!({ "terminalId": "terminal_1" }));
    bench.ask(10, "terminal/output", &json!({ "terminalId": "terminal_1" }));
    bench.machine.interrupted();
    bench.handle(AgentInput::Timeout);
    assert_eq!(bench.answers(9)[0]["result"], json!({ "exitCode": null, "signal": "SIGHUP" }));
    assert!(bench.answers(10)[0]["error"]["code"].is_i64(), "it may ask again");
    bench.ask(8, "terminal/release", &json!({ "terminalId": "terminal_1" }));
    assert!(bench.machine.open_terminals().is_empty());
}
