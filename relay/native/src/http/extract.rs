//! The caller of a request, and its body.

use std::ops::Deref;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest as _, Query, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use moorline_core::audit::AuditRecord;
use moorline_core::auth::presented;
use moorline_core::routes::{Route, parse};
use moorline_shared::limits::BODY_DEADLINE;
use moorline_shared::rest::AuditKind;
use moorline_shared::time::Time;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::App;
use super::error::{ApiError, HttpError};
use crate::auth::{CallerSecret, LeaseHolder};
use crate::clock::wall_ms;

/// A caller with a valid token.
pub(super) struct Caller {
    holder: LeaseHolder,
    /// True if a ticket stands for the token in this request.
    is_by_ticket: bool,
}

impl Deref for Caller {
    type Target = LeaseHolder;

    fn deref(&self) -> &LeaseHolder {
        &self.holder
    }
}

impl Caller {
    pub(super) const fn new(holder: LeaseHolder) -> Self {
        Self { holder, is_by_ticket: false }
    }

    /// Returns true if a ticket stands for the token in this request.
    pub(super) const fn is_by_ticket(&self) -> bool {
        self.is_by_ticket
    }

    /// Returns an audit event of something that the caller does now.
    pub(super) fn event(&self, kind: AuditKind) -> AuditRecord {
        self.grant.event(wall_ms(), kind).from(self.address)
    }

    /// Returns an audit event of a connection by a route, about the session that its path names, if
    /// it names one.
    pub(super) fn event_of(&self, kind: AuditKind, route: &Route, id: &str) -> AuditRecord {
        let event = self.event(kind).with(route.path);
        match id.parse() {
            Ok(session) if route.is_of_session() => event.about(&session),
            _ => event,
        }
    }
}

/// Identifies the caller by a token, a cookie, or, if the route takes one, a ticket in the address.
pub(super) fn caller(app: &App, route: &Route, parts: &Parts) -> Result<Caller, ApiError> {
    #[derive(Deserialize)]
    struct Presented {
        ticket: Option<String>,
    }
    if route.takes_ticket()
        && let Ok(Query(Presented { ticket: Some(ticket) })) = Query::try_from_uri(&parts.uri)
    {
        let now = Time::from_ms(wall_ms());
        match app.tickets.redeem(&ticket, now) {
            Some(token) => {
                let caller = app.holder(CallerSecret { token, cookie: None }, parts, now)?;
                return Ok(Caller { is_by_ticket: true, ..caller });
            }
            // A bad ticket is ignored if the request has a token too.
            None if presented(&parts.headers).is_none() => return Err(ApiError::wrong_ticket()),
            None => {}
        }
    }
    app.caller(parts)
}

/// Reads the body, within its limits of size and time.
pub(super) async fn read_body(request: Request) -> Result<Bytes, HttpError> {
    let body = tokio::time::timeout(BODY_DEADLINE, Bytes::from_request(request, &())).await;
    let body = body.map_err(|_| ApiError::too_slow())?;
    Ok(body.map_err(|rejection| unread(&rejection))?)
}

/// Reads and parses a JSON body, which must be one object.
pub(super) async fn read_json<T: DeserializeOwned>(request: Request) -> Result<T, HttpError> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().to_owned();
    Ok(parse(&kind, &read_body(request).await?)?)
}

fn unread(rejection: &BytesRejection) -> ApiError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large(),
        _ => ApiError::bad_request(rejection.body_text()),
    }
}
