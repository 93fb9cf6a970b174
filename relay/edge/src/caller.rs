//! Telling objects who the caller of a request is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moorline_core::api::ApiError;
use moorline_core::audit::AuditRecord;
use moorline_core::auth::{Grant, SecretHash};
use moorline_core::routes::Route;
use moorline_shared::id::SessionId;
use moorline_shared::rest::AuditKind;
use moorline_shared::time::Time;
use worker::{Date, Request};

use crate::internal::{ACCESS, Caller, Opened};

impl Caller {
    /// Returns the caller in the value of an [`ACCESS`] header.
    pub(crate) fn of(request: &Request) -> Result<Self, ApiError> {
        let header = request.headers().get(ACCESS).ok().flatten();
        let bytes = header.and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
        let caller = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        caller.ok_or_else(ApiError::forbidden)
    }

    /// Returns the value of an [`ACCESS`] header. Labels may have characters that headers may not.
    pub(crate) fn header(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Returns a caller who has presented a token.
    pub(crate) const fn by_token(grant: Grant, token: SecretHash) -> Self {
        let (cookie, cookie_expires_at, address) = (None, None, None);
        Self { grant, token, cookie, cookie_expires_at, address, is_by_ticket: false }
    }

    /// When the caller's token or cookie expires, whichever comes first.
    pub(crate) fn ends_at(&self) -> Option<Time> {
        self.grant.expires_at.into_iter().chain(self.cookie_expires_at).min()
    }

    /// Returns true if the caller's access can end before the relay does: it is by a token that is
    /// stored, or by a cookie.
    pub(crate) const fn can_end(&self) -> bool {
        self.grant.token_id.is_some() || self.cookie.is_some()
    }

    /// Returns an audit event of something that the caller does now.
    pub(crate) fn event(&self, kind: AuditKind) -> AuditRecord {
        let event = self.grant.event(Date::now().as_millis(), kind);
        AuditRecord { address: self.address.clone(), ..event }
    }

    /// Returns the event of a connection by a route, about a session if the route has one.
    pub(crate) fn event_of(
        &self,
        kind: AuditKind,
        path: &str,
        session: Option<&SessionId>,
    ) -> AuditRecord {
        let event = self.event(kind).with(path);
        match session {
            Some(session) => event.about(session),
            None => event,
        }
    }
}

impl Opened {
    pub(crate) fn new(caller: &Caller, route: &Route, session: Option<&SessionId>) -> Self {
        Self { caller: caller.clone(), path: route.path.to_owned(), session: session.cloned() }
    }
}
