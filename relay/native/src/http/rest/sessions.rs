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

use super::{find, refused};
use crate::http::App;
use crate::http::answers::{BadQuery, Guarded, Naming, OfSession, Starting, WithBody};
use crate::http::error::{ApiError, HttpError};
use crate::http::extract::{Admin, Body, Params, Writes};
use crate::registry::ChangeError;
use crate::session::SessionHandle;
use moorline_core::api::{ListQuery, check_size, name};

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
    Ok(Json(app.registry.list(&wanted.filter()?)))
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
    check_size(wanted.cols, wanted.rows)?;
    let wanted = CreateSession { name: name(wanted.name.as_deref())?, ..wanted };
    let handle = app.registry.create(wanted).await.map_err(refused)?;
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
    let name = name(Some(&wanted.name))?;
    app.registry.rename(&id, name).await.map_err(unchanged)?;
    Ok(changed(&app, &id).await?)
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
    app.registry.move_to(&id, wanted.project_id).await.map_err(unchanged)?;
    Ok(changed(&app, &id).await?)
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
    check_size(wanted.cols, wanted.rows)?;
    let wanted = DuplicateSession { name: name(wanted.name.as_deref())?, ..wanted };
    let source = find(&app, &id).await?;
    let handle = app.registry.duplicate(&source, wanted).await.map_err(refused)?;
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
    check_size(wanted.cols, wanted.rows)?;
    let wanted = ForkSession { name: name(wanted.name.as_deref())?, ..wanted };
    let source = find(&app, &id).await?;
    let (handle, from) = app.registry.fork(&source, wanted).await.map_err(refused)?;
    let (status, Json(created)) = created(&handle);
    Ok((status, Json(Created { forked_from: Some(from), ..created })))
}

fn created(handle: &Arc<SessionHandle>) -> (StatusCode, Json<Created>) {
    let session = handle.summary();
    let session_id = session.session_id.clone();
    let created = Created { success: true, session_id, session, forked_from: None };
    (StatusCode::CREATED, Json(created))
}

async fn changed(app: &App, id: &SessionId) -> Result<Json<Changed>, ApiError> {
    let session = app.registry.summary(id).ok_or_else(|| ApiError::no_session(id.as_str()))?;
    Ok(Json(Changed { success: true, session }))
}

fn unchanged(error: ChangeError) -> ApiError {
    match error {
        ChangeError::NotFound(id) => ApiError::no_session(id.as_str()),
        ChangeError::NoSuchProject(id) => ApiError::no_project(&id),
        ChangeError::Store(error) => error.into(),
    }
}
