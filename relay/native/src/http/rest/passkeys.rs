//! `/api/passkeys` and `/api/login/passkey`. See [`moorline_core::passkey`].

use axum::Json;
use axum::http::StatusCode;
use axum::http::request::Parts;
use moorline_core::api::responses::{BadQuery, Guarded, Open, WithBody};
use moorline_core::auth::cookie;
use moorline_core::passkey::{PasskeyRecord, PasskeyRefused, RelyingParty, creation, request};
use moorline_core::routes::{LoginQuery, cookie_expiry};
use moorline_shared::rest::{
    AddPasskey, AuditKind, Done, ErrorBody, LogInByPasskey, PasskeyAdded, PasskeyCreation,
    PasskeyList, PasskeyRequest,
};
use moorline_shared::time::Time;

use super::access::{WithCookies, with_cookies};
use crate::auth::CallerSecret;
use crate::clock::wall_ms;
use crate::http::error::{ApiError, HttpError};
use crate::http::{App, Caller};

/// List passkeys, oldest first
///
/// An administrator's list has all passkeys, others have those of the caller's token.
#[utoipa::path(
    get, path = "/api/passkeys", tag = "Access", operation_id = "listPasskeys",
    responses(Guarded, (status = 200, description = "The passkeys.", body = PasskeyList)),
)]
pub(in crate::http) fn list(app: &App, caller: &Caller) -> Result<Json<PasskeyList>, HttpError> {
    let passkeys = app.tokens.passkeys((&caller.grant, &caller.secret.token))?;
    Ok(Json(PasskeyList { passkeys: passkeys.into_iter().map(PasskeyRecord::summary).collect() }))
}

/// Begin to add a passkey
///
/// The answer is for `PublicKeyCredential.parseCreationOptionsFromJSON`. Its challenge can be answered once,
/// within five minutes, with the same token.
#[utoipa::path(
    post, path = "/api/passkeys/challenge", tag = "Access", operation_id = "passkeyCreation",
    responses(Guarded,
        (status = 200, description = "What the browser needs.", body = PasskeyCreation),
        (status = 403, description = "The page has no name or was not loaded over HTTPS: \
                                      `passkey_unavailable`; or the page's origin or the `Host` is not \
                                      allowed: `forbidden`.", body = ErrorBody)),
)]
pub(in crate::http) fn begin(
    app: &App,
    caller: &Caller,
    parts: &Parts,
) -> Result<Json<PasskeyCreation>, HttpError> {
    let rp = RelyingParty::of(&parts.headers)?;
    let by = (&caller.grant, &caller.secret.token);
    let known = app.tokens.passkeys(by)?;
    let challenge = app.tokens.challenge(Some(by.1), Time::from_ms(wall_ms()))?;
    Ok(Json(creation(&rp, by, &known, challenge)))
}

/// Add a passkey
///
/// It stands for the caller's token: it gives what the token gives, and ends with it. It must be
/// discoverable, have verified its user, and sign with ES256 or Ed25519.
#[utoipa::path(
    post, path = "/api/passkeys", tag = "Access", operation_id = "addPasskey",
    request_body = AddPasskey,
    responses(Guarded, WithBody,
        (status = 201, description = "The passkey was added.", body = PasskeyAdded),
        (status = 400, description = "The passkey does not answer the relay's challenge: `bad_passkey`; \
                                      or the body is not valid: `bad_request`.", body = ErrorBody),
        (status = 403, description = "The page has no name or was not loaded over HTTPS: \
                                      `passkey_unavailable`; or the token is a host's, or the page's \
                                      origin or the `Host` is not allowed: `forbidden`.", body = ErrorBody),
        (status = 429, description = "The token has 16 passkeys: `overloaded`; or too many wrong tokens: \
                                      `too_many_attempts`.", body = ErrorBody)),
)]
pub(in crate::http) fn add(
    app: &App,
    caller: &Caller,
    parts: &Parts,
    wanted: &AddPasskey,
) -> Result<(StatusCode, Json<PasskeyAdded>), HttpError> {
    let rp = RelyingParty::of(&parts.headers)?;
    let by = (&caller.grant, &caller.secret.token);
    let added = app.tokens.add_passkey(wanted, by, &rp, Time::from_ms(wall_ms()))?;
    app.record(added.event(caller.event(AuditKind::PasskeyAdded)));
    Ok((StatusCode::CREATED, Json(PasskeyAdded { success: true, summary: added.summary() })))
}

/// Remove a passkey
///
/// It must be of the same token, unless the caller is an administrator. Browsers that have logged in with
/// it stay logged in.
#[utoipa::path(
    delete, path = "/api/passkeys/{id}", tag = "Access", operation_id = "removePasskey",
    params(("id" = String, Path, description = "The passkey's id.")),
    responses(Guarded,
        (status = 200, description = "The passkey is gone.", body = Done),
        (status = 404, description = "The caller sees no such passkey: `not_found`.", body = ErrorBody)),
)]
pub(in crate::http) fn remove(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<Json<Done>, HttpError> {
    let removed = app.tokens.remove_passkey(id, (&caller.grant, &caller.secret.token))?;
    app.record(removed.event(caller.event(AuditKind::PasskeyRemoved)));
    Ok(Json(Done { success: true }))
}

/// Begin to log in by a passkey
///
/// The answer is for `PublicKeyCredential.parseRequestOptionsFromJSON`. Its challenge can be answered once,
/// within five minutes.
#[utoipa::path(
    post, path = "/api/login/passkey/challenge", tag = "Access", operation_id = "passkeyLogin",
    security(()),
    responses(Open,
        (status = 200, description = "What the browser needs.", body = PasskeyRequest),
        (status = 403, description = "The page has no name or was not loaded over HTTPS: \
                                      `passkey_unavailable`; or the page's origin or the `Host` is not \
                                      allowed: `forbidden`.", body = ErrorBody)),
)]
pub(in crate::http) fn ask(app: &App, parts: &Parts) -> Result<Json<PasskeyRequest>, HttpError> {
    let rp = RelyingParty::of(&parts.headers)?;
    let challenge = app.tokens.challenge(None, Time::from_ms(wall_ms()))?;
    Ok(Json(request(&rp, challenge)))
}

/// Log in by a passkey
///
/// Sets the cookie that `POST /api/login` sets, for the token that the passkey stands for. Refused passkeys
/// count as wrong tokens.
#[utoipa::path(
    post, path = "/api/login/passkey", tag = "Access", operation_id = "logInByPasskey",
    security(()), params(LoginQuery), request_body = LogInByPasskey,
    responses(Open, WithBody, BadQuery,
        (status = 200, description = "`Set-Cookie` sets the cookie.", body = Done,
            headers(("set-cookie" = String, description = "`moorline-<port>=…; Path=/api`"))),
        (status = 401, description = "The passkey is unknown, its token is not valid any more, or it does \
                                      not answer the relay's challenge: `passkey_refused`.", body = ErrorBody),
        (status = 403, description = "The page has no name or was not loaded over HTTPS: \
                                      `passkey_unavailable`; or the page's origin or the `Host` is not \
                                      allowed: `forbidden`.", body = ErrorBody),
        (status = 429, description = "Too many wrong tokens: `too_many_attempts`, with `Retry-After`.",
            body = ErrorBody)),
)]
pub(in crate::http) fn log_in(
    app: &App,
    parts: &Parts,
    presented: &LogInByPasskey,
) -> Result<WithCookies<Done>, HttpError> {
    let rp = RelyingParty::of(&parts.headers)?;
    let now = Time::from_ms(wall_ms());
    let passkey = app.tokens.use_passkey(presented, &rp, now)?;
    let secret = CallerSecret { token: passkey.token, cookie: None };
    let caller = app.holder(secret, parts, now).map_err(|error| {
        let is_over = error.is_wrong_token();
        if is_over { ApiError::wrong_passkey(PasskeyRefused::Unknown) } else { error }
    })?;
    let expires_at = cookie_expiry(parts.uri.query().unwrap_or_default(), &caller.grant, now)?;
    let secret = app.tokens.issue_cookie(&passkey.token, now, expires_at);
    let secret = secret.map_err(|error| ApiError::internal(&error))?;
    app.record(passkey.event(caller.event(AuditKind::LoggedIn)));
    let cookies = cookie::set(&parts.headers, &secret, expires_at - now);
    Ok(with_cookies(cookies, Done { success: true }))
}
