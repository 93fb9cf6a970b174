//! `/api/login`: the token in a cookie, for browsers, which cannot send a header with everything.

use http::header::ORIGIN;
use moorline_relay::core::api::ApiError;
use moorline_relay::core::auth::{COOKIE, presented};
use moorline_shared::rest::Done;
use worker::ResponseBuilder;

use super::Door;
use crate::reply::Answer;

impl Door {
    /// The cookie is for this site alone, and scripts cannot read it.
    pub(super) async fn log_in(&self) -> Answer {
        self.caller(None).await?;
        let token = presented(&self.headers).ok_or_else(ApiError::no_token)?;
        if !token.bytes().all(is_cookie_octet) {
            let why = "This token has characters that no cookie may have.";
            return Err(ApiError::bad_request(why).into());
        }
        let origin = self.headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
        let secure = origin.is_some_and(|origin| origin.starts_with("https://"));
        let secure = if secure { "; Secure" } else { "" };
        with_cookie(&format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{secure}"))
    }
}

/// Takes the cookie away.
pub(super) fn log_out() -> Answer {
    with_cookie(&format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"))
}

fn with_cookie(cookie: &str) -> Answer {
    let response = ResponseBuilder::new()
        .with_header("set-cookie", cookie)?
        .with_header("cache-control", "no-store")?;
    Ok(response.from_json(&Done { success: true })?)
}

/// RFC 6265, section 4.1.1.
fn is_cookie_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}
