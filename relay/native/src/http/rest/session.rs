//! Input typed into a session, and the files that it works with.

use std::sync::Arc;

use axum::Json;
use moorline_core::api::responses::{Asking, Guarded, OfSession};
use moorline_core::plan::HostError;
use moorline_core::routes::{Asked, Reply, Request, Write};
use moorline_core::session::Session;
use moorline_shared::control::{ToHost, ToRelay};
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::rest::{ContextFile, SessionContext};

use super::find;
use crate::clock::wall_ms;
use crate::http::App;
use crate::http::error::{ApiError, HttpError};
use crate::session::SessionHandle;

/// Types a write's data into a session, and notes the files that it names.
pub(in crate::http) async fn write(
    app: &App,
    session: &Arc<SessionHandle>,
    Write { data, event, files, reply }: Write,
) -> Result<Reply, ApiError> {
    let id = session.id();
    session.write(data, event).await.map_err(|why| ApiError::not_written(why, id))?;
    if let Err(error) = app.registry.name_files(id, files).await {
        tracing::warn!(session = %id, %error, "the files of a prompt were not stored");
    }
    Ok(reply)
}

/// Types what a request asks to type, or answers it once it is stored.
pub(in crate::http) async fn act(
    app: &App,
    session: &Arc<SessionHandle>,
    ask: fn(&Session, &Request) -> Result<Asked, ApiError>,
    request: &Request,
) -> Result<Reply, ApiError> {
    let asked = ask(&session.lock().session, request)?;
    match asked {
        Asked::Write(typed) => write(app, session, typed).await,
        Asked::Act(request) => session.act(*request).await,
    }
}

/// List the files that a session works with
///
/// These are the files that prompts named, and those that agents read by convention from the
/// session's folder and the folders above it.
#[utoipa::path(
    get, path = "/api/session/{id}/context", tag = "Session", operation_id = "sessionContext",
    params(("id" = SessionId, Path, description = "The session.")),
    responses(Guarded, OfSession, Asking,
        (status = 200, description = "The context files that exist now.", body = SessionContext)),
)]
pub(in crate::http) async fn context(
    app: &Arc<App>,
    id: &SessionId,
) -> Result<Json<SessionContext>, HttpError> {
    let summary = find(app, id).await?.summary();
    let project = summary.project.and_then(|id| app.registry.project(&id).ok());
    let top = project.and_then(|project| project.directory);
    let named = app.registry.named_files(id).await;
    let (folder, named) = (summary.cwd, named.map_err(|error| ApiError::internal(&error))?);
    // A session of an early version has no host to ask.
    let context = match &summary.host {
        Some(host) => files(app, host, folder, top, named).await?,
        None => Vec::new(),
    };
    Ok(Json(SessionContext { session_id: id.clone(), context, timestamp: wall_ms() }))
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
