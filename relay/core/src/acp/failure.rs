//! The errors that a client of the Agent Client Protocol gets. `data.code` is a stable code.

use moorline_shared::message::close;
use moorline_shared::rest::ErrorBody;
use moorline_shared::rpc::{
    AUTH_REQUIRED, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, NOT_FOUND,
    RpcError,
};
use serde_json::json;

/// Returns an error with the JSON-RPC code `number` and a stable code.
pub(super) fn failure(number: i64, code: &str, message: impl Into<String>) -> RpcError {
    RpcError { data: Some(json!({ "code": code })), ..RpcError::new(number, message) }
}

/// The parameters of a request are not valid.
pub(super) fn bad_params(message: impl Into<String>) -> RpcError {
    failure(INVALID_PARAMS, "bad_request", message)
}

/// The method does not exist.
pub(super) fn no_method(method: &str) -> RpcError {
    let method = &method[..method.floor_char_boundary(100)];
    failure(METHOD_NOT_FOUND, "no_method", format!("The method `{method}` does not exist here."))
}

/// The session does not exist, or is not one of this connection.
pub(super) fn no_session(id: &str) -> RpcError {
    let id = &id[..id.floor_char_boundary(100)];
    failure(NOT_FOUND, "not_found", format!("The session `{id}` does not exist."))
}

/// The connection is not attached to the session.
pub(super) fn not_attached(id: &str) -> RpcError {
    let message = format!("Load the session `{id}` first: this connection is not attached to it.");
    failure(NOT_FOUND, "not_attached", message)
}

/// The session is over.
pub(super) fn ended() -> RpcError {
    failure(INTERNAL_ERROR, "session_ended", "The session has ended.")
}

/// The relay did not answer in time.
pub(super) fn unreachable() -> RpcError {
    failure(INTERNAL_ERROR, "unreachable", "The relay does not answer: try again later.")
}

/// The limit of something on this connection is reached.
pub(super) fn overloaded(message: impl Into<String>) -> RpcError {
    failure(INVALID_REQUEST, "overloaded", message)
}

/// Translates the refusal of a request to the API.
pub(super) fn of_api(status: u16, body: &ErrorBody) -> RpcError {
    let number = match status {
        404 => NOT_FOUND,
        400 | 413 | 415 => INVALID_PARAMS,
        401 | 403 => INVALID_REQUEST,
        _ => INTERNAL_ERROR,
    };
    failure(number, &body.code, body.message.as_ref().unwrap_or(&body.error))
}

/// Translates the refusal of a request on a session's stream, or the failure of a turn.
pub(super) fn of_code(code: &str, message: &str) -> RpcError {
    let number = match code {
        "auth_required" => AUTH_REQUIRED,
        "not_found" | "turn_not_found" | "approval_not_found" => NOT_FOUND,
        "bad_request" | "bad_image" | "too_large" => INVALID_PARAMS,
        "read_only" | "forbidden" | "unauthorized" => INVALID_REQUEST,
        _ => INTERNAL_ERROR,
    };
    failure(number, code, message)
}

/// Translates the close code of a stream that is refused for good.
pub(super) fn of_close(code: u16, session: &str) -> RpcError {
    match code {
        close::NOT_FOUND => no_session(session),
        close::UNAUTHORIZED | close::POLICY => failure(
            INVALID_REQUEST,
            "unauthorized",
            "The token is missing, wrong, expired or revoked.",
        ),
        close::FORBIDDEN => {
            failure(INVALID_REQUEST, "forbidden", "This token is not for this session.")
        }
        _ => failure(INTERNAL_ERROR, "refused", "The relay refuses the session's stream."),
    }
}
