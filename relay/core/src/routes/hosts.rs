//! The handlers of `/api/hosts`.

use super::{Reply, Request, View};
use crate::api::ApiError;
#[cfg(feature = "openapi")]
use crate::api::responses::Guarded;
use moorline_shared::agent::spec::KnownAgent;
use moorline_shared::id::HostId;
use moorline_shared::rest::HostAgents;
#[cfg(feature = "openapi")]
use moorline_shared::rest::HostList;

/// List all hosts that the relay knows
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/hosts", tag = "Hosts", operation_id = "listHosts",
    responses(Guarded,
        (status = 200, description = "All hosts, connected or offline.", body = HostList)),
))]
pub(crate) fn list(view: &View<'_>, request: &Request) -> Result<Reply, ApiError> {
    Ok(Reply::ok(&view.directory.hosts(view.is_here, request.now_ms)))
}

/// Returns the answer to a request for the agents of a host, from what that reports.
#[must_use]
pub fn host_agents(host_id: HostId, agents: Vec<KnownAgent>) -> Reply {
    Reply::ok(&HostAgents { host_id, agents: KnownAgent::cleaned(agents) })
}
