use moorline_shared::agent::approval::ApprovalSubject;
use moorline_shared::agent::content::ContentBlock;
use serde_json::json;

use super::*;

fn context() -> RuleContext {
    RuleContext {
        session_id: "session1".parse().unwrap(),
        folder: "/home/me/project".into(),
        agent: Some("claude".into()),
    }
}

fn rule(effect: RuleEffect, folder: &str, matcher: RuleMatcher) -> ApprovalRule {
    ApprovalRule {
        id: "rule_1".into(),
        scope: RuleScope::Always,
        effect,
        matcher,
        folder: folder.into(),
        session_id: None,
        created_at: 1,
        by: "me".into(),
    }
}

fn of_words(words: &[&str], prefix: bool) -> RuleMatcher {
    RuleMatcher::Command { words: words.iter().map(|&word| word.to_owned()).collect(), prefix }
}

fn of_tool(tool: &str, agent: Option<&str>) -> RuleMatcher {
    RuleMatcher::Tool { tool: tool.to_owned(), agent: agent.map(str::to_owned) }
}

fn request(kind: ApprovalKind, command: &str, subject: ApprovalSubject) -> ApprovalRequest {
    let request = json!({ "approvalId": "approval1", "command": command });
    let request: ApprovalRequest = serde_json::from_value(request).unwrap();
    ApprovalRequest { kind, subject, ..request }
}

fn command(command: &str, cwd: Option<&str>) -> ApprovalRequest {
    let subject = ApprovalSubject { cwd: cwd.map(str::to_owned), ..ApprovalSubject::default() };
    request(ApprovalKind::Command, command, subject)
}

fn tool(tool: &str, input: Value) -> ApprovalRequest {
    let subject = ApprovalSubject {
        tool: Some(tool.to_owned()),
        input: Some(input),
        ..ApprovalSubject::default()
    };
    request(ApprovalKind::Tool, "Some title", subject)
}

fn decides(rule: &ApprovalRule, request: &ApprovalRequest) -> bool {
    deciding([rule], request, &context()).is_some()
}

#[test]
fn a_rule_of_a_command_decides_its_words_in_its_folder() {
    let exact = of_words(&["cargo", "test"], false);
    let prefix = of_words(&["cargo", "test"], true);
    let cases = [
        // The matcher, the rule's folder, the command, its folder, and whether it is decided.
        (&exact, "/home/me/project", "cargo test", None, true),
        (&exact, "/home/me/project", "cargo  'test'", Some("/home/me/project/x"), true),
        (&exact, "/home/me", "cargo test", None, true),
        (&exact, "/", "cargo test", Some("/tmp"), true),
        (&exact, "/home/me/project", "cargo test --all", None, false),
        (&exact, "/home/me/project", "cargo", None, false),
        (&exact, "/home/me/project", "cargo test", Some("/home/me"), false),
        (&exact, "/home/me/project", "cargo test", Some("/home/me/projects"), false),
        (&exact, "/home/me/project", "cargo test", Some("/home/me/project/../x"), false),
        (&exact, "/home/me/project/..", "cargo test", None, false),
        (&exact, "relative", "cargo test", None, false),
        (&prefix, "/home/me/project", "cargo test", None, true),
        (&prefix, "/home/me/project", "cargo test -p 'a b'", None, true),
        (&prefix, "/home/me/project", "cargo tests", None, false),
        (&prefix, "/home/me/project", "cargo 'test -p'", None, false),
        (&prefix, "/home/me/project", "cargo test; rm x", None, false),
        (&prefix, "/home/me/project", "cargo test && rm x", None, false),
        (&prefix, "/home/me/project", "cargo test | sh", None, false),
        (&prefix, "/home/me/project", "cargo test $(rm x)", None, false),
        (&prefix, "/home/me/project", "cargo test `rm x`", None, false),
        (&prefix, "/home/me/project", "cargo test > x", None, false),
        (&prefix, "/home/me/project", "cargo test\nrm x", None, false),
        (&prefix, "/home/me/project", "cargo test &", None, false),
        (&of_words(&[], true), "/", "cargo test", None, false),
        (&RuleMatcher::Unknown, "/", "cargo test", None, false),
    ];
    for (matcher, folder, text, cwd, want) in cases {
        let rule = rule(RuleEffect::Allow, folder, matcher.clone());
        let got = decides(&rule, &command(text, cwd));
        assert_eq!(got, want, "{matcher:?} in {folder}: {text:?} in {cwd:?}");
    }
}

#[test]
fn a_rule_of_a_tool_decides_uses_by_its_agent_within_its_folder() {
    let edit = of_tool("edit", Some("claude"));
    let cases = [
        (&edit, tool("edit", json!({})), true),
        (&edit, tool("edit", json!({ "file_path": "src/a" })), true),
        (&edit, tool("edit", json!({ "file_path": "/home/me/project/a" })), true),
        (&edit, tool("edit", json!({ "file_path": "/etc/passwd" })), false),
        (&edit, tool("edit", json!({ "path": "../x" })), false),
        (&edit, tool("read", json!({})), false),
        (&of_tool("edit", None), tool("edit", json!({})), false),
        (&of_tool("edit", Some("codex")), tool("edit", json!({})), false),
        // A tool that runs commands is decided by the command only.
        (&of_tool("execute", Some("claude")), tool("execute", json!({ "command": "ls" })), false),
        (&of_words(&["ls"], false), tool("execute", json!({ "command": "ls" })), true),
        (&of_words(&["ls"], true), tool("execute", json!({ "command": "ls; rm x" })), false),
        (&of_words(&["ls"], true), tool("execute", json!({})), false),
        (&of_words(&["Some", "title"], true), tool("execute", json!({})), false),
        (&edit, command("edit", None), false),
    ];
    for (matcher, asked, want) in cases {
        let rule = rule(RuleEffect::Allow, "/home/me/project", matcher.clone());
        assert_eq!(decides(&rule, &asked), want, "{matcher:?}: {asked:?}");
    }
    let diff = |path: &str| KnownToolContent::Diff {
        path: path.into(),
        old_text: None,
        new_text: String::new(),
    };
    for (path, want) in [("/home/me/project/a", true), ("/home/me/.bashrc", false)] {
        let mut asked = tool("edit", json!({}));
        asked.subject.content = vec![diff(path)];
        assert_eq!(
            decides(&rule(RuleEffect::Allow, "/home/me/project", edit.clone()), &asked),
            want
        );
    }
    let form = ApprovalRequest { kind: ApprovalKind::Form, ..tool("edit", json!({})) };
    assert!(!decides(&rule(RuleEffect::Allow, "/", edit), &form));
}

/// Two commands can differ only in what is cut, and a file can be left out.
#[test]
fn a_question_that_does_not_name_all_of_it_has_no_rule() {
    let make = rule(RuleEffect::Allow, "/", of_words(&["make"], true));
    let truncated = ApprovalRequest { truncated: true, ..command("make all", None) };
    assert!(decides(&make, &command("make all", None)) && !decides(&make, &truncated));
    assert!(!can_be_ruled(&truncated, &context()));
    let edit = rule(RuleEffect::Allow, "/home/me/project", of_tool("edit", Some("claude")));
    let path = "/home/me/project/a".to_owned();
    let change = KnownToolContent::Diff { path, old_text: None, new_text: String::new() };
    let content = ContentBlock::text("Too large to show: 9 changed lines of /b.");
    for (content, want) in [
        (vec![], false),
        (vec![change.clone()], true),
        (vec![change, KnownToolContent::Content { content }], false),
    ] {
        let mut asked = ApprovalRequest { truncated: true, ..tool("edit", json!({})) };
        asked.subject.content = content;
        assert_eq!(decides(&edit, &asked), want, "{asked:?}");
    }
}

#[test]
fn a_denial_takes_precedence_and_what_is_unknown_decides_nothing() {
    let matcher = of_words(&["make"], false);
    let allow = rule(RuleEffect::Allow, "/", matcher.clone());
    let deny = rule(RuleEffect::Deny, "/", matcher.clone());
    for rules in [[&allow, &deny], [&deny, &allow]] {
        let found = deciding(rules, &command("make", None), &context()).unwrap();
        assert_eq!(found.effect, RuleEffect::Deny);
    }
    let unknown = rule(RuleEffect::Other, "/", matcher.clone());
    assert!(!decides(&unknown, &command("make", None)));
    let scope = ApprovalRule { scope: RuleScope::Other, ..allow.clone() };
    assert!(!decides(&scope, &command("make", None)));
    for (session, want) in [("session1", true), ("session2", false)] {
        let session_id = Some(session.parse().unwrap());
        let rule = ApprovalRule { scope: RuleScope::Session, session_id, ..allow.clone() };
        assert_eq!(decides(&rule, &command("make", None)), want);
    }
}

#[test]
fn an_answer_makes_the_rule_of_what_was_decided() {
    let decision = |approved| ApprovalDecision {
        approved,
        by: "phone".into(),
        at: 9,
        ..ApprovalDecision::default()
    };
    let asked = command("cargo test -p a", Some("/home/me/project/src"));
    let made = |answer, decision: &ApprovalDecision| rule_of(answer, &asked, decision, &context());
    let words = of_words(&["cargo", "test", "-p", "a"], false);

    let always = made(AnswerKind::AllowAlways, &decision(true)).unwrap();
    assert_eq!((always.scope, always.effect), (RuleScope::Always, RuleEffect::Allow));
    assert_eq!((&always.matcher, always.folder.as_str()), (&words, "/home/me/project"));
    assert_eq!((always.by.as_str(), always.created_at, always.session_id), ("phone", 9, None));
    let session = made(AnswerKind::AllowSession, &decision(true)).unwrap();
    assert_eq!(session.scope, RuleScope::Session);
    assert_eq!(session.session_id.unwrap().as_str(), "session1");
    let never = made(AnswerKind::RejectAlways, &decision(false)).unwrap();
    assert_eq!((never.effect, never.matcher), (RuleEffect::Deny, words));
    for (answer, approved) in [
        (AnswerKind::AllowOnce, true),
        (AnswerKind::RejectOnce, false),
        (AnswerKind::Other, true),
        (AnswerKind::AllowAlways, false),
        (AnswerKind::RejectAlways, true),
    ] {
        assert_eq!(made(answer, &decision(approved)), None, "{answer:?}");
    }

    // The command as it was changed counts, and a prefix of it.
    let custom_command = Some("cargo test".to_owned());
    let changed = ApprovalDecision { custom_command, ..decision(true) };
    let changed = made(AnswerKind::AllowAlways, &changed).unwrap();
    assert_eq!(changed.matcher, of_words(&["cargo", "test"], false));
    let with_prefix = |prefix: Value| ApprovalDecision {
        answers: Some(json!({ "prefix": prefix })),
        ..decision(true)
    };
    let prefix = made(AnswerKind::AllowAlways, &with_prefix(json!(["cargo", "test"]))).unwrap();
    assert_eq!(prefix.matcher, of_words(&["cargo", "test"], true));
    for bad in [json!([]), json!(["rm"]), json!("cargo"), json!([1])] {
        assert_eq!(made(AnswerKind::AllowAlways, &with_prefix(bad.clone())), None, "{bad}");
    }
}

#[test]
fn no_rule_is_made_of_what_no_rule_decides() {
    let decision = ApprovalDecision { approved: true, ..ApprovalDecision::default() };
    for asked in [
        command("a; b", None),
        command("make", Some("/home/me/../x")),
        tool("execute", json!({})),
        tool("edit", json!({ "file_path": "../x" })),
        ApprovalRequest { kind: ApprovalKind::Form, ..command("make", None) },
        request(ApprovalKind::Tool, "x", ApprovalSubject::default()),
    ] {
        assert!(!can_be_ruled(&asked, &context()), "{asked:?}");
        assert_eq!(rule_of(AnswerKind::AllowAlways, &asked, &decision, &context()), None);
    }
    // Outside of the session's folder, the rule is about the command's.
    let outside = command("make", Some("/tmp"));
    let made = rule_of(AnswerKind::AllowAlways, &outside, &decision, &context()).unwrap();
    assert_eq!(made.folder, "/tmp");
    assert!(decides(&made, &outside) && !decides(&made, &command("make", None)));
}
