//! Session events: the things that a session reports besides its output.
//!
//! An [`Event`] is an envelope, the same for all kinds, around fields that its kind defines. Each
//! kind has one type for its fields, in [`fields`]: [`Event::new`] builds an event from them and
//! [`Event::read`] parses them back. Kinds and fields that this version does not know are
//! preserved.
//!
//! ```
//! use moorline_shared::event::{CommandSent, Event, EventKind};
//!
//! let id = "session_1".parse().unwrap();
//! let event = Event::new(id, 1_700_000_000_000, &CommandSent { command: "ls".into() });
//! assert_eq!(event.known_kind(), EventKind::CommandSent);
//! assert_eq!(event.read::<CommandSent>().unwrap().command, "ls");
//! ```

mod agent;
pub mod fields;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::agent::approval::ApprovalRequest;
use crate::id::SessionId;
use crate::pod::PodStatus;
pub use agent::{
    AgentChanges, AgentCommands, AgentConfig, AgentImage, AgentInfo, AgentMessage, AgentPending,
    AgentPlan, AgentQueue, AgentState, AgentTool, AgentTurn, AgentUpdate, AgentUsage,
    ApprovalConfirmed, ApprovalExpired, ApprovalProgress,
};
pub use fields::{
    Activity, CommandSent, Connected, Gap, OperationsDetected, OperationsError, OperationsExecuted,
    SessionCreated, SessionDeleted, SessionError, SessionForked, SessionOutput, Status,
    TerminalClosed, TerminalCreated, TmuxLayout,
};

/// The fields of one kind of event.
pub trait EventFields: Serialize + DeserializeOwned {
    /// The kind that has these fields.
    const KIND: EventKind;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// The kind of an event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum EventKind {
            $($(#[$doc])* $kind,)*
            /// A kind that this version does not know.
            Other,
        }

        impl EventKind {
            /// All kinds, including [`EventKind::Other`].
            pub const ALL: &[Self] = &[$(Self::$kind,)* Self::Other];

            /// Returns the name on the wire; `other` for [`EventKind::Other`].
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                    Self::Other => "other",
                }
            }

            /// Returns the kind with this name, or [`EventKind::Other`].
            #[must_use]
            pub fn of(name: &str) -> Self {
                match name {
                    $($name => Self::$kind,)*
                    _ => Self::Other,
                }
            }
        }

        $(impl EventFields for $kind {
            const KIND: EventKind = EventKind::$kind;
        })*
    };
}

/// The fields of a [`EventKind::SessionStatus`] event.
type SessionStatus = Status;

kinds! {
    /// An event stream is open. Synthetic: it is not an entry of a log.
    Connected = "connected",
    /// Requested entries are missing. Synthetic.
    Gap = "gap",
    /// The session was created: the first entry of its log.
    SessionCreated = "session-created",
    /// Output. Synthesised from an output entry.
    SessionOutput = "session-output",
    /// An error of the session.
    SessionError = "session-error",
    /// The session's activity changed.
    SessionStatus = "session-status",
    /// The session was deleted. Synthetic: its log is gone.
    SessionDeleted = "session-deleted",
    /// A prompt was sent to the session.
    CommandSent = "command-sent",
    /// A text with operations was previewed.
    OperationsDetected = "operations-detected",
    /// Operations were executed, each with its own result.
    OperationsExecuted = "operations-executed",
    /// Operations could not be executed.
    OperationsError = "operations-error",
    /// Somebody must decide about something.
    ApprovalRequest = "approval-request",
    /// A decision was made, and delivered.
    ApprovalConfirmed = "approval-confirmed",
    /// Nobody decided in time.
    ApprovalExpired = "approval-expired",
    /// An approval was seen, done, withdrawn, or could not be delivered.
    ApprovalProgress = "approval-progress",
    /// The state of the session's agent changed.
    AgentState = "agent-state",
    /// The agent itself: its name and version, and whether it is ready.
    AgentInfo = "agent-info",
    /// A turn began, changed or ended.
    AgentTurn = "agent-turn",
    /// A piece of an image of a prompt.
    AgentImage = "agent-image",
    /// The order of the queued prompts changed.
    AgentQueue = "agent-queue",
    /// A message, or more of one.
    AgentMessage = "agent-message",
    /// A tool call, or its progress.
    AgentTool = "agent-tool",
    /// The agent's plan changed.
    AgentPlan = "agent-plan",
    /// The agent's settings changed.
    AgentConfig = "agent-config",
    /// The agent's commands changed.
    AgentCommands = "agent-commands",
    /// The agent used tokens or money.
    AgentUsage = "agent-usage",
    /// The number of files that the agent has changed.
    AgentChanges = "agent-changes",
    /// What will follow from requests that the session's host has not carried out. Synthetic.
    AgentPending = "agent-pending",
    /// The windows and panes of the tmux session that the session's pane is in.
    TmuxLayout = "tmux-layout",
    /// The state of the session's pod: a [`PodStatus`].
    PodStatus = "pod-status",
    /// An update of the agent that this version does not know.
    AgentUpdate = "agent-update",
    /// A terminal was opened beside the session.
    TerminalCreated = "terminal-created",
    /// A terminal beside the session was closed.
    TerminalClosed = "terminal-closed",
    /// The session began as a copy of another one's log.
    SessionForked = "session-forked",
}

/// One event of a session's log, which is the body of an `event` message and of an SSE `data:`
/// line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The session that the event is about. Always the first field of the JSON.
    pub session_id: SessionId,
    /// The name of the event's kind, such as `session-status`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When the event happened, in milliseconds since 1970.
    pub timestamp: u64,
    /// The fields that the kind defines.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl Event {
    /// Creates an event of the kind that the fields belong to. `timestamp` is in milliseconds since
    /// 1970.
    #[must_use]
    pub fn new<F: EventFields>(session_id: SessionId, timestamp: u64, fields: &F) -> Self {
        Self::of_kind(session_id, F::KIND.as_str(), timestamp, fields)
    }

    /// Creates an event of any kind, including one that only its sender knows. `fields` should
    /// serialise to a JSON object; any other value becomes no fields.
    #[must_use]
    pub fn of_kind(
        session_id: SessionId,
        kind: &str,
        timestamp: u64,
        fields: impl Serialize,
    ) -> Self {
        let fields = match serde_json::to_value(fields) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        Self { session_id, kind: kind.to_owned(), timestamp, fields }
    }

    /// Encodes an event as JSON without building it first. The text equals that of [`Event::new`]
    /// followed by [`Event::to_json`].
    #[must_use]
    pub fn encode<F: EventFields>(session_id: &SessionId, timestamp: u64, fields: &F) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Borrowed<'a, F> {
            session_id: &'a SessionId,
            r#type: &'static str,
            timestamp: u64,
            #[serde(flatten)]
            fields: &'a F,
        }
        let event = Borrowed { session_id, r#type: F::KIND.as_str(), timestamp, fields };
        serde_json::to_string(&event).expect("texts and numbers always encode")
    }

    /// Encodes the event as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and JSON values always encode")
    }

    /// Returns the event's kind, or [`EventKind::Other`] if this version does not know it.
    #[must_use]
    pub fn known_kind(&self) -> EventKind {
        EventKind::of(&self.kind)
    }

    /// Returns the fields, if the event is of their kind and none that they need is missing.
    #[must_use]
    pub fn read<F: EventFields>(&self) -> Option<F> {
        let is_of_kind = self.known_kind() == F::KIND;
        is_of_kind
            .then(|| serde_json::from_value(Value::Object(self.fields.clone())).ok())
            .flatten()
    }

    /// Like [`Event::read`], but moves the texts instead of copying them.
    #[must_use]
    pub fn into_fields<F: EventFields>(self) -> Option<F> {
        let is_of_kind = self.known_kind() == F::KIND;
        is_of_kind.then(|| serde_json::from_value(Value::Object(self.fields)).ok()).flatten()
    }
}

/// Implemented by hand: the derived code would build an intermediate tree of values.
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn id() -> SessionId {
        "session_1".parse().unwrap()
    }

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
        let event = Event::new(id(), 5, &status);
        assert_eq!(
            serde_json::to_value(&event).unwrap(),
            json!({
                "sessionId": "session_1", "type": "session-status", "timestamp": 5,
                "status": "idle", "pid": 7, "uptime": 12, "cwd": "/tmp", "exitCode": 1
            })
        );
        let encoded: Event = serde_json::from_str(&Event::encode(&id(), 5, &status)).unwrap();
        assert_eq!(encoded, event);
        assert_eq!(event.read(), Some(status));
    }

    #[test]
    fn fields_are_those_of_one_kind() {
        let event = Event::of_kind(id(), "command-sent", 5, json!({ "status": "idle" }));
        assert_eq!(event.read::<Status>(), None);
        assert_eq!(event.read::<CommandSent>(), None, "it lacks the command");
        assert_eq!(Event::of_kind(id(), "x", 1, ()).fields, Map::new());
    }

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::of(kind.as_str()), *kind);
        }
        assert_eq!(EventKind::of("weather"), EventKind::Other);
    }

    #[test]
    fn an_event_needs_what_all_have_and_keeps_the_rest() {
        let text = r#"{"sessionId":"session_1","type":"x","timestamp":5,"a":[1.5,null],"b":{}}"#;
        let event: Event = serde_json::from_str(text).unwrap();
        assert_eq!(Value::Object(event.fields.clone()), json!({ "a": [1.5, null], "b": {} }));
        assert_eq!(event.to_json(), text);
        // Numbers, too, are passed on as they are.
        let number = text.replace("1.5", "2.2222222222222223e+74");
        assert_eq!(serde_json::from_str::<Event>(&number).unwrap().to_json(), number);
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
