//! `/api/login`, as far as it is the same on every relay.

use std::time::Duration;

use moorline_shared::rest::LoginStatus;
use moorline_shared::time::Time;
use serde::Deserialize;

use super::{Reply, Request, View};
use crate::api::ApiError;
#[cfg(feature = "openapi")]
use crate::api::responses::Guarded;
use crate::auth::Grant;
use crate::auth::cookie::{COOKIE_LIFETIME, LONGEST_COOKIE};
use crate::rfc3339;

/// The query of `POST /api/login`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(rename_all = "camelCase", default)]
pub struct LoginQuery {
    /// Milliseconds for which the cookie is valid, at most 30 days; an hour by default.
    keep_for_ms: Option<u64>,
}

/// Returns when the cookie expires that a request with this query asks for: no later than the
/// caller's token.
///
/// # Errors
/// `bad_request`.
pub fn cookie_expiry(query: &str, grant: &Grant, now: Time) -> Result<Time, ApiError> {
    let query = serde_urlencoded::from_str::<LoginQuery>(query);
    let LoginQuery { keep_for_ms } =
        query.map_err(|error| ApiError::bad_request(format!("The query is not valid: {error}")))?;
    let lifetime = keep_for_ms.map_or(COOKIE_LIFETIME, Duration::from_millis);
    let until = now + lifetime.min(LONGEST_COOKIE);
    Ok(grant.expires_at.map_or(until, |at| at.min(until)))
}

/// Show what the caller's token allows
///
/// A page learns from it whether its cookie is valid, and whose it is.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/login", tag = "Access", operation_id = "loginStatus",
    responses(Guarded,
        (status = 200, description = "The token that the request or its cookie stands for.",
            body = LoginStatus)),
))]
pub(crate) fn status(_: &View<'_>, request: &Request) -> Result<Reply, ApiError> {
    let Grant { token_id, access, label, expires_at, .. } = request.grant.clone();
    let expires_at = expires_at.map(|at| rfc3339(at.ms));
    Ok(Reply::ok(&LoginStatus { scope: access.to_string(), token_id, label, expires_at }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_ends_with_its_token_at_the_latest() {
        let now = Time::from_ms(1000);
        let expiry = |query: &str, token: Option<u64>| {
            let grant = Grant { expires_at: token.map(Time::from_ms), ..Grant::unstored() };
            cookie_expiry(query, &grant, now).map_err(|error| error.status().as_u16())
        };
        assert_eq!(expiry("", None), Ok(now + COOKIE_LIFETIME));
        assert_eq!(expiry("keepForMs=5", None), Ok(Time::from_ms(1005)));
        assert_eq!(expiry("keepForMs=5", Some(1002)), Ok(Time::from_ms(1002)));
        assert_eq!(expiry(&format!("keepForMs={}", u64::MAX), None), Ok(now + LONGEST_COOKIE));
        assert_eq!(expiry("keepForMs=x", None), Err(400));
    }
}
