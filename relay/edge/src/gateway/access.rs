//! Identifying the caller of a request.

use http::HeaderValue;
use moorline_core::api::ApiError;
use moorline_core::auth::{Access, Credential, SecretHash, fixed_token, hash_secret, presented};
use subtle::ConstantTimeEq as _;
use worker::{Request, console_error};

use super::Gateway;
use crate::address::asked;
use crate::internal::{Allowed, Presented, REDEEM, VERIFY, VERIFY_COOKIE};
use crate::object_client;
use crate::reply::RequestFailure;

type Result<T> = std::result::Result<T, RequestFailure>;

/// The ticket in the URL's query, for event streams: browsers open them without custom headers.
pub(super) fn ticket(request: &Request) -> Option<String> {
    asked(&request.inner().url(), &["ticket"])
}

/// An authenticated caller.
pub(super) struct Caller {
    /// Access that its credential grants.
    pub(super) access: Access,
    /// Hash of its token. For a ticket it matches no token.
    pub(super) token: SecretHash,
}

impl Gateway {
    /// Identifies the caller by its ticket, if valid, else by the token or cookie that it presents.
    pub(super) async fn caller(&self, ticket: Option<String>) -> Result<Caller> {
        if let Some(ticket) = &ticket
            && let Some(caller) = self.asked(REDEEM, Presented::of(ticket)).await?
        {
            return Ok(caller);
        }
        let own = self.own();
        let (path, presented) = match presented(&self.headers) {
            None if ticket.is_some() => return Err(ApiError::wrong_ticket().into()),
            None => return Err(ApiError::no_token().into()),
            Some(Credential::Token(token)) => {
                let token = hash_secret(token);
                if own.is_some_and(|own| own.ct_eq(&token).into()) {
                    return Ok(Caller { access: Access::Admin, token });
                }
                (VERIFY, Presented { hash: token, own: None, from: None })
            }
            Some(Credential::Cookie(secret)) => {
                (VERIFY_COOKIE, Presented { own, ..Presented::of(secret) })
            }
        };
        let from = self.headers.get("cf-connecting-ip").and_then(text);
        let caller = self.asked(path, Presented { from, ..presented }).await?;
        caller.ok_or_else(|| ApiError::wrong_token().into())
    }

    /// Hash of the token in the Worker's secret `MOORLINE_TOKEN`, which grants admin access.
    fn own(&self) -> Option<SecretHash> {
        let own = self.env.secret("MOORLINE_TOKEN").map(|own| own.to_string()).unwrap_or_default();
        // An unset secret must not match an empty token.
        if own.is_empty() {
            return None;
        }
        let token = fixed_token(&own);
        let token = token.inspect_err(|error| {
            console_error!("the secret MOORLINE_TOKEN is not a valid token: {error}")
        });
        token.ok().map(hash_secret)
    }

    async fn asked(&self, path: &str, presented: Presented) -> Result<Option<Caller>> {
        let directory = object_client::directory(&self.env)?;
        match object_client::ask::<Allowed>(&directory, path, &presented).await {
            Ok(Allowed { access, token }) => {
                let token = token.unwrap_or(presented.hash);
                Ok(access.parse().ok().map(|access| Caller { access, token }))
            }
            Err(RequestFailure::Passed(answer)) if answer.status_code() == 401 => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

fn text(value: &HeaderValue) -> Option<String> {
    value.to_str().ok().map(str::to_owned)
}
