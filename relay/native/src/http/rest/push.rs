//! `/api/push`: notices for browsers whose pages are closed. See [`crate::push`].

use axum::Json;
use axum::http::StatusCode;
use moorline_core::api::responses::{Guarded, WithBody};
use moorline_core::auth::Access;
use moorline_shared::rest::{Done, ErrorBody, PushKey, PushSubscribed, SubscribePush};

use crate::http::App;
use crate::http::error::{ApiError, HttpError};
use crate::http::extract::Caller;

/// Get the key with which a browser subscribes to notices
///
/// The key is made when it is first asked for.
#[utoipa::path(
    get, path = "/api/push", tag = "Notices", operation_id = "pushKey",
    responses(Guarded,
        (status = 200, description = "The key, or null if the relay sends no notices.", body = PushKey)),
)]
pub(in crate::http) fn key(app: &App) -> Result<Json<PushKey>, HttpError> {
    Ok(Json(PushKey { public_key: Some(app.push.public_key()?.to_owned()) }))
}

/// Subscribe a browser to notices
///
/// It is told of each question of the sessions that the token can read, for as long as the token is valid. A
/// subscription with the same endpoint is replaced.
#[utoipa::path(
    post, path = "/api/push/subscriptions", tag = "Notices", operation_id = "subscribePush",
    request_body = SubscribePush,
    responses(Guarded, WithBody,
        (status = 201, description = "The subscription is kept.", body = PushSubscribed),
        (status = 400, description = "The subscription is not one, or not at a push service of a browser: \
                                      `bad_request`, `unknown_push_service`.", body = ErrorBody),
        (status = 429, description = "64 browsers are subscribed, or 8 by a token that is no admin's: `overloaded`; or too many wrong tokens: \
                                      `too_many_attempts`.", body = ErrorBody),
        (status = 404, description = "The relay sends no notices: `push_unavailable`.", body = ErrorBody)),
)]
pub(in crate::http) fn subscribe(
    app: &App,
    caller: &Caller,
    wanted: &SubscribePush,
) -> Result<(StatusCode, Json<PushSubscribed>), HttpError> {
    if caller.grant.access == Access::Host {
        return Err(ApiError::forbidden().into());
    }
    let by = (&caller.secret.token, caller.grant.access.is_admin());
    let id = app.push.subscribe(by, wanted)?;
    Ok((StatusCode::CREATED, Json(PushSubscribed { success: true, id })))
}

/// End a subscription to notices
///
/// It must be of the same token, unless the token is an admin's.
#[utoipa::path(
    delete, path = "/api/push/subscriptions/{id}", tag = "Notices", operation_id = "unsubscribePush",
    params(("id" = String, Path, description = "The subscription.")),
    responses(Guarded,
        (status = 200, description = "The subscription is gone.", body = Done),
        (status = 404, description = "The token has no such subscription: `not_found`; or the relay sends no notices: `push_unavailable`.", body = ErrorBody)),
)]
pub(in crate::http) fn unsubscribe(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<Json<Done>, HttpError> {
    let token = (!caller.grant.access.is_admin()).then_some(&caller.secret.token);
    app.push.unsubscribe(id, token)?;
    Ok(Json(Done { success: true }))
}
