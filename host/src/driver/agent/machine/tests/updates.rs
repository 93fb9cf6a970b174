//! What the agent says and does.

use std::time::Duration;

use moorline_shared::agent::action::SessionAction;
use moorline_shared::agent::content::{ContentBlock, MessageRole, ToolContent, ToolStatus};
use moorline_shared::event::{
    AgentConfig, AgentMessage, AgentPlan, AgentState, AgentTool, AgentUpdate, AgentUsage,
};
use moorline_shared::fold::ConversationItem;
use moorline_shared::limits::AGENT_EVENT_BYTES;
use serde_json::json;

use super::bench::{Bench, prompt};
use crate::driver::agent::{AgentInput, RpcError, ServiceAnswer, ServiceRequest};

/// Returns a machine whose agent works. The outputs begin after the message of the user.
fn working() -> Bench {
    let mut bench = Bench::ready();
    bench.act(prompt("a"));
    bench.forget_events();
    bench
}

/// Returns the text of each message as pages show it.
fn said(bench: &Bench) -> Vec<(MessageRole, String)> {
    let message = |item: &ConversationItem| match item {
        ConversationItem::Message(message) => {
            let text = message.content.iter().filter_map(ContentBlock::as_text).collect();
            Some((message.role, text))
        }
        _ => None,
    };
    bench.shown.items.iter().filter_map(message).collect()
}

#[test]
fn pieces_become_messages_at_a_steady_pace() {
    let mut bench = working();
    for word in ["one ", "two ", "three "] {
        bench.chunk(word);
        bench.pass(Duration::from_millis(10));
    }
    let deltas = |bench: &Bench| {
        let events = bench.events::<AgentMessage>();
        events.into_iter().filter_map(|event| event.delta).collect::<Vec<_>>()
    };
    assert_eq!(deltas(&bench), ["one "]);
    bench.pass(Duration::from_millis(50));
    assert_eq!(deltas(&bench), ["one ", "two three "]);
    let thought = json!({ "content": { "type": "text", "text": "hm" } });
    bench.update("agent_thought_chunk", &thought);
    // A tool call separates what is said before and after it.
    bench.update("tool_call", &json!({ "toolCallId": "t", "title": "Look" }));
    bench.chunk("four");
    bench.pass(Duration::from_secs(1));
    let want = [
        (MessageRole::User, "do a".to_owned()),
        (MessageRole::Agent, "one two three ".to_owned()),
        (MessageRole::Thought, "hm".to_owned()),
        (MessageRole::Agent, "four".to_owned()),
    ];
    assert_eq!(said(&bench), want);
    assert!(bench.transcript.contains("one two three \r\n"), "{}", bench.transcript);
}

#[test]
fn a_long_message_comes_in_events_that_fit() {
    let mut bench = working();
    let text = "é\u{1}".repeat(AGENT_EVENT_BYTES);
    bench.chunk(&text);
    let events = bench.events::<AgentMessage>();
    for event in &events {
        assert!(serde_json::to_vec(event).unwrap().len() <= AGENT_EVENT_BYTES);
    }
    let all: String = events.into_iter().filter_map(|event| event.delta).collect();
    assert!(all == text);
}

#[test]
fn ids_of_messages_are_those_of_the_agent() {
    let mut bench = working();
    let chunk = |id: &str, text: &str| json!({ "messageId": id, "content": { "type": "text", "text": text } });
    for (id, text) in [("m1", "a"), ("m2", "b"), ("m1", "c")] {
        bench.update("agent_message_chunk", &chunk(id, text));
    }
    bench.finish("end_turn");
    let ids: Vec<_> = bench.events::<AgentMessage>().into_iter().map(|it| it.message_id).collect();
    assert_eq!(ids, ["m1", "m2", "m1"]);
}

#[test]
fn what_is_not_text_is_a_message_of_its_own() {
    let mut bench = working();
    bench.chunk("look: ");
    let image = json!({ "type": "image", "mimeType": "image/png", "data": "A".repeat(200_000) });
    bench.update("agent_message_chunk", &json!({ "content": image }));
    let audio = json!({ "type": "audio", "mimeType": "audio/wav", "data": "A" });
    bench.update("agent_message_chunk", &json!({ "content": audio }));
    let events = bench.events::<AgentMessage>();
    assert_eq!(events.len(), 3);
    assert!(events[1].truncated && !events[2].truncated);
    assert_eq!(events[2].content, Some(vec![ContentBlock::Other(audio)]));
}

#[test]
fn a_tool_call_is_told_as_it_comes() {
    let mut bench = working();
    let call = json!({ "toolCallId": "t", "title": "Run tests", "kind": "execute",
                       "status": "in_progress", "rawInput": { "command": "make" } });
    bench.update("tool_call", &call);
    let state = bench.events::<AgentState>().pop().unwrap();
    assert_eq!((&*state.value, state.tool.as_deref()), ("working", Some("Run tests")));
    let content = json!([{ "type": "content", "content": { "type": "text", "text": "ok" } },
                         { "type": "terminal", "terminalId": "terminal-1" }]);
    bench.update("tool_call_update", &json!({ "toolCallId": "t", "content": content }));
    bench.update("tool_call_update", &json!({ "toolCallId": "t", "status": "failed" }));
    let events = bench.events::<AgentTool>();
    assert_eq!((events[1].title.as_ref(), events[1].status), (None, None));
    assert!(matches!(events[1].content.as_ref().unwrap()[0], ToolContent::Known(_)));
    assert_eq!(events[2].status, Some(ToolStatus::Failed));
    assert_eq!(bench.events::<AgentState>().pop().unwrap().tool, None);
    let line = "• Run tests …";
    assert!(bench.transcript.contains(&format!("{line}\r\n{line} failed\r\n")));
}

#[test]
fn plans_settings_commands_and_usage_are_told() {
    let mut bench = working();
    bench.update("plan", &json!({ "entries": [{ "content": "look", "status": "completed" }, {}] }));
    assert_eq!(bench.events::<AgentPlan>()[0].entries.len(), 2);
    assert!(bench.transcript.contains("plan: 1 of 2 done"));
    bench.update("usage_update", &json!({ "used": 5, "size": 10 }));
    assert_eq!(bench.events::<AgentUsage>()[0].used, Some(5));
    bench.update("session_info_update", &json!({ "title": "Fix it" }));
    assert_eq!(bench.shown.info.title.as_deref(), Some("Fix it"));
    assert_eq!(bench.shown.info.phase, "ready");
    let commands = json!({ "availableCommands": [{ "name": "web", "description": "d" }] });
    bench.update("available_commands_update", &commands);
    assert_eq!(bench.shown.commands.commands[0].name, "web");
}

#[test]
fn an_unknown_update_is_kept() {
    let mut bench = working();
    bench.update("hologram", &json!({ "depth": 3 }));
    let update = &bench.events::<AgentUpdate>()[0].update;
    assert_eq!(*update, json!({ "sessionUpdate": "hologram", "depth": 3 }));
    assert!(bench.errors().is_empty());
}

#[test]
fn an_echo_of_the_prompt_is_not_told_twice() {
    let mut bench = working();
    let echo = json!({ "content": { "type": "text", "text": "do a" } });
    bench.update("user_message_chunk", &echo);
    bench.pass(Duration::from_secs(1));
    let messages = said(&bench);
    assert_eq!(messages, [(MessageRole::User, "do a".to_owned())]);
}

#[test]
fn settings_are_offered_and_set() {
    let mut bench = Bench::new();
    bench.handle(AgentInput::Started);
    bench.answer("initialize", &json!({ "protocolVersion": 1 }));
    let modes = json!({ "currentModeId": "ask",
                        "availableModes": [{ "id": "ask", "name": "Ask" }, { "id": "code", "name": "Code" }] });
    bench.answer("session/new", &json!({ "sessionId": "s", "modes": modes }));
    let set = |value: &str| SessionAction::Configure { option: "mode".into(), value: value.into() };
    bench.act(set("code"));
    bench.act(prompt("a"));
    assert!(!bench.has_request("session/prompt"), "it waits for the mode");
    bench.answer("session/set_mode", &json!({}));
    assert!(bench.has_request("session/prompt"));
    assert_eq!(bench.events::<AgentConfig>().pop().unwrap().options[0].value, "code");
    bench.update("current_mode_update", &json!({ "modeId": "ask" }));
    assert_eq!(bench.events::<AgentConfig>().pop().unwrap().options[0].value, "ask");
    bench.act(set("fly"));
    assert_eq!(bench.errors(), ["setting_refused"]);
    bench.act(set("code"));
    bench.refuse("session/set_mode", -32603, "not now");
    assert_eq!(bench.errors().len(), 2);
    assert_eq!(bench.shown.config.options[0].value, "ask");
}

#[test]
fn files_and_terminals_are_served() {
    let mut bench = working();
    let params = json!({ "path": "/work/a", "line": 2, "limit": 3 });
    bench.ask(7, "fs/read_text_file", &params);
    let (work, request) = bench.work().unwrap();
    let path = "/work/a".into();
    assert_eq!(request, ServiceRequest::ReadFile { path, line: Some(2), limit: Some(3) });
    let result = Ok(ServiceAnswer::Content("text".into()));
    bench.handle(AgentInput::Served { work, result: result.clone() });
    bench.handle(AgentInput::Served { work, result });
    assert_eq!(
        bench.answers(7),
        [json!({ "jsonrpc": "2.0", "id": 7, "result": { "content": "text" } })]
    );

    bench.ask(8, "terminal/wait_for_exit", &json!({ "terminalId": "x" }));
    let (work, _) = bench.work().unwrap();
    bench.handle(AgentInput::Served { work, result: Err(RpcError::new(-32002, "gone")) });
    assert_eq!(bench.answers(8)[0]["error"]["code"], -32002);
    bench.ask(12, "terminal/create", &json!({ "command": "ls", "args": ["-l"] }));
    assert!(bench.transcript.contains("$ ls -l"));
    bench.ask(9, "terminal/create", &json!({ "command": "ls", "args": [1] }));
    assert_eq!(bench.answers(9)[0]["error"]["code"], -32602);
    bench.ask(10, "fs/delete", &json!({}));
    assert_eq!(bench.answers(10)[0]["error"]["code"], -32601);
    let foreign = json!({ "id": 11, "method": "fs/read_text_file",
                          "params": { "sessionId": "other", "path": "/work/a" } });
    bench.say(&foreign);
    assert_eq!(bench.answers(11)[0]["error"]["code"], -32002);
}
