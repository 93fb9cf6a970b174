//! Session events: what a session tells besides its output.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::id::SessionId;

/// The names of all events.
pub mod kind {
    /// An event stream is open; synthetic.
    pub const CONNECTED: &str = "connected";
    /// Entries are missing that were asked for; synthetic.
    pub const GAP: &str = "gap";
    /// The session was created: the first entry of its log.
    pub const SESSION_CREATED: &str = "session-created";
    /// Output; made from an output entry.
    pub const SESSION_OUTPUT: &str = "session-output";
    /// Something went wrong.
    pub const SESSION_ERROR: &str = "session-error";
    /// What the session does now: [`Status`](super::Status).
    pub const SESSION_STATUS: &str = "session-status";
    /// The session was deleted; synthetic, for its log is gone.
    pub const SESSION_DELETED: &str = "session-deleted";
    /// A prompt was typed.
    pub const COMMAND_SENT: &str = "command-sent";
    /// A terminal was opened beside the session.
    pub const TERMINAL_CREATED: &str = "terminal-created";
    /// A terminal beside the session was closed.
    pub const TERMINAL_CLOSED: &str = "terminal-closed";
    /// The session began as a copy of another one's log.
    pub const SESSION_FORKED: &str = "session-forked";
    /// Whatever a host makes up.
    pub const OTHER: &str = "other";

    /// What entries of logs are counted as.
    pub const COUNTED: [&str; 9] = [
        SESSION_OUTPUT,
        SESSION_CREATED,
        SESSION_STATUS,
        SESSION_ERROR,
        SESSION_FORKED,
        COMMAND_SENT,
        TERMINAL_CREATED,
        TERMINAL_CLOSED,
        OTHER,
    ];
}

/// One event of a session's log: the body of an `event` message and of an SSE `data:` line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Whose event it is.
    pub session_id: SessionId,
    /// The event's name, as `session-status`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Milliseconds since 1970.
    pub timestamp: u64,
    /// What the type adds.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl Event {
    /// An event with the given fields: anything that serialises to a JSON object, or `()`.
    #[must_use]
    pub fn new(session_id: SessionId, kind: &str, timestamp: u64, fields: impl Serialize) -> Self {
        let fields = match serde_json::to_value(fields) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        Self { session_id, kind: kind.to_owned(), timestamp, fields }
    }

    /// The event as JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and JSON values always encode")
    }

    /// What the session does, where the event tells that.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        let tells = self.kind == kind::SESSION_STATUS;
        tells.then(|| serde_json::from_value(Value::Object(self.fields.clone())).ok()).flatten()
    }
}

/// What serde derives goes through another tree of values before this one.
impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        Ok(Self {
            session_id: take(&mut fields, "sessionId")?,
            kind: take(&mut fields, "type")?,
            timestamp: take(&mut fields, "timestamp")?,
            fields,
        })
    }
}

fn take<T: DeserializeOwned, E: Error>(
    fields: &mut Map<String, Value>,
    name: &'static str,
) -> Result<T, E> {
    let value = fields.remove(name).ok_or_else(|| E::missing_field(name))?;
    T::deserialize(value).map_err(E::custom)
}

/// What a session does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Activity {
    /// A command runs, or nothing is known of what runs.
    #[default]
    Running,
    /// The shell waits for a command.
    Idle,
    /// The process ended.
    Exited,
    /// The process is gone, and how it ended is not known.
    Error,
}

impl Activity {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Idle => "idle",
            Self::Exited => "exited",
            Self::Error => "error",
        }
    }
}

/// The fields of a `session-status` event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// What the session does.
    pub status: Activity,
    /// The session's process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Milliseconds since the process was started.
    #[serde(default)]
    pub uptime: u64,
    /// The shell's folder, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The exit code of the last command, where the shell tells; of the process, once it exited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The command that runs, where the shell tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_status_reads_as_it_is_written() {
        let status = Status {
            status: Activity::Idle,
            pid: Some(7),
            uptime: 12,
            cwd: Some("/tmp".into()),
            exit_code: Some(1),
            ..Status::default()
        };
        let id: SessionId = "session_1".parse().unwrap();
        let event = Event::new(id, kind::SESSION_STATUS, 5, &status);
        assert_eq!(
            serde_json::to_value(&event).unwrap(),
            json!({
                "sessionId": "session_1", "type": "session-status", "timestamp": 5,
                "status": "idle", "pid": 7, "uptime": 12, "cwd": "/tmp", "exitCode": 1
            })
        );
        assert_eq!(event.status(), Some(status));
    }

    #[test]
    fn only_a_status_event_tells_a_status() {
        let id: SessionId = "session_1".parse().unwrap();
        let event = Event::new(id, kind::COMMAND_SENT, 5, json!({ "status": "idle" }));
        assert_eq!(event.status(), None);
        assert_eq!(Event::new(event.session_id, "x", 1, ()).fields, Map::new());
    }

    #[test]
    fn an_event_needs_what_all_have_and_keeps_the_rest() {
        let text = r#"{"sessionId":"session_1","type":"x","timestamp":5,"a":[1.5,null],"b":{}}"#;
        let event: Event = serde_json::from_str(text).unwrap();
        assert_eq!(Value::Object(event.fields.clone()), json!({ "a": [1.5, null], "b": {} }));
        assert_eq!(event.to_json(), text);
        let bad = [
            text.replace("sessionId", "id"),
            text.replace("session_1", "!"),
            text.replace("type", "kind"),
            text.replace(r#""x""#, "1"),
            text.replace("timestamp", "time"),
            text.replace(":5", ":-5"),
            text.replace(":5", ":5.5"),
        ];
        for bad in bad {
            assert!(serde_json::from_str::<Event>(&bad).is_err(), "{bad}");
        }
    }
}
