//! `/api/tokens`, for relays that are managed without a command line.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use moorline_shared::rest::{CreateToken, Done, ErrorBody, TokenCreated, TokenList};
use moorline_shared::time::Time;

use crate::auth::MintError;
use crate::clock::wall_ms;
use crate::http::App;
use crate::http::error::{ApiError, HttpError};
use crate::store::TokenRecord;
use moorline_core::api::name;
use moorline_core::api::responses::{Guarded, WithBody};
use moorline_core::auth::Access;

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
    wanted: &CreateToken,
) -> Result<(StatusCode, Json<TokenCreated>), HttpError> {
    let label = name(wanted.label.as_deref())?;
    let access: Access = wanted.scope.parse().map_err(ApiError::bad_request)?;
    let now = Time::from_ms(wall_ms());
    let expires_at = wanted.expires_in_ms.map(|ms| now + Duration::from_millis(ms));
    let minted = app.tokens.mint(&access, label, now, expires_at);
    let minted = minted.map_err(|error| match error {
        MintError::Store(error) => error.into(),
        MintError::Random(_) => ApiError::internal(&error),
    })?;
    let created = TokenCreated { token: minted.token, summary: minted.record.summary() };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Revoke a token
///
/// Connections that it opened stay until they close.
#[utoipa::path(
    delete, path = "/api/tokens/{id}", tag = "Access", operation_id = "revokeToken",
    params(("id" = String, Path, description = "The token's id.")),
    responses(Guarded,
        (status = 200, description = "The token is revoked.", body = Done),
        (status = 404, description = "The token does not exist: `not_found`.", body = ErrorBody)),
)]
pub(in crate::http) fn revoke(app: &App, id: &str) -> Result<Json<Done>, HttpError> {
    match app.tokens.revoke(id) {
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
