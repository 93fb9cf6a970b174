//! The body of `GET /api/debug/metrics` (seed 000 A.2, plus other counts of the relay).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::SessionId;

/// Counts since the relay started, and of what is open now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DebugMetrics {
    /// Counts of all logs' entries, as events.
    pub event_bus: EventBusMetrics,
    /// Counts of the event streams of sessions.
    pub sse: SseMetrics,
    /// The number of sessions by lifecycle.
    pub sessions: BTreeMap<String, usize>,
    /// The number of clients of sessions, including event streams.
    pub clients: usize,
    /// The number of open streams of the list of sessions: `GET /api/events`.
    pub list_streams: usize,
    /// Bytes of output that sessions produced.
    pub output_bytes: u64,
    /// Counts of what was stored.
    pub store: StoreMetrics,
    /// Milliseconds since the relay started.
    pub uptime: u64,
    /// Bytes of memory that the relay's process holds, if the system reports it.
    pub memory_bytes: Option<u64>,
}

/// Counts of all logs' entries, as events. The field names are the seed's; there is no event bus
/// besides the logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct EventBusMetrics {
    /// Entries that were appended to logs.
    pub events_emitted: u64,
    /// The same count by type; output counts as `session-output`.
    pub events_by_type: BTreeMap<String, u64>,
    /// Open event streams by session: `session-<id>`.
    pub listener_counts: BTreeMap<String, usize>,
    /// The sum of `listener_counts`.
    pub active_listeners: usize,
}

/// Counts of the event streams of sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SseMetrics {
    /// Sessions with at least one open event stream.
    pub active_sessions: Vec<SessionId>,
    /// The number of open event streams.
    pub total_connections: usize,
}

/// Counts of what was stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct StoreMetrics {
    /// Bytes of entries that were stored.
    pub bytes: u64,
    /// Batches that were stored, one for each session of a round.
    pub batches: u64,
    /// Rounds that could not be stored.
    pub failures: u64,
    /// True if the last round was stored.
    pub storing: bool,
}
