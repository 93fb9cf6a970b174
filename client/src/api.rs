//! The relay's REST API.

use gloo_net::http::{Request, RequestBuilder, Response};
use moorline_shared::id::SessionId;
use moorline_shared::rest::{CreateSession, Created, ErrorBody, SessionList};
use serde::de::DeserializeOwned;

use crate::access::Access;

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
    /// The answer is not of the known shape.
    #[error("The relay's answer makes no sense to this page. Reload it: the relay may be newer.")]
    Malformed,
}

/// All sessions, newest first.
///
/// # Errors
/// See [`ApiError`].
pub async fn list(token: Option<&str>) -> Result<SessionList, ApiError> {
    read(with_token(Request::get("/api/sessions"), token).send().await).await
}

/// Starts a session.
///
/// # Errors
/// See [`ApiError`].
pub async fn create(token: Option<&str>, session: &CreateSession) -> Result<Created, ApiError> {
    let request = with_token(Request::post("/api/sessions"), token)
        .json(session)
        .map_err(|_| ApiError::Malformed)?;
    read(request.send().await).await
}

/// Ends a session and removes it.
///
/// # Errors
/// See [`ApiError`].
pub async fn delete(token: Option<&str>, id: &SessionId) -> Result<(), ApiError> {
    let request = with_token(Request::delete(&format!("/api/session/{id}")), token);
    let response = request.send().await.map_err(|_| ApiError::Unreachable)?;
    // A session that is gone already is what was wanted.
    if response.ok() || response.status() == 404 { Ok(()) } else { Err(refusal(response).await) }
}

/// Reports a refused token to the page, and hands the error on.
pub fn noting_refusal<T>(access: Access, result: Result<T, ApiError>) -> Result<T, ApiError> {
    if matches!(result, Err(ApiError::Unauthorized)) {
        access.refuse();
    }
    result
}

fn with_token(request: RequestBuilder, token: Option<&str>) -> RequestBuilder {
    match token {
        Some(token) => request.header("Authorization", &format!("Bearer {token}")),
        None => request,
    }
}

async fn read<T: DeserializeOwned>(
    response: Result<Response, gloo_net::Error>,
) -> Result<T, ApiError> {
    let response = response.map_err(|_| ApiError::Unreachable)?;
    if response.ok() {
        response.json().await.map_err(|_| ApiError::Malformed)
    } else {
        Err(refusal(response).await)
    }
}

async fn refusal(response: Response) -> ApiError {
    let status = response.status();
    if status == 401 {
        return ApiError::Unauthorized;
    }
    // A gateway in between answers for a relay that is away.
    if matches!(status, 502..=504) {
        return ApiError::Unreachable;
    }
    match response.json::<ErrorBody>().await {
        Ok(body) => ApiError::Refused(match body.message {
            Some(message) => format!("{}: {message}", body.error),
            None => body.error,
        }),
        Err(_) => ApiError::Refused(format!("The relay answered with status {status}.")),
    }
}
