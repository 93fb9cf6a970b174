//! The bodies of `GET /api/hosts` and `GET /api/hosts/:id/agents`.

use serde::{Deserialize, Serialize};

use crate::agent::rule::ApprovalRule;
use crate::agent::spec::KnownAgent;
use crate::id::HostId;

/// The answer to `GET /api/hosts`: the relay's own host first, then the others by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HostList {
    /// All hosts that the relay knows, including those that are away.
    pub hosts: Vec<HostSummary>,
}

/// A host that a relay knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HostSummary {
    /// The host's id.
    pub host_id: HostId,
    /// The machine's name, for display.
    pub name: String,
    /// The version of Moorline that it runs.
    pub version: String,
    /// True if its control link is up, so that sessions can be started on it.
    pub connected: bool,
    /// The number of the relay's sessions that it runs.
    pub sessions: usize,
    /// The names of the drivers that can start sessions on it.
    pub drivers: Vec<String>,
    /// The drivers that it supports but that cannot start sessions now.
    #[serde(default)]
    pub missing: Vec<MissingDriver>,
    /// When the relay last heard from it, as RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
}

/// A driver that a host supports but that cannot start sessions there now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MissingDriver {
    /// The name of the driver.
    pub driver: String,
    /// A sentence for the user: the reason, and what to do.
    pub reason: String,
}

/// The answer to `GET /api/hosts/:id/agents`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HostAgents {
    /// The host that was asked.
    pub host_id: HostId,
    /// The agents that it knows, installed or not.
    pub agents: Vec<KnownAgent>,
}

/// The answer to `GET` and `DELETE /api/hosts/:id/rules`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RuleList {
    /// The host's rules about approvals, oldest first.
    pub rules: Vec<ApprovalRule>,
}
