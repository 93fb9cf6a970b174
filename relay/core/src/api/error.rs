//! Answers that are no success.

use std::fmt::Display;
use std::time::Duration;

use http::{HeaderName, Method, StatusCode, Uri};
use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::limits::{BODY_TOO_LARGE, BODY_TOO_SLOW, TICKET_USED, TOO_MUCH_TYPED};
use moorline_shared::publish::WriteRefused;
use moorline_shared::rest::ErrorBody;

/// A status, and why.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    body: Box<ErrorBody>,
    retry_after: Option<Duration>,
}

const WRONG_TOKEN: &str = "Token not valid";
/// Code for an id that another session has.
const EXISTS: &str = "exists";
/// What an id is, for people: seed 000's words.
const ID_PATTERN: &str = "8-32 characters, alphanumeric, underscore, hyphen";

impl ApiError {
    fn new(status: StatusCode, code: &str, error: &str) -> Self {
        let body = Box::new(ErrorBody {
            error: error.into(),
            code: code.into(),
            message: None,
            session_id: None,
            pattern: None,
        });
        Self { status, body, retry_after: None }
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, in one sentence for people.
    #[must_use]
    pub fn sentence(&self) -> &str {
        self.body.message.as_deref().unwrap_or(&self.body.error)
    }

    /// The body: JSON.
    #[must_use]
    pub const fn body(&self) -> &ErrorBody {
        &self.body
    }

    /// Seconds after which to try again, for the header `Retry-After`.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        self.retry_after.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }

    /// Whether a token, or what stands for one, was presented and is wrong.
    #[must_use]
    pub fn is_wrong_token(&self) -> bool {
        self.body.error == WRONG_TOKEN
    }

    /// Whether the id that was asked for is taken.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.body.code == EXISTS
    }

    fn of_id(mut self) -> Self {
        self.body.pattern = Some(ID_PATTERN.to_owned());
        self.with_message(ID_PATTERN)
    }

    fn with_message(mut self, message: impl Display) -> Self {
        self.body.message = Some(message.to_string());
        self
    }

    fn of_session(mut self, id: &str) -> Self {
        self.body.session_id = Some(id.to_owned());
        self
    }

    /// The request carries no token.
    #[must_use]
    pub fn no_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Token required")
            .with_message("Send `Authorization: Bearer <token>`; `moorline token new` makes one.")
    }

    /// The token opens nothing.
    #[must_use]
    pub fn wrong_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", WRONG_TOKEN)
            .with_message("It is wrong, expired or revoked; `moorline token new` makes another.")
    }

    /// The ticket opens nothing, and there is no token.
    #[must_use]
    pub fn wrong_ticket() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", WRONG_TOKEN).with_message(TICKET_USED)
    }

    /// Too many wrong tokens have come from the caller's address.
    #[must_use]
    pub fn too_many_wrong_tokens(wait: Duration) -> Self {
        let mut error =
            Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", "Too many wrong tokens")
                .with_message(
                    "The token is wrong, expired or revoked, and so were many before: wait.",
                );
        error.retry_after = Some(wait);
        error
    }

    /// The browser must not keep a cookie.
    #[must_use]
    pub fn no_cookie() -> Self {
        Self::new(StatusCode::FORBIDDEN, "cookie_refused", "No cookie over plain HTTP on loopback")
            .with_message(
                "Browsers would send it to every server of this machine. Send \
                `Authorization: Bearer <token>`, and open event streams with a ticket from \
                `POST /api/tickets`.",
            )
    }

    /// The request has a header twice that can be there once.
    #[must_use]
    pub fn repeated(header: &HeaderName) -> Self {
        Self::bad_request(format!("The header `{header}` can be there once only."))
    }

    /// The request does not say whom it is for.
    #[must_use]
    pub fn no_host_header() -> Self {
        Self::bad_request("A request of HTTP/1.1 has the header `host`.")
    }

    /// The body did not come in time.
    #[must_use]
    pub fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", "Body too slow")
            .with_message(BODY_TOO_SLOW)
    }

    /// The token does not allow it.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed")
            .with_message("This token does not allow that.")
    }

    /// The request is addressed to a name that is not known here.
    #[must_use]
    pub fn host() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Host not allowed").with_message(
            "Start the relay with `--allow-host <name>` if it is to be known by this name.",
        )
    }

    /// The page is not trusted.
    #[must_use]
    pub fn origin() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Origin not allowed").with_message(
            "Start the relay with `--allow-origin <origin>` to trust pages from there.",
        )
    }

    /// The session's id is none.
    #[must_use]
    pub fn invalid_id(id: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_id", "Invalid session ID format")
            .of_id()
            .of_session(id)
    }

    /// An id within the body is none.
    #[must_use]
    pub fn invalid_id_within() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_id", "Invalid ID format").of_id()
    }

    /// A prompt without a command.
    #[must_use]
    pub fn command_required() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "Command is required")
    }

    /// Input without data.
    #[must_use]
    pub fn input_required() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "Input data is required")
    }

    /// Nothing was typed.
    #[must_use]
    pub fn not_written(why: WriteRefused, id: &SessionId) -> Self {
        let (status, code, error) = match why {
            WriteRefused::Ended => (StatusCode::CONFLICT, "session_ended", "Session has ended"),
            WriteRefused::HostAway => {
                (StatusCode::SERVICE_UNAVAILABLE, "host_offline", "Host is away")
            }
            WriteRefused::TooMuch => {
                (StatusCode::TOO_MANY_REQUESTS, "overloaded", "Session takes no more input")
            }
        };
        Self::new(status, code, error).with_message(why).of_session(id.as_str())
    }

    /// The request is no WebSocket's.
    #[must_use]
    pub fn no_upgrade(status: StatusCode, why: impl Display) -> Self {
        Self::new(status, "bad_request", "WebSocket required").with_message(why)
    }

    /// The route takes another method.
    #[must_use]
    pub fn method_not_allowed(method: &Method, uri: &Uri) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed")
            .with_message(format!("{} does not take {method}; see `Allow`.", uri.path()))
    }

    /// What was asked for is not retained any more.
    #[must_use]
    pub fn trimmed(message: impl Display) -> Self {
        Self::new(StatusCode::CONFLICT, "trimmed", "Not retained").with_message(message)
    }

    /// There is no such session.
    #[must_use]
    pub fn no_session(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Session not found").of_session(id)
    }

    /// The id is taken.
    #[must_use]
    pub fn exists(id: &SessionId) -> Self {
        Self::new(StatusCode::CONFLICT, EXISTS, "Session exists")
            .with_message("Choose another id, or none.")
            .of_session(id.as_str())
    }

    /// The project's id is none.
    #[must_use]
    pub fn invalid_project_id() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_id", "Invalid project ID format").of_id()
    }

    /// There is no such project.
    #[must_use]
    pub fn no_project(id: &ProjectId) -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_project", "Project not found")
            .with_message(format!("There is no project `{id}`."))
    }

    /// There is nothing under this path.
    #[must_use]
    pub fn no_route(uri: &Uri) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "No such route").with_message(uri.path())
    }

    /// The request is not as it must be.
    #[must_use]
    pub fn bad_request(message: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "Bad request").with_message(message)
    }

    /// The body is over its limit.
    #[must_use]
    pub fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Body too large")
            .with_message(BODY_TOO_LARGE)
    }

    /// The input is over its limit.
    #[must_use]
    pub fn too_much_typed() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Input too large")
            .with_message(TOO_MUCH_TYPED)
    }

    /// The body is of another type.
    #[must_use]
    pub fn not_json() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad_request", "JSON required")
            .with_message("Send the body with `Content-Type: application/json`.")
    }

    /// As many sessions run as may.
    #[must_use]
    pub fn overloaded(message: impl Display) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", "Too many sessions")
            .with_message(message)
    }

    /// There are as many projects as may be.
    #[must_use]
    pub fn too_many_projects(message: impl Display) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", "Too many projects")
            .with_message(message)
    }

    /// There is no token with this id.
    #[must_use]
    pub fn no_token_named(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Token not found")
            .with_message(format!("There is no token `{id}`: `GET /api/tokens` lists them."))
    }

    /// The host's id is none.
    #[must_use]
    pub fn invalid_host_id() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_id", "Invalid host ID format").of_id()
    }

    /// There is no such host.
    #[must_use]
    pub fn no_host(message: impl Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_host", "Host not found").with_message(message)
    }

    /// The host that would have to do it is away.
    #[must_use]
    pub fn host_offline(message: impl Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "host_offline", "Host is away")
            .with_message(message)
    }

    /// The host did not start a session; `code` is the host's own.
    #[must_use]
    pub fn not_started(code: &str, message: &str, id: &SessionId) -> Self {
        match code {
            "bad_request" => Self::bad_request(message),
            "exists" => Self::exists(id),
            "overloaded" => Self::overloaded(message),
            "exhausted" => Self::unavailable(message),
            _ => Self::internal(&message),
        }
    }

    /// Another request is starting or removing a session of this id, and takes long.
    #[must_use]
    pub fn still_starting(id: &SessionId) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Session is being started")
            .with_message("Try again in a moment.")
            .of_session(id.as_str())
    }

    /// Not now.
    #[must_use]
    pub fn unavailable(message: impl Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Not available")
            .with_message(message)
    }

    /// A fault of the relay: told to the log, not to the caller.
    #[must_use]
    pub fn internal(error: &dyn Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error")
            .with_message("The relay's log says more.")
    }
}
