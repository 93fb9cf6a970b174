//! The relay's REST API.

use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::rest::{
    ChangeProject, Changed, CreateProject, CreateSession, Created, DuplicateSession, ErrorBody,
    EventsStatus, ForkSession, MoveSession, ProjectChanged, Prompt, Prompted, RenameSession,
    SessionContext, SessionList, SessionStatus,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::access::Access;
use crate::bindings::fetch::{self, Call};

/// Why a request did not give what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// No answer.
    #[error("The relay does not answer. Is `moorline serve` running?")]
    Unreachable,
    /// The token is missing or wrong.
    #[error("The relay does not accept this token.")]
    Unauthorized,
    /// The relay refused.
    #[error("{0}")]
    Refused(String),
    /// There is no such thing, or no longer.
    #[error("{0}")]
    Missing(String),
    /// The answer is not of the known shape.
    #[error("The relay's answer makes no sense to this page. Reload it: the relay may be newer.")]
    Malformed,
}

/// Asks for something.
///
/// # Errors
/// See [`ApiError`].
pub async fn get<T: DeserializeOwned>(token: Option<&str>, path: &str) -> Result<T, ApiError> {
    parse(&call(token, "GET", path, None).await?)
}

/// Sends something, and reads the answer.
///
/// # Errors
/// See [`ApiError`].
pub async fn send<T: DeserializeOwned>(
    token: Option<&str>,
    method: &str,
    path: &str,
    body: &impl Serialize,
) -> Result<T, ApiError> {
    let body = serde_json::to_string(body).map_err(|_| ApiError::Malformed)?;
    parse(&call(token, method, path, Some(&body)).await?)
}

/// The newest sessions.
///
/// # Errors
/// See [`ApiError`].
pub async fn list(token: Option<&str>) -> Result<SessionList, ApiError> {
    get(token, "/api/sessions").await
}

/// What one session is and does.
///
/// # Errors
/// See [`ApiError`].
pub async fn status(token: Option<&str>, id: &SessionId) -> Result<SessionStatus, ApiError> {
    get(token, &format!("/api/session/{id}/status")).await
}

/// The files that a session works with.
///
/// # Errors
/// See [`ApiError`].
pub async fn context(token: Option<&str>, id: &SessionId) -> Result<SessionContext, ApiError> {
    get(token, &format!("/api/session/{id}/context")).await
}

/// Who reads a session's events.
///
/// # Errors
/// See [`ApiError`].
pub async fn readers(token: Option<&str>, id: &SessionId) -> Result<EventsStatus, ApiError> {
    get(token, &format!("/api/session/{id}/events/status")).await
}

/// Types a line into a session.
///
/// # Errors
/// See [`ApiError`].
pub async fn prompt(
    token: Option<&str>,
    id: &SessionId,
    command: String,
) -> Result<Prompted, ApiError> {
    let prompt = Prompt { command: Some(command), context: None };
    send(token, "POST", &format!("/api/session/{id}/prompt"), &prompt).await
}

/// Starts a session.
///
/// # Errors
/// See [`ApiError`].
pub async fn create(token: Option<&str>, session: &CreateSession) -> Result<Created, ApiError> {
    send(token, "POST", "/api/sessions", session).await
}

/// Starts the same command again, as a new session.
///
/// # Errors
/// See [`ApiError`].
pub async fn duplicate(token: Option<&str>, id: &SessionId) -> Result<Created, ApiError> {
    let path = format!("/api/sessions/{id}/duplicate");
    send(token, "POST", &path, &DuplicateSession::default()).await
}

/// Starts a new session that has this one's output so far, or up to an entry.
///
/// # Errors
/// See [`ApiError`].
pub async fn fork(
    token: Option<&str>,
    id: &SessionId,
    from: &ForkSession,
) -> Result<Created, ApiError> {
    send(token, "POST", &format!("/api/sessions/{id}/fork"), from).await
}

/// Gives a session another name; an empty one takes the name away.
///
/// # Errors
/// See [`ApiError`].
pub async fn rename(
    token: Option<&str>,
    id: &SessionId,
    name: String,
) -> Result<Changed, ApiError> {
    send(token, "PATCH", &format!("/api/sessions/{id}"), &RenameSession { name }).await
}

/// Moves a session to a project, or out of all.
///
/// # Errors
/// See [`ApiError`].
pub async fn move_to(
    token: Option<&str>,
    id: &SessionId,
    project_id: Option<ProjectId>,
) -> Result<Changed, ApiError> {
    send(token, "POST", &format!("/api/sessions/{id}/move"), &MoveSession { project_id }).await
}

/// Ends a session and removes it.
///
/// # Errors
/// See [`ApiError`].
pub async fn delete(token: Option<&str>, id: &SessionId) -> Result<(), ApiError> {
    match call(token, "DELETE", &format!("/api/session/{id}"), None).await {
        // A session that is gone already is what was wanted.
        Ok(_) | Err(ApiError::Missing(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes a project.
///
/// # Errors
/// See [`ApiError`].
pub async fn create_project(
    token: Option<&str>,
    project: &CreateProject,
) -> Result<ProjectChanged, ApiError> {
    send(token, "POST", "/api/projects", project).await
}

/// Gives a project another name or folder.
///
/// # Errors
/// See [`ApiError`].
pub async fn change_project(
    token: Option<&str>,
    id: &ProjectId,
    change: &ChangeProject,
) -> Result<ProjectChanged, ApiError> {
    send(token, "PATCH", &format!("/api/projects/{id}"), change).await
}

/// Removes a project; its sessions stay.
///
/// # Errors
/// See [`ApiError`].
pub async fn delete_project(token: Option<&str>, id: &ProjectId) -> Result<(), ApiError> {
    match call(token, "DELETE", &format!("/api/projects/{id}"), None).await {
        Ok(_) | Err(ApiError::Missing(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Asks for a cookie with what the token allows, for what can send no header.
///
/// # Errors
/// See [`ApiError`].
pub async fn log_in(token: Option<&str>) -> Result<(), ApiError> {
    call(token, "POST", "/api/login", None).await.map(drop)
}

/// Gives the cookie back.
///
/// # Errors
/// See [`ApiError`].
pub async fn log_out() -> Result<(), ApiError> {
    call(None, "DELETE", "/api/login", None).await.map(drop)
}

/// Reports a refused token to the page, and hands the error on.
pub fn noting_refusal<T>(access: Access, result: Result<T, ApiError>) -> Result<T, ApiError> {
    if matches!(result, Err(ApiError::Unauthorized)) {
        access.refuse();
    }
    result
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    serde_json::from_str(text).map_err(|_| ApiError::Malformed)
}

async fn call(
    token: Option<&str>,
    method: &str,
    path: &str,
    body: Option<&str>,
) -> Result<String, ApiError> {
    let call = Call { method, path, token, body, last_event_id: None };
    let answer = fetch::send(call).await.map_err(|_| ApiError::Unreachable)?;
    if (200..300).contains(&answer.status) {
        Ok(answer.text)
    } else {
        Err(refusal(answer.status, &answer.text))
    }
}

fn refusal(status: u16, text: &str) -> ApiError {
    match status {
        401 => return ApiError::Unauthorized,
        // A gateway in between answers for a relay that is away.
        502 | 504 => return ApiError::Unreachable,
        _ => {}
    }
    let sentence = match serde_json::from_str::<ErrorBody>(text) {
        Ok(ErrorBody { error, message: Some(message), .. }) => format!("{error}: {message}"),
        Ok(body) => body.error,
        Err(_) if status == 503 => return ApiError::Unreachable,
        Err(_) => format!("The relay answered with status {status}."),
    };
    if status == 404 { ApiError::Missing(sentence) } else { ApiError::Refused(sentence) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn refusals_say_why() {
        let body = r#"{"error":"Session not found","code":"not_found","sessionId":"abcdefgh"}"#;
        assert_eq!(refusal(404, body), ApiError::Missing("Session not found".into()));
        let body = r#"{"error":"Taken","code":"exists","message":"Choose another id."}"#;
        assert_eq!(refusal(409, body), ApiError::Refused("Taken: Choose another id.".into()));
        assert_eq!(refusal(401, ""), ApiError::Unauthorized);
    }

    #[test]
    fn a_gateway_speaks_for_a_relay_that_is_away() {
        for status in [502, 503, 504] {
            assert_eq!(refusal(status, "<html>"), ApiError::Unreachable);
        }
        let body = r#"{"error":"The host is away","code":"host_offline"}"#;
        assert_eq!(refusal(503, body), ApiError::Refused("The host is away".into()));
    }
}
