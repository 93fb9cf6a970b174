//! The `update` objects of `session/update`, in the shape of either version.

use serde_json::{Map, Value, json};

/// The planId of the only plan that a session has.
const PLAN: &str = "plan-1";

/// A part of a message. `kind` is `agent_message_chunk` or one of its like.
pub(crate) fn chunk(kind: &str, message_id: Option<&str>, content: &Value) -> Value {
    let mut update = json!({"sessionUpdate": kind, "content": content});
    if let Some(id) = message_id {
        update["messageId"] = id.into();
    }
    update
}

/// A text block.
pub(crate) fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// An update with these fields. A `sessionUpdate` among them is kept.
pub(crate) fn of_fields(kind: &str, mut fields: Map<String, Value>) -> Value {
    fields.entry("sessionUpdate").or_insert_with(|| kind.into());
    fields.into()
}

/// The first report of a tool call.
pub(crate) fn tool(version: u64, fields: Map<String, Value>) -> Value {
    of_fields(if version > 1 { "tool_call_update" } else { "tool_call" }, fields)
}

/// A change of a tool call's status, and of its content if there is any.
pub(crate) fn tool_status(id: &str, status: &str, content: Option<Value>) -> Value {
    let mut update =
        json!({"sessionUpdate": "tool_call_update", "toolCallId": id, "status": status});
    if let Some(content) = content {
        update["content"] = content;
    }
    update
}

/// A plan. `plan` is a list of entries, or an object with `entries`.
pub(crate) fn plan(version: u64, plan: Value) -> Value {
    let mut fields = match plan {
        Value::Object(fields) => fields,
        entries => Map::from_iter([("entries".to_owned(), entries)]),
    };
    if version == 1 {
        return of_fields("plan", fields);
    }
    fields.entry("type").or_insert_with(|| "items".into());
    fields.entry("planId").or_insert_with(|| PLAN.into());
    json!({"sessionUpdate": "plan_update", "plan": fields})
}

/// The slash commands. A command can be its name alone.
pub(crate) fn commands(version: u64, commands: &Value) -> Value {
    let commands = commands.as_array().map(Vec::as_slice).unwrap_or_default();
    let commands: Vec<Value> = commands
        .iter()
        .map(|command| {
            let mut command = match command {
                Value::String(name) => json!({"name": name, "description": name}),
                other => other.clone(),
            };
            if let (Value::Object(fields), 2..) = (&mut command, version) {
                fields.entry("type").or_insert_with(|| "command".into());
                if let Some(Value::Object(input)) = fields.get_mut("input") {
                    input.entry("type").or_insert_with(|| "text".into());
                }
            }
            command
        })
        .collect();
    json!({"sessionUpdate": "available_commands_update", "availableCommands": commands})
}

/// The content of a tool call that replaces a file. `old` is `None` for a new file.
pub(crate) fn diff(version: u64, path: &str, old: Option<&str>, new: &str) -> Value {
    if version == 1 {
        return json!([{"type": "diff", "path": path, "oldText": old, "newText": new}]);
    }
    let operation = if old.is_some() { "modify" } else { "add" };
    let (from, to) = (old.unwrap_or_default(), new);
    let change = json!({"operation": operation, "path": path, "fileType": "text"});
    let patch = json!({"format": "git_patch", "text": git_patch(path, old.is_some(), from, to)});
    json!([{"type": "diff", "changes": [change], "patch": patch}])
}

/// A patch that replaces all lines.
fn git_patch(path: &str, existed: bool, from: &str, to: &str) -> String {
    let (old_path, mode) =
        if existed { (path, "") } else { ("/dev/null", "new file mode 100644\n") };
    let range = |text: &str| match text.lines().count() {
        0 => "0,0".to_owned(),
        lines => format!("1,{lines}"),
    };
    let lines = |sign: char, text: &str| -> String {
        let mut lines: String = text.lines().map(|line| format!("{sign}{line}\n")).collect();
        if !text.is_empty() && !text.ends_with('\n') {
            lines.push_str("\\ No newline at end of file\n");
        }
        lines
    };
    let (removed, added) = (lines('-', from), lines('+', to));
    let (before, after) = (range(from), range(to));
    format!(
        "diff --git {path} {path}\n{mode}--- {old_path}\n+++ {path}\n@@ -{before} +{after} @@\n\
         {removed}{added}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_and_commands_have_the_shape_of_their_version() {
        let entries = json!([{"content": "a", "priority": "low", "status": "pending"}]);
        let expected = json!({"sessionUpdate": "plan", "entries": entries});
        assert_eq!(plan(1, entries.clone()), expected);
        let items = json!({"type": "items", "planId": "plan-1", "entries": entries});
        let expected = json!({"sessionUpdate": "plan_update", "plan": items});
        assert_eq!(plan(2, json!({"entries": entries})), expected);

        let update = commands(1, &json!(["go", {"name": "x", "description": "y"}]));
        let expected =
            json!([{"name": "go", "description": "go"}, {"name": "x", "description": "y"}]);
        assert_eq!(update["availableCommands"], expected);
        let update =
            commands(2, &json!([{"name": "x", "description": "y", "input": {"hint": "h"}}]));
        let expected = json!([{
            "type": "command",
            "name": "x",
            "description": "y",
            "input": {"type": "text", "hint": "h"},
        }]);
        assert_eq!(update["availableCommands"], expected);
    }

    #[test]
    fn a_diff_of_version_2_is_a_git_patch() {
        let content = diff(2, "/a", Some("one\n"), "two");
        let expected = "diff --git /a /a\n--- /a\n+++ /a\n@@ -1,1 +1,1 @@\n-one\n+two\n\
                        \\ No newline at end of file\n";
        assert_eq!(content[0]["patch"]["text"], expected);
        assert_eq!(content[0]["changes"][0]["operation"], "modify");
        let content = diff(2, "/a", None, "two\n");
        let expected = "diff --git /a /a\nnew file mode 100644\n--- /dev/null\n+++ /a\n\
                        @@ -0,0 +1,1 @@\n+two\n";
        assert_eq!(content[0]["patch"]["text"], expected);
        assert_eq!(content[0]["changes"][0]["operation"], "add");
    }
}
