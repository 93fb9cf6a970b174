//! `/api/login`: a cookie for browsers, which cannot add a header to every request. See
//! [`moorline_core::auth::cookie`].

use moorline_core::api::ApiError;
use moorline_core::auth::{Credential, cookie, hash_secret, presented, random_secret};
use moorline_core::routes::{Matched, cookie_expiry};
use moorline_shared::rest::Done;
use moorline_shared::time::Time;
use worker::{Date, Request, Response, ResponseBuilder};

use super::Gateway;
use crate::address::query;
use crate::internal::{DROP, KEEP, Keep, Presented};
use crate::object_client;
use crate::reply::Answer;

impl Gateway {
    /// Sets a cookie in the browser, if the connection is fit for one, or renews the one that the
    /// request has.
    pub(super) async fn log_in(&self, request: &Request) -> Answer {
        let caller = self.caller(None, None).await?.caller;
        if !cookie::may_keep(&self.headers) {
            return Err(ApiError::no_cookie().into());
        }
        let now = Time::from_ms(Date::now().as_millis());
        let expires_at = cookie_expiry(query(&request.inner().url()), &caller.grant, now)?;
        let (secret, is_new) = match presented(&self.headers) {
            Some(Credential::Cookie(secret)) => (secret.to_owned(), false),
            _ => (random_secret()?, true),
        };
        let kept = Keep { hash: hash_secret(&secret), caller, expires_at, is_new };
        object_client::post(&object_client::directory(&self.env)?, KEEP, &kept).await?;
        with_cookies(&cookie::set(&self.headers, &secret, expires_at - now))
    }

    /// Clears the cookie and revokes its secret.
    pub(super) async fn log_out(&self) -> Answer {
        if let Some(Credential::Cookie(secret)) = presented(&self.headers) {
            let void = Presented {
                own: self.own(),
                from: self.from().map(str::to_owned),
                ..Presented::of(secret)
            };
            object_client::post(&object_client::directory(&self.env)?, DROP, &void).await?;
        }
        with_cookies(&cookie::clear(&self.headers))
    }

    /// Clears the cookie, and revokes the secrets of every cookie of the same token.
    pub(super) async fn log_out_everywhere(&self, matched: &Matched, request: &Request) -> Answer {
        object_client::succeeded(self.pass_on(matched, request).await?)?;
        with_cookies(&cookie::clear(&self.headers))
    }
}

pub(super) fn with_cookies(cookies: &[String]) -> Answer {
    let response: Response = ResponseBuilder::new().from_json(&Done { success: true })?;
    for cookie in cookies {
        response.headers().append("set-cookie", cookie)?;
    }
    Ok(response)
}
