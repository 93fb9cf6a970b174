//! The REST API.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use moorline_host::pty::SpawnError;
use moorline_shared::id::SessionId;
use moorline_shared::limits::{COLUMNS, ROWS};
use moorline_shared::message::Scope;
use moorline_shared::rest::{CreateSession, Created, Deleted, SessionList, SessionStatus};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::{Admin, App, Caller};
use crate::native::registry::{CreateError, Filter};
use crate::native::session::SessionHandle;

/// Open to everyone: says nothing that is not.
pub(super) async fn health(State(app): State<Arc<App>>) -> Json<Value> {
    let storing = app.registry.services().writer.failure().is_none();
    let status = if storing { "ok" } else { "degraded" };
    Json(json!({ "status": status, "storing": storing, "version": env!("CARGO_PKG_VERSION") }))
}

pub(super) async fn list(_: Admin, State(app): State<Arc<App>>) -> Json<SessionList> {
    let filter = Filter { limit: 200, ..Filter::default() };
    Json(app.registry.list(&filter))
}

pub(super) async fn create(
    _: Admin,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Created>), ApiError> {
    let wanted = read_body(&headers, body)?;
    check_size(&wanted)?;
    let handle = app.registry.create(wanted).await.map_err(refused)?;
    let session = handle.summary();
    let session_id = session.session_id.clone();
    let created = Created { success: true, session_id, session, forked_from: None };
    Ok((StatusCode::CREATED, Json(created)))
}

pub(super) async fn status(
    caller: Caller,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<SessionStatus>, ApiError> {
    let (id, _) = allowed(&caller, &id)?;
    Ok(Json(find(&app, &id).await?.status()))
}

pub(super) async fn delete(
    caller: Caller,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Deleted>, ApiError> {
    let (id, scope) = allowed(&caller, &id)?;
    if scope != Scope::Write {
        return Err(ApiError::forbidden());
    }
    match app.registry.delete(&id).await {
        Ok(true) => {
            let message = "Session deleted".to_owned();
            Ok(Json(Deleted { success: true, message, session_id: id }))
        }
        Ok(false) => Err(ApiError::no_session(id.as_str())),
        Err(error) => Err(ApiError::internal(&error)),
    }
}

/// The session that a path names, and what the caller may do with it.
pub(super) fn allowed(caller: &Caller, id: &str) -> Result<(SessionId, Scope), ApiError> {
    let id: SessionId = id.parse().map_err(|_| ApiError::invalid_id(id))?;
    let scope = caller.0.scope_of(&id).ok_or_else(ApiError::forbidden)?;
    Ok((id, scope))
}

pub(super) async fn find(app: &App, id: &SessionId) -> Result<Arc<SessionHandle>, ApiError> {
    let found = app.registry.get(id).await.map_err(|error| ApiError::internal(&error))?;
    found.ok_or_else(|| ApiError::no_session(id.as_str()))
}

fn read_body(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<CreateSession, ApiError> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large(),
        _ => ApiError::bad_request(rejection.body_text()),
    })?;
    if body.is_empty() {
        return Ok(CreateSession::default());
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_json = kind
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(ApiError::not_json());
    }
    // A list would be taken for the fields in their order.
    serde_json::from_slice::<Map<String, Value>>(&body)
        .and_then(|object| serde_json::from_value(Value::Object(object)))
        .map_err(|error| ApiError::bad_request(format!("The body is no such JSON: {error}.")))
}

fn check_size(wanted: &CreateSession) -> Result<(), ApiError> {
    let fits = wanted.cols.is_none_or(|cols| COLUMNS.contains(&cols))
        && wanted.rows.is_none_or(|rows| ROWS.contains(&rows));
    if fits {
        return Ok(());
    }
    let (cols, rows) = (COLUMNS, ROWS);
    Err(ApiError::bad_request(format!(
        "A terminal has {} to {} cols and {} to {} rows.",
        cols.start(),
        cols.end(),
        rows.start(),
        rows.end()
    )))
}

fn refused(error: CreateError) -> ApiError {
    match error {
        CreateError::TooMany => ApiError::overloaded(error),
        CreateError::ShuttingDown => ApiError::unavailable(error),
        CreateError::Spawn(SpawnError::System(_))
        | CreateError::Random(_)
        | CreateError::Store(_) => ApiError::internal(&error),
        CreateError::Exists(id) => ApiError::exists(&id),
        CreateError::NoSuchProject(id) => ApiError::no_project(id.as_str()),
        CreateError::UnknownDriver(_) | CreateError::Spawn(_) => ApiError::bad_request(error),
    }
}
