//! `/api/sessions`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use moorline_shared::id::SessionId;
use moorline_shared::rest::{
    Changed, CreateSession, Created, DuplicateSession, ForkSession, MoveSession, RenameSession,
    SessionList,
};

use super::find;
use crate::http::App;
use crate::http::answers::{BadQuery, Guarded, Naming, OfSession, Starting, WithBody};
use crate::http::error::HttpError;
use crate::http::extract::{Admin, Body, Params, Writes};
use crate::session::SessionHandle;
use moorline_core::api::ListQuery;

/// All sessions, newest first
#[utoipa::path(
    get, path = "/api/sessions", tag = "Sessions", operation_id = "listSessions", params(ListQuery),
    responses(Guarded, BadQuery,
        (status = 200, description = "A page of those that match.", body = SessionList)),
)]
pub(in crate::http) async fn list(
    _: Admin,
    State(app): State<Arc<App>>,
    Params(wanted): Params<ListQuery>,
) -> Result<Json<SessionList>, HttpError> {
    Ok(Json(app.registry.list(wanted)?))
}

/// Start a session
#[utoipa::path(
    post, path = "/api/sessions", tag = "Sessions", operation_id = "createSession",
    request_body = Option<CreateSession>,
    responses(Guarded, WithBody, Starting, Naming,
        (status = 201, description = "It runs.", body = Created)),
)]
pub(in crate::http) async fn create(
    _: Admin,
    State(app): State<Arc<App>>,
    Body(wanted): Body<CreateSession>,
) -> Result<(StatusCode, Json<Created>), HttpError> {
    let handle = app.registry.create(wanted).await?;
    Ok(created(&handle))
}

/// Rename a session
#[utoipa::path(
    patch, path = "/api/sessions/{id}", tag = "Sessions", operation_id = "renameSession",
    params(("id" = SessionId, Path, description = "The session.")),
    request_body = RenameSession,
    responses(Guarded, OfSession, WithBody,
        (status = 200, description = "It has the name.", body = Changed)),
)]
pub(in crate::http) async fn rename(
    Writes(id): Writes,
    State(app): State<Arc<App>>,
    Body(wanted): Body<RenameSession>,
) -> Result<Json<Changed>, HttpError> {
    let session = app.registry.rename(&id, wanted).await?;
    Ok(Json(Changed { success: true, session }))
}

/// Move a session to a project, or out of all
#[utoipa::path(
    post, path = "/api/sessions/{id}/move", tag = "Sessions", operation_id = "moveSession",
    params(("id" = SessionId, Path, description = "The session.")),
    request_body = MoveSession,
    responses(Guarded, OfSession, WithBody,
        (status = 200, description = "It belongs there.", body = Changed)),
)]
pub(in crate::http) async fn move_to(
    Writes(id): Writes,
    _: Admin,
    State(app): State<Arc<App>>,
    Body(wanted): Body<MoveSession>,
) -> Result<Json<Changed>, HttpError> {
    let session = app.registry.move_to(&id, wanted).await?;
    Ok(Json(Changed { success: true, session }))
}

/// Start what a session was started with again
///
/// The same command, variables and project, and the same size unless another is named, in the folder that the session is in now.
#[utoipa::path(
    post, path = "/api/sessions/{id}/duplicate", tag = "Sessions",
    operation_id = "duplicateSession",
    params(("id" = SessionId, Path, description = "The session.")),
    request_body = Option<DuplicateSession>,
    responses(Guarded, OfSession, WithBody, Starting,
        (status = 201, description = "The new session runs.", body = Created)),
)]
pub(in crate::http) async fn duplicate(
    Writes(id): Writes,
    _: Admin,
    State(app): State<Arc<App>>,
    Body(wanted): Body<DuplicateSession>,
) -> Result<(StatusCode, Json<Created>), HttpError> {
    let handle = app.registry.duplicate(&id, wanted).await?;
    Ok(created(&handle))
}

/// Start a session on the log of another one
///
/// The new session begins with the other one's output up to `seq`, under the same numbers, and
/// goes on with what its own process puts out: the same command, variables and project, and the same
/// size unless another is named, in the folder that the other one is in now.
#[utoipa::path(
    post, path = "/api/sessions/{id}/fork", tag = "Sessions", operation_id = "forkSession",
    params(("id" = SessionId, Path, description = "The session.")),
    request_body = Option<ForkSession>,
    responses(Guarded, OfSession, WithBody, Starting,
        (status = 201, description = "The new session runs.", body = Created),
        (status = 409, description = "Too much before `seq` is not retained: `trimmed`.",
            body = moorline_shared::rest::ErrorBody)),
)]
pub(in crate::http) async fn fork(
    Writes(id): Writes,
    _: Admin,
    State(app): State<Arc<App>>,
    Body(wanted): Body<ForkSession>,
) -> Result<(StatusCode, Json<Created>), HttpError> {
    let source = find(&app, &id).await?;
    let (handle, from) = app.registry.fork(&source, wanted).await?;
    let (status, Json(created)) = created(&handle);
    Ok((status, Json(Created { forked_from: Some(from), ..created })))
}

fn created(handle: &Arc<SessionHandle>) -> (StatusCode, Json<Created>) {
    let session = handle.summary();
    let session_id = session.session_id.clone();
    let created = Created { success: true, session_id, session, forked_from: None };
    (StatusCode::CREATED, Json(created))
}
