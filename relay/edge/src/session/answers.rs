//! Who asks, and what a fault of the session's means to them.

use moorline_core::api::ApiError;
use moorline_shared::message::Scope;
use worker::Request;

use super::object::Fault;
use crate::internal::ACCESS;
use crate::reply::Failure;

/// What the caller may do, as the Worker found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// Everything.
    Admin,
    /// Follow the session, and steer it where its scope is that.
    Client(Scope),
    /// Publish it.
    Host,
}

impl Caller {
    /// Who asks; nobody without a word of the Worker.
    pub(super) fn of(request: &Request) -> Option<Self> {
        match request.headers().get(ACCESS).ok().flatten()?.as_str() {
            "admin" => Some(Self::Admin),
            "write" => Some(Self::Client(Scope::Write)),
            "read" => Some(Self::Client(Scope::Read)),
            "host" => Some(Self::Host),
            _ => None,
        }
    }

    /// What it may do as a client.
    pub(super) const fn scope(self) -> Option<Scope> {
        match self {
            Self::Admin => Some(Scope::Write),
            Self::Client(scope) => Some(scope),
            Self::Host => None,
        }
    }

    /// Whether it may publish the session.
    pub(super) fn publishes(self) -> Result<(), ApiError> {
        allowed(matches!(self, Self::Admin | Self::Host))
    }

    /// Whether it may steer the session.
    pub(super) fn writes(self) -> Result<(), ApiError> {
        allowed(self.scope() == Some(Scope::Write))
    }

    /// Whether it may follow the session.
    pub(super) fn reads(self) -> Result<Scope, ApiError> {
        self.scope().ok_or_else(ApiError::forbidden)
    }
}

fn allowed(is: bool) -> Result<(), ApiError> {
    if is { Ok(()) } else { Err(ApiError::forbidden()) }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoSession(id) => ApiError::no_session(&id).into(),
            Fault::Sql(error) => error.into(),
        }
    }
}
