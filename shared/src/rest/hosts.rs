//! The body of `GET /api/hosts`.

use serde::{Deserialize, Serialize};

use crate::id::HostId;

/// The answer to `GET /api/hosts`: the relay's own first, the others by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HostList {
    /// All hosts that the relay knows, those that are away too.
    pub hosts: Vec<HostSummary>,
}

/// A host that a relay knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HostSummary {
    /// Its id.
    pub host_id: HostId,
    /// For people: its machine's name.
    pub name: String,
    /// The version of Moorline that it runs.
    pub version: String,
    /// Whether its control link is up: sessions can be started on it.
    pub connected: bool,
    /// How many of the relay's sessions are its.
    pub sessions: usize,
    /// The drivers that it can run.
    pub drivers: Vec<String>,
    /// RFC 3339: when it was last heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
}
