//! What a client may do, and what a fault of the session's means to it.

use moorline_core::api::ApiError;
use moorline_shared::message::Scope;
use worker::Request;

use super::object::Fault;
use crate::internal::ACCESS;
use crate::reply::Failure;

/// What the caller may do as a client, as the Worker found out.
///
/// # Errors
/// `forbidden` for anyone else.
pub(super) fn scope(request: &Request) -> Result<Scope, ApiError> {
    match request.headers().get(ACCESS).ok().flatten().as_deref() {
        Some("admin" | "write") => Ok(Scope::Write),
        Some("read") => Ok(Scope::Read),
        _ => Err(ApiError::forbidden()),
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoSession(id) => ApiError::no_session(&id).into(),
            Fault::Sql(error) => error.into(),
        }
    }
}
