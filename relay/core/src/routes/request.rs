//! The request that a handler gets, and the reply that it returns.

use bytes::Bytes;
use http::StatusCode;
use moorline_shared::id::{ProjectId, SessionId, WorkspaceId};
use moorline_shared::limits::REQUEST_BODY_BYTES;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::{ApiError, malformed};
use crate::auth::Grant;

/// A request whose caller was admitted.
#[derive(Debug, Clone)]
pub struct Request {
    /// The id in the path; empty if the path has none.
    pub id: String,
    /// The second id in the path, or a path, of something in what `id` names; empty if the path has none.
    pub item: String,
    /// What the caller's token gives.
    pub grant: Grant,
    /// The query of the address, without `?`.
    pub query: String,
    /// The header `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
    /// The current time, in milliseconds since 1970.
    pub now_ms: u64,
    /// Random bits for an id, new for each request.
    pub random: u128,
}

impl Request {
    /// Returns who asks, as other people see it.
    #[must_use]
    pub fn by(&self) -> String {
        self.grant.holder()
    }

    /// Returns the session that the path names.
    ///
    /// # Errors
    /// `invalid_id`.
    pub fn session(&self) -> Result<SessionId, ApiError> {
        self.id.parse().map_err(|_| ApiError::invalid_id(&self.id))
    }

    /// Returns the project that the path names.
    ///
    /// # Errors
    /// `invalid_id`.
    pub fn project(&self) -> Result<ProjectId, ApiError> {
        self.id.parse().map_err(|_| ApiError::invalid_project_id())
    }

    /// Returns the workspace that the path names.
    ///
    /// # Errors
    /// `invalid_id`.
    pub fn workspace(&self) -> Result<WorkspaceId, ApiError> {
        self.id.parse().map_err(|_| ApiError::invalid_workspace_id())
    }

    /// Returns the id for a new session: the same for each call on this request.
    #[must_use]
    pub fn new_session(&self) -> SessionId {
        SessionId::from_random(self.random)
    }

    /// Returns the id for a new project: the same for each call on this request.
    #[must_use]
    pub fn new_project(&self) -> ProjectId {
        ProjectId::from_random(self.random)
    }

    /// Returns the id for a new workspace: the same for each call on this request.
    #[must_use]
    pub fn new_workspace(&self) -> WorkspaceId {
        WorkspaceId::from_random(self.random)
    }

    /// Parses the query.
    ///
    /// # Errors
    /// `bad_request` if a parameter is not valid.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let query = serde_urlencoded::from_str(&self.query);
        query.map_err(|error| ApiError::bad_request(format!("The query is not valid: {error}")))
    }

    /// Parses the body: one JSON object. An empty body, or `null`, counts as an empty object.
    ///
    /// # Errors
    /// `bad_request`, `invalid_id` or `too_large`.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        parse(&self.content_type, &self.body)
    }
}

/// Parses a body: see [`Request::body`].
///
/// Parses the text directly, not by way of a tree of values: code that also reads each type from trees would be a tenth
/// of the Worker.
///
/// # Errors
/// `bad_request`, `invalid_id` or `too_large`.
pub fn parse<T: DeserializeOwned>(content_type: &str, body: &[u8]) -> Result<T, ApiError> {
    let text = object(content_type, body)?;
    serde_json::from_str(text).map_err(|error| malformed(&error, text.as_bytes()))
}

fn object<'a>(content_type: &str, body: &'a [u8]) -> Result<&'a str, ApiError> {
    if body.len() > REQUEST_BODY_BYTES {
        return Err(ApiError::too_large());
    }
    if body.is_empty() {
        return Ok("{}");
    }
    if !is_json(content_type) {
        return Err(ApiError::not_json());
    }
    let bad = |what: &str| ApiError::bad_request(format!("The body is not valid: {what}."));
    let text = std::str::from_utf8(body).map_err(|_| bad("it is not UTF-8"))?;
    match text.trim_ascii() {
        "null" => Ok("{}"),
        // Serde would read a JSON list as the fields in their order.
        text if text.starts_with('{') => Ok(text),
        _ => Err(bad("it is not an object")),
    }
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next();
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// A JSON reply to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body, encoded as JSON.
    pub body: Vec<u8>,
}

impl Reply {
    /// Encodes a reply with this status.
    ///
    /// # Panics
    /// Never: bodies are structs of texts, numbers and lists, which always encode.
    #[must_use]
    pub fn new(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("texts, numbers and lists always encode");
        Self { status, body }
    }

    /// Encodes a reply with status 200.
    #[must_use]
    pub fn ok(body: &impl Serialize) -> Self {
        Self::new(StatusCode::OK, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use moorline_shared::rest::RenameSession;

    #[test]
    fn a_body_is_one_object() {
        let read = |kind: &str, body: &[u8]| {
            parse::<RenameSession>(kind, body)
                .map(|it| it.name)
                .map_err(|error| error.status().as_u16())
        };
        let json = "application/json; charset=utf-8";
        assert_eq!(read(json, br#"{"name": "x"}"#), Ok("x".to_owned()));
        assert_eq!(read("text/plain", br#"{"name": "x"}"#), Err(415));
        assert_eq!(read("", br#"{"name": "x"}"#), Err(415));
        for bad in [&b"[\"x\"]"[..], b"{", b"\xff", b"7", b"null", b""] {
            assert_eq!(read(json, bad), Err(400), "{bad:?}");
        }
        assert_eq!(read(json, &vec![b' '; REQUEST_BODY_BYTES + 1]), Err(413));
    }
}
