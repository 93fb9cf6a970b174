//! What is taken from a request, and how it is answered.

use moorline_relay::core::api::ApiError;
use moorline_shared::limits::REQUEST_BODY_BYTES;
use moorline_shared::message::Scope;
use serde::Serialize;
use serde::de::DeserializeOwned;
use worker::{Request, Response, ResponseBuilder, Result};

use super::object::Fault;
use crate::internal::ACCESS;
use crate::reply::{malformed, object};

/// What the caller may do, as the Worker found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// Follow the session, and steer it.
    Client(Scope),
    /// Publish it.
    Host,
}

impl Caller {
    /// Who asks; nobody without a word of the Worker.
    pub(super) fn of(request: &Request) -> Option<Self> {
        match request.headers().get(ACCESS).ok().flatten()?.as_str() {
            "admin" | "write" => Some(Self::Client(Scope::Write)),
            "read" => Some(Self::Client(Scope::Read)),
            "host" => Some(Self::Host),
            _ => None,
        }
    }

    /// What a client may do.
    pub(super) const fn scope(self) -> Option<Scope> {
        match self {
            Self::Client(scope) => Some(scope),
            Self::Host => None,
        }
    }

    /// Whether the caller may steer the session.
    pub(super) fn writes(self) -> std::result::Result<(), ApiError> {
        if self == Self::Client(Scope::Write) { Ok(()) } else { Err(ApiError::forbidden()) }
    }

    /// Whether the caller may follow the session.
    pub(super) fn reads(self) -> std::result::Result<(), ApiError> {
        self.scope().map(drop).ok_or_else(ApiError::forbidden)
    }
}

/// What a handler comes to.
pub(super) type Answer = std::result::Result<Response, Failure>;

/// Why a request is not answered as it wished.
#[derive(Debug)]
pub(super) enum Failure {
    Api(Box<ApiError>),
    Runtime(worker::Error),
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Api(Box::new(error))
    }
}

impl From<worker::Error> for Failure {
    fn from(error: worker::Error) -> Self {
        Self::Runtime(error)
    }
}

impl Fault {
    /// The same for the caller. `id` is the session's, as it was asked for.
    pub(super) fn to_api(&self, id: &str) -> ApiError {
        match self {
            Self::NoSession => ApiError::no_session(id),
            Self::Sql(error) => ApiError::internal(error),
        }
    }
}

/// Sends what a handler came to.
pub(super) fn send(answer: Answer) -> Result<Response> {
    match answer {
        Ok(response) => Ok(response),
        Err(Failure::Api(error)) => {
            let builder = ResponseBuilder::new().with_status(error.status().as_u16());
            builder.from_json(error.body())
        }
        Err(Failure::Runtime(error)) => Err(error),
    }
}

/// A success with a body.
pub(super) fn json(body: &impl Serialize) -> Answer {
    Ok(ResponseBuilder::new().with_header("cache-control", "no-store")?.from_json(body)?)
}

/// A success without one.
pub(super) fn nothing() -> Answer {
    Ok(ResponseBuilder::new().with_status(204).empty())
}

/// A body of JSON: one object. No body at all, and `null`, is an empty one.
pub(super) async fn body<T: DeserializeOwned>(
    request: &mut Request,
) -> std::result::Result<T, Failure> {
    let kind = request.headers().get("content-type")?.unwrap_or_default();
    let length = request.headers().get("content-length")?.and_then(|length| length.parse().ok());
    if length.is_some_and(|length: usize| length > REQUEST_BODY_BYTES) {
        return Err(ApiError::too_large().into());
    }
    let body = request.bytes().await?;
    let text = object(&kind, &body)?;
    Ok(serde_json::from_str(text).map_err(|error| malformed(&error))?)
}
