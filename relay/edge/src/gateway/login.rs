//! `/api/login`: a cookie for browsers, which cannot add a header to every request. See
//! [`moorline_core::auth::cookie`].

use moorline_core::api::ApiError;
use moorline_core::auth::{Credential, cookie, hash_secret, presented, random_secret};
use moorline_core::routes::{Matched, cookie_expiry};
use moorline_shared::rest::{Done, LoggedOut};
use moorline_shared::time::Time;
use serde::Serialize;
use worker::{Date, Request, Response, ResponseBuilder};

use super::Gateway;
use crate::address::query;
use crate::internal::{KEEP, Keep, LOG_OUT, Leaving, Presented};
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
        let cookies = cookie::set(&self.headers, &secret, expires_at - now);
        with_cookies(&cookies, &Done { success: true })
    }

    /// Clears the cookie and revokes its secret, or the browser's own token.
    pub(super) async fn log_out(&self) -> Answer {
        let (secret, is_cookie) = match presented(&self.headers) {
            Some(Credential::Cookie(secret)) => (secret, true),
            Some(Credential::Token(token)) => (token, false),
            None => {
                let done = LoggedOut { success: true, revoked: false };
                return with_cookies(&cookie::clear(&self.headers), &done);
            }
        };
        let (own, from) = (self.own(), self.from().map(str::to_owned));
        let leaving =
            Leaving { presented: Presented { own, from, ..Presented::of(secret) }, is_cookie };
        let directory = object_client::directory(&self.env)?;
        let done: LoggedOut = object_client::ask(&directory, LOG_OUT, &leaving).await?;
        with_cookies(&cookie::clear(&self.headers), &done)
    }

    /// Clears the cookie, and ends the log-ins of the same person's browsers.
    pub(super) async fn log_out_everywhere(&self, matched: &Matched, request: &Request) -> Answer {
        let mut answer = object_client::succeeded(self.pass_on(matched, request).await?)?;
        let done: LoggedOut = answer.json().await?;
        with_cookies(&cookie::clear(&self.headers), &done)
    }
}

pub(super) fn with_cookies(cookies: &[String], body: &impl Serialize) -> Answer {
    let response: Response = ResponseBuilder::new().from_json(body)?;
    for cookie in cookies {
        response.headers().append("set-cookie", cookie)?;
    }
    Ok(response)
}
