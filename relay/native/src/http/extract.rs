//! What handlers take from a request, or the error that it gets instead.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use moorline_shared::id::SessionId;
use moorline_shared::message::Scope;
use moorline_shared::time::Time;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::{ApiError, HttpError};
use super::{App, rest};
use crate::clock::wall_ms;
use crate::listen::BODY_DEADLINE;
use moorline_core::api::malformed;
use moorline_core::auth::{Access, SecretHash, presented};
use moorline_core::naming;

/// What the paths of terminals begin with.
const TERMINALS: &str = "/api/terminal/";
/// The same of their sockets, which start one if there is none.
const TERMINAL_SOCKETS: &str = "/api/terminal/ws/";

/// A caller with a valid token.
pub(super) struct Caller {
    /// What it allows.
    pub(super) access: Access,
    /// Its hash: what is made for this caller is void without it.
    pub(super) token: SecretHash,
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, HttpError> {
        Ok(app.caller(&parts.headers)?)
    }
}

/// A caller with a valid token, or a ticket in the address: for event streams, which browsers
/// open without a header of ours, and for a browser that has no token yet.
pub(super) struct StreamCaller(pub(super) Caller);

impl FromRequestParts<Arc<App>> for StreamCaller {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, HttpError> {
        #[derive(Deserialize)]
        struct Presented {
            ticket: Option<String>,
        }
        let ticket = Query::<Presented>::try_from_uri(&parts.uri).ok();
        if let Some(ticket) = ticket.and_then(|Query(presented)| presented.ticket) {
            let now = Time::from_ms(wall_ms());
            match app.tickets.redeem(&ticket, now) {
                Some(token) => return Ok(Self(app.holder(token, now)?)),
                // Beside a token it does no harm.
                None if presented(&parts.headers).is_none() => {
                    return Err(ApiError::wrong_ticket().into());
                }
                None => {}
            }
        }
        Ok(Self(app.caller(&parts.headers)?))
    }
}

/// As [`StreamCaller`], who may do everything.
pub(super) struct StreamAdmin;

impl FromRequestParts<Arc<App>> for StreamAdmin {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, HttpError> {
        let StreamCaller(caller) = StreamCaller::from_request_parts(parts, app).await?;
        if caller.access.is_admin() { Ok(Self) } else { Err(ApiError::forbidden().into()) }
    }
}

/// A caller who may do everything.
pub(super) struct Admin;

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, HttpError> {
        if app.caller(&parts.headers)?.access.is_admin() {
            Ok(Self)
        } else {
            Err(ApiError::forbidden().into())
        }
    }
}

/// The session that the path names, to a caller who may watch it.
pub(super) struct Reads(pub(super) SessionId);

impl FromRequestParts<Arc<App>> for Reads {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, HttpError> {
        named(parts, app).await.map(|(id, _)| Self(id))
    }
}

/// The session that the path names, to a caller who may steer it.
pub(super) struct Writes(pub(super) SessionId);

impl FromRequestParts<Arc<App>> for Writes {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, HttpError> {
        match named(parts, app).await? {
            (id, Scope::Write) => Ok(Self(id)),
            (_, Scope::Read) => Err(ApiError::forbidden().into()),
        }
    }
}

/// The session that the path names, to a caller who may watch it by an event stream.
pub(super) struct StreamReads(pub(super) SessionId);

impl FromRequestParts<Arc<App>> for StreamReads {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, HttpError> {
        let StreamCaller(caller) = StreamCaller::from_request_parts(parts, app).await?;
        let Ok(Named(id)) = Named::from_request_parts(parts, app).await;
        Ok(Self(rest::allowed(&caller, &id)?.0))
    }
}

/// The id in the path, as it is: it may be none.
pub(super) struct Named(pub(super) String);

impl FromRequestParts<Arc<App>> for Named {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let id = Path::<String>::from_request_parts(parts, app).await;
        // What is no UTF-8 is no id.
        let id = id.map_or_else(|_| parts.uri.path().to_owned(), |Path(id)| id);
        // A terminal may go by a longer name, which is one once there is such a terminal.
        let path = parts.uri.path();
        let named = naming::own_name(&id).filter(|_| path.starts_with(TERMINALS));
        let named = named
            .and_then(|name| naming::id_of(name).ok())
            .filter(|named| path.starts_with(TERMINAL_SOCKETS) || app.registry.contains(named));
        Ok(Self(named.map_or(id, String::from)))
    }
}

async fn named(parts: &mut Parts, app: &Arc<App>) -> Result<(SessionId, Scope), HttpError> {
    let caller = Caller::from_request_parts(parts, app).await?;
    let Ok(Named(id)) = Named::from_request_parts(parts, app).await;
    Ok(rest::allowed(&caller, &id)?)
}

/// What the query asks for.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Params<T> {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, HttpError> {
        let query = Query::try_from_uri(&parts.uri);
        let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text()))?;
        Ok(Self(query))
    }
}

/// A body of JSON: one object. No body at all, and `null`, is an empty one.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = HttpError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, HttpError> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_json = kind.is_some_and(is_json);
        let body = tokio::time::timeout(BODY_DEADLINE, Bytes::from_request(request, app)).await;
        let body =
            body.map_err(|_| ApiError::too_slow())?.map_err(|rejection| unread(&rejection))?;
        let object: Option<Map<String, Value>> = if body.is_empty() {
            None
        } else if is_json {
            // A list would be taken for the fields in their order.
            serde_json::from_slice(&body).map_err(|error| malformed(&error, &body))?
        } else {
            return Err(ApiError::not_json().into());
        };
        let object = object.unwrap_or_default();
        let read = serde_json::from_value(Value::Object(object));
        Ok(Self(read.map_err(|error| malformed(&error, &body))?))
    }
}

fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next();
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn unread(rejection: &BytesRejection) -> ApiError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large(),
        _ => ApiError::bad_request(rejection.body_text()),
    }
}
