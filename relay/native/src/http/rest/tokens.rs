//! `/api/tokens`, for relays that are managed without a command line.

use axum::Json;
use axum::http::StatusCode;
use moorline_shared::rest::{
    AuditKind, ChangeToken, CreateToken, Done, ErrorBody, TokenChanged, TokenCreated, TokenList,
};
use moorline_shared::time::Time;

use crate::clock::wall_ms;
use crate::http::error::{ApiError, HttpError};
use crate::http::{App, Caller};
use crate::store::TokenRecord;
use moorline_core::api::responses::{Guarded, WithBody};
use moorline_core::routes::{changed_token, new_token};

/// List all tokens, without their secrets
#[utoipa::path(
    get, path = "/api/tokens", tag = "Access", operation_id = "listTokens",
    responses(Guarded, (status = 200, description = "All tokens.", body = TokenList)),
)]
pub(in crate::http) fn list(app: &App) -> Result<Json<TokenList>, HttpError> {
    let records = app.tokens.list().map_err(|error| ApiError::internal(&error))?;
    Ok(Json(TokenList { tokens: records.into_iter().map(TokenRecord::summary).collect() }))
}

/// Make a token
///
/// Only this answer has the token's text. An admin's ticket makes one token: `moorline open` lets a
/// browser in with it.
#[utoipa::path(
    post, path = "/api/tokens", tag = "Access", operation_id = "createToken",
    security(("bearer" = []), ("cookie" = []), ("ticket" = [])),
    request_body = CreateToken,
    responses(Guarded, WithBody,
        (status = 201, description = "The token.", body = TokenCreated)),
)]
pub(in crate::http) fn create(
    app: &App,
    caller: &Caller,
    wanted: &CreateToken,
) -> Result<(StatusCode, Json<TokenCreated>), HttpError> {
    let mut made = new_token(wanted, Time::from_ms(wall_ms()))?;
    if caller.is_by_ticket() {
        made = made.for_browser_of(&caller.grant);
    }
    app.tokens.put(&made)?;
    app.record(made.record.event(&caller.event(AuditKind::Shared)));
    let created = TokenCreated { token: made.text, summary: made.record.summary() };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Change a token
///
/// Connections that it has opened are closed if its scope is another one now. They can be opened again if
/// it still allows them.
#[utoipa::path(
    patch, path = "/api/tokens/{id}", tag = "Access", operation_id = "changeToken",
    params(("id" = String, Path, description = "The token's id.")),
    request_body = ChangeToken,
    responses(Guarded, WithBody,
        (status = 200, description = "The token was changed.", body = TokenChanged),
        (status = 404, description = "The token does not exist: `not_found`.", body = ErrorBody)),
)]
pub(in crate::http) fn change(
    app: &App,
    caller: &Caller,
    id: &str,
    wanted: &ChangeToken,
) -> Result<Json<TokenChanged>, HttpError> {
    let found = app.tokens.get(id)?.ok_or_else(|| ApiError::no_token_named(id))?;
    let record = changed_token(found, wanted, Time::from_ms(wall_ms()))?;
    app.tokens.change(&record)?;
    app.leases.check();
    app.record(record.event(&caller.event(AuditKind::Changed)));
    Ok(Json(TokenChanged { success: true, summary: record.summary() }))
}

/// Revoke a token
///
/// Connections that it has opened are closed at once.
#[utoipa::path(
    delete, path = "/api/tokens/{id}", tag = "Access", operation_id = "revokeToken",
    params(("id" = String, Path, description = "The token's id.")),
    responses(Guarded,
        (status = 200, description = "The token is revoked.", body = Done),
        (status = 404, description = "The token does not exist: `not_found`.", body = ErrorBody)),
)]
pub(in crate::http) fn revoke(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<Json<Done>, HttpError> {
    let found = app.tokens.get(id).ok().flatten();
    let revoked = app.tokens.revoke(id);
    app.leases.check();
    if let (Some(record), Ok(true) | Err(_)) = (found, &revoked) {
        app.record(record.event(&caller.event(AuditKind::Revoked)));
    }
    match revoked {
        Ok(true) => Ok(Json(Done { success: true })),
        Ok(false) => Err(ApiError::no_token_named(id).into()),
        Err(error) if error.is_full() => {
            let error = format!(
                "The token is revoked only until the relay restarts: {error}, then revoke it \
                 again."
            );
            Err(ApiError::unavailable(error).into())
        }
        Err(error) => Err(error.into()),
    }
}
