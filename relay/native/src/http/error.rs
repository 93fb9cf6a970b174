//! HTTP responses for the API's errors.

use std::any::Any;

use axum::Json;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::header::{CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::store::StoreError;
pub use moorline_core::api::ApiError;

/// An [`ApiError`] that axum can return as a response.
#[derive(Debug)]
pub struct HttpError(ApiError);

impl<E: Into<ApiError>> From<E> for HttpError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// Extension of a response that marks the token of its request as wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct WrongToken;

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let mut response = (error.status(), Json(error.body())).into_response();
        if error.status() == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"moorline\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if error.status() == StatusCode::REQUEST_TIMEOUT {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(seconds) = error.retry_after() {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if error.is_wrong_token() {
            response.extensions_mut().insert(WrongToken);
        }
        response
    }
}

/// Reports a full disk and a locked database as unavailable, so that the client learns what to do.
/// Other failures are internal errors.
impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if error.is_full() {
            Self::unavailable(error)
        } else if error.is_busy() {
            Self::unavailable("Another program has locked the relay's database: try again.")
        } else {
            Self::internal(&error)
        }
    }
}

/// Makes the answer to a request that should become a WebSocket and cannot.
pub(super) fn no_upgrade(rejection: &WebSocketUpgradeRejection) -> HttpError {
    ApiError::no_upgrade(rejection.status(), rejection.body_text()).into()
}

pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> HttpError {
    ApiError::method_not_allowed(&method, &uri).into()
}

/// Answers a request whose handler panicked. The panic hook has logged it.
pub(super) fn panicked(_panic: Box<dyn Any + Send>) -> Response {
    HttpError::from(ApiError::internal(&"a handler panicked")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_and_other_failures_are_not() {
        let answer = |code: i32| {
            let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            ApiError::from(StoreError::from(error))
        };
        let full = answer(rusqlite::ffi::SQLITE_FULL);
        assert_eq!(
            (full.status(), &*full.body().code),
            (StatusCode::SERVICE_UNAVAILABLE, "overloaded")
        );
        assert!(
            full.body().message.as_ref().is_some_and(|message| message.contains("free some space"))
        );
        let corrupt = answer(rusqlite::ffi::SQLITE_CORRUPT);
        assert_eq!(corrupt.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(
            corrupt.body().message.as_ref().is_some_and(|message| !message.contains("database"))
        );
    }
}
