//! Event streams over a WebSocket: see [`moorline_core::event_socket`].

use std::future::pending;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::header::{ORIGIN, UPGRADE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use moorline_shared::limits::{DEAD_AFTER, UNANSWERED};
use moorline_shared::link::Liveness;
use moorline_shared::message::close;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::App;
use super::error::{ApiError, HttpError, WrongToken, no_upgrade};
use super::stream::{configure, marked};
use crate::auth::LeaseSignal;
use crate::listen::begun;
use crate::websocket;
use moorline_core::event_socket::{MessageCredit, refusal};
use moorline_core::routes::Found;

/// Carries an event stream over a WebSocket: the stream is the body with which its route answers.
pub(super) async fn carry(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let found = request.extensions().get::<Found>();
    let is_stream = matches!(found, Some(Found::Route(matched)) if matched.route.is_event_stream());
    if !is_stream || !is_upgrade(request.headers()) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => configure(upgrade),
        Err(rejection) => return no_upgrade(&rejection).into_response(),
    };
    let is_page = parts.headers.contains_key(ORIGIN);
    let answer = if app.origins.allows(&parts.headers) {
        next.run(Request::from_parts(parts, body)).await
    } else {
        HttpError::from(ApiError::origin()).into_response()
    };
    match refusal(answer.status()) {
        None => {
            let closing = app.registry.closing();
            let signal = answer.extensions().get::<LeaseSignal>().cloned();
            let lease = (closing, signal.unwrap_or_else(LeaseSignal::never));
            upgrade.on_upgrade(move |socket| stream(socket, answer.into_body(), lease))
        }
        // A page cannot read an HTTP error of its WebSocket; other clients prefer one.
        Some((code, reason)) if is_page || answer.status() == StatusCode::NO_CONTENT => {
            let is_wrong_token = answer.extensions().get::<WrongToken>().is_some();
            marked(
                upgrade.on_upgrade(move |socket| websocket::close(socket, code, reason)),
                is_wrong_token,
            )
        }
        Some(_) => answer,
    }
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(UPGRADE).and_then(|upgrade| upgrade.to_str().ok());
    upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"))
}

/// Sends the stream's bytes while the reader keeps answering. The stream ends itself when the relay
/// shuts down, but it is not polled while the reader owes answers.
async fn stream(
    mut socket: WebSocket,
    body: Body,
    (mut closing, mut signal): (watch::Receiver<bool>, LeaseSignal),
) {
    let mut chunks = body.into_data_stream();
    let mut credit = MessageCredit::default();
    let mut liveness = Liveness::new(Instant::now());
    loop {
        let next = async { if credit.is_left() { chunks.next().await } else { pending().await } };
        tokio::select! {
            biased;
            ending = signal.not_allowed() => {
                let (code, reason) = ending.close();
                return websocket::close(socket, code, reason).await;
            }
            chunk = next => {
                let Some(Ok(chunk)) = chunk else { return websocket::close(socket, close::NORMAL, "").await };
                credit.sent();
                let sent = timeout(DEAD_AFTER, socket.send(Message::Binary(chunk))).await;
                if !matches!(sent, Ok(Ok(()))) {
                    return;
                }
            }
            said = socket.recv() => match said {
                Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                    credit.answered();
                    liveness.heard(Instant::now());
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            // In either case the reader can resume later.
            () = begun(&mut closing), if !credit.is_left() => {
                return websocket::close(socket, close::GOING_AWAY, "the relay is shutting down").await;
            }
            () = sleep_until(liveness.dead_at()), if !credit.is_left() => {
                return websocket::close(socket, close::PROTOCOL, UNANSWERED).await;
            }
        }
    }
}
