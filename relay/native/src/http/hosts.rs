//! `GET /hosts/:id/control` and `GET /sessions/:id/publish`, which hosts dial.

use std::sync::Arc;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::http::header::ORIGIN;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use moorline_shared::control::local_host;
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::limits::LINK_MESSAGE_BYTES;
use moorline_shared::publish::SUBPROTOCOL;

use super::App;
use super::descriptions;
use super::error::{ApiError, HttpError, no_upgrade};
use crate::auth::AccessLease;
use crate::host_links::{SocketLink, keep_control, receive};
use crate::registry::NotPublishing;
use moorline_core::api::responses::{Guarded, OfSession, Upgrade};
use moorline_core::routes::Route;

/// A hello lists up to a thousand sessions, each perhaps with a large environment.
const CONTROL_MESSAGE_BYTES: usize = 64 * 1024 * 1024;
/// Output arrives in messages of up to 64 KiB, and each of a thousand sessions has a buffer.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// Builds the routes of the Unix socket for the relay's own host.
pub fn local_router(app: Arc<App>) -> Router {
    Router::new()
        .route("/hosts/{id}/control", get(own_control))
        .route("/sessions/{id}/publish", get(own_publish))
        .with_state(app)
}

async fn own_control(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, HttpError> {
    let lease = AccessLease::until(app.registry.parting());
    open_control(&app, true, &id, lease, upgrade)
}

async fn own_publish(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, HttpError> {
    let lease = AccessLease::until(app.registry.parting());
    open_publish(&app, true, &id, lease, upgrade).await
}

/// Report a host's sessions, and take requests to start some, over a WebSocket
#[utoipa::path(
    get, path = "/hosts/{id}/control", tag = "Hosts", operation_id = "hostControl",
    description = descriptions::CONTROL,
    params(("id" = HostId, Path, description = "The host.")),
    responses(Guarded, Upgrade),
)]
pub(super) fn control(
    app: &App,
    route: &'static Route,
    id: &str,
    parts: &Parts,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, HttpError> {
    let lease = admit(app, route, id, parts)?;
    open_control(app, false, id, lease, upgrade)
}

fn open_control(
    app: &App,
    is_own: bool,
    id: &str,
    lease: AccessLease,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, HttpError> {
    let id: HostId = id.parse().map_err(|_| ApiError::invalid_host_id())?;
    let is_ours = id == local_host() && app.registry.hosts().has_local();
    // Only the relay's own host may use its id, and it may use no other.
    if is_ours != is_own {
        return Err(ApiError::forbidden().into());
    }
    let upgrade = configure(upgrade, CONTROL_MESSAGE_BYTES)?;
    let registry = Arc::clone(&app.registry);
    Ok(upgrade.on_upgrade(|socket| keep_control(SocketLink::new(socket), id, registry, lease)))
}

/// Publish a session over a WebSocket
#[utoipa::path(
    get, path = "/sessions/{id}/publish", tag = "Hosts", operation_id = "sessionPublish",
    description = descriptions::PUBLISH,
    params(("id" = SessionId, Path, description = "The session.")),
    responses(Guarded, OfSession, Upgrade),
)]
pub(super) async fn publish(
    app: &App,
    route: &'static Route,
    id: &str,
    parts: &Parts,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, HttpError> {
    let lease = admit(app, route, id, parts)?;
    open_publish(app, false, id, lease, upgrade).await
}

async fn open_publish(
    app: &App,
    is_own: bool,
    id: &str,
    lease: AccessLease,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, HttpError> {
    let host = is_own.then(local_host);
    let id: SessionId = id.parse().map_err(|_| ApiError::invalid_id(id))?;
    let upgrade = configure(upgrade, LINK_MESSAGE_BYTES)?;
    let found = app.registry.publishing(&id, host.as_ref()).await;
    let session = found.map_err(|error| match error {
        NotPublishing::Unknown(_) => ApiError::no_session(id.as_str()),
        NotPublishing::Another(_) => ApiError::forbidden(),
        NotPublishing::Store(error) => ApiError::internal(&error),
    })?;
    Ok(upgrade
        .on_upgrade(move |socket| receive(SocketLink::new(socket), session.host_arrived(), lease)))
}

/// Admits a host that has a token.
fn admit(
    app: &App,
    route: &'static Route,
    id: &str,
    parts: &Parts,
) -> Result<AccessLease, HttpError> {
    // Hosts send no `Origin`; pages do.
    if parts.headers.contains_key(ORIGIN) {
        return Err(ApiError::origin().into());
    }
    let caller = app.caller(parts)?;
    app.admit(&caller, route, id)?;
    Ok(app.connect(&caller, route, id))
}

fn configure(
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    message_bytes: usize,
) -> Result<WebSocketUpgrade, HttpError> {
    let upgrade = upgrade.map_err(|rejection| no_upgrade(&rejection))?;
    let ours = HeaderValue::from_static(SUBPROTOCOL);
    if !upgrade.requested_protocols().any(|name| *name == ours) {
        let message = format!("Offer the subprotocol `{SUBPROTOCOL}`.");
        return Err(ApiError::bad_request(message).into());
    }
    let mut upgrade = upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(message_bytes)
        .max_frame_size(message_bytes);
    upgrade.set_selected_protocol(ours);
    Ok(upgrade)
}
