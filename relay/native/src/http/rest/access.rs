//! `/api/login` and `/api/tickets`: for browsers, which cannot send a header with every request.
//! See [`moorline_core::auth::cookie`].

use axum::Json;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use axum::response::AppendHeaders;
use moorline_shared::limits::TICKET_LIFETIME;
use moorline_shared::rest::{AuditKind, Done, ErrorBody, LoggedOut, Ticket};
use moorline_shared::time::Time;

use crate::auth::VerifyError;
use crate::clock::wall_ms;
use crate::http::error::{ApiError, HttpError};
use crate::http::{App, Caller};
use moorline_core::api::responses::{BadQuery, Guarded, Open};
use moorline_core::auth::{Credential, cookie, presented};
use moorline_core::routes::{LoginQuery, cookie_expiry};

pub(super) type WithCookies<T> = (AppendHeaders<Vec<(HeaderName, String)>>, Json<T>);

/// Set a cookie
///
/// The cookie holds a secret that gives the token's access, for an hour unless the query names another
/// time, and only while the token is valid. A request that has such a cookie and no token renews it. The
/// cookie is sent to this relay's API and streams only, and scripts cannot read it. Over plain HTTP on
/// loopback no cookie is set, because browsers would send it to every server of the machine.
#[utoipa::path(
    post, path = "/api/login", tag = "Access", operation_id = "logIn", params(LoginQuery),
    responses(Guarded, BadQuery,
        (status = 200, description = "`Set-Cookie` sets the cookie.", body = Done,
            headers(("set-cookie" = String, description = "`moorline-<port>=…; Path=/api`"))),
        (status = 403, description = "The request came over plain HTTP on loopback: \
                                      `cookie_refused`; or the page's origin or the `Host` is not \
                                      allowed: `forbidden`.", body = ErrorBody)),
)]
pub(in crate::http) fn log_in(
    app: &App,
    caller: &Caller,
    parts: &Parts,
) -> Result<WithCookies<Done>, HttpError> {
    let headers = &parts.headers;
    if !cookie::may_keep(headers) {
        return Err(ApiError::no_cookie().into());
    }
    let now = Time::from_ms(wall_ms());
    let query = parts.uri.query().unwrap_or_default();
    let expires_at = cookie_expiry(query, &caller.grant, now)?;
    let cookies = |secret: &str| {
        Ok(with_cookies(cookie::set(headers, secret, expires_at - now), Done { success: true }))
    };
    if let Some(Credential::Cookie(secret)) = presented(headers) {
        return match app.tokens.renew_cookie(secret, now, expires_at) {
            Ok(true) => cookies(secret),
            Ok(false) => Err(ApiError::wrong_token().into()),
            Err(error) => Err(ApiError::internal(&error).into()),
        };
    }
    let secret = app.tokens.issue_cookie(&caller.secret.token, now, expires_at);
    let secret = secret.map_err(|error| ApiError::internal(&error))?;
    app.record(caller.event(AuditKind::LoggedIn));
    cookies(&secret)
}

/// Log out
///
/// Deletes the cookie, and closes what it has opened. A token that the browser was given for a code of
/// `moorline open` is its own: it is revoked, unless the request has only the cookie and a passkey stands
/// for the token. Any other token stays valid.
#[utoipa::path(
    delete, path = "/api/login", tag = "Access", operation_id = "logOut", security(()),
    responses(Open,
        (status = 200, description = "`Set-Cookie` removes the cookie.", body = LoggedOut,
            headers(("set-cookie" = String, description = "`moorline-<port>=; Max-Age=0`")))),
)]
pub(in crate::http) fn log_out(
    app: &App,
    parts: &Parts,
) -> Result<WithCookies<LoggedOut>, HttpError> {
    let caller = app.caller(parts).ok();
    if let Some(Credential::Cookie(secret)) = presented(&parts.headers) {
        app.tokens.drop_cookie(secret).map_err(|error| ApiError::internal(&error))?;
    }
    let revoked = caller.as_ref().map_or(Ok(false), |caller| end_own(app, caller))?;
    app.leases.check();
    caller.iter().for_each(|caller| app.record(caller.event(AuditKind::LoggedOut)));
    Ok(with_cookies(cookie::clear(&parts.headers), LoggedOut { success: true, revoked }))
}

/// Revokes the caller's token if it is the browser's own. Returns true if it did. A passkey keeps the token
/// of a cookie, but not one that the browser itself has.
fn end_own(app: &App, caller: &Caller) -> Result<bool, ApiError> {
    let Some(id) = caller.grant.browser_token() else { return Ok(false) };
    let ended = match caller.secret.cookie {
        Some(_) => app.tokens.end_browser_token(id),
        None => app.tokens.revoke(id),
    };
    ended.map_err(|error| ApiError::internal(&error))
}

/// Log out everywhere
///
/// Deletes the cookies of all browsers that have logged in with the same token, or with a code that stood
/// for it, closes what they have opened, and ends the notices that they get while no page is open. The
/// tokens that browsers were given for codes are revoked, except those for which a passkey stands. The
/// token itself stays valid.
#[utoipa::path(
    delete, path = "/api/login/all", tag = "Access", operation_id = "logOutEverywhere",
    responses(Guarded,
        (status = 200, description = "`Set-Cookie` removes the cookie.", body = LoggedOut,
            headers(("set-cookie" = String, description = "`moorline-<port>=; Max-Age=0`")))),
)]
pub(in crate::http) fn log_out_everywhere(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
) -> Result<WithCookies<LoggedOut>, HttpError> {
    let token = caller.secret.token;
    let ended = app.tokens.log_out_everywhere(&token, caller.grant.person());
    let mut ended = ended.map_err(|error| ApiError::internal(&error))?;
    end_own(app, caller)?;
    app.leases.check();
    app.record(caller.event(AuditKind::LoggedOut).with("everywhere"));
    ended.insert(token);
    ended.iter().try_for_each(|token| app.push.forget_all_of(token))?;
    let now = app.tokens.verify(&token, Time::from_ms(wall_ms()));
    let revoked = matches!(now, Err(VerifyError::Refused));
    Ok(with_cookies(cookie::clear(headers), LoggedOut { success: true, revoked }))
}

/// Make a ticket
///
/// `EventSource` cannot send a header, so it sends the ticket as `?ticket=`. A ticket opens one
/// event stream within 60 seconds, or makes one token (`POST /api/tokens`). It gives the access of
/// the token that it was made with.
#[utoipa::path(
    post, path = "/api/tickets", tag = "Access", operation_id = "createTicket",
    responses(Guarded, (status = 200, description = "The ticket.", body = Ticket)),
)]
pub(in crate::http) fn ticket(app: &App, caller: &Caller) -> Result<Json<Ticket>, HttpError> {
    let now = Time::from_ms(wall_ms());
    let ticket =
        app.tickets.issue(caller.secret.token, now).map_err(|error| ApiError::internal(&error))?;
    let expires_in_ms = u64::try_from(TICKET_LIFETIME.as_millis()).unwrap_or(u64::MAX);
    Ok(Json(Ticket { ticket, expires_in_ms }))
}

pub(super) fn with_cookies<T>(cookies: Vec<String>, body: T) -> WithCookies<T> {
    let headers = cookies.into_iter().map(|cookie| (SET_COOKIE, cookie)).collect();
    (AppendHeaders(headers), Json(body))
}
