//! `GET /acp`: agent sessions for clients of the Agent Client Protocol.

mod rim;
mod stream;

use std::sync::Arc;

use axum::extract::Query;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::header::ORIGIN;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use moorline_core::acp::{AcpServer, AcpTerms, admit};
use moorline_core::api::responses::{Guarded, OfSession, Upgrade};
use moorline_core::refusal::Why;
use moorline_core::routes::Route;
use moorline_shared::id::{ClientId, SessionId};
use moorline_shared::limits::{ACP_MESSAGE_BYTES, CLOSE_PATIENCE};
use moorline_shared::link::Liveness;
use moorline_shared::message::close;
use serde::Deserialize;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::Instrument as _;

use super::descriptions;
use super::error::{ApiError, HttpError, no_upgrade};
use super::stream::{Denied, configure, marked};
use super::{App, Caller, rest};
use crate::acp::{AcpDriver, AcpEnd, CLIENT_ROOM};
use crate::auth::AccessLease;
use crate::registry::random;
use crate::stream::is_too_large;
use crate::websocket;
use rim::ApiRouter;
use rim::LocalRim;

/// The header that names the connection, as remote transports of the protocol have it.
const CONNECTION_ID: HeaderName = HeaderName::from_static("acp-connection-id");

/// The query parameters of a connection.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct AcpQuery {
    /// The only session of the connection. Without it, an admin token reaches all sessions, and
    /// `session/new` starts one.
    session: Option<String>,
    /// The agent that `session/new` starts, unless the client names one.
    agent: Option<String>,
}

/// Use agent sessions from an editor
#[utoipa::path(
    get, path = "/acp", tag = "Agents", operation_id = "acp", description = descriptions::ACP,
    params(AcpQuery),
    responses(Guarded, OfSession, Upgrade),
)]
pub(super) async fn open(
    app: &Arc<App>,
    route: &'static Route,
    parts: &Parts,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    api: ApiRouter,
) -> Response {
    let found = find(app, parts).await;
    let upgrade = match upgrade {
        Ok(upgrade) => {
            configure(upgrade).max_message_size(ACP_MESSAGE_BYTES).max_frame_size(ACP_MESSAGE_BYTES)
        }
        Err(rejection) => {
            let refusal = found.err().map(|denied| HttpError::from(*denied.status));
            return refusal.unwrap_or_else(|| no_upgrade(&rejection)).into_response();
        }
    };
    let (terms, caller) = match found {
        Ok(found) => found,
        // A page cannot read an HTTP error of its WebSocket; other clients prefer one.
        Err(denied) if parts.headers.contains_key(ORIGIN) => {
            let (refusal, is_wrong_token) = (denied.why.stream(), denied.status.is_wrong_token());
            let upgraded = upgrade
                .on_upgrade(move |socket| websocket::close(socket, refusal.close, refusal.message));
            return marked(upgraded, is_wrong_token);
        }
        Err(denied) => return HttpError::from(*denied.status).into_response(),
    };
    let Ok(seed) = random() else {
        let error = ApiError::internal(&"no random numbers");
        return HttpError::from(error).into_response();
    };
    let lease = app.connect(&caller, route, "");
    let rim = LocalRim::new(app, parts, caller, api);
    let driver = AcpDriver::new(AcpServer::new(terms, seed), rim, app.registry.services().clock);
    let span = tracing::info_span!("acp");
    let mut response =
        upgrade.on_upgrade(move |socket| serve(socket, driver, lease).instrument(span));
    if let Ok(name) = HeaderValue::from_str(ClientId::from_random(seed.rotate_left(64)).as_str()) {
        response.headers_mut().insert(CONNECTION_ID, name);
    }
    response
}

/// Admits a caller. Returns the terms of its connection.
async fn find(app: &Arc<App>, parts: &Parts) -> Result<(AcpTerms, Caller), Denied> {
    let denied = |why| move |status| Denied { why, status: Box::new(status) };
    if !app.origins.allows(&parts.headers) {
        return Err(denied(Why::Origin)(ApiError::origin()));
    }
    let caller = app.caller(parts);
    let caller = caller.map_err(|error| denied(Why::unidentified(&error))(error))?;
    let query = Query::<AcpQuery>::try_from_uri(&parts.uri);
    let Query(AcpQuery { session, agent }) =
        query.map_err(|error| denied(Why::Id)(ApiError::bad_request(error.body_text())))?;
    let session: Option<SessionId> = match session {
        None => None,
        Some(id) => Some(id.parse().map_err(|_| denied(Why::Id)(ApiError::invalid_id(&id)))?),
    };
    let session = admit(&caller.grant.access, session).map_err(denied(Why::Session))?;
    if let Some(id) = &session {
        rest::allowed(app, &caller, id.as_str()).map_err(denied(Why::Session))?;
        rest::find(app, id).await.map_err(denied(Why::Id))?;
    }
    let version = env!("CARGO_PKG_VERSION");
    let access = caller.grant.access.clone();
    Ok((AcpTerms { session, access, agent, receipts: false, version }, caller))
}

/// Serves a client until it disconnects, is disconnected, or its lease ends.
async fn serve(socket: WebSocket, driver: AcpDriver<LocalRim>, mut lease: AccessLease) {
    let (mut sink, mut stream) = socket.split();
    let (say, said) = mpsc::channel(CLIENT_ROOM);
    let (tell, told) = mpsc::channel(CLIENT_ROOM);
    let heard = Notify::new();
    let end = tokio::select! {
        end = driver.run(said, tell) => end,
        end = read(&mut stream, say, &heard) => end,
        end = write(&mut sink, told, &heard) => end,
        ending = lease.ended() => {
            let (code, reason) = ending.close();
            AcpEnd::Closed(code, reason)
        }
    };
    if let AcpEnd::Closed(code, reason) = end {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let answered = async {
            if sink.send(Message::Close(Some(frame))).await.is_ok() {
                while let Some(Ok(_)) = stream.next().await {}
            }
        };
        let _ = timeout(CLOSE_PATIENCE, answered).await;
    }
}

/// Passes on the client's messages.
async fn read(
    stream: &mut SplitStream<WebSocket>,
    say: mpsc::Sender<String>,
    heard: &Notify,
) -> AcpEnd {
    loop {
        let message = stream.next().await;
        heard.notify_one();
        match message {
            Some(Ok(Message::Text(text))) => {
                if say.send(text.as_str().to_owned()).await.is_err() {
                    return AcpEnd::Gone;
                }
            }
            // The transport ignores binary messages.
            Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
            Some(Err(error)) if is_too_large(&error) => {
                return AcpEnd::Closed(close::TOO_LARGE, "the message is too large");
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => return AcpEnd::Gone,
        }
    }
}

/// Sends the client its messages, and pings while there are none.
async fn write(
    sink: &mut SplitSink<WebSocket, Message>,
    mut told: mpsc::Receiver<String>,
    heard: &Notify,
) -> AcpEnd {
    let mut liveness = Liveness::new(Instant::now());
    loop {
        let message = tokio::select! {
            text = told.recv() => match text {
                Some(text) => Message::text(text),
                None => return AcpEnd::Gone,
            },
            () = heard.notified() => {
                liveness.heard(Instant::now());
                continue;
            }
            () = sleep_until(liveness.poll_timeout()) => {
                if liveness.is_dead(Instant::now()) {
                    return AcpEnd::Gone;
                }
                liveness.said(Instant::now());
                Message::Ping(Bytes::new())
            }
        };
        if sink.send(message).await.is_err() {
            return AcpEnd::Gone;
        }
    }
}
