//! Questions of the agent.

use moorline_shared::agent::action::SessionAction;
use moorline_shared::agent::approval::{ApprovalDecision, ApprovalKind};
use moorline_shared::agent::content::{KnownToolContent, ToolStatus};
use moorline_shared::event::{AgentMessage, AgentTool};
use moorline_shared::fold::ConversationItem;
use moorline_shared::limits::{APPROVAL_BYTES, COMMAND_DECISION, OPEN_APPROVALS};
use serde_json::{Value, json};

use super::super::{AgentInput, AgentOutput};
use super::bench::{Bench, allow, prompt, stop, turn};

/// A server of the agent's wants a user to visit a page.
#[test]
fn a_page_to_visit_is_a_question() {
    let mut bench = working();
    let url = "https://example.com/login?state=1";
    let params = json!({ "mode": "url", "elicitationId": "e", "url": url, "message": "Log in" });
    for (id, approved, action) in
        [(7, Some(true), "accept"), (8, Some(false), "decline"), (9, None, "cancel")]
    {
        bench.ask(id, "elicitation/create", &params);
        let asked = bench.asked().unwrap();
        assert_eq!((asked.kind, &*asked.command), (ApprovalKind::Form, "Log in"));
        assert_eq!(asked.explanation, url);
        assert_eq!(asked.form.unwrap()["properties"], json!({}));
        let decision =
            approved.map(|approved| ApprovalDecision { approved, ..ApprovalDecision::default() });
        bench.decide(&asked.approval_id, decision);
        assert_eq!(bench.answers(id)[0]["result"]["action"], action);
    }
    let long = format!("https://example.com/{}", "x".repeat(5000));
    for (id, url) in [(20, "javascript:alert(1)"), (21, "file:///etc/passwd"), (22, &*long)] {
        let params = json!({ "mode": "url", "elicitationId": "e", "url": url, "message": "m" });
        bench.ask(id, "elicitation/create", &params);
        assert_eq!(bench.answers(id)[0]["error"]["code"], -32602);
    }
}

fn working() -> Bench {
    let mut bench = Bench::ready();
    bench.act(prompt("a"));
    bench
}

fn edit(path: &str) -> Value {
    json!({
        "toolCallId": "t1", "title": "Edit a.rs", "kind": "edit", "status": "pending",
        "content": [{ "type": "diff", "path": path, "oldText": "1", "newText": "2" }],
    })
}

#[test]
fn a_permission_is_asked_decided_and_done() {
    let mut bench = working();
    bench.update("tool_call", &edit("/work/a.rs"));
    let id = bench.ask_permission(7, &json!({ "toolCallId": "t1" }));
    let asked = bench.asked().unwrap();
    assert_eq!((asked.kind, &*asked.command), (ApprovalKind::Tool, "Edit a.rs"));
    assert_eq!((asked.expires_at, asked.turn_id), (None, Some(turn("a"))));
    assert!(matches!(asked.subject.content[0], KnownToolContent::Diff { .. }));
    assert_eq!(asked.options.len(), 3);
    assert!(bench.turns().contains(&"a requires-action".to_owned()));
    assert_eq!(bench.shown.summary.state.as_ref().unwrap().state.value, "waiting");
    assert!(bench.machine.awaits(&id));

    bench.decide(&id, Some(allow("")));
    let chosen = json!({ "outcome": { "outcome": "selected", "optionId": "yes" } });
    assert_eq!(bench.answers(7)[0]["result"], chosen);
    assert!(!bench.machine.awaits(&id));
    assert_eq!(bench.turns().last().unwrap(), "a running");
    // A second decision has nobody to answer.
    bench.decide(&id, Some(allow("no")));
    assert_eq!(bench.answers(7).len(), 1);

    assert!(!bench.outputs().contains(&AgentOutput::Done(id.clone())));
    bench.update("tool_call_update", &json!({ "toolCallId": "t1", "status": "completed" }));
    assert!(bench.outputs().contains(&AgentOutput::Done(id)));
}

#[test]
fn a_decision_chooses_an_answer_by_its_id_or_kind() {
    let reject = ApprovalDecision { approved: false, ..ApprovalDecision::default() };
    let instead = ApprovalDecision { custom_command: Some("rm".into()), ..allow("") };
    let cases = [
        (Some(allow("always")), json!("always")),
        (Some(allow("")), json!("yes")),
        (Some(allow("unknown")), Value::Null),
        (Some(reject), json!("no")),
        // A command that the agent did not ask for cannot be run by it.
        (Some(instead), json!("no")),
        (None, json!("no")),
    ];
    for (decision, want) in cases {
        let mut bench = working();
        let id = bench.ask_permission(7, &edit("/work/a"));
        bench.decide(&id, decision.clone());
        let answer = &bench.answers(7)[0]["result"]["outcome"];
        assert_eq!(answer["optionId"], want, "{decision:?}");
    }
}

#[test]
fn a_rejection_without_such_an_answer_cancels() {
    let mut bench = working();
    let options = json!([{ "optionId": "y", "name": "Yes", "kind": "allow_once" }, { "x": 1 }]);
    let params = json!({ "toolCall": edit("/work/a"), "options": options });
    bench.ask(7, "session/request_permission", &params);
    let id = bench.asked().unwrap().approval_id;
    bench.decide(&id, Some(ApprovalDecision::default()));
    assert_eq!(bench.answers(7)[0]["result"], json!({ "outcome": { "outcome": "cancelled" } }));
}

#[test]
fn a_command_is_shown_with_its_folder_and_expires() {
    let mut bench = working();
    let input = json!({ "command": ["rm", "-r", "my dir"] });
    let tool = json!({ "toolCallId": "t", "title": "Clean", "kind": "execute", "rawInput": input });
    bench.ask_permission(7, &tool);
    let asked = bench.asked().unwrap();
    assert_eq!((&*asked.command, &*asked.explanation), ("rm -r 'my dir'", "Clean"));
    assert_eq!(asked.subject.cwd.as_deref(), Some("/work"));
    assert_eq!(asked.expires_at, Some((bench.now + COMMAND_DECISION).ms));
    // Gemini asks without having told of the tool call before.
    assert_eq!(bench.events::<AgentTool>()[0].tool_call_id, "t");

    // An editor's command is not one of a shell.
    let mut bench = working();
    let input = json!({ "command": "view", "path": "/work/x" });
    let tool = json!({ "toolCallId": "t", "title": "View x", "kind": "read", "rawInput": input });
    bench.ask_permission(7, &tool);
    let asked = bench.asked().unwrap();
    assert_eq!((&*asked.command, asked.expires_at), ("View x", None));
}

#[test]
fn the_digest_tells_apart_what_will_be_done() {
    let digest = |tool: Value| {
        let mut bench = working();
        bench.ask_permission(7, &tool);
        bench.asked().unwrap().digest
    };
    assert_eq!(digest(edit("/work/a")), digest(edit("/work/a")));
    assert_ne!(digest(edit("/work/a")), digest(edit("/work/b")));
    // Even if the difference is in what is too large to show.
    let large = |end: &str| {
        let text = "x".repeat(2 * APPROVAL_BYTES) + end;
        json!({ "toolCallId": "t", "title": "Edit", "rawInput": { "text": text } })
    };
    assert_ne!(digest(large("1")), digest(large("2")));
}

#[test]
fn a_question_of_any_size_fits() {
    let mut bench = working();
    let text = "\u{1}".repeat(4 * APPROVAL_BYTES);
    let mut tool = edit("/work/a");
    tool["content"][0]["newText"] = text.clone().into();
    (tool["title"], tool["kind"]) = (text.clone().into(), "execute".into());
    tool["rawInput"] = json!({ "command": text });
    bench.ask_permission(7, &tool);
    let asked = bench.asked().unwrap();
    assert!(serde_json::to_vec(&asked).unwrap().len() <= APPROVAL_BYTES);
    assert!(!asked.command.is_empty() && !asked.subject.content.is_empty());
}

#[test]
fn stopping_answers_every_open_question() {
    let mut bench = working();
    let first = bench.ask_permission(7, &edit("/work/a"));
    let form = json!({ "mode": "form", "message": "?", "requestedSchema": { "type": "object" } });
    bench.ask(8, "elicitation/create", &form);
    bench.act(stop(false));
    assert_eq!(bench.answers(7)[0]["result"]["outcome"]["outcome"], "cancelled");
    assert_eq!(bench.answers(8)[0]["result"]["action"], "cancel");
    let withdrawn = bench.outputs().iter().filter(|it| matches!(it, AgentOutput::Withdraw { .. }));
    assert_eq!(withdrawn.count(), 2);
    // Nobody is asked any more in this turn.
    bench.ask(9, "session/request_permission", &json!({ "toolCall": edit("/x"), "options": [] }));
    assert_eq!(bench.answers(9)[0]["result"]["outcome"]["outcome"], "cancelled");
    bench.decide(&first, Some(allow("")));
    assert_eq!(bench.answers(7).len(), 1);
}

#[test]
fn an_agent_can_take_a_question_back() {
    let mut bench = working();
    let id = bench.ask_permission(7, &edit("/work/a"));
    bench.say(&json!({ "method": "$/cancel_request", "params": { "requestId": 7 } }));
    assert_eq!(bench.answers(7)[0]["error"]["code"], -32800);
    let withdrawn = bench.outputs().iter().any(
        |output| matches!(output, AgentOutput::Withdraw { approval_id, .. } if *approval_id == id),
    );
    assert!(withdrawn);
    assert_eq!(bench.turns().last().unwrap(), "a running");
}

#[test]
fn a_form_is_filled_in() {
    let schema = json!({ "type": "object", "properties": { "name": { "type": "string" } } });
    let form = json!({ "mode": "form", "message": "Which?", "requestedSchema": schema });
    let answers = Some(json!({ "name": "x" }));
    let cases = [
        (
            Some(ApprovalDecision { answers, ..allow("accept") }),
            json!({ "action": "accept", "content": { "name": "x" } }),
        ),
        (Some(ApprovalDecision::default()), json!({ "action": "decline" })),
        (None, json!({ "action": "cancel" })),
    ];
    for (decision, want) in cases {
        let mut bench = working();
        bench.ask(7, "elicitation/create", &form);
        let asked = bench.asked().unwrap();
        assert_eq!((asked.kind, &*asked.command), (ApprovalKind::Form, "Which?"));
        assert_eq!(asked.form.as_ref(), Some(&schema));
        bench.decide(&asked.approval_id, decision);
        assert_eq!(bench.answers(7)[0]["result"], want);
    }
    // The fields keep their order, which a value has not.
    let mut bench = working();
    let line = r#"{"id":7,"method":"elicitation/create","params":{"sessionId":"s","message":"Where?",
        "requestedSchema":{"type":"object","properties":{"zone":{},"area":{},"name":{}}}}}"#;
    bench.handle(AgentInput::Line(line.replace('\n', " ").into_bytes()));
    assert_eq!(bench.asked().unwrap().form_order, ["zone", "area", "name"]);
    let mut bench = working();
    bench.ask(7, "elicitation/create", &json!({ "mode": "voice", "message": "Say it" }));
    assert_eq!(bench.answers(7)[0]["error"]["code"], -32602);
}

#[test]
fn questions_have_a_bound() {
    let mut bench = working();
    for id in 0..=OPEN_APPROVALS as u64 {
        let tool = json!({ "toolCallId": id.to_string() });
        bench.ask(id, "session/request_permission", &json!({ "toolCall": tool, "options": [] }));
    }
    let last = OPEN_APPROVALS as u64;
    assert_eq!(bench.answers(last)[0]["result"]["outcome"]["outcome"], "cancelled");
    assert_eq!(bench.errors(), ["too_many_questions"]);
}

#[test]
fn questions_end_with_their_agent() {
    let mut bench = working();
    let id = bench.ask_permission(7, &edit("/work/a"));
    bench.exit(1);
    assert!(!bench.machine.awaits(&id) && bench.answers(7).is_empty());
    let tools = bench.events::<AgentTool>();
    assert_eq!(tools.last().unwrap().status, Some(ToolStatus::Cancelled));
}

#[test]
fn what_was_allowed_is_done_when_the_turn_is_over() {
    let mut bench = working();
    let id = bench.ask_permission(7, &edit("/work/a"));
    bench.decide(&id, Some(allow("")));
    bench.finish("end_turn");
    assert!(bench.outputs().contains(&AgentOutput::Done(id)));
}

#[test]
fn a_stored_question_is_answered_by_the_machine_that_goes_on() {
    let mut bench = working();
    let id = bench.ask_permission(7, &edit("/work/a"));
    bench.chunk("half ");
    bench.restore();
    bench.decide(&id, Some(allow("")));
    assert_eq!(bench.answers(7).len(), 1);
    bench.chunk("whole");
    bench.finish("end_turn");
    assert_eq!(bench.turns().last().unwrap(), "a done");
    bench.act(SessionAction::Withdraw { turn_id: turn("a") });
    bench.handle(AgentInput::Timeout);
}

#[test]
fn an_agent_is_seen_to_ask_before_it_changes_files_or_not() {
    let seen = |bench: &mut Bench| {
        let outputs = bench.outputs();
        outputs.iter().fold(None, |seen, output| match output {
            AgentOutput::Observed { asks } => Some(*asks),
            _ => seen,
        })
    };
    let change = |bench: &mut Bench, id: &str, kind: &str| {
        let call = json!({ "toolCallId": id, "title": "t", "kind": kind, "status": "pending" });
        bench.update("tool_call", &call);
        bench.update("tool_call_update", &json!({ "toolCallId": id, "status": "completed" }));
    };

    let mut asking = working();
    asking.update("tool_call", &edit("/work/a.rs"));
    let id = asking.ask_permission(7, &json!({ "toolCallId": "t1" }));
    asking.decide(&id, Some(allow("")));
    asking.update("tool_call_update", &json!({ "toolCallId": "t1", "status": "completed" }));
    assert_eq!(seen(&mut asking), Some(true));
    assert_eq!(asking.shown.info.asks, Some(true));

    let mut silent = working();
    change(&mut silent, "t1", "execute");
    assert_eq!(seen(&mut silent), None);
    change(&mut silent, "t2", "edit");
    assert_eq!(seen(&mut silent), Some(false));

    // A user who has allowed all of them is not asked, and that says nothing.
    let mut freed = working();
    let id = freed.ask_permission(7, &edit("/work/a"));
    freed.decide(&id, Some(allow("always")));
    change(&mut freed, "t2", "edit");
    assert_eq!(seen(&mut freed), Some(true));
}

/// Returns the kinds of the events and questions that were put out.
fn kinds(bench: &Bench) -> Vec<&'static str> {
    let kind = |output: &AgentOutput| match output {
        AgentOutput::Event { kind, .. } => Some(*kind),
        AgentOutput::Ask(_) => Some("approval-request"),
        _ => None,
    };
    bench.outputs().iter().filter_map(kind).collect()
}

#[test]
fn a_question_follows_what_was_said_before_it() {
    let form = json!({ "mode": "form", "message": "?", "requestedSchema": { "type": "object" } });
    let page = json!({ "mode": "url", "elicitationId": "e", "url": "https://a.b", "message": "?" });
    let tool = json!({ "toolCall": edit("/work/a"), "options": [] });
    let cases = [
        ("elicitation/create", form),
        ("elicitation/create", page),
        ("session/request_permission", tool),
    ];
    for (method, params) in cases {
        let mut bench = working();
        bench.chunk("hi");
        let thought = json!({ "content": { "type": "text", "text": "short" } });
        bench.update("agent_thought_chunk", &thought);
        bench.ask(7, method, &params);
        let kinds = kinds(&bench);
        let asked = kinds.iter().position(|kind| *kind == "approval-request").unwrap();
        let said = kinds.iter().rposition(|kind| *kind == "agent-message").unwrap();
        assert!(said < asked, "{method} {kinds:?}");
        assert_eq!(bench.shown.items.len(), 5 + usize::from(method.starts_with("session")));
        // What follows the question is another message.
        bench.update("agent_thought_chunk", &thought);
        bench.finish("end_turn");
        let last = bench.events::<AgentMessage>().pop().unwrap();
        assert_eq!(last.delta.as_deref(), Some("short"));
        assert_eq!(
            bench.shown.item_at(bench.shown.end() - 1),
            bench.shown.message_item(&last.message_id)
        );
    }
}

#[test]
fn a_fault_follows_what_was_said_before_it() {
    let mut bench = working();
    bench.chunk("hi");
    bench.chunk(" there");
    bench.handle(AgentInput::Line(b"nonsense".to_vec()));
    let kinds = kinds(&bench);
    let fault = kinds.iter().position(|kind| *kind == "session-error").unwrap();
    let said = kinds.iter().rposition(|kind| *kind == "agent-message").unwrap();
    assert!(said < fault, "{kinds:?}");
    let at = |word: &str| bench.transcript.find(word).unwrap();
    assert!(at("there") < at("broke"));
}

/// Agents such as Claude Code say nothing of a tool call between the decision and its end.
#[test]
fn a_tool_call_that_was_decided_no_longer_waits() {
    let status = |bench: &Bench| match bench.shown.tool_item("t1") {
        Some(ConversationItem::Tool(tool)) => tool.status,
        other => panic!("{other:?}"),
    };
    let mut bench = working();
    let id = bench.ask_permission(7, &edit("/work/a"));
    assert_eq!(status(&bench), ToolStatus::Pending);
    bench.decide(&id, Some(allow("")));
    assert_eq!(status(&bench), ToolStatus::InProgress);
    // The same from the agent is no news.
    let count = bench.events::<AgentTool>().len();
    bench.update("tool_call_update", &json!({ "toolCallId": "t1", "status": "in_progress" }));
    assert_eq!(bench.events::<AgentTool>().len(), count);
    bench.finish("end_turn");
    assert_eq!(status(&bench), ToolStatus::Cancelled);
    let (tool, turn) = (
        bench
            .outputs()
            .iter()
            .rposition(|it| matches!(it, AgentOutput::Event { kind: "agent-tool", .. })),
        bench
            .outputs()
            .iter()
            .rposition(|it| matches!(it, AgentOutput::Event { kind: "agent-turn", .. })),
    );
    assert!(tool < turn);
    // Late words count.
    bench.update("tool_call_update", &json!({ "toolCallId": "t1", "status": "completed" }));
    assert_eq!(status(&bench), ToolStatus::Completed);

    let mut bench = working();
    let id = bench.ask_permission(7, &edit("/work/a"));
    bench.decide(&id, Some(ApprovalDecision::default()));
    assert_eq!(status(&bench), ToolStatus::Failed);
    let again = bench.ask_permission(8, &edit("/work/a"));
    bench.decide(&again, Some(allow("")));
    assert_eq!(status(&bench), ToolStatus::InProgress);
    bench.act(stop(false));
    bench.finish("cancelled");
    assert_eq!(status(&bench), ToolStatus::Cancelled);
}
