//! `/api/session/:id`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use moorline_core::plan::HostError;
use moorline_shared::control::{ToHost, ToRelay};
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::limits::PROMPT_BYTES;
use moorline_shared::rest::{
    ContextFile, Deleted, Prompt, Prompted, SessionContext, SessionStatus,
};

use super::find;
use crate::clock::wall_ms;
use crate::http::App;
use crate::http::answers::{Asking, Guarded, OfSession, Typing, WithBody};
use crate::http::error::{ApiError, HttpError};
use crate::http::extract::{Body, Reads, Writes};
use crate::session::SessionHandle;

/// What a session is and does
#[utoipa::path(
    get, path = "/api/session/{id}/status", tag = "Session", operation_id = "sessionStatus",
    params(("id" = SessionId, Path, description = "The session.")),
    responses(Guarded, OfSession,
        (status = 200, description = "As it is now.", body = SessionStatus)),
)]
pub(in crate::http) async fn status(
    Reads(id): Reads,
    State(app): State<Arc<App>>,
) -> Result<Json<SessionStatus>, HttpError> {
    let session = find(&app, &id).await?;
    Ok(Json(session.status()))
}

/// Type a command into a session
///
/// The text is typed as it is and followed by Enter. What comes of it is in the session's events
/// and output.
#[utoipa::path(
    post, path = "/api/session/{id}/prompt", tag = "Session", operation_id = "prompt",
    params(("id" = SessionId, Path, description = "The session.")),
    request_body = Prompt,
    responses(Guarded, OfSession, WithBody, Typing,
        (status = 200, description = "It was typed.", body = Prompted)),
)]
pub(in crate::http) async fn prompt(
    Writes(id): Writes,
    State(app): State<Arc<App>>,
    wanted: Result<Body<Prompt>, HttpError>,
) -> Result<Json<Prompted>, HttpError> {
    // That there is no such session counts more than what is wrong with the request.
    let session = find(&app, &id).await?;
    let Body(wanted) = wanted?;
    let command = wanted.command.filter(|command| !command.is_empty());
    let command = command.ok_or_else(ApiError::command_required)?;
    type_prompt(&session, &command).await?;
    if let Err(error) = app.registry.name_files(&id, wanted.context.unwrap_or_default()).await {
        tracing::warn!(session = %id, %error, "the files of a prompt are not noted");
    }
    let message = "Command sent".to_owned();
    Ok(Json(Prompted { success: true, session_id: id, message, timestamp: wall_ms() }))
}

/// Types a prompt, within its limit.
pub(in crate::http) async fn type_prompt(
    session: &Arc<SessionHandle>,
    command: &str,
) -> Result<(), ApiError> {
    if command.len() > PROMPT_BYTES {
        return Err(ApiError::too_much_typed());
    }
    let typed = session.prompt(command).await;
    typed.map_err(|why| ApiError::not_written(why, session.id()))
}

/// The files that a session works with
///
/// Those that prompts named, and those that agents read by convention from its folder and the
/// folders above.
#[utoipa::path(
    get, path = "/api/session/{id}/context", tag = "Session", operation_id = "sessionContext",
    params(("id" = SessionId, Path, description = "The session.")),
    responses(Guarded, OfSession, Asking,
        (status = 200, description = "Those that are there now.", body = SessionContext)),
)]
pub(in crate::http) async fn context(
    Reads(id): Reads,
    State(app): State<Arc<App>>,
) -> Result<Json<SessionContext>, HttpError> {
    let summary = find(&app, &id).await?.summary();
    let project = summary.project.and_then(|id| app.registry.project(&id).ok());
    let top = project.and_then(|project| project.directory);
    let named = app.registry.named_files(&id).await;
    let (folder, named) = (summary.cwd, named.map_err(|error| ApiError::internal(&error))?);
    // One from before there were hosts has none to ask.
    let context = match &summary.host {
        Some(host) => files(&app, host, folder, top, named).await?,
        None => Vec::new(),
    };
    Ok(Json(SessionContext { session_id: id, context, timestamp: wall_ms() }))
}

async fn files(
    app: &App,
    host: &HostId,
    folder: Option<String>,
    top: Option<String>,
    named: Vec<String>,
) -> Result<Vec<ContextFile>, HttpError> {
    let ask = |request| ToHost::Files { request, folder, top, named };
    match app.registry.hosts().ask(host, ask).await {
        Ok(ToRelay::Files { files, .. }) => Ok(files),
        Ok(ToRelay::Failed { message, .. }) => Err(ApiError::internal(&message).into()),
        Ok(_) => Err(HostError::Silent(host.clone()).into()),
        Err(error) => Err(error.into()),
    }
}

/// End a session and remove it
#[utoipa::path(
    delete, path = "/api/session/{id}", tag = "Session", operation_id = "deleteSession",
    params(("id" = SessionId, Path, description = "The session.")),
    responses(Guarded, OfSession,
        (status = 200, description = "It is gone.", body = Deleted)),
)]
pub(in crate::http) async fn delete(
    Writes(id): Writes,
    State(app): State<Arc<App>>,
) -> Result<Json<Deleted>, HttpError> {
    app.registry.delete(&id).await?;
    let message = "Session deleted".to_owned();
    Ok(Json(Deleted { success: true, message, session_id: id }))
}
