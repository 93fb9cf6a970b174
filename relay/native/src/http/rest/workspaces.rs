//! Requests about the files of workspaces.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use moorline_core::api::ApiError;
use moorline_core::auth::Grant;
use moorline_core::routes::{self, Found, Handler, Matched, WorkspaceHandler, find};
use moorline_core::workspace::{FileAction, WorkspaceReply};
use moorline_shared::limits::{BODY_DEADLINE, REQUEST_BODY_BYTES};
use tokio::sync::Semaphore;

use crate::clock::wall_ms;
use crate::http::App;
use crate::http::error::HttpError;
use crate::registry::random;
use crate::workspaces::carry_out;

/// Large bodies that are read at a time: each is in memory as a whole.
static LARGE_BODIES: Semaphore = Semaphore::const_new(16);
/// Time for a large body to arrive: 16 MiB over a slow connection.
const LARGE_BODY_DEADLINE: Duration = Duration::from_mins(5);

/// Answers a request about a workspace's files.
pub(in crate::http) async fn answer(
    app: &Arc<App>,
    handler: WorkspaceHandler,
    request: routes::Request,
    (parts, body): (Parts, Body),
) -> Result<Response, HttpError> {
    let id = request.workspace()?;
    // Before its body is read.
    app.registry.workspace_record(&id)?;
    let (_turn, body) = read_body(handler, &parts, body).await?;
    let request = routes::Request { body, ..request };
    let action = parse(handler, request, parts).await?;
    Ok(response(carry_out(&app.registry, &id, action).await?))
}

/// Answers the relay's own host, by the relay's Unix socket.
pub(in crate::http) async fn answer_own_host(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, HttpError> {
    let found = find(request.method(), request.uri().path());
    let Found::Route(Matched { route, .. }) = found else {
        return Err(ApiError::no_route(request.uri()).into());
    };
    let Handler::Workspace(handler) = route.handler else {
        return Err(ApiError::no_route(request.uri()).into());
    };
    let (parts, body) = request.into_parts();
    let request = routes::Request {
        id,
        item: String::new(),
        grant: Grant::unstored(),
        query: String::new(),
        content_type: String::new(),
        body: Bytes::new(),
        now_ms: wall_ms(),
        random: random()?,
    };
    answer(&app, handler, request, (parts, body)).await
}

/// Reads a body. The first value is its turn among the large ones.
async fn read_body(
    handler: WorkspaceHandler,
    parts: &Parts,
    body: Body,
) -> Result<(Option<tokio::sync::SemaphorePermit<'static>>, Bytes), HttpError> {
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let length: Option<usize> = length.and_then(|length| length.parse().ok());
    if length.is_some_and(|length| length > handler.body_bytes) {
        return Err((handler.too_large)().into());
    }
    let is_small = handler.body_bytes <= REQUEST_BODY_BYTES
        || length.is_some_and(|length| length <= REQUEST_BODY_BYTES);
    let (turn, deadline) = if is_small {
        (None, BODY_DEADLINE)
    } else {
        // The semaphore is never closed.
        (LARGE_BODIES.acquire().await.ok(), LARGE_BODY_DEADLINE)
    };
    let read = tokio::time::timeout(deadline, to_bytes(body, handler.body_bytes)).await;
    let body = read.map_err(|_| ApiError::too_slow())?;
    Ok((turn, body.map_err(|error| unread(handler, &error))?))
}

fn unread(handler: WorkspaceHandler, error: &axum::Error) -> ApiError {
    let source = std::error::Error::source(error);
    match source.is_some_and(|source| source.is::<http_body_util::LengthLimitError>()) {
        true => (handler.too_large)(),
        false => ApiError::bad_request("The body could not be read."),
    }
}

/// Parses a request. The hash of a large content takes a while.
async fn parse(
    handler: WorkspaceHandler,
    request: routes::Request,
    parts: Parts,
) -> Result<FileAction, ApiError> {
    if request.body.len() <= REQUEST_BODY_BYTES {
        return (handler.parse)(&request, &parts.headers);
    }
    let parse = move || (handler.parse)(&request, &parts.headers);
    let parsed = tokio::task::spawn_blocking(parse).await;
    parsed.unwrap_or_else(|error| Err(ApiError::internal(&error)))
}

fn response(reply: WorkspaceReply) -> Response {
    (reply.status, reply.headers, reply.body).into_response()
}
