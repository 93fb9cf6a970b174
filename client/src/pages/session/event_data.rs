//! What an event of a session's stream says: every field that the page knows, whatever the event.
//! Read in one form, for each more is code to download.

use moorline_shared::event::{Activity, kind};
use moorline_shared::id::{Epoch, Seq};
use serde::Deserialize;
use serde_json::Value;

use crate::session::words;

/// The data of an event. What the event does not have is empty.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EventData {
    /// The event's name.
    #[serde(rename = "type")]
    pub kind: String,
    /// Milliseconds since 1970.
    pub timestamp: u64,
    /// Output.
    pub content: String,
    /// The log's incarnation, when the stream begins.
    pub epoch: Option<Epoch>,
    /// The log's head, when the stream begins.
    pub head: Seq,
    /// The last entry of a gap.
    pub to: Seq,
    /// What the session does.
    pub status: Option<Activity>,
    /// The session's process.
    pub pid: Option<u32>,
    /// The shell's folder.
    pub cwd: Option<String>,
    /// How the last command ended, or the process.
    pub exit_code: Option<i32>,
    /// The signal that ended the process.
    pub signal: Option<String>,
    /// What runs, or was sent: text. What the session was created with: words.
    command: Value,
    /// Where a fork began: an object; for others a number.
    from: Value,
    /// Where the session was created.
    working_dir: Option<String>,
    /// What went wrong.
    error: Option<String>,
    /// Whose terminal was opened or closed.
    terminal_id: Option<String>,
}

impl EventData {
    /// The command as it is typed.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        self.command.as_str()
    }

    /// What an event is called and what it is about; `None` for a status.
    #[must_use]
    pub fn title(&self) -> Option<(&'static str, String)> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Some(match self.kind.as_str() {
            kind::SESSION_STATUS => return None,
            kind::SESSION_CREATED => ("Session created", self.beginning()),
            kind::SESSION_FORKED => ("Forked from", self.origin().unwrap_or_default().to_owned()),
            kind::COMMAND_SENT => ("Prompt sent", self.command().unwrap_or_default().to_owned()),
            kind::SESSION_ERROR => ("Error", text(&self.error)),
            kind::TERMINAL_CREATED => ("Terminal opened", text(&self.terminal_id)),
            kind::TERMINAL_CLOSED => ("Terminal closed", text(&self.terminal_id)),
            other => ("Event", other.to_owned()),
        })
    }

    /// The command that the session was created with, else its folder.
    fn beginning(&self) -> String {
        let command: Vec<String> = self.command.as_array().map_or_else(Vec::new, |words| {
            words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()
        });
        let folder = self.working_dir.clone().unwrap_or_default();
        if command.is_empty() { folder } else { words::command(&command) }
    }

    fn origin(&self) -> Option<&str> {
        self.from.get("sessionId")?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn title(data: &Value) -> Option<(&'static str, String)> {
        serde_json::from_value::<EventData>(data.clone()).unwrap().title()
    }

    #[test]
    fn events_have_titles() {
        let created = json!({"type": "session-created", "command": ["sh", "-c", "a b"],
            "workingDir": "/tmp", "mode": "pty", "name": "x"});
        assert_eq!(title(&created), Some(("Session created", "sh -c 'a b'".into())));
        let created = json!({"type": "session-created", "command": [], "workingDir": "/tmp"});
        assert_eq!(title(&created), Some(("Session created", "/tmp".into())));
        let from = json!({"sessionId": "session_1", "epoch": 1, "seq": 2});
        let forked = json!({"type": "session-forked", "from": from});
        assert_eq!(title(&forked), Some(("Forked from", "session_1".into())));
        let status = json!({"type": "session-status", "status": "idle", "uptime": 5});
        assert_eq!(title(&status), None);
        assert_eq!(title(&json!({"type": "weather"})), Some(("Event", "weather".into())));
    }
}
