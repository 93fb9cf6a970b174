//! The handlers of `/api/terminal`: sessions as terminals that are read by polling.

use moorline_shared::id::SessionId;
use moorline_shared::limits::PROMPT_BYTES;
use moorline_shared::rest::{CreateTerminal, CreatedTerminal, Done, TerminalInput};

use super::{Reply, Request, Start, Started, Write};
#[cfg(feature = "openapi")]
use crate::api::responses::{Guarded, OfSession, Starting, Typing, WithBody};
use crate::api::{ApiError, name};
use crate::directory::Directory;
#[cfg(feature = "openapi")]
use moorline_shared::rest::ErrorBody;

/// Start a terminal
///
/// A terminal is a session of its own. If it is opened beside another session, it starts in that
/// session's folder and project, and that session's log reports it: `terminal-created`,
/// `terminal-closed`.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/terminal", tag = "Terminals", operation_id = "createTerminal",
    request_body = Option<CreateTerminal>,
    responses(Guarded, WithBody, Starting,
        (status = 200, description = "The terminal is running.", body = CreatedTerminal),
        (status = 404, description = "The session does not exist: `not_found`.", body = ErrorBody)),
))]
pub(crate) fn create(directory: &Directory, request: &Request) -> Result<Start, ApiError> {
    let wanted: CreateTerminal = request.body()?;
    let mode = name(wanted.mode.as_deref())?;
    let draft = directory.draft_terminal(&wanted, request.new_session(), request.now_ms)?;
    let beside = draft.beside.clone().map(|parent| (parent, mode));
    let then = Started {
        beside,
        reply: |session| {
            Reply::ok(&CreatedTerminal { success: true, terminal_id: session.session_id })
        },
    };
    Start::admit(draft, then, &request.grant.access)
}

/// Type into a terminal
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/terminal/{id}/input", tag = "Terminals", operation_id = "terminalInput",
    params(("id" = SessionId, Path, description = "The terminal.")),
    request_body = TerminalInput,
    responses(Guarded, OfSession, WithBody, Typing,
        (status = 200, description = "The input was typed.", body = Done)),
))]
pub(crate) fn input(_: &SessionId, request: &Request) -> Result<Write, ApiError> {
    let wanted: TerminalInput = request.body()?;
    let data = wanted.data.filter(|data| !data.is_empty()).ok_or_else(ApiError::input_required)?;
    if data.len() > PROMPT_BYTES {
        return Err(ApiError::too_much_typed());
    }
    let reply = Reply::ok(&Done { success: true });
    Ok(Write { data: data.into(), event: None, files: Vec::new(), reply })
}

/// Close a terminal
#[cfg_attr(feature = "openapi", utoipa::path(
    delete, path = "/api/terminal/{id}", tag = "Terminals", operation_id = "closeTerminal",
    params(("id" = SessionId, Path, description = "The terminal.")),
    responses(Guarded, OfSession, (status = 200, description = "Terminal closed.", body = Done)),
))]
pub(crate) fn close(_: &SessionId) -> Reply {
    Reply::ok(&Done { success: true })
}
