//! The body of `GET /api/debug/metrics` (seed 000 A.2, and what else the relay counts).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::SessionId;

/// What the relay has counted since it was started, and what is open now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DebugMetrics {
    /// Entries of all logs, as events.
    pub event_bus: EventBusMetrics,
    /// Event streams of sessions.
    pub sse: SseMetrics,
    /// Sessions by lifecycle.
    pub sessions: BTreeMap<String, usize>,
    /// Clients of sessions, event streams included.
    pub clients: usize,
    /// Streams of the list of sessions: `GET /api/events`.
    pub list_streams: usize,
    /// Bytes of output that came from sessions.
    pub output_bytes: u64,
    /// What was stored.
    pub store: StoreMetrics,
    /// Milliseconds since the relay was started.
    pub uptime: u64,
    /// Bytes of memory that the relay's process holds, where the system tells.
    pub memory_bytes: Option<u64>,
}

/// The words are the seed's; there is no bus but the logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct EventBusMetrics {
    /// Entries that were appended to logs.
    pub events_emitted: u64,
    /// The same by type: output is `session-output`.
    pub events_by_type: BTreeMap<String, u64>,
    /// Event streams by session: `session-<id>`.
    pub listener_counts: BTreeMap<String, usize>,
    /// All of them.
    pub active_listeners: usize,
}

/// Event streams of sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SseMetrics {
    /// Sessions that have some.
    pub active_sessions: Vec<SessionId>,
    /// How many are open.
    pub total_connections: usize,
}

/// What was stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct StoreMetrics {
    /// Bytes of entries.
    pub bytes: u64,
    /// Sessions' batches.
    pub batches: u64,
    /// Rounds that could not be stored.
    pub failures: u64,
    /// Whether the last round was stored.
    pub storing: bool,
}
