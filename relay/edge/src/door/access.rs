//! Who asks.

use http::HeaderValue;
use moorline_core::api::ApiError;
use moorline_core::auth::{Access, Credential, SecretHash, fixed_token, hash_secret, presented};
use subtle::ConstantTimeEq as _;
use worker::{Request, console_error};

use super::Door;
use crate::address::asked;
use crate::asking;
use crate::internal::{Allowed, Presented, REDEEM, VERIFY, VERIFY_COOKIE};
use crate::reply::Failure;

type Result<T> = std::result::Result<T, Failure>;

/// The ticket in the address: for event streams, which browsers open without a header of ours.
pub(super) fn ticket(request: &Request) -> Option<String> {
    asked(&request.inner().url(), &["ticket"])
}

/// Who asks.
pub(super) struct Caller {
    /// What it may do.
    pub(super) access: Access,
    /// The hash of its token; of a ticket's, nothing that is one.
    pub(super) token: SecretHash,
}

impl Door {
    /// What the ticket allows, else the token that the request presents, or the cookie.
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

    /// The hash of the token that the Worker was given.
    fn own(&self) -> Option<SecretHash> {
        let own = self.env.secret("MOORLINE_TOKEN").map(|own| own.to_string()).unwrap_or_default();
        // A secret that is not set must not be one that anybody has.
        if own.is_empty() {
            return None;
        }
        let token = fixed_token(&own);
        let token = token.inspect_err(|error| {
            console_error!("the secret MOORLINE_TOKEN opens nothing: {error}")
        });
        token.ok().map(hash_secret)
    }

    async fn asked(&self, path: &str, presented: Presented) -> Result<Option<Caller>> {
        let directory = asking::directory(&self.env)?;
        match asking::ask::<Allowed>(&directory, path, &presented).await {
            Ok(Allowed { access, token }) => {
                let token = token.unwrap_or(presented.hash);
                Ok(access.parse().ok().map(|access| Caller { access, token }))
            }
            Err(Failure::Passed(answer)) if answer.status_code() == 401 => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

fn text(value: &HeaderValue) -> Option<String> {
    value.to_str().ok().map(str::to_owned)
}
