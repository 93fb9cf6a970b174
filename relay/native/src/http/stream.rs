//! `GET /sessions/:id/stream`: opens a client's WebSocket.

use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::HeaderValue;
use axum::http::header::ORIGIN;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use moorline_shared::id::SessionId;
use moorline_shared::limits::{FRAME_DATA_BYTES, FRAME_HEADER_BYTES, TEXT_MESSAGE_BYTES};
use moorline_shared::message::{SUBPROTOCOL, Scope};
use tracing::Instrument as _;

use super::descriptions;
use super::error::{ApiError, HttpError, WrongToken, no_upgrade};
use super::{App, Caller, rest};
use crate::session::SessionHandle;
use crate::stream::{Dialect, StreamTerms, refuse, serve};
use moorline_core::api::responses::{Guarded, OfSession, Upgrade};
use moorline_core::refusal::{StreamRefusal, Why};
use moorline_core::routes::{Matched, Route};
use moorline_core::subprotocol;

/// A client's input is small. The buffer grows for larger messages.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Small frames are gathered up to this size before they are written.
const WRITE_BUFFER_BYTES: usize = 8 * 1024;
/// Bounds what the relay holds for a client that reads nothing: one message at most.
const MAX_WRITE_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Messages up to twice the limit are read, so that the client learns why one is refused.
const MAX_MESSAGE_BYTES: usize = 2 * TEXT_MESSAGE_BYTES;
const _: () = assert!(MAX_MESSAGE_BYTES > FRAME_HEADER_BYTES + FRAME_DATA_BYTES);

/// The reason that a client is not served.
struct StreamRefused {
    /// The answer to a request without a WebSocket.
    status: ApiError,
    refusal: StreamRefusal,
}

/// Follow and steer a session over a WebSocket
#[utoipa::path(
    get, path = "/sessions/{id}/stream", tag = "Session", operation_id = "sessionStream",
    description = descriptions::STREAM,
    params(("id" = SessionId, Path, description = "The session.")),
    responses(Guarded, OfSession, Upgrade),
)]
pub(super) async fn open(
    app: &Arc<App>,
    Matched { route, id, .. }: Matched,
    parts: &Parts,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let found = find(app, route, &id, parts).await;
    let upgrade = match upgrade {
        Ok(upgrade) => configure(upgrade),
        // With a valid token, a request without a WebSocket may learn whether the session exists.
        Err(rejection) => {
            let refusal = found.err().map(|refusal| HttpError::from(refusal.status));
            return refusal.unwrap_or_else(|| no_upgrade(&rejection)).into_response();
        }
    };
    let extended = upgrade.selected_protocol().is_some_and(|name| name == SUBPROTOCOL);
    match found {
        Ok((session, caller, scope)) => {
            let span = tracing::info_span!("stream", session = %id, extended);
            let lease = app.connect(&caller, route, &id);
            let dialect = if extended { Dialect::Full } else { Dialect::Basic };
            let terms = StreamTerms { scope, dialect, grant: caller.grant.clone() };
            upgrade.on_upgrade(move |socket| serve(socket, session, terms, lease).instrument(span))
        }
        // A page cannot read an HTTP error of its WebSocket; other clients prefer one.
        Err(refusal) if parts.headers.contains_key(ORIGIN) => {
            let is_wrong_token = refusal.status.is_wrong_token();
            let upgraded = upgrade.on_upgrade(move |socket| refuse(socket, refusal.refusal));
            marked(upgraded, is_wrong_token)
        }
        Err(refusal) => HttpError::from(refusal.status).into_response(),
    }
}

/// Marks an answer with [`WrongToken`] if the token was wrong.
pub(super) fn marked(mut answer: Response, is_wrong_token: bool) -> Response {
    if is_wrong_token {
        answer.extensions_mut().insert(WrongToken);
    }
    answer
}

async fn find(
    app: &Arc<App>,
    route: &Route,
    id: &str,
    parts: &Parts,
) -> Result<(Arc<SessionHandle>, Caller, Scope), StreamRefused> {
    let (id, caller, scope) = admit(app, route, id, parts)
        .map_err(|denied| StreamRefused { status: *denied.status, refusal: denied.why.stream() })?;
    let found = rest::find(app, &id).await;
    let session =
        found.map_err(|status| StreamRefused { status, refusal: StreamRefusal::NOT_FOUND })?;
    Ok((session, caller, scope))
}

/// The reason that a caller may not open a socket, and the answer to a request without one.
pub(super) struct Denied {
    pub(super) why: Why,
    pub(super) status: Box<ApiError>,
}

/// Admits a caller to the session that a socket's path names, and returns its scope for the session.
pub(super) fn admit(
    app: &App,
    route: &Route,
    id: &str,
    parts: &Parts,
) -> Result<(SessionId, Caller, Scope), Denied> {
    let denied = |why| move |status| Denied { why, status: Box::new(status) };
    if !app.origins.allows(&parts.headers) {
        return Err(denied(Why::Origin)(ApiError::origin()));
    }
    let caller = app.caller(parts);
    let caller = caller.map_err(|error| denied(Why::unidentified(&error))(error))?;
    let session = id.parse().map_err(|_| denied(Why::Id)(ApiError::invalid_id(id)))?;
    match app.admit(&caller, route, id).map_err(denied(Why::Session))? {
        Some(scope) => Ok((session, caller, scope)),
        None => Err(denied(Why::Session)(ApiError::forbidden())),
    }
}

pub(super) fn configure(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    let mut upgrade = upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES)
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES);
    let offered = upgrade.requested_protocols().filter_map(|name| name.to_str().ok());
    let chosen = subprotocol::choose(offered).and_then(|name| HeaderValue::from_str(name).ok());
    if let Some(name) = chosen {
        upgrade.set_selected_protocol(name);
    }
    upgrade
}
