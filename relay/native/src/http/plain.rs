//! `GET /api/terminal/ws/:session_id`: a terminal as plain text both ways, after the WebSocket API
//! of seed 001. Creates the session if it does not exist.

use std::sync::Arc;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use moorline_shared::id::SessionId;
use moorline_shared::message::{Scope, close};
use tracing::Instrument as _;

use super::App;
use super::descriptions;
use super::error::{ApiError, HttpError, no_upgrade};
use super::extract::Caller;
use super::stream::{admit, configure, marked};
use crate::registry::begun;
use crate::session::SessionHandle;
use crate::stream::{Dialect, StreamTerms, serve};
use crate::websocket;
use moorline_core::api::responses::{Guarded, OfSession, Upgrade};
use moorline_core::refusal::{PlainRefusal, SEE_TEXT};
use moorline_core::routes::Matched;

/// Use a terminal as plain text
#[utoipa::path(
    get, path = "/api/terminal/ws/{id}", tag = "Terminals", operation_id = "terminalSocket",
    description = descriptions::PLAIN,
    params(("id" = SessionId, Path, description = "The terminal.")),
    responses(Guarded, OfSession, Upgrade),
)]
pub(super) async fn open(
    app: &Arc<App>,
    Matched { route, id, long_name, .. }: Matched,
    parts: &Parts,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let admitted = admit(app, route, &id, parts);
    let upgrade = match upgrade {
        Ok(upgrade) => configure(upgrade),
        Err(rejection) => {
            let denied = admitted.err().map(|denied| HttpError::from(*denied.status));
            return denied.unwrap_or_else(|| no_upgrade(&rejection)).into_response();
        }
    };
    let is_wrong_token = admitted.as_ref().is_err_and(|denied| denied.status.is_wrong_token());
    let name = long_name.as_deref();
    let found = match admitted {
        Ok((id, caller, scope)) => {
            let found = find_or_create(app, &id, name, &caller, scope).await;
            found.map(|found| (found, caller, scope))
        }
        Err(denied) => Err(denied.why.plain()),
    };
    match found {
        Ok((session, caller, scope)) => {
            let span = tracing::info_span!("plain", session = %id);
            let lease = app.connect(&caller, route, &id);
            let grant = caller.grant.clone();
            let terms = StreamTerms { scope, dialect: Dialect::Plain, grant };
            upgrade.on_upgrade(move |socket| serve(socket, session, terms, lease).instrument(span))
        }
        Err(refusal) => {
            marked(upgrade.on_upgrade(move |socket| tell(socket, refusal)), is_wrong_token)
        }
    }
}

/// Returns the session, or creates it if the caller may type in it.
async fn find_or_create(
    app: &Arc<App>,
    id: &SessionId,
    name: Option<&str>,
    caller: &Caller,
    scope: Scope,
) -> Result<Arc<SessionHandle>, PlainRefusal> {
    let found = app.registry.get(id).await.map_err(|error| {
        tracing::error!(session = %id, %error, "a session cannot be read");
        PlainRefusal::not_created(close::INTERNAL, "its log cannot be read")
    })?;
    if let Some(session) = found {
        begun(&session).await;
        return Ok(session);
    }
    if scope != Scope::Write {
        return Err(PlainRefusal::missing());
    }
    let ensured = async {
        app.count_start(caller)?;
        app.registry.ensure(id, name, app.terminal_driver.as_deref()).await
    };
    let refusal = |error: ApiError| {
        let driver = app.terminal_driver.as_deref();
        PlainRefusal::not_started(close::OVERLOADED, driver, error.sentence())
    };
    ensured.await.map_err(refusal)
}

async fn tell(mut socket: WebSocket, refusal: PlainRefusal) {
    if socket.send(Message::text(refusal.text)).await.is_ok() {
        websocket::close(socket, refusal.close, SEE_TEXT).await;
    }
}
