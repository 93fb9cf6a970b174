//! `/api/login` and `/api/tickets`: for browsers, which cannot send a header with everything.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName};
use moorline_shared::rest::{Done, Ticket};
use moorline_shared::time::Time;

use crate::core::auth::{COOKIE, TICKET_LIFETIME, presented};
use crate::native::clock::wall_ms;
use crate::native::http::answers::{Guarded, Open};
use crate::native::http::error::ApiError;
use crate::native::http::{App, Caller};

type WithCookie = ([(HeaderName, String); 2], Json<Done>);

/// Have the browser keep the token in a cookie
///
/// The cookie is for this site alone, and scripts cannot read it.
#[utoipa::path(
    post, path = "/api/login", tag = "Access", operation_id = "logIn",
    responses(Guarded,
        (status = 200, description = "`Set-Cookie` has it.", body = Done,
            headers(("set-cookie" = String, description = "`moorline_token=…`"))),
        (status = 400, description = "The token has characters that no cookie may have: \
            `bad_request`.", body = moorline_shared::rest::ErrorBody)),
)]
pub(in crate::native::http) async fn log_in(
    _: Caller,
    headers: HeaderMap,
) -> Result<WithCookie, ApiError> {
    let token = presented(&headers).ok_or_else(ApiError::no_token)?;
    if !token.bytes().all(is_cookie_octet) {
        return Err(ApiError::bad_request("This token has characters that no cookie may have."));
    }
    // Behind a TLS proxy only the page's own address tells.
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let secure = origin.is_some_and(|origin| origin.starts_with("https://"));
    let secure = if secure { "; Secure" } else { "" };
    Ok(with_cookie(format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{secure}")))
}

/// Take the cookie away
#[utoipa::path(
    delete, path = "/api/login", tag = "Access", operation_id = "logOut", security(()),
    responses(Open,
        (status = 200, description = "`Set-Cookie` takes it away.", body = Done,
            headers(("set-cookie" = String, description = "`moorline_token=; Max-Age=0`")))),
)]
pub(in crate::native::http) async fn log_out() -> WithCookie {
    with_cookie(format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"))
}

/// Make a ticket for an event stream
///
/// `EventSource` can send no header: it brings the ticket as `?ticket=`. A ticket opens one
/// stream within 30 seconds, and allows what the token does that it was made with.
#[utoipa::path(
    post, path = "/api/tickets", tag = "Access", operation_id = "createTicket",
    responses(Guarded, (status = 200, description = "The ticket.", body = Ticket)),
)]
pub(in crate::native::http) async fn ticket(
    Caller(access): Caller,
    State(app): State<Arc<App>>,
) -> Result<([(HeaderName, &'static str); 1], Json<Ticket>), ApiError> {
    let now = Time::from_ms(wall_ms());
    let ticket = app.tickets.issue(access, now).map_err(|error| ApiError::internal(&error))?;
    let expires_in_ms = u64::try_from(TICKET_LIFETIME.as_millis()).unwrap_or(u64::MAX);
    Ok(([(CACHE_CONTROL, "no-store")], Json(Ticket { ticket, expires_in_ms })))
}

fn with_cookie(cookie: String) -> WithCookie {
    let headers = [(SET_COOKIE, cookie), (CACHE_CONTROL, "no-store".to_owned())];
    (headers, Json(Done { success: true }))
}

/// RFC 6265, section 4.1.1.
fn is_cookie_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}
