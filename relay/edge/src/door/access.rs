//! Who asks.

use moorline_relay::core::api::ApiError;
use moorline_relay::core::auth::{Access, hash_secret, presented};
use subtle::ConstantTimeEq as _;
use worker::Request;

use super::Door;
use crate::address::asked;
use crate::asking;
use crate::internal::{Allowed, Presented, REDEEM, VERIFY};
use crate::reply::Failure;

type Result<T> = std::result::Result<T, Failure>;

/// The ticket in the address: for event streams, which browsers open without a header of ours.
pub(super) fn ticket(request: &Request) -> Option<String> {
    asked(&request.inner().url(), &["ticket"])
}

impl Door {
    /// What the ticket allows, else the token that the request presents.
    pub(super) async fn caller(&self, ticket: Option<String>) -> Result<Access> {
        if let Some(ticket) = ticket
            && let Some(access) = self.asked(REDEEM, &ticket).await?
        {
            return Ok(access);
        }
        let token = presented(&self.headers).ok_or_else(ApiError::no_token)?;
        if self.is_own(token) {
            return Ok(Access::Admin);
        }
        let access = self.asked(VERIFY, token).await?;
        access.ok_or_else(|| ApiError::wrong_token().into())
    }

    /// Whether it is the token that the Worker was given.
    fn is_own(&self, token: &str) -> bool {
        let own = self.env.secret("MOORLINE_TOKEN").map(|own| own.to_string()).unwrap_or_default();
        // A secret that is not set must not be one that anybody has.
        !own.is_empty() && hash_secret(&own).ct_eq(&hash_secret(token)).into()
    }

    async fn asked(&self, path: &str, secret: &str) -> Result<Option<Access>> {
        let directory = asking::directory(&self.env)?;
        let presented = Presented { hash: hash_secret(secret) };
        match asking::ask::<Allowed>(&directory, path, &presented).await {
            Ok(allowed) => Ok(allowed.access.parse().ok()),
            Err(Failure::Passed(answer)) if answer.status_code() == 401 => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}
