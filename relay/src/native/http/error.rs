//! Answers that are no success.

use std::any::Any;
use std::fmt::Display;

use axum::Json;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::publish::WriteRefused;
use moorline_shared::rest::ErrorBody;

/// A status, and why.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    body: ErrorBody,
}

impl ApiError {
    fn new(status: StatusCode, code: &str, error: &str) -> Self {
        let body =
            ErrorBody { error: error.into(), code: code.into(), message: None, session_id: None };
        Self { status, body }
    }

    pub(super) const fn body(&self) -> &ErrorBody {
        &self.body
    }

    fn with_message(mut self, message: impl Display) -> Self {
        self.body.message = Some(message.to_string());
        self
    }

    fn of_session(mut self, id: &str) -> Self {
        self.body.session_id = Some(id.to_owned());
        self
    }

    pub(super) fn no_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Token required")
            .with_message("Send `Authorization: Bearer <token>`; `moorline token new` makes one.")
    }

    pub(super) fn wrong_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Token not valid")
            .with_message("It is wrong, expired or revoked; `moorline token new` makes another.")
    }

    pub(super) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed")
            .with_message("This token does not allow that.")
    }

    pub(super) fn host() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Host not allowed").with_message(
            "Start the relay with `--allow-host <name>` if it is to be known by this name.",
        )
    }

    pub(super) fn origin() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Origin not allowed").with_message(
            "Start the relay with `--allow-origin <origin>` to trust pages from there.",
        )
    }

    pub(super) fn invalid_id(id: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_id", "Invalid session ID format")
            .with_message("8-32 characters, alphanumeric, underscore, hyphen")
            .of_session(id)
    }

    pub(super) fn command_required() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "Command is required")
    }

    pub(super) fn input_required() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "Input data is required")
    }

    /// Nothing was typed.
    pub(super) fn not_written(why: WriteRefused, id: &SessionId) -> Self {
        let (status, code, error) = match why {
            WriteRefused::Ended => (StatusCode::CONFLICT, "session_ended", "Session has ended"),
            WriteRefused::HostAway => {
                (StatusCode::SERVICE_UNAVAILABLE, "host_offline", "Host is away")
            }
            WriteRefused::TooMuch => {
                (StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Session takes no more input")
            }
        };
        Self::new(status, code, error).with_message(why).of_session(id.as_str())
    }

    /// The request is no WebSocket's.
    pub(super) fn no_upgrade(rejection: &WebSocketUpgradeRejection) -> Self {
        Self::new(rejection.status(), "bad_request", "WebSocket required")
            .with_message(rejection.body_text())
    }

    pub(super) fn trimmed(message: impl Display) -> Self {
        Self::new(StatusCode::CONFLICT, "trimmed", "Not retained").with_message(message)
    }

    pub(super) fn no_session(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Session not found").of_session(id)
    }

    pub(super) fn exists(id: &SessionId) -> Self {
        Self::new(StatusCode::CONFLICT, "exists", "Session exists")
            .with_message("Choose another id, or none.")
            .of_session(id.as_str())
    }

    pub(super) fn invalid_project_id() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_id", "Invalid project ID format")
            .with_message("8-32 characters, alphanumeric, underscore, hyphen")
    }

    pub(super) fn no_project(id: &ProjectId) -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_project", "Project not found")
            .with_message(format!("There is no project `{id}`."))
    }

    pub(super) fn no_route(uri: &Uri) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "No such route").with_message(uri.path())
    }

    pub(super) fn bad_request(message: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "Bad request").with_message(message)
    }

    pub(super) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Body too large")
            .with_message("A request has at most 256 KiB.")
    }

    pub(super) fn too_much_typed() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Input too large")
            .with_message("Send at most 64 KiB at a time.")
    }

    pub(super) fn not_json() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad_request", "JSON required")
            .with_message("Send the body with `Content-Type: application/json`.")
    }

    pub(super) fn overloaded(message: impl Display) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", "Too many sessions")
            .with_message(message)
    }

    pub(super) fn too_many_projects(message: impl Display) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", "Too many projects")
            .with_message(message)
    }

    pub(super) fn unavailable(message: impl Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Not available")
            .with_message(message)
    }

    /// A fault of the relay: told to the log, not to the caller.
    pub(super) fn internal(error: &dyn Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error")
            .with_message("The relay's log says more.")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let unauthorized = self.status == StatusCode::UNAUTHORIZED;
        let mut response = (self.status, Json(self.body)).into_response();
        if unauthorized {
            let challenge = HeaderValue::from_static("Bearer realm=\"moorline\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed")
        .with_message(format!("{} does not take {method}; see `Allow`.", uri.path()))
}

/// What panicked is in the log by the panic hook.
pub(super) fn panicked(_panic: Box<dyn Any + Send>) -> Response {
    ApiError::internal(&"a handler panicked").into_response()
}
