//! Questions that are too large to be shown as a whole.

use moorline_shared::agent::approval::ApprovalRequest;
use moorline_shared::agent::content::{ContentBlock, KnownToolContent};
use moorline_shared::limits::APPROVAL_BYTES;
use serde_json::{Value, json};

use super::bench::{Bench, prompt};

/// Returns the question about a tool call, which fits.
fn asked(tool: &Value) -> ApprovalRequest {
    let mut bench = Bench::ready();
    bench.act(prompt("a"));
    bench.ask_permission(7, tool);
    let asked = bench.asked().unwrap();
    let bytes = serde_json::to_vec(&asked).unwrap().len();
    assert!(bytes <= APPROVAL_BYTES, "{bytes}");
    asked
}

fn change(path: &str, old: Option<&str>, new: &str) -> Value {
    let mut change = json!({ "type": "diff", "path": path, "newText": new });
    if let Some(old) = old {
        change["oldText"] = old.into();
    }
    change
}

fn edit(content: &[Value]) -> Value {
    json!({ "toolCallId": "t", "title": "Edit", "kind": "edit", "content": content })
}

/// Returns the texts of a change.
fn texts(content: &KnownToolContent) -> (&str, &str) {
    match content {
        KnownToolContent::Diff { old_text, new_text, .. } => {
            (old_text.as_deref().unwrap_or_default(), new_text)
        }
        other => panic!("{other:?}"),
    }
}

fn file(lines: usize) -> String {
    (1..=lines).map(|line| format!("this is line {line}\n")).collect()
}

#[test]
fn a_small_change_of_a_large_file_is_shown() {
    for lines in [1000, 20_000] {
        let old = file(lines);
        let new = old.replace("line 500\n", "line five hundred\n");
        let mut tool = edit(&[change("/work/a", Some(&old), &new)]);
        tool["rawInput"] = json!({ "path": "/work/a", "text": new });
        let asked = asked(&tool);
        let (old, new) = texts(&asked.subject.content[0]);
        assert_eq!((old.lines().count(), new.lines().count()), (7, 7));
        assert!(new.contains("line 499\nthis is line five hundred\nthis is line 501\n"), "{new}");
        assert!(!asked.truncated || lines > 1000);
    }
}

#[test]
fn the_first_changes_that_fit_are_shown_and_the_others_named() {
    let old = file(1000);
    let contents = [
        change("/work/first", Some("a\n"), "b\n"),
        change("/work/new", None, &old),
        change("/work/other", Some(&old), &old.replace("line", "row")),
    ];
    let asked = asked(&edit(&contents));
    assert!(asked.truncated);
    let content = &asked.subject.content;
    assert_eq!((content.len(), texts(&content[0])), (3, ("a\n", "b\n")));
    let (_, new) = texts(&content[1]);
    assert!(new.starts_with("this is line 1\n") && new.ends_with(" changed lines not shown ⋯\n"));
    assert!(texts(&content[2]).0.contains("changed lines not shown"));

    let text = file(10);
    let contents: Vec<Value> = (0..200)
        .map(|n| change(&format!("/work/{n}"), Some(&text), &text.replace("line", "row")))
        .collect();
    let asked = self::asked(&edit(&contents));
    let content = &asked.subject.content;
    assert!(asked.truncated && content.len() > 10);
    assert!(texts(&content[0]).1.contains("this is row 1\n"));
    let sentence = last_sentence(content);
    assert!(sentence.starts_with("Too large to show: 20 changed lines of /work/"), "{sentence}");
    assert!(sentence.ends_with(" in all)"), "{sentence}");

    // What does not fit into the tool call's event is not named, but said to be missing.
    let contents = vec![change("/work/a", Some(&old), &old.replace("line", "row")); 70];
    let asked = self::asked(&edit(&contents));
    assert!(asked.truncated);
    assert_eq!(last_sentence(&asked.subject.content), "The rest is too large to show.");
}

fn last_sentence(content: &[KnownToolContent]) -> &str {
    match content.last() {
        Some(KnownToolContent::Content { content }) => content.as_text().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_ends_of_a_long_command_are_shown() {
    let command = format!("echo 'begin {} end' && rm -r /", "ü".repeat(5000));
    let named = json!({ "toolCallId": "t", "kind": "execute", "rawInput": { "command": command } });
    let titled = json!({ "toolCallId": "t", "kind": "execute", "title": command });
    for tool in [named, titled] {
        let asked = asked(&tool);
        assert!(asked.truncated && asked.command.len() < 6300);
        assert!(asked.command.starts_with("echo 'begin üü"), "{}", asked.command);
        assert!(asked.command.ends_with("üü end' && rm -r /"), "{}", asked.command);
        let missing = format!(" … ({} bytes are not shown) … ", command.len() - 4096 - 2048);
        let near = format!(" … ({} bytes are not shown) … ", command.len() - 4096 - 2048 + 2);
        assert!(
            asked.command.contains(&missing) || asked.command.contains(&near),
            "{}",
            asked.command
        );
    }
    let short = "x".repeat(6000);
    let tool = json!({ "toolCallId": "t", "kind": "execute", "rawInput": { "command": short } });
    let asked = asked(&tool);
    assert_eq!((asked.command, asked.truncated), (short, false));
}

#[test]
fn a_large_input_that_nothing_else_shows_is_cut_where_it_is_long() {
    let text = format!("begin{}end", "x".repeat(2 * APPROVAL_BYTES));
    let input = json!({ "path": "/work/a", "text": text });
    let tool = json!({ "toolCallId": "t", "title": "Store", "kind": "other", "rawInput": input });
    let asked = asked(&tool);
    let input = asked.subject.input.unwrap();
    assert!(asked.truncated && input["path"] == "/work/a");
    let text = input["text"].as_str().unwrap();
    assert!(text.starts_with("beginx") && text.ends_with("xend") && text.len() < 1100);
    // A text in the content is cut in its middle too.
    let content = json!({ "type": "content", "content": { "type": "text", "text": format!("begin{}end", "y".repeat(2 * APPROVAL_BYTES)) } });
    let asked = self::asked(&edit(&[content]));
    let KnownToolContent::Content { content } = &asked.subject.content[0] else { panic!() };
    let text = ContentBlock::as_text(content).unwrap();
    assert!(asked.truncated && text.starts_with("beginy") && text.ends_with("yend"));
}
