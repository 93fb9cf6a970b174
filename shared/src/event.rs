//! Session events: what a session tells besides its output.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::SessionId;

/// One event of a session's log: the body of an `event` message and of an SSE `data:` line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
