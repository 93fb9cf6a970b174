//! A request as a handler gets it, and the answer that it gives.

use bytes::Bytes;
use http::StatusCode;
use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::limits::REQUEST_BODY_BYTES;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::{ApiError, malformed};

/// A request whose caller was let in.
#[derive(Debug, Clone)]
pub struct Request {
    /// The id in the path; empty if there is none.
    pub id: String,
    /// The query of the address, without `?`.
    pub query: String,
    /// The header `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
    /// Now, in milliseconds since 1970.
    pub now_ms: u64,
    /// Random bits, new for each request, for an id.
    pub random: u128,
}

impl Request {
    /// The session that the path names.
    ///
    /// # Errors
    /// `invalid_id`.
    pub fn session(&self) -> Result<SessionId, ApiError> {
        self.id.parse().map_err(|_| ApiError::invalid_id(&self.id))
    }

    /// The project that the path names.
    ///
    /// # Errors
    /// `invalid_id`.
    pub fn project(&self) -> Result<ProjectId, ApiError> {
        self.id.parse().map_err(|_| ApiError::invalid_project_id())
    }

    /// An id for a new session.
    #[must_use]
    pub fn new_session(&self) -> SessionId {
        SessionId::from_random(self.random)
    }

    /// An id for a new project.
    #[must_use]
    pub fn new_project(&self) -> ProjectId {
        ProjectId::from_random(self.random)
    }

    /// The query.
    ///
    /// # Errors
    /// `bad_request`.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let query = serde_urlencoded::from_str(&self.query);
        query.map_err(|error| {
            ApiError::bad_request(format!("The query is not as it must be: {error}"))
        })
    }

    /// The body: one JSON object. An empty body, and `null`, is an empty object.
    ///
    /// # Errors
    /// `bad_request`, `invalid_id` or `too_large`.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        parse(&self.content_type, &self.body)
    }
}

/// A body: see [`Request::body`].
///
/// It is read from its text alone, not from a tree of values first: code that reads each type from trees too would be a
/// tenth of the Worker.
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
    let bad = |what: &str| ApiError::bad_request(format!("The body is no such JSON: {what}."));
    let text = std::str::from_utf8(body).map_err(|_| bad("it is not UTF-8"))?;
    match text.trim_ascii() {
        "null" => Ok("{}"),
        // A list would be taken for the fields in their order.
        text if text.starts_with('{') => Ok(text),
        _ => Err(bad("it is no object")),
    }
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next();
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// An answer of JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// JSON.
    pub body: Vec<u8>,
}

impl Reply {
    /// An answer with this status.
    ///
    /// # Panics
    /// Never: bodies are structs of texts, numbers and lists, which always encode.
    #[must_use]
    pub fn new(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("texts, numbers and lists always encode");
        Self { status, body }
    }

    /// An answer with status 200.
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
