//! Handlers of the REST API.

pub(super) mod access;
pub(super) mod audit;
pub(super) mod files;
mod forward;
pub(super) mod hosts;
pub(super) mod metrics;
pub(super) mod operations;
pub(super) mod passkeys;
pub(super) mod push;
pub(super) mod questions;
pub(super) mod session;
pub(super) mod sessions;
pub(super) mod tokens;
pub(super) mod workspaces;

use std::sync::Arc;

use axum::Json;
use moorline_shared::id::SessionId;
use moorline_shared::message::Scope;
use moorline_shared::rest::Health;

use super::error::ApiError;
use super::{App, Caller};
use crate::session::SessionHandle;

/// Check the relay's health
///
/// Needs no token, and reveals only what everyone may know.
#[utoipa::path(
    get, path = "/healthz", tag = "Relay", operation_id = "health", security(()),
    responses((status = 200, description = "The relay is running.", body = Health)),
)]
pub(super) fn health(app: &App) -> Json<Health> {
    let storing = app.registry.services().writer.failure().is_none();
    let status = if storing { "ok" } else { "degraded" }.to_owned();
    Json(Health { status, storing, version: env!("CARGO_PKG_VERSION").to_owned() })
}

/// Returns the session that a path names, and the caller's scope for it.
pub(super) fn allowed(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<(SessionId, Scope), ApiError> {
    let id: SessionId = id.parse().map_err(|_| ApiError::invalid_id(id))?;
    let project = app.registry.project_of(&id);
    let scope = caller.grant.access.scope_of(&id, project.as_ref());
    let scope = scope.ok_or_else(ApiError::forbidden)?;
    Ok((id, scope))
}

pub(super) async fn find(app: &Arc<App>, id: &SessionId) -> Result<Arc<SessionHandle>, ApiError> {
    let found = app.registry.get(id).await.map_err(|error| ApiError::internal(&error))?;
    found.ok_or_else(|| ApiError::no_session(id.as_str()))
}
