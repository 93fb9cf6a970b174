//! The handlers of `/api/sessions`: all sessions.

use http::StatusCode;
use moorline_shared::rest::{
    Changed, CreateSession, Created, DuplicateSession, MoveSession, RenameSession, SessionSummary,
};
use moorline_shared::session::ForkedFrom;

use super::{Decision, DecisionAnswer, Reply, Request, Start, Started, View};
#[cfg(feature = "openapi")]
use crate::api::responses::{BadQuery, Guarded, Naming, OfSession, Starting, WithBody};
use crate::api::{ApiError, ListQuery};
use crate::directory::{Directory, Draft};
#[cfg(feature = "openapi")]
use moorline_shared::{id::SessionId, rest::SessionList};

/// List all sessions, newest first
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/sessions", tag = "Sessions", operation_id = "listSessions", params(ListQuery),
    responses(Guarded, BadQuery,
        (status = 200, description = "A page of the matching sessions.", body = SessionList)),
))]
pub(crate) fn list(view: &View<'_>, request: &Request) -> Result<Reply, ApiError> {
    let wanted: ListQuery = request.query()?;
    Ok(Reply::ok(&view.directory.list(wanted, &request.grant.access)?))
}

/// Start a session
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/sessions", tag = "Sessions", operation_id = "createSession",
    request_body = Option<CreateSession>,
    responses(Guarded, WithBody, Starting, Naming,
        (status = 201, description = "The session is running.", body = Created)),
))]
pub(crate) fn create(directory: &Directory, request: &Request) -> Result<Start, ApiError> {
    let wanted: CreateSession = request.body()?;
    let access = &request.grant.access;
    directory.check_workspace(wanted.workspace.as_ref(), access)?;
    start(Directory::draft(wanted, request.new_session(), request.now_ms)?, request)
}

/// Rename a session
#[cfg_attr(feature = "openapi", utoipa::path(
    patch, path = "/api/sessions/{id}", tag = "Sessions", operation_id = "renameSession",
    params(("id" = SessionId, Path, description = "The session.")),
    request_body = RenameSession,
    responses(Guarded, OfSession, WithBody,
        (status = 200, description = "The session was renamed.", body = Changed)),
))]
pub(crate) fn rename(directory: &Directory, request: &Request) -> Result<Decision, ApiError> {
    let wanted: RenameSession = request.body()?;
    let change = directory.rename(&request.session()?, &wanted)?;
    Ok(Decision { change, answer: DecisionAnswer::Read(changed) })
}

/// Move a session to a project, or out of any
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/sessions/{id}/move", tag = "Sessions", operation_id = "moveSession",
    params(("id" = SessionId, Path, description = "The session.")),
    request_body = MoveSession,
    responses(Guarded, OfSession, WithBody,
        (status = 200, description = "The session was moved.", body = Changed)),
))]
pub(crate) fn move_to(directory: &Directory, request: &Request) -> Result<Decision, ApiError> {
    let wanted: MoveSession = request.body()?;
    let change = directory.move_to(&request.session()?, wanted)?;
    Ok(Decision { change, answer: DecisionAnswer::Read(changed) })
}

/// Duplicate a session
///
/// Starts a session with the same command, variables and project in the current folder of this one. Its size is the
/// same unless the request names another.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/sessions/{id}/duplicate", tag = "Sessions",
    operation_id = "duplicateSession",
    params(("id" = SessionId, Path, description = "The session.")),
    request_body = Option<DuplicateSession>,
    responses(Guarded, OfSession, WithBody, Starting,
        (status = 201, description = "The new session is running.", body = Created)),
))]
pub(crate) fn duplicate(directory: &Directory, request: &Request) -> Result<Start, ApiError> {
    let (source, wanted): (_, DuplicateSession) = (request.session()?, request.body()?);
    let (id, now_ms) = (request.new_session(), request.now_ms);
    start(directory.draft_duplicate(&source, wanted, id, now_ms)?, request)
}

fn start(draft: Draft, request: &Request) -> Result<Start, ApiError> {
    Start::admit(draft, Started { beside: None, reply: created }, &request.grant.access)
}

/// Returns the answer to a fork.
#[must_use]
pub fn forked(session: SessionSummary, from: ForkedFrom) -> Reply {
    answer(session, Some(from))
}

fn created(session: SessionSummary) -> Reply {
    answer(session, None)
}

fn answer(session: SessionSummary, forked_from: Option<ForkedFrom>) -> Reply {
    let session_id = session.session_id.clone();
    let created = Created { success: true, session_id, session, forked_from };
    Reply::new(StatusCode::CREATED, &created)
}

fn changed(directory: &Directory, request: &Request) -> Result<Reply, ApiError> {
    let session = directory.summary(&request.session()?)?;
    Ok(Reply::ok(&Changed { success: true, session }))
}
