//! The handlers of `/api/hosts`.

use super::{Reply, Request, View};
use crate::api::ApiError;
#[cfg(feature = "openapi")]
use crate::api::responses::Guarded;
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
