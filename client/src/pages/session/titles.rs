//! Titles of the events in a session's timeline.

use moorline_shared::event::{
    CommandSent, Event, EventKind, SessionCreated, SessionError, SessionForked, TerminalClosed,
    TerminalCreated,
};

use crate::session::words;

/// Returns the title of an event, and its subject.
#[must_use]
pub fn title(event: &Event) -> (&'static str, String) {
    let title = match event.known_kind() {
        EventKind::SessionCreated => "Session created",
        EventKind::SessionForked => "Forked from",
        EventKind::CommandSent => "Prompt sent",
        EventKind::SessionError => "Error",
        EventKind::OperationsDetected => "Operations found",
        EventKind::OperationsExecuted => "Operations executed",
        EventKind::OperationsError => "Operations failed",
        EventKind::TerminalCreated => "Terminal opened",
        EventKind::TerminalClosed => "Terminal closed",
        EventKind::ApprovalRequest => "Approval needed",
        EventKind::ApprovalConfirmed => "Approval decided",
        EventKind::ApprovalExpired => "Approval expired",
        _ => "Event",
    };
    (title, subject(event).unwrap_or_default())
}

fn subject(event: &Event) -> Option<String> {
    Some(match event.known_kind() {
        EventKind::SessionCreated => {
            let SessionCreated { command, working_dir, .. } = event.read()?;
            if command.is_empty() { working_dir } else { words::command(&command) }
        }
        EventKind::SessionForked => event.read::<SessionForked>()?.from.session_id.to_string(),
        EventKind::CommandSent => event.read::<CommandSent>()?.command,
        EventKind::SessionError => event.read::<SessionError>()?.error,
        EventKind::OperationsDetected => files(event, "operations")?,
        EventKind::OperationsExecuted => files(event, "results")?,
        EventKind::OperationsError => event.fields.get("error")?.as_str()?.to_owned(),
        EventKind::TerminalCreated => event.read::<TerminalCreated>()?.terminal_id.to_string(),
        EventKind::TerminalClosed => event.read::<TerminalClosed>()?.terminal_id.to_string(),
        EventKind::ApprovalRequest => event.fields.get("command")?.as_str()?.to_owned(),
        _ => event.kind.clone(),
    })
}

/// Returns the files of a list of operations or of their results. The list is read as it is, because
/// the code that reads whole operations is large.
fn files(event: &Event, list: &str) -> Option<String> {
    let items = event.fields.get(list)?.as_array()?;
    let name = |item: &serde_json::Value| {
        let failed = item.get("success").and_then(serde_json::Value::as_bool) == Some(false);
        let path = item.get("path")?.as_str()?;
        Some(if failed { format!("{path} (not done)") } else { path.to_owned() })
    };
    let names: Vec<String> = items.iter().filter_map(name).collect();
    Some(names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn title_of(kind: &str, fields: Value) -> (&'static str, String) {
        title(&Event::of_kind("session_1".parse().unwrap(), kind, 1, fields))
    }

    #[test]
    fn events_have_titles() {
        let created = json!({"command": ["sh", "-c", "a b"], "workingDir": "/tmp", "mode": "pty"});
        assert_eq!(title_of("session-created", created), ("Session created", "sh -c 'a b'".into()));
        let created = json!({"command": [], "workingDir": "/tmp", "mode": "pty", "name": "x"});
        assert_eq!(title_of("session-created", created), ("Session created", "/tmp".into()));
        let from = json!({"from": {"sessionId": "session_1", "epoch": 1, "seq": 2}});
        assert_eq!(title_of("session-forked", from), ("Forked from", "session_1".into()));
        let results = json!({"results": [
            {"success": true, "operation": "write", "path": "a"},
            {"success": false, "operation": "run", "code": "not_run"},
            {"success": false, "operation": "delete", "path": "b", "code": "stale"},
        ]});
        let executed = ("Operations executed", "a, b (not done)".into());
        assert_eq!(title_of("operations-executed", results), executed);
        let error = json!({"error": "gone", "operations": []});
        assert_eq!(title_of("operations-error", error), ("Operations failed", "gone".into()));
        assert_eq!(title_of("weather", json!({})), ("Event", "weather".into()));
        // An event that lacks a required field is shown all the same.
        assert_eq!(title_of("terminal-closed", json!({})), ("Terminal closed", String::new()));
    }
}
