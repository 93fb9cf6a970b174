//! `GET /hosts/:id/control` and `GET /sessions/:id/publish`, which hosts dial.

use std::sync::Arc;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::ORIGIN;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use axum::routing::{get, post};
use moorline_shared::control::local_host;
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::limits::LINK_MESSAGE_BYTES;
use moorline_shared::publish::SUBPROTOCOL;

use super::descriptions;
use super::error::{ApiError, HttpError, no_upgrade};
use super::rest::workspaces;
use super::{App, Caller};
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
        .route("/api/workspaces/{id}/sync", post(workspaces::answer_own_host))
        // Each request has its own limit.
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}

async fn own_control(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, HttpError> {
    refuse_pages(&headers)?;
    open_control(&app, &HostDialer::Own, &id, upgrade)
}

async fn own_publish(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, HttpError> {
    refuse_pages(&headers)?;
    open_publish(&app, &HostDialer::Own, &id, upgrade).await
}

/// The host that dials.
enum HostDialer {
    /// The relay's own host, by the relay's Unix socket.
    Own,
    /// Any other host, by a route that it was admitted to.
    Other(Box<Caller>, &'static Route),
}

impl HostDialer {
    /// Admits a host that has a token.
    fn admit(app: &App, route: &'static Route, id: &str, parts: &Parts) -> Result<Self, HttpError> {
        refuse_pages(&parts.headers)?;
        let caller = app.caller(parts)?;
        app.admit(&caller, route, id)?;
        Ok(Self::Other(Box::new(caller), route))
    }

    const fn is_own(&self) -> bool {
        matches!(self, Self::Own)
    }

    /// Registers the link that is opened.
    fn connect(&self, app: &App, id: &str) -> AccessLease {
        match self {
            Self::Own => AccessLease::until(app.registry.parting()),
            Self::Other(caller, route) => app.connect(caller, route, id),
        }
    }
}

/// Hosts send no `Origin`; pages do.
fn refuse_pages(headers: &HeaderMap) -> Result<(), ApiError> {
    if headers.contains_key(ORIGIN) { Err(ApiError::origin()) } else { Ok(()) }
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
    open_control(app, &HostDialer::admit(app, route, id, parts)?, id, upgrade)
}

fn open_control(
    app: &App,
    dialer: &HostDialer,
    id: &str,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, HttpError> {
    let host: HostId = id.parse().map_err(|_| ApiError::invalid_host_id())?;
    let is_ours = host == local_host() && app.registry.hosts().has_local();
    // Only the relay's own host may use its id, and it may use no other.
    if is_ours != dialer.is_own() {
        return Err(ApiError::forbidden().into());
    }
    let upgrade = configure(upgrade, CONTROL_MESSAGE_BYTES)?;
    let lease = dialer.connect(app, id);
    let registry = Arc::clone(&app.registry);
    Ok(upgrade.on_upgrade(|socket| keep_control(SocketLink::new(socket), host, registry, lease)))
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
    open_publish(app, &HostDialer::admit(app, route, id, parts)?, id, upgrade).await
}

async fn open_publish(
    app: &App,
    dialer: &HostDialer,
    id: &str,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, HttpError> {
    let host = dialer.is_own().then(local_host);
    let session: SessionId = id.parse().map_err(|_| ApiError::invalid_id(id))?;
    let upgrade = configure(upgrade, LINK_MESSAGE_BYTES)?;
    let found = app.registry.publishing(&session, host.as_ref()).await;
    let session = found.map_err(|error| match error {
        NotPublishing::Unknown(_) => ApiError::no_session(id),
        NotPublishing::Another(_) => ApiError::forbidden(),
        NotPublishing::Store(error) => ApiError::internal(&error),
    })?;
    let lease = dialer.connect(app, id);
    Ok(upgrade
        .on_upgrade(move |socket| receive(SocketLink::new(socket), session.host_arrived(), lease)))
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
