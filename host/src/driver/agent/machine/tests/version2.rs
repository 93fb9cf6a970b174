//! Agents that speak version 2 of the protocol.

use moorline_shared::agent::content::ContentBlock;
use moorline_shared::event::{AgentMessage, AgentTool, AgentTurn};
use serde_json::{Value, json};

use super::super::AgentInput;
use super::bench::{Bench, allow, options, prompt, stop};

fn ready() -> Bench {
    let mut bench = Bench::new();
    bench.handle(AgentInput::Started);
    let hello = bench.request("initialize");
    assert_eq!(hello["params"]["protocolVersion"], 2);
    assert_eq!(hello["params"]["info"]["name"], "moorline");
    let info = json!({ "name": "two", "version": "1" });
    let capabilities = json!({ "session": {} });
    bench.answer(
        "initialize",
        &json!({ "protocolVersion": 2, "info": info, "capabilities": capabilities }),
    );
    let commands = json!([{ "type": "command", "name": "web", "description": "d" }]);
    bench.answer("session/new", &json!({ "sessionId": "s", "availableCommands": commands }));
    assert_eq!(bench.shown.commands.commands.len(), 1);
    bench.take();
    bench
}

fn state(bench: &mut Bench, state: &Value) {
    bench.update("state_update", state);
}

#[test]
fn a_turn_ends_when_the_session_is_idle() {
    let mut bench = ready();
    bench.act(prompt("a"));
    // It is idle from before.
    state(&mut bench, &json!({ "state": "idle" }));
    assert_eq!(bench.turns().last().unwrap(), "a running");
    bench.answer("session/prompt", &json!({ "messageId": "u1" }));
    state(&mut bench, &json!({ "state": "running" }));
    let echo = json!({ "messageId": "u1", "content": [{ "type": "text", "text": "do a" }] });
    bench.update("user_message", &echo);
    state(&mut bench, &json!({ "state": "idle", "stopReason": "end_turn" }));
    assert_eq!(bench.turns().last().unwrap(), "a done");
    assert_eq!(bench.events::<AgentMessage>().len(), 1, "the prompt is told once");

    bench.act(prompt("b"));
    bench.answer("session/prompt", &json!({ "messageId": "u2" }));
    let error = json!({ "code": -1, "message": "overloaded" });
    state(&mut bench, &json!({ "state": "idle", "stopReason": "error", "error": error }));
    let failed = bench.events::<AgentTurn>().pop().unwrap().error.unwrap();
    assert_eq!((&*failed.code, &*failed.message), ("agent_error", "overloaded"));
}

#[test]
fn a_prompt_that_was_not_taken_can_be_stopped() {
    let mut bench = ready();
    bench.act(prompt("a"));
    bench.act(stop(false));
    bench.refuse("session/prompt", -32800, "cancelled");
    assert_eq!(bench.turns().last().unwrap(), "a cancelled");
}

#[test]
fn the_content_of_a_message_is_not_told_twice() {
    let mut bench = ready();
    bench.act(prompt("a"));
    let chunk = json!({ "messageId": "m", "content": { "type": "text", "text": "hello" } });
    bench.update("agent_message_chunk", &chunk);
    let same = json!({ "messageId": "m", "content": [{ "type": "text", "text": "hello" }] });
    bench.update("agent_message", &same);
    assert_eq!(bench.events::<AgentMessage>().len(), 2);
    let other = json!({ "messageId": "m", "content": [{ "type": "text", "text": "bye" }] });
    bench.update("agent_message", &other);
    let last = bench.events::<AgentMessage>().pop().unwrap();
    assert_eq!(last.content, Some(vec![ContentBlock::text("bye")]));
    assert_eq!(last.message_id, "m");
}

#[test]
fn a_command_is_asked_for_by_its_subject() {
    let mut bench = ready();
    bench.act(prompt("a"));
    bench.update(
        "tool_call_update",
        &json!({ "toolCallId": "t", "title": "Run", "kind": "execute" }),
    );
    let subject = json!({ "type": "command", "command": "make", "cwd": "/lib", "toolCallId": "t" });
    let params = json!({ "title": "Build it?", "description": "To see.", "subject": subject,
                         "options": options() });
    bench.ask(7, "session/request_permission", &params);
    let asked = bench.asked().unwrap();
    assert_eq!((&*asked.command, &*asked.explanation), ("make", "To see."));
    assert_eq!(asked.subject.cwd.as_deref(), Some("/lib"));
    bench.decide(&asked.approval_id, Some(allow("")));
    assert_eq!(bench.answers(7)[0]["result"]["outcome"]["optionId"], "yes");
}

#[test]
fn output_of_a_tool_is_added_in_pieces() {
    let mut bench = ready();
    bench.act(prompt("a"));
    bench.update("tool_call_update", &json!({ "toolCallId": "t", "title": "Run" }));
    for text in ["a", "b"] {
        let content = json!({ "type": "content", "content": { "type": "text", "text": text } });
        bench.update("tool_call_content_chunk", &json!({ "toolCallId": "t", "content": content }));
    }
    assert_eq!(bench.events::<AgentTool>().pop().unwrap().content.unwrap().len(), 2);
}
