//! Requests to the relay's REST API.

use leptos::task::spawn_local;
use moorline_shared::id::{Epoch, Seq};
use moorline_shared::rest::ErrorBody;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::bindings::fetch::{self, FetchCall};
use crate::session::access::PageAccess;

/// The reason why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The relay did not answer.
    #[error("The relay does not answer. Is `moorline serve` running?")]
    Unreachable,
    /// The token is missing or wrong.
    #[error("The relay does not accept this token.")]
    Unauthorized,
    /// The relay refused the request, with this message.
    #[error("{0}")]
    Refused(String),
    /// The target does not exist, or no longer. Carries the relay's message.
    #[error("{0}")]
    Missing(String),
    /// The answer does not have the expected shape.
    #[error("This page cannot read the relay's answer. Reload it: the relay may be newer.")]
    Malformed,
}

/// A request to the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRequest {
    method: &'static str,
    path: String,
    body: Option<String>,
}

impl ApiRequest {
    /// Creates a `GET` request.
    #[must_use]
    pub const fn get(path: String) -> Self {
        Self { method: "GET", path, body: None }
    }

    /// Creates a `DELETE` request.
    #[must_use]
    pub const fn delete(path: String) -> Self {
        Self { method: "DELETE", path, body: None }
    }

    /// Creates a `POST` request without a body.
    #[must_use]
    pub const fn post_nothing(path: String) -> Self {
        Self { method: "POST", path, body: None }
    }

    /// Creates a `POST` request with a JSON body.
    #[must_use]
    pub fn post(path: String, body: &impl Serialize) -> Self {
        Self { method: "POST", path, body: Some(json(body)) }
    }

    /// Creates a `POST` request with a body that is JSON already.
    #[must_use]
    pub const fn post_json(path: String, body: String) -> Self {
        Self { method: "POST", path, body: Some(body) }
    }

    /// Creates a `PATCH` request with a JSON body.
    #[must_use]
    pub fn patch(path: String, body: &impl Serialize) -> Self {
        Self { method: "PATCH", path, body: Some(json(body)) }
    }
}

fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("bodies have text keys and no floats")
}

/// Sends a request with the page's access and calls `then` with the answer. If that is refused,
/// notes it in `access`. All requests use this function, so that it is compiled once.
pub fn ask(
    access: PageAccess,
    request: ApiRequest,
    then: impl FnOnce(Result<String, RequestError>) + 'static,
) {
    let then = move |answer| {
        match &answer {
            Ok(_) => access.note_accepted(),
            Err(RequestError::Unauthorized) => access.refuse(),
            Err(_) => {}
        }
        then(answer);
    };
    dispatch(access.token(), request, Box::new(then));
}

/// Like [`ask`], with a token that the page does not have yet; `None` for the browser's cookie.
pub fn ask_as(
    token: Option<String>,
    request: ApiRequest,
    then: impl FnOnce(Result<String, RequestError>) + 'static,
) {
    dispatch(token, request, Box::new(then));
}

fn dispatch(
    token: Option<String>,
    request: ApiRequest,
    then: Box<dyn FnOnce(Result<String, RequestError>)>,
) {
    spawn_local(async move {
        let ApiRequest { method, path, body } = &request;
        let (token, body) = (token.as_deref(), body.as_deref());
        let answer = fetch::send(FetchCall { method, path, token, body }).await;
        then(match answer {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(answer.text),
            Ok(answer) => Err(refusal(answer.status, &answer.text)),
            Err(_) => Err(RequestError::Unreachable),
        });
    });
}

/// Parses the JSON of an answer.
///
/// # Errors
/// [`RequestError::Malformed`].
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, RequestError> {
    serde_json::from_str(text).map_err(|_| RequestError::Malformed)
}

/// The part of a session's status that tells which page it has, and what is beside it.
#[derive(Debug, Clone, Deserialize)]
pub struct SessionBrief {
    /// The driver.
    pub driver: String,
    /// The id of the workspace that its folder is in sync with.
    pub workspace: Option<String>,
}

/// The extent of a session's log and screen, which its status has and lists do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Extent {
    /// The epoch of the log.
    pub epoch: Epoch,
    /// The log's last entry.
    pub head: Seq,
    /// The oldest retained entry.
    pub tail: Seq,
    /// Columns of the terminal.
    pub cols: u16,
    /// Rows of the terminal.
    pub rows: u16,
}

fn refusal(status: u16, text: &str) -> RequestError {
    match status {
        401 => return RequestError::Unauthorized,
        // A gateway answers on behalf of a relay that is down.
        502 | 504 => return RequestError::Unreachable,
        _ => {}
    }
    let sentence = match serde_json::from_str::<ErrorBody>(text) {
        Ok(ErrorBody { error, message: Some(message), .. }) => format!("{error}: {message}"),
        Ok(body) => body.error,
        Err(_) if status == 503 => return RequestError::Unreachable,
        Err(_) => format!("The relay answered with status {status}."),
    };
    if status == 404 { RequestError::Missing(sentence) } else { RequestError::Refused(sentence) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn refusals_say_why() {
        let body = r#"{"error":"Session not found","code":"not_found","sessionId":"abcdefgh"}"#;
        assert_eq!(refusal(404, body), RequestError::Missing("Session not found".into()));
        let body = r#"{"error":"Taken","code":"exists","message":"Choose another id."}"#;
        assert_eq!(refusal(409, body), RequestError::Refused("Taken: Choose another id.".into()));
        assert_eq!(refusal(401, ""), RequestError::Unauthorized);
    }

    #[test]
    fn a_gateway_speaks_for_a_relay_that_is_away() {
        for status in [502, 503, 504] {
            assert_eq!(refusal(status, "<html>"), RequestError::Unreachable);
        }
        let body = r#"{"error":"The host is away","code":"host_offline"}"#;
        assert_eq!(refusal(503, body), RequestError::Refused("The host is away".into()));
    }
}
