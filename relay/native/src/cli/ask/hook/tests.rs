use moorline_shared::agent::approval::ApprovalDecision;

use super::super::program::NotAsked;
use super::*;

fn event(name: &str, tool: &str, input: &Value) -> HookEvent {
    let event = json!({
        "session_id": "x", "transcript_path": null, "permission_mode": "default",
        "hook_event_name": name, "tool_name": tool, "tool_input": input, "cwd": "/a",
        "tool_use_id": "toolu_1"
    });
    serde_json::from_value(event).unwrap()
}

fn decided(approved: bool, command: &str) -> AskOutcome {
    let reason = (!approved).then(|| "not now".to_owned());
    let decision = ApprovalDecision { by: "phone".into(), reason, ..ApprovalDecision::default() };
    AskOutcome::Decided { approved, command: command.to_owned(), decision: Box::new(decision) }
}

fn answer(event: &HookEvent, agent: HookAgent, outcome: &AskOutcome) -> Value {
    match event.answer(agent, outcome).as_str() {
        "" => Value::Null,
        line => serde_json::from_str::<Value>(line).unwrap()["hookSpecificOutput"].clone(),
    }
}

#[test]
fn a_command_is_asked_for_with_its_description() {
    let input = json!({ "command": "rm -rf b", "description": "Remove\nb", "timeout": 5 });
    let question = event("PreToolUse", "Bash", &input).question(HookAgent::Claude);
    assert_eq!((question.kind, question.command.as_str()), (ApprovalKind::Command, "rm -rf b"));
    assert_eq!(question.explanation, "Remove b");
    assert_eq!(
        (question.tool.as_deref(), question.agent.as_deref()),
        (Some("Bash"), Some("claude"))
    );
    assert_eq!(question.cwd.as_deref(), Some("/a"));
}

#[test]
fn a_tool_is_asked_for_with_its_change() {
    let input = json!({ "file_path": "/a/b", "old_string": "x", "new_string": "y" });
    let question = event("PreToolUse", "Edit", &input).question(HookAgent::Codex);
    assert_eq!((question.kind, question.command.as_str()), (ApprovalKind::Tool, "Edit /a/b"));
    assert_eq!(question.input, Some(input));
    let diff = KnownToolContent::Diff {
        path: "/a/b".into(),
        old_text: Some("x".into()),
        new_text: "y".into(),
    };
    assert_eq!(question.content, [diff]);
    let write = json!({ "file_path": "/a/b", "content": "z" });
    let question = event("PreToolUse", "Write", &write).question(HookAgent::Claude);
    assert!(matches!(&question.content[..], [KnownToolContent::Diff { old_text: None, .. }]));
}

#[test]
fn a_large_input_is_cut_and_named_by_its_hash() {
    let ask = |content: &str| {
        let input = json!({ "file_path": "/a/b", "content": content });
        event("PreToolUse", "Write", &input).question(HookAgent::Claude)
    };
    let long = "x\n".repeat(100_000);
    let question = ask(&long);
    assert!(serde_json::to_vec(&question).unwrap().len() < 8 * 1024);
    assert!(question.content.is_empty());
    let input = question.input.unwrap();
    assert_eq!(input["file_path"], "/a/b");
    assert_ne!(
        input["moorline"]["sha256"],
        ask(&format!("{long}y")).input.unwrap()["moorline"]["sha256"]
    );
    for size in [4_000, 6_000, 9_000, 11_000] {
        let bytes = serde_json::to_vec(&ask(&"x".repeat(size))).unwrap().len();
        assert!(bytes < 14 * 1024, "{size}: {bytes}");
    }
}

#[test]
fn claude_gets_each_outcome_in_its_form() {
    let claude = HookAgent::Claude;
    let input = json!({ "command": "make", "timeout": 5 });
    let before = event("PreToolUse", "Bash", &input);
    let allowed = answer(&before, claude, &decided(true, "make"));
    assert_eq!(
        allowed,
        json!({
            "hookEventName": "PreToolUse", "permissionDecision": "allow",
            "permissionDecisionReason": "Moorline: approved by phone"
        })
    );
    let changed = answer(&before, claude, &decided(true, "make -j"));
    assert_eq!(changed["updatedInput"], json!({ "command": "make -j", "timeout": 5 }));
    let denied = answer(&before, claude, &decided(false, "make"));
    assert_eq!(denied["permissionDecision"], "deny");
    assert_eq!(denied["permissionDecisionReason"], "Moorline: denied by phone: not now");
    for outcome in [AskOutcome::Expired, AskOutcome::Withdrawn { reason: "x".into() }] {
        assert_eq!(answer(&before, claude, &outcome)["permissionDecision"], "deny");
    }
    let failed = AskOutcome::NotAsked(NotAsked::Invalid);
    assert_eq!(answer(&before, claude, &failed)["permissionDecision"], "ask");

    let would_ask = event("PermissionRequest", "Bash", &input);
    let allowed = answer(&would_ask, claude, &decided(true, "make -j"));
    assert_eq!(allowed["hookEventName"], "PermissionRequest");
    assert_eq!(allowed["decision"]["behavior"], "allow");
    assert_eq!(allowed["decision"]["updatedInput"]["command"], "make -j");
    let denied = answer(&would_ask, claude, &AskOutcome::Expired);
    let want = json!({ "behavior": "deny", "message": "Moorline: nobody decided in time" });
    assert_eq!(denied["decision"], want);
    assert_eq!(answer(&would_ask, claude, &failed), Value::Null);
}

#[test]
fn codex_gets_only_what_it_takes() {
    let codex = HookAgent::Codex;
    let input = json!({ "command": "make" });
    let before = event("PreToolUse", "Bash", &input);
    // It refuses an `allow` that changes nothing.
    assert_eq!(answer(&before, codex, &decided(true, "make")), Value::Null);
    let changed = answer(&before, codex, &decided(true, "make -j"));
    assert_eq!(changed["permissionDecision"], "allow");
    assert_eq!(changed["updatedInput"], json!({ "command": "make -j" }));
    let failed = AskOutcome::NotAsked(NotAsked::Invalid);
    for outcome in [decided(false, "make"), AskOutcome::Expired, failed] {
        assert_eq!(answer(&before, codex, &outcome)["permissionDecision"], "deny");
    }
    let would_ask = event("PermissionRequest", "Bash", &input);
    let allowed = answer(&would_ask, codex, &decided(true, "make"));
    assert_eq!(allowed["decision"], json!({ "behavior": "allow" }));
    let changed = answer(&would_ask, codex, &decided(true, "make -j"));
    assert_eq!(changed["decision"]["behavior"], "deny");
}

#[test]
fn events_become_states() {
    let state = |event: Value| {
        let event: HookEvent = serde_json::from_value(event).unwrap();
        event.state().map(|(value, tool)| format!("{value} {}", tool.unwrap_or_default()))
    };
    let named = |name: &str| json!({ "hook_event_name": name });
    let notified =
        |kind: &str| json!({ "hook_event_name": "Notification", "notification_type": kind });
    for (event, want) in [
        (named("UserPromptSubmit"), Some("working ")),
        (json!({ "hook_event_name": "PreToolUse", "tool_name": "Bash" }), Some("working Bash")),
        (named("PostToolUse"), Some("working ")),
        (named("Stop"), Some("idle ")),
        (named("StopFailure"), Some("error ")),
        (notified("permission_prompt"), Some("waiting ")),
        (notified("idle_prompt"), Some("idle ")),
        (notified("auth_success"), None),
        (
            json!({
                "hook_event_name": "Notification",
                "message": "Claude needs your permission to use Bash"
            }),
            Some("waiting "),
        ),
        (named("Weather"), None),
        (json!({}), None),
    ] {
        assert_eq!(state(event.clone()).as_deref(), want, "{event}");
    }
}
