//! The part of the OpenAPI document that describes the handlers of [`crate::routes`].

use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use crate::routes::{
    approvals, changes, files, hosts, login, operations, output, pods, projects, prompts, session,
    sessions, terminals, tmux, workspaces,
};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    sessions::list,
    sessions::create,
    sessions::rename,
    sessions::move_to,
    sessions::duplicate,
    session::status,
    prompts::prompt,
    prompts::list,
    prompts::change,
    prompts::withdraw,
    prompts::retry,
    prompts::stop,
    prompts::configure,
    prompts::log_in,
    approvals::all,
    approvals::list,
    approvals::get,
    approvals::decide,
    approvals::seen,
    session::delete,
    session::events_status,
    files::find,
    operations::preview,
    operations::execute,
    changes::list,
    changes::settle,
    pods::described::list,
    pods::described::save,
    pods::described::remove,
    tmux::show,
    tmux::act,
    projects::list,
    projects::create,
    projects::get,
    projects::change,
    projects::delete,
    terminals::create,
    terminals::input,
    output::open,
    terminals::close,
    hosts::list,
    login::status,
    hosts::described::rules,
    hosts::described::revoke,
    workspaces::list,
    workspaces::create,
    workspaces::get,
    workspaces::rename,
    workspaces::delete,
    workspaces::tree,
    workspaces::read_file,
    workspaces::put_file,
    workspaces::delete_file,
    workspaces::rename_file,
    workspaces::download,
    workspaces::upload,
    workspaces::sync,
))]
struct HandlerPaths;

/// Returns the paths of all handlers, and their schemas.
#[must_use]
pub fn handlers() -> OpenApi {
    HandlerPaths::openapi()
}

/// The tag of deprecated routes.
pub const DEPRECATED: &str = "Deprecated";

/// Returns the deprecated paths that the same handlers answer.
#[must_use]
pub fn legacy() -> OpenApi {
    deprecated::Paths::openapi()
}

/// Only descriptions: the table of routes names the handlers.
#[expect(dead_code, reason = "the attributes read the functions' names and docs")]
mod deprecated {
    use moorline_shared::rest::{CreateSession, Created, SessionList};

    use super::DEPRECATED;
    use crate::api::ListQuery;
    use crate::api::responses::{BadQuery, Guarded, Naming, Starting, WithBody};
    use crate::legacy;

    #[derive(utoipa::OpenApi)]
    #[openapi(paths(list, create))]
    pub(super) struct Paths;

    /// As `GET /api/sessions`
    #[utoipa::path(
        get, path = legacy::SESSIONS, tag = DEPRECATED,
        operation_id = "deprecatedListSessions", params(ListQuery),
        responses(Guarded, BadQuery,
            (status = 200, description = "A page of the matching sessions.", body = SessionList)),
    )]
    const fn list() {}

    /// As `POST /api/sessions`
    #[utoipa::path(
        post, path = legacy::SESSIONS, tag = DEPRECATED,
        operation_id = "deprecatedCreateSession", request_body = Option<CreateSession>,
        responses(Guarded, WithBody, Starting, Naming,
            (status = 201, description = "The session is running.", body = Created)),
    )]
    const fn create() {}
}
