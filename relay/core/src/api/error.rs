//! Error answers of the REST API.

mod agent;
mod cluster;
mod passkey;
mod rate;
mod workspace;

use std::fmt::Display;
use std::time::Duration;

use const_format::formatcp;
use http::{HeaderName, Method, StatusCode, Uri};
use moorline_shared::failure::HostFailure;
use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::limits::{
    BODY_TOO_LARGE, BODY_TOO_SLOW, ID_CHARACTERS, OPERATIONS_BODY_TOO_LARGE, TICKET_USED,
    TOO_MANY_CHANGES, TOO_MANY_OPERATIONS, TOO_MANY_SUBSCRIPTIONS, TOO_MUCH_TYPED,
};
use moorline_shared::publish::WriteRefused;
use moorline_shared::rest::ErrorBody;

/// An error answer: a status, a body that explains it, and in some cases the time to wait.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    body: Box<ErrorBody>,
    retry_after: Option<Duration>,
}

const WRONG_TOKEN: &str = "Token not valid";
/// Short error text for a session that shows no pane of tmux.
const NOT_TMUX: &str = "Not a pane of tmux";
/// The code for an id that another session has.
const EXISTS: &str = "exists";
/// Describes an id to people, in seed 000's words.
const ID_PATTERN: &str = formatcp!(
    "{}-{} characters, alphanumeric, underscore, hyphen",
    *ID_CHARACTERS.start(),
    *ID_CHARACTERS.end()
);

impl ApiError {
    fn new(status: StatusCode, code: &str, error: &str) -> Self {
        let body = Box::new(ErrorBody {
            error: error.into(),
            code: code.into(),
            message: None,
            session_id: None,
            pattern: None,
            approval: None,
            file: None,
        });
        Self { status, body, retry_after: None }
    }

    /// Returns the HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns one sentence that tells people what is wrong.
    #[must_use]
    pub fn sentence(&self) -> &str {
        self.body.message.as_deref().unwrap_or(&self.body.error)
    }

    /// Returns the JSON body.
    #[must_use]
    pub const fn body(&self) -> &ErrorBody {
        &self.body
    }

    /// Returns the seconds after which to try again, rounded up, for the header `Retry-After`.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        self.retry_after.map(rate::rounded_up)
    }

    /// Returns true if the request presented a wrong token, cookie, ticket or
    /// passkey.
    #[must_use]
    pub fn is_wrong_token(&self) -> bool {
        self.body.error == WRONG_TOKEN || self.body.error == passkey::WRONG_PASSKEY
    }

    /// Returns true if the requested id is taken.
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

    /// The token is unknown, expired or revoked.
    #[must_use]
    pub fn wrong_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", WRONG_TOKEN)
            .with_message("It is wrong, expired or revoked; `moorline token new` makes another.")
    }

    /// The ticket is not valid, and the request has no token.
    #[must_use]
    pub fn wrong_ticket() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", WRONG_TOKEN).with_message(TICKET_USED)
    }

    /// The browser must not store a cookie on this connection.
    #[must_use]
    pub fn no_cookie() -> Self {
        Self::new(StatusCode::FORBIDDEN, "cookie_refused", "No cookie over plain HTTP on loopback")
            .with_message(
                "Browsers would send it to every server on this machine. Send `Authorization: \
                 Bearer <token>`, and open event streams with a ticket from `POST /api/tickets`.",
            )
    }

    /// The request repeats a header that may appear only once.
    #[must_use]
    pub fn repeated(header: &HeaderName) -> Self {
        Self::bad_request(format!("Send the header `{header}` only once."))
    }

    /// The request has no `Host` header.
    #[must_use]
    pub fn no_host_header() -> Self {
        Self::bad_request("An HTTP/1.1 request needs the header `host`.")
    }

    /// The body did not arrive in time.
    #[must_use]
    pub fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", "Body too slow")
            .with_message(BODY_TOO_SLOW)
    }

    /// The token does not allow the request.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed")
            .with_message("This token does not allow that.")
    }

    /// The `Host` header has a name that this relay does not answer to.
    #[must_use]
    pub fn host() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Host not allowed")
            .with_message("To reach the relay by this name, start it with `--allow-host <name>`.")
    }

    /// The page's origin is not trusted.
    #[must_use]
    pub fn origin() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Origin not allowed").with_message(
            "To trust pages from this origin, start the relay with `--allow-origin <origin>`.",
        )
    }

    /// The session's id is not valid.
    #[must_use]
    pub fn invalid_id(id: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_id", "Invalid session ID format")
            .of_id()
            .of_session(id)
    }

    /// An id within the body is not valid.
    #[must_use]
    pub fn invalid_id_within() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_id", "Invalid ID format").of_id()
    }

    /// The prompt has no command.
    #[must_use]
    pub fn command_required() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "Command is required")
    }

    /// The input has no data.
    #[must_use]
    pub fn input_required() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "Input data is required")
    }

    /// The preview has no text.
    #[must_use]
    pub fn response_required() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "Response is required")
    }

    /// The execution has no list of operations.
    #[must_use]
    pub fn operations_required() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "Operations array is required")
    }

    /// The execution has too many operations.
    #[must_use]
    pub fn too_many_operations() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Too many operations")
            .with_message(TOO_MANY_OPERATIONS)
    }

    /// The body of a request about operations exceeds its limit.
    #[must_use]
    pub fn operations_too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Body too large")
            .with_message(OPERATIONS_BODY_TOO_LARGE)
    }

    /// The request names nothing to keep or to revert.
    #[must_use]
    pub fn nothing_to_settle() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "Nothing to keep or to revert")
            .with_message("Name the files in `keep` or in `revert`.")
    }

    /// The request names too many files to keep or to revert.
    #[must_use]
    pub fn too_many_changes() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Too many files")
            .with_message(TOO_MANY_CHANGES)
    }

    /// The host did not answer a question about operations or changes; `why` gives the reason.
    #[must_use]
    pub fn not_operated(why: &HostFailure, id: &SessionId) -> Self {
        let HostFailure { code, message } = why;
        let error = match &**code {
            "no_folder" => Self::new(StatusCode::CONFLICT, code, "Folder not available"),
            "session_ended" => Self::new(StatusCode::CONFLICT, code, "Session has ended"),
            "not_an_agent" => Self::new(StatusCode::CONFLICT, code, "Not an agent"),
            "not_tmux" => Self::new(StatusCode::CONFLICT, code, NOT_TMUX),
            "tmux_failed" => Self::new(StatusCode::CONFLICT, code, "tmux has failed"),
            "host_offline" => Self::new(StatusCode::SERVICE_UNAVAILABLE, code, "Host is offline"),
            _ => return Self::internal(&message),
        };
        error.with_message(message).of_session(id.as_str())
    }

    /// The session does not show a pane of tmux.
    #[must_use]
    pub fn not_tmux(id: &SessionId) -> Self {
        Self::new(StatusCode::CONFLICT, "not_tmux", NOT_TMUX)
            .with_message("This session does not show a pane of tmux.")
            .of_session(id.as_str())
    }

    /// The input was refused; `why` gives the reason.
    #[must_use]
    pub fn not_written(why: WriteRefused, id: &SessionId) -> Self {
        let (status, code, error) = match why {
            WriteRefused::Ended => (StatusCode::CONFLICT, "session_ended", "Session has ended"),
            WriteRefused::HostAway => {
                (StatusCode::SERVICE_UNAVAILABLE, "host_offline", "Host is offline")
            }
            WriteRefused::TooMuch => {
                (StatusCode::TOO_MANY_REQUESTS, "overloaded", "Too much input is waiting")
            }
        };
        Self::new(status, code, error).with_message(why).of_session(id.as_str())
    }

    /// The request does not open a WebSocket.
    #[must_use]
    pub fn no_upgrade(status: StatusCode, why: impl Display) -> Self {
        Self::new(status, "bad_request", "WebSocket required").with_message(why)
    }

    /// The route does not take this method.
    #[must_use]
    pub fn method_not_allowed(method: &Method, uri: &Uri) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed")
            .with_message(format!(
                "{} does not support {method}; see the `Allow` header.",
                uri.path()
            ))
    }

    /// The requested entries are no longer retained.
    #[must_use]
    pub fn trimmed(message: impl Display) -> Self {
        Self::new(StatusCode::CONFLICT, "trimmed", "Not retained").with_message(message)
    }

    /// The session does not exist.
    #[must_use]
    pub fn no_session(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Session not found").of_session(id)
    }

    /// The session's id is taken.
    #[must_use]
    pub fn exists(id: &SessionId) -> Self {
        Self::new(StatusCode::CONFLICT, EXISTS, "Session exists")
            .with_message("Choose another id, or leave it out.")
            .of_session(id.as_str())
    }

    /// The project's id is not valid.
    #[must_use]
    pub fn invalid_project_id() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_id", "Invalid project ID format").of_id()
    }

    /// The project does not exist.
    #[must_use]
    pub fn no_project(id: &ProjectId) -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_project", "Project not found")
            .with_message(format!("The project `{id}` does not exist."))
    }

    /// The path has no route.
    #[must_use]
    pub fn no_route(uri: &Uri) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Route not found").with_message(uri.path())
    }

    /// The request is malformed; `message` says how.
    #[must_use]
    pub fn bad_request(message: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "Bad request").with_message(message)
    }

    /// The body exceeds its limit.
    #[must_use]
    pub fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Body too large")
            .with_message(BODY_TOO_LARGE)
    }

    /// The input exceeds its limit.
    #[must_use]
    pub fn too_much_typed() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Input too large")
            .with_message(TOO_MUCH_TYPED)
    }

    /// The body is not JSON.
    #[must_use]
    pub fn not_json() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad_request", "JSON required")
            .with_message("Send the body with `Content-Type: application/json`.")
    }

    /// The limit of running sessions is reached.
    #[must_use]
    pub fn overloaded(message: impl Display) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", "Too many sessions")
            .with_message(message)
    }

    /// The limit of projects is reached.
    #[must_use]
    pub fn too_many_projects(message: impl Display) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", "Too many projects")
            .with_message(message)
    }

    /// No token has this id.
    #[must_use]
    pub fn no_token_named(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Token not found")
            .with_message(format!("The token `{id}` does not exist: `GET /api/tokens` lists them."))
    }

    /// The host's id is not valid.
    #[must_use]
    pub fn invalid_host_id() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_id", "Invalid host ID format").of_id()
    }

    /// The host does not exist.
    #[must_use]
    pub fn no_host(message: impl Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_host", "Host not found").with_message(message)
    }

    /// The rule does not exist.
    #[must_use]
    pub fn no_rule(id: &str) -> Self {
        Self::no_rule_of_host(format!("The rule `{id}` does not exist."))
    }

    /// The host does not have the rule; `message` is its own.
    #[must_use]
    pub fn no_rule_of_host(message: impl Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_rule", "Rule not found").with_message(message)
    }

    /// The host that the request needs is away.
    #[must_use]
    pub fn host_offline(message: impl Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "host_offline", "Host is offline")
            .with_message(message)
    }

    /// The driver cannot start sessions on the host now; `message` gives the host's reason.
    #[must_use]
    pub fn driver_missing(message: impl Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "driver_missing", "Driver is not available")
            .with_message(message)
    }

    /// The host did not start a session. `code` is the host's own code.
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

    /// Another request has been starting or removing a session of this id for too long.
    #[must_use]
    pub fn still_starting(id: &SessionId) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Session is being started")
            .with_message("Try again in a moment.")
            .of_session(id.as_str())
    }

    /// The relay cannot serve the request now.
    #[must_use]
    pub fn unavailable(message: impl Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Not available")
            .with_message(message)
    }

    /// The relay does not send notices by push services.
    #[must_use]
    pub fn no_push() -> Self {
        Self::new(StatusCode::NOT_FOUND, "push_unavailable", "No notices for closed pages")
            .with_message("This relay does not send them; `moorline serve` does.")
    }

    /// The endpoint is not at a push service that the relay sends to.
    #[must_use]
    pub fn unknown_push_service() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "unknown_push_service", "Push service not known")
            .with_message("Notices are not sent there; `moorline serve --push-service` adds one.")
    }

    /// The limit of browsers that get notices is reached.
    #[must_use]
    pub fn too_many_subscriptions() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", "Too many browsers")
            .with_message(TOO_MANY_SUBSCRIPTIONS)
    }

    /// The caller has no subscription with this id.
    #[must_use]
    pub fn no_subscription() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Subscription not found")
            .with_message("It is of another token, or is gone already.")
    }

    /// The relay has a fault. The error goes to the log; the caller does not see it.
    #[must_use]
    pub fn internal(error: &dyn Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error")
            .with_message("See the relay's log for details.")
    }
}
