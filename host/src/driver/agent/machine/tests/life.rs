//! The agent's start, its end, and its next start.

use std::time::Duration;

use moorline_shared::agent::action::SessionAction;
use moorline_shared::event::{
    AgentConfig, AgentInfo, AgentMessage, AgentState, AgentTool, AgentTurn,
};
use serde_json::{Value, json};

use super::super::{AgentInput, AgentOutput, AgentSettings};
use super::bench::{Bench, options, prompt, stop};

fn phases(bench: &Bench) -> Vec<String> {
    let phases = bench.events::<AgentInfo>().into_iter().map(|info| info.phase);
    phases.filter(|phase| !phase.is_empty()).collect()
}

#[test]
fn an_agent_introduces_itself_and_opens_a_session() {
    let mut bench = Bench::with(AgentSettings {
        name: "tester".into(),
        cwd: "/work".into(),
        directories: vec!["/lib".into()],
        ..AgentSettings::default()
    });
    bench.handle(AgentInput::Started);
    let hello = bench.request("initialize");
    assert_eq!(hello["params"]["clientCapabilities"]["terminal"], true);
    // Gemini takes every error of a client for more than a missing file, and then writes no new one.
    assert!(hello["params"]["clientCapabilities"].get("fs").is_none());
    let info = json!({ "name": "x", "title": "Agent X", "version": "3" });
    let capabilities = json!({ "sessionCapabilities": { "additionalDirectories": {} } });
    let answer =
        json!({ "protocolVersion": 1, "agentInfo": info, "agentCapabilities": capabilities });
    bench.answer("initialize", &answer);
    let params = bench.request("session/new")["params"].clone();
    let want = json!({ "cwd": "/work", "mcpServers": [], "additionalDirectories": ["/lib"] });
    assert_eq!(params, want);
    bench.answer("session/new", &json!({ "sessionId": "s" }));
    assert_eq!(phases(&bench), ["starting", "starting", "ready"]);
    let info = &bench.shown.info;
    assert_eq!((info.name.as_deref(), info.version.as_deref()), (Some("Agent X"), Some("3")));
    assert_eq!((info.protocol, info.can_resume), (Some(1), Some(false)));
}

#[test]
fn a_prompt_can_come_before_the_agent_is_ready() {
    let mut bench = Bench::new();
    bench.act(prompt("a"));
    bench.start(&json!({}));
    assert_eq!(bench.turns(), ["a queued", "a running"]);
}

#[test]
fn the_first_mode_and_model_are_set_before_the_first_prompt() {
    let mut bench = Bench::with(AgentSettings {
        cwd: "/work".into(),
        mode: Some("plan".into()),
        model: Some("large".into()),
        ..AgentSettings::default()
    });
    bench.handle(AgentInput::Started);
    bench.act(prompt("a"));
    bench.answer("initialize", &json!({ "protocolVersion": 1 }));
    let option = |id: &str, category: &str, values: [&str; 2]| {
        json!({ "id": id, "name": id, "type": "select", "category": category,
                "currentValue": values[0],
                "options": [{ "value": values[0] }, { "value": values[1] }] })
    };
    let options =
        json!([option("m", "mode", ["code", "plan"]), option("x", "model", ["small", "big"])]);
    bench.answer("session/new", &json!({ "sessionId": "s", "configOptions": options }));
    assert_eq!(bench.errors(), ["setting_refused"], "the model is not offered");
    let set = bench.request("session/set_config_option");
    assert_eq!(
        (&set["params"]["configId"], &set["params"]["value"]),
        (&json!("m"), &json!("plan"))
    );
    assert!(!bench.has_request("session/prompt"));
    bench.answer("session/set_config_option", &json!({}));
    assert!(bench.has_request("session/prompt"));
    assert_eq!(bench.events::<AgentConfig>().pop().unwrap().options[0].value, "plan");
}

#[test]
fn an_agent_that_ends_is_loaded_again_by_the_next_prompt() {
    let mut bench = Bench::ready();
    bench.act(prompt("a"));
    bench.act(prompt("b"));
    bench.exit(3);
    let failed = bench.events::<AgentTurn>().pop().unwrap().error.unwrap();
    assert_eq!(failed.code, "agent_exited");
    assert_eq!(failed.message, "The agent exited with code 3: out of luck");
    assert_eq!(bench.shown.info.phase, "exited");
    assert_eq!(bench.events::<AgentState>().pop().unwrap().value, "error");
    // The queue waits for a user.
    assert!(!bench.outputs().contains(&AgentOutput::Start));
    bench.act(prompt("c"));
    assert!(bench.outputs().contains(&AgentOutput::Start));
    bench.take();

    bench.handle(AgentInput::Started);
    bench.answer(
        "initialize",
        &json!({ "protocolVersion": 1, "agentCapabilities": { "loadSession": true } }),
    );
    assert_eq!(bench.request("session/load")["params"]["sessionId"], "s");
    // The history is known, and nobody is asked about it.
    bench.chunk("old words");
    bench.update("tool_call", &json!({ "toolCallId": "t", "title": "Old" }));
    bench.update("available_commands_update", &json!({ "availableCommands": [{ "name": "x" }] }));
    let tool = json!({ "toolCallId": "t" });
    let params = json!({ "toolCall": tool, "options": options() });
    bench.ask(7, "session/request_permission", &params);
    assert_eq!(bench.answers(7)[0]["result"]["outcome"]["outcome"], "cancelled");
    assert!(bench.asked().is_none() && bench.events::<AgentMessage>().is_empty());
    assert_eq!(bench.shown.commands.commands.len(), 1);
    bench.answer("session/load", &Value::Null);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.turns(), ["b running"]);
    // The ids of another process may be those of earlier calls.
    bench.update("tool_call", &json!({ "toolCallId": "t", "title": "New" }));
    let tools = bench.events::<moorline_shared::event::AgentTool>();
    assert_eq!(tools[0].tool_call_id, "t~2");
}

/// Gemini answers before it repeats its history.
#[test]
fn history_that_follows_the_answer_is_history_too() {
    let mut bench = Bench::ready();
    bench.exit(0);
    bench.act(prompt("a"));
    bench.take();
    bench.handle(AgentInput::Started);
    let load = json!({ "protocolVersion": 1, "agentCapabilities": { "loadSession": true } });
    bench.answer("initialize", &load);
    bench.answer("session/load", &Value::Null);
    for _ in 0..4 {
        bench.update("tool_call", &json!({ "toolCallId": "t", "title": "Old" }));
        bench.chunk("old words");
        bench.pass(Duration::from_millis(200));
        assert!(!bench.has_request("session/prompt"));
    }
    assert!(bench.events::<AgentMessage>().is_empty());
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.turns().last().unwrap(), "a running");
    assert!(bench.has_request("session/prompt"));
    // One that never rests is not waited for.
    bench.exit(0);
    bench.act(prompt("b"));
    bench.take();
    bench.handle(AgentInput::Started);
    bench.answer("initialize", &load);
    bench.answer("session/load", &Value::Null);
    for _ in 0..100 {
        bench.chunk("old words");
        bench.pass(Duration::from_millis(100));
    }
    assert!(bench.has_request("session/prompt"));
}

#[test]
fn a_session_is_resumed_rather_than_loaded_and_begun_anew_if_it_is_lost() {
    let mut bench = Bench::new();
    let resume = json!({ "loadSession": true, "sessionCapabilities": { "resume": {} } });
    bench.start(&resume);
    bench.exit(0);
    bench.act(prompt("a"));
    bench.handle(AgentInput::Started);
    bench.answer("initialize", &json!({ "protocolVersion": 1, "agentCapabilities": resume }));
    bench.refuse("session/resume", -32002, "unknown");
    assert_eq!(bench.errors(), ["history_lost"]);
    bench.answer("session/new", &json!({ "sessionId": "s2" }));
    assert_eq!(bench.request("session/prompt")["params"]["sessionId"], "s2");
}

#[test]
fn an_agent_that_cannot_be_loaded_says_that_it_begins_anew() {
    let mut bench = Bench::new();
    bench.start(&json!({}));
    bench.exit(0);
    bench.take();
    bench.act(prompt("a"));
    bench.start(&json!({}));
    assert_eq!(bench.errors(), ["history_lost"]);
    assert_eq!(bench.turns().last().unwrap(), "a running");
}

#[test]
fn an_agent_that_fails_at_its_start_is_tried_again_by_the_next_prompt() {
    let mut bench = Bench::new();
    bench.handle(AgentInput::Started);
    bench.act(prompt("a"));
    bench.exit(127);
    assert_eq!(phases(&bench).last().unwrap(), "failed");
    assert_eq!(bench.turns(), ["a queued", "a failed"]);
    assert_eq!(bench.events::<AgentState>().pop().unwrap().value, "error");
    bench.act(prompt("b"));
    assert!(bench.outputs().contains(&AgentOutput::Start));
    bench.handle(AgentInput::NotStarted { message: "no such program".into() });
    assert_eq!(bench.shown.info.message.as_deref(), Some("no such program"));
    bench.act(prompt("c"));
    bench.start(&json!({}));
    assert_eq!(bench.turns().last().unwrap(), "c running");
}

#[test]
fn an_agent_that_does_not_answer_is_killed() {
    let mut bench = Bench::new();
    bench.handle(AgentInput::Started);
    bench.act(prompt("a"));
    bench.pass(Duration::from_mins(4));
    assert!(bench.outputs().contains(&AgentOutput::Kill));
    assert_eq!(bench.turns().last().unwrap(), "a failed");
    // A prompt that comes before it has ended starts another one then.
    bench.act(prompt("b"));
    assert!(!bench.outputs().contains(&AgentOutput::Start));
    bench.exit(1);
    assert!(bench.outputs().contains(&AgentOutput::Start));
}

#[test]
fn a_version_that_is_not_spoken_is_said() {
    let mut bench = Bench::new();
    bench.handle(AgentInput::Started);
    bench.answer("initialize", &json!({ "protocolVersion": 7 }));
    assert!(bench.shown.info.message.as_ref().unwrap().contains("version 7"));
}

#[test]
fn an_agent_that_refuses_the_newest_version_is_asked_for_the_oldest() {
    let mut bench = Bench::new();
    bench.handle(AgentInput::Started);
    bench.refuse("initialize", -32022, "Unsupported protocol version");
    assert_eq!(bench.request("initialize")["params"]["protocolVersion"], 1);
    bench.answer("initialize", &json!({ "protocolVersion": 1 }));
    assert!(bench.has_request("session/new"));
    let mut bench = Bench::new();
    bench.handle(AgentInput::Started);
    bench.refuse("initialize", -32603, "no");
    bench.refuse("initialize", -32603, "never");
    let message = bench.shown.info.message.as_deref();
    assert_eq!(message, Some("The agent refused to start: never"));
}

#[test]
fn a_user_logs_in() {
    let mut bench = Bench::new();
    bench.act(prompt("a"));
    bench.handle(AgentInput::Started);
    let methods =
        json!([{ "id": "key", "name": "Key" }, { "id": "tty", "type": "terminal", "name": "T" }]);
    bench.answer("initialize", &json!({ "protocolVersion": 1, "authMethods": methods }));
    bench.refuse("session/new", -32000, "Authentication required");
    assert_eq!(bench.shown.info.phase, "needs-login");
    assert_eq!(bench.shown.info.login.len(), 1, "nobody knows the command of the other");
    assert_eq!(bench.turns(), ["a queued"]);
    let log_in = |method: &str| SessionAction::LogIn { method: method.into() };
    bench.act(log_in("key"));
    assert_eq!(bench.request("authenticate")["params"]["methodId"], "key");
    bench.refuse("authenticate", -32603, "wrong key");
    assert_eq!(bench.shown.info.message.as_deref(), Some("The login failed: wrong key"));
    bench.act(log_in("key"));
    bench.take();
    bench.act(log_in("key"));
    assert_eq!(bench.errors(), ["login_refused"], "one login at a time");
}

#[test]
fn a_user_logs_in_on_a_terminal() {
    let command = vec!["/bin/pi agent".to_owned(), "--acp".to_owned()];
    let mut bench = Bench::with(AgentSettings { command, ..AgentSettings::default() });
    bench.act(prompt("a"));
    bench.handle(AgentInput::Started);
    let offered = bench.request("initialize")["params"].clone();
    assert_eq!(offered["clientCapabilities"]["auth"]["terminal"], true);
    assert_eq!(offered["clientCapabilities"]["_meta"]["terminal-auth"], true);
    assert_eq!(offered["capabilities"]["auth"]["terminal"], json!({}));
    let named = json!({ "command": "claude", "args": ["auth", "log in"], "env": { "A": "b c" } });
    let methods = json!([
        { "id": "tty", "type": "terminal", "name": "T", "args": ["--login"] },
        { "id": "named", "type": "terminal", "_meta": { "terminal-auth": named } },
    ]);
    bench.answer("initialize", &json!({ "protocolVersion": 1, "authMethods": methods }));
    bench.refuse("session/new", -32000, "Authentication required");
    let commands: Vec<_> =
        bench.shown.info.login.iter().filter_map(|login| login.command.as_deref()).collect();
    assert_eq!(commands, ["'/bin/pi agent' --acp --login", "A='b c' claude auth 'log in'"]);
    bench.take();
    // Whoever has done so goes on.
    bench.act(SessionAction::LogIn { method: "tty".into() });
    assert!(bench.has_request("session/new") && !bench.has_request("authenticate"));
    bench.answer("session/new", &json!({ "sessionId": "s" }));
    assert_eq!(bench.turns().last().unwrap(), "a running");
}

#[test]
fn a_prompt_that_needs_a_login_waits_for_it() {
    let mut bench = Bench::new();
    bench.handle(AgentInput::Started);
    let methods = json!([{ "id": "key", "name": "Key" }]);
    bench.answer("initialize", &json!({ "protocolVersion": 1, "authMethods": methods }));
    bench.answer("session/new", &json!({ "sessionId": "s" }));
    bench.act(prompt("a"));
    bench.refuse("session/prompt", -32000, "log in");
    assert_eq!(bench.turns(), ["a queued", "a running", "a queued"]);
    assert_eq!(bench.shown.info.phase, "needs-login");
    bench.act(SessionAction::LogIn { method: "key".into() });
    bench.take();
    bench.say(&json!({ "id": 4, "result": {} }));
    assert_eq!(bench.turns(), ["a running"]);
    assert!(bench.has_request("session/prompt") && !bench.has_request("session/new"));
    assert!(bench.events::<AgentMessage>().is_empty(), "the prompt is told once");
}

#[test]
fn a_forced_stop_works_at_any_time() {
    let mut bench = Bench::new();
    bench.handle(AgentInput::Started);
    bench.act(stop(true));
    assert!(bench.outputs().contains(&AgentOutput::Kill));
    bench.exit(1);
    assert_eq!(bench.shown.info.phase, "exited");
    assert_eq!(bench.events::<AgentState>().pop().unwrap().value, "idle");
}

#[test]
fn a_session_that_is_closed_leaves_nothing_open() {
    let mut bench = Bench::new();
    bench.start(&json!({ "sessionCapabilities": { "close": {} } }));
    bench.act(prompt("a"));
    bench.act(prompt("b"));
    let id = bench.ask_permission(7, &json!({ "toolCallId": "t" }));
    bench.handle(AgentInput::Close);
    assert_eq!(bench.turns().split_off(4), ["a cancelled", "b withdrawn"]);
    assert_eq!(bench.answers(7).len(), 1);
    assert!(!bench.machine.awaits(&id) && bench.has_request("session/close"));
    assert_eq!(bench.outputs().iter().filter(|it| **it == AgentOutput::End).count(), 1);
    bench.take();
    bench.handle(AgentInput::Close);
    bench.act(prompt("c"));
    bench.exit(0);
    assert!(bench.outputs().is_empty());
}

#[test]
fn a_choice_outlives_the_process() {
    let modes = |current: &str| json!({ "currentModeId": current, "availableModes": [{ "id": "ask" }, { "id": "code" }] });
    let mut bench = Bench::new();
    bench.handle(AgentInput::Started);
    bench.answer(
        "initialize",
        &json!({ "protocolVersion": 1, "agentCapabilities": { "loadSession": true } }),
    );
    bench.answer("session/new", &json!({ "sessionId": "s", "modes": modes("ask") }));
    bench.act(SessionAction::Configure { option: "mode".into(), value: "code".into() });
    bench.answer("session/set_mode", &json!({}));
    bench.exit(0);
    bench.act(prompt("a"));
    bench.take();
    bench.handle(AgentInput::Started);
    bench.answer(
        "initialize",
        &json!({ "protocolVersion": 1, "agentCapabilities": { "loadSession": true } }),
    );
    bench.answer("session/load", &json!({ "modes": modes("ask") }));
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.request("session/set_mode")["params"]["modeId"], "code");
}

#[test]
fn a_fork_does_not_use_the_ids_of_the_conversation_that_it_continues() {
    let (history, id_suffix) = (Some("What was said.".to_owned()), "fork_1".to_owned());
    let mut bench = Bench::with(AgentSettings { history, id_suffix, ..AgentSettings::default() });
    bench.start(&json!({}));
    bench.act(prompt("a"));
    let text = json!({ "type": "text", "text": "Hello" });
    bench.update("agent_message_chunk", &json!({ "messageId": "m", "content": text }));
    bench.update("tool_call", &json!({ "toolCallId": "t", "title": "Look" }));
    bench.finish("end_turn");
    let messages = bench.events::<AgentMessage>();
    let messages = messages.iter().map(|message| message.message_id.as_str());
    let tools = bench.events::<AgentTool>();
    let tools = tools.iter().map(|tool| tool.tool_call_id.as_str());
    for id in messages.chain(tools) {
        assert!(id.ends_with("~fork_1"), "{id}");
    }
}
