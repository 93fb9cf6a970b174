//! The caller's scope in a session, and the session's faults as errors of the API.

use moorline_core::api::ApiError;
use moorline_shared::message::Scope;
use worker::Request;

use super::object::Fault;
use crate::internal::ACCESS;
use crate::reply::RequestFailure;

/// The caller's scope as a client, from the header that the Worker sets.
///
/// # Errors
/// `forbidden` if the caller is not a client.
pub(super) fn scope(request: &Request) -> Result<Scope, ApiError> {
    match request.headers().get(ACCESS).ok().flatten().as_deref() {
        Some("admin" | "write") => Ok(Scope::Write),
        Some("read") => Ok(Scope::Read),
        _ => Err(ApiError::forbidden()),
    }
}

/// Who asks, for people: the scope of the caller's token.
pub(super) fn caller(request: &Request, session: &str) -> String {
    match request.headers().get(ACCESS).ok().flatten() {
        Some(word) if word == "write" || word == "read" => format!("session:{session}:{word}"),
        word => word.unwrap_or_default(),
    }
}

impl From<Fault> for RequestFailure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoSession(id) => ApiError::no_session(&id).into(),
            Fault::Sql(error) => error.into(),
        }
    }
}
