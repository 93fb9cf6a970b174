//! Agents that speak version 2 of the protocol.

use moorline_shared::agent::content::{ContentBlock, KnownToolContent, ToolContent, ToolStatus};
use moorline_shared::event::{AgentMessage, AgentTool, AgentTurn, AgentUpdate};
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

#[test]
fn a_turn_says_what_it_has_used() {
    let mut bench = ready();
    bench.act(prompt("a"));
    bench.answer("session/prompt", &json!({ "messageId": "u1" }));
    let usage = json!({ "inputTokens": 20, "outputTokens": 10, "totalTokens": 30 });
    let idle = json!({ "state": "idle", "stopReason": "end_turn", "usage": usage });
    state(&mut bench, &idle);
    let used = bench.events::<AgentTurn>().pop().unwrap().usage.unwrap();
    assert_eq!((used.input_tokens, used.total_tokens), (Some(20), Some(30)));
}

/// Claude Code writes a new file, and changes two places of another one.
#[test]
fn a_patch_is_shown_as_changes_of_files() {
    let mut bench = ready();
    bench.act(prompt("a"));
    let patch = "diff --git /w/new.txt /w/new.txt\nnew file mode 100644\n--- /dev/null\n\
                 +++ /w/new.txt\n@@ -0,0 +1 @@\n+hello\n\
                 diff --git /w/old.txt /w/old.txt\n--- /w/old.txt\n+++ /w/old.txt\n\
                 @@ -1,2 +1,2 @@\n same\n-a\n+b\n@@ -9 +9 @@\n-c\n\\ No newline at end of file\n+d\n";
    let change = |operation: &str, path: &str| json!({ "operation": operation, "path": path });
    let diff = json!({
        "type": "diff", "changes": [change("add", "/w/new.txt"), change("modify", "/w/old.txt")],
        "patch": { "format": "git_patch", "text": patch },
    });
    bench.update("tool_call_update", &json!({ "toolCallId": "t", "content": [diff] }));
    let piece = |path: &str, old: Option<&str>, new: &str| {
        ToolContent::Known(KnownToolContent::Diff {
            path: path.into(),
            old_text: old.map(str::to_owned),
            new_text: new.into(),
        })
    };
    let content = bench.events::<AgentTool>().pop().unwrap().content.unwrap();
    assert_eq!(
        content,
        [
            piece("/w/new.txt", None, "hello\n"),
            piece("/w/old.txt", Some("same\na\n"), "same\nb\n"),
            piece("/w/old.txt", Some("c"), "d\n"),
        ]
    );
    // Without a patch that can be read, it is kept as it is.
    let bare = json!({ "type": "diff", "changes": [change("delete", "/w/new.txt")] });
    bench.update("tool_call_update", &json!({ "toolCallId": "t", "content": [bare] }));
    let content = bench.events::<AgentTool>().pop().unwrap().content.unwrap();
    assert_eq!(content, [ToolContent::Other(bare)]);
}

/// Codex runs a command in a terminal of its own.
#[test]
fn the_output_of_an_agent_s_terminal_is_that_of_its_tool() {
    let mut bench = ready();
    bench.act(prompt("a"));
    bench.update("terminal_update", &json!({ "terminalId": "term", "command": "make" }));
    let terminal = json!({ "type": "terminal", "terminalId": "term" });
    let tool = json!({ "toolCallId": "t", "title": "make", "kind": "execute",
                       "status": "in_progress", "content": [terminal] });
    bench.update("tool_call_update", &tool);
    let subject = json!({ "toolCall": { "toolCallId": "t" } });
    bench.ask(
        7,
        "session/request_permission",
        &json!({ "subject": subject, "options": options() }),
    );
    let asked = bench.asked().unwrap();
    assert_eq!(asked.subject.content, [], "a terminal says nothing to whoever decides");
    // "one\n", "two\n", and everything anew.
    for data in ["b25lCg==", "dHdvCg=="] {
        bench.update("terminal_output_chunk", &json!({ "terminalId": "term", "data": data }));
    }
    bench.pass(std::time::Duration::from_secs(1));
    let text = |text: &str| {
        let content = ContentBlock::text(text);
        ToolContent::Known(KnownToolContent::Content { content })
    };
    let shown = |bench: &Bench| bench.events::<AgentTool>().pop().unwrap();
    let whole = [ToolContent::Other(terminal), text("one\ntwo\n")];
    assert_eq!(shown(&bench).content.as_deref(), Some(&whole[..]));
    let output = json!({ "terminalId": "term", "output": { "data": "ZW5kCg==" } });
    bench.update("terminal_update", &output);
    bench.update(
        "terminal_update",
        &json!({ "terminalId": "term", "exitStatus": { "exitCode": 0 } }),
    );
    bench.update("tool_call_update", &json!({ "toolCallId": "t", "status": "completed" }));
    assert_eq!(shown(&bench).status, Some(ToolStatus::Completed));
    let mut contents = bench.events::<AgentTool>().into_iter().filter_map(|tool| tool.content);
    assert_eq!(contents.next_back().unwrap().last(), Some(&text("end\n")));
    assert!(bench.events::<AgentUpdate>().is_empty(), "all of it is understood");
}
