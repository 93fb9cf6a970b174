//! ResponseList that many routes share, for the OpenAPI document.

use std::collections::BTreeMap;

use const_format::formatcp;
use moorline_shared::limits::BODY_DEADLINE;
use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

type ResponseList = BTreeMap<String, RefOr<Response>>;

/// ResponseList of every route that needs a token.
#[derive(Debug)]
pub enum Guarded {}

impl IntoResponses for Guarded {
    fn responses() -> ResponseList {
        errors(&[
            (401, "The token is missing, wrong, expired or revoked: `unauthorized`."),
            (429, "Too many wrong tokens: `too_many_attempts`, with `Retry-After`."),
            (403, "The token, the page's origin or the `Host` is not allowed: `forbidden`."),
            (500, "The relay failed; see its log: `internal`."),
        ])
    }
}

/// ResponseList of every route that needs no token.
#[derive(Debug)]
pub enum Open {}

impl IntoResponses for Open {
    fn responses() -> ResponseList {
        errors(&[(403, "The page's origin or the `Host` is not allowed: `forbidden`.")])
    }
}

/// ResponseList of every route that names a session.
#[derive(Debug)]
pub enum OfSession {}

impl IntoResponses for OfSession {
    fn responses() -> ResponseList {
        errors(&[
            (400, "The id does not match `^[a-zA-Z0-9_-]{8,32}$`: `invalid_id`."),
            (404, "The session does not exist: `not_found`."),
        ])
    }
}

/// ResponseList of every route that names a project.
#[derive(Debug)]
pub enum OfProject {}

impl IntoResponses for OfProject {
    fn responses() -> ResponseList {
        errors(&[
            (400, "The id does not match `^[a-zA-Z0-9_-]{8,32}$`: `invalid_id`."),
            (404, "The project does not exist: `no_such_project`."),
        ])
    }
}

/// ResponseList of every route that names a workspace.
#[derive(Debug)]
pub enum OfWorkspace {}

impl IntoResponses for OfWorkspace {
    fn responses() -> ResponseList {
        errors(&[
            (400, "The id, or a path, is not valid: `invalid_id`, `path_invalid`, `bad_request`."),
            (
                404,
                "The workspace, or the file, does not exist: `no_such_workspace`, `no_such_file`.",
            ),
        ])
    }
}

/// ResponseList of every route that names a file of a workspace.
#[derive(Debug)]
pub enum OfFile {}

impl IntoResponses for OfFile {
    fn responses() -> ResponseList {
        errors(&[(409, "The path leads to a directory, which has no content: `is_directory`.")])
    }
}

/// ResponseList of every route that puts files into a workspace.
#[derive(Debug)]
pub enum PuttingFiles {}

impl IntoResponses for PuttingFiles {
    fn responses() -> ResponseList {
        errors(&[
            (408, "The body did not arrive in time: `timeout`."),
            (
                409,
                "Something else is in the way: `path_collision` (a file, or a name that differs only by \
                 case or by the form of its letters), `not_empty`.",
            ),
            (412, "The file is not as the request says: `stale`, with the `file` as it is."),
            (413, "The file is too large: `file_too_large`, `too_large`."),
            (507, "There is no room: `workspace_full`, `disk_full`."),
        ])
    }
}

/// ResponseList of every route that takes a body.
#[derive(Debug)]
pub enum WithBody {}

impl IntoResponses for WithBody {
    fn responses() -> ResponseList {
        errors(&[
            (
                400,
                "An id, the body, or an image of a prompt is not valid: `invalid_id`, \
                 `bad_request`, `bad_image`.",
            ),
            (
                408,
                formatcp!(
                    "The body did not arrive within {} seconds: `timeout`.",
                    BODY_DEADLINE.as_secs()
                ),
            ),
            (413, "The body or a value in it is too large: `too_large`."),
            (415, "The body is not `application/json`: `bad_request`."),
        ])
    }
}

/// ResponseList of every route that takes only a query.
#[derive(Debug)]
pub enum BadQuery {}

impl IntoResponses for BadQuery {
    fn responses() -> ResponseList {
        errors(&[(400, "The query is not valid: `bad_request`, `invalid_id`.")])
    }
}

/// ResponseList of every route that starts a session from a body that may name an id, a project or a
/// host.
#[derive(Debug)]
pub enum Naming {}

impl IntoResponses for Naming {
    fn responses() -> ResponseList {
        errors(&[
            (404, "The project or the host does not exist: `no_such_project`, `no_such_host`."),
            (409, "The id is taken: `exists`."),
        ])
    }
}

/// ResponseList of every route that starts a session.
#[derive(Debug)]
pub enum Starting {}

impl IntoResponses for Starting {
    fn responses() -> ResponseList {
        errors(&[
            (429, "The limit of running sessions is reached: `overloaded`."),
            (
                503,
                "No host is connected to start it: `host_offline`; the host cannot use the driver \
                 now: `driver_missing`; or the host's machine has no file descriptors, processes or \
                 terminals left, or the relay is shutting down: `overloaded`.",
            ),
        ])
    }
}

/// ResponseList of every route that asks a session's host.
#[derive(Debug)]
pub enum Asking {}

impl IntoResponses for Asking {
    fn responses() -> ResponseList {
        errors(&[(503, "The session's host is offline: `host_offline`.")])
    }
}

/// ResponseList of every route that types into a session.
#[derive(Debug)]
pub enum Typing {}

impl IntoResponses for Typing {
    fn responses() -> ResponseList {
        errors(&[
            (
                409,
                "The session has ended: `session_ended`; or it is a shell, and the prompt is for \
                 an agent: `not_an_agent`.",
            ),
            (
                429,
                "The session has not read its earlier input, or too many prompts wait: \
                 `overloaded`.",
            ),
            (
                503,
                "The host of a shell is offline: `host_offline`; or the relay cannot store a \
                 prompt now: `not_stored`.",
            ),
        ])
    }
}

/// ResponseList of every route that names a turn.
#[derive(Debug)]
pub enum OfTurn {}

impl IntoResponses for OfTurn {
    fn responses() -> ResponseList {
        errors(&[
            (404, "The session or the turn does not exist: `not_found`, `turn_not_found`."),
            (
                409,
                "The session has ended: `session_ended`; it is not an agent: `not_an_agent`; or \
                 the turn is not in the right state: `not_queued`, `not_running`, `not_retryable`.",
            ),
        ])
    }
}

/// ResponseList of every route about a session's agent.
#[derive(Debug)]
pub enum OfAgent {}

impl IntoResponses for OfAgent {
    fn responses() -> ResponseList {
        errors(&[(
            409,
            "The session has ended: `session_ended`; or it is not an agent: `not_an_agent`.",
        )])
    }
}

/// ResponseList of every route that names an approval.
#[derive(Debug)]
pub enum OfApproval {}

impl IntoResponses for OfApproval {
    fn responses() -> ResponseList {
        errors(&[(
            404,
            "The session or the approval does not exist: `not_found`, `approval_not_found`.",
        )])
    }
}

/// ResponseList of every route whose requests are stored before they are answered.
#[derive(Debug)]
pub enum Acting {}

impl IntoResponses for Acting {
    fn responses() -> ResponseList {
        errors(&[
            (429, "Too many requests or prompts wait for the session's host: `overloaded`."),
            (503, "The relay cannot store the request now: `not_stored`."),
        ])
    }
}

/// ResponseList of the route that decides.
#[derive(Debug)]
pub enum Deciding {}

impl IntoResponses for Deciding {
    fn responses() -> ResponseList {
        errors(&[
            (
                400,
                "The body is not valid, the option or the command does not match the approval: \
                 `bad_request`; none of its options allows it: `not_approvable`; or the answers do \
                 not fit its form: `bad_answers`.",
            ),
            (
                409,
                "Somebody else has decided, and `approval` has the decision: `already_decided`; \
                 or the digest is not that of the approval: `digest_mismatch`.",
            ),
            (
                410,
                "Nobody waits for a decision any more: `approval_expired`, `approval_withdrawn`.",
            ),
            (429, "Too many requests wait for the session's host: `overloaded`."),
            (503, "The relay cannot store the request now: `not_stored`."),
        ])
    }
}

/// ResponseList of every route about operations.
#[derive(Debug)]
pub enum Operating {}

impl IntoResponses for Operating {
    fn responses() -> ResponseList {
        errors(&[
            (
                409,
                "The session has ended: `session_ended`; or its folder cannot be opened: \
                 `no_folder`.",
            ),
            (503, "The session's host is offline, or did not answer: `host_offline`."),
        ])
    }
}

/// ResponseList of every route about the changes of an agent.
#[derive(Debug)]
pub enum Changing {}

impl IntoResponses for Changing {
    fn responses() -> ResponseList {
        errors(&[
            (
                409,
                "The session has ended: `session_ended`; it is not an agent: `not_an_agent`; or \
                 its folder cannot be opened: `no_folder`.",
            ),
            (503, "The session's host is offline, or did not answer: `host_offline`."),
        ])
    }
}

/// ResponseList of every route about the tmux session of a pane.
#[derive(Debug)]
pub enum InTmux {}

impl IntoResponses for InTmux {
    fn responses() -> ResponseList {
        errors(&[
            (
                409,
                "The session has ended: `session_ended`; it is not a pane of tmux: `not_tmux`; or \
                 tmux refuses: `tmux_failed`.",
            ),
            (503, "The session's host is offline, or did not answer: `host_offline`."),
        ])
    }
}

/// ResponseList of every route that opens a WebSocket.
#[derive(Debug)]
pub enum Upgrade {}

impl IntoResponses for Upgrade {
    fn responses() -> ResponseList {
        let mut answers = errors(&[
            (
                400,
                "The id is not valid, or the request is not a WebSocket handshake: `invalid_id`, \
                 `bad_request`.",
            ),
            (426, "The connection cannot become a WebSocket: `bad_request`."),
        ]);
        let switched = ResponseBuilder::new().description("A WebSocket.").build();
        answers.insert("101".to_owned(), switched.into());
        answers
    }
}

fn errors(list: &[(u16, &str)]) -> ResponseList {
    list.iter().map(|(status, description)| (status.to_string(), error(description))).collect()
}

fn error(description: &str) -> RefOr<Response> {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
    let answer = ResponseBuilder::new().description(description).content("application/json", body);
    answer.build().into()
}
