//! Tokens, and the tickets and cookies that stand for them.

use std::net::{IpAddr, Ipv4Addr};

use http::StatusCode;
use moorline_core::api::{ApiError, name};
use moorline_core::auth::cookie::{COOKIE_LIFETIME, COOKIES};
use moorline_core::auth::{Access, Count, SecretHash, TICKETS, hash_secret, random_secret};
use moorline_core::record::TokenRecord;
use moorline_shared::limits::TICKET_LIFETIME;
use moorline_shared::rest::{CreateToken, Done, Ticket, TokenCreated, TokenList};
use moorline_shared::time::Time;
use subtle::ConstantTimeEq as _;
use worker::{Request, ResponseBuilder, console_warn};

use super::{DirectoryState, now_ms};
use crate::internal::{ACCESS, Allowed, Keep, Presented};
use crate::reply::{Answer, RequestFailure, json, nothing};

/// Prefix of every token, so that people and scanners recognize one.
const PREFIX: &str = "moor_";
/// JavaScript's largest exact integer: as a time, beyond the year 280,000.
const NEVER: u64 = (1 << 53) - 1;

impl DirectoryState {
    /// Answers with the access that a token grants.
    pub(super) fn verify(&self, presented: &Presented) -> Answer {
        match self.access_of(&presented.hash)? {
            Some(access) => json(StatusCode::OK, &Allowed { access, token: None }),
            None => Err(self.wrong(presented)),
        }
    }

    /// Answers with the access of the token that a cookie stands for.
    pub(super) fn verify_cookie(&self, presented: &Presented) -> Answer {
        let now = now_ms();
        let token = self.with(|memory| Ok(memory.database.cookie(&presented.hash, now)?))?;
        let Some(token) = token else { return Err(self.wrong(presented)) };
        let is_own = presented.own.is_some_and(|own| own.ct_eq(&token).into());
        let access = if is_own { Some(Access::Admin.to_string()) } else { self.access_of(&token)? };
        match access {
            Some(access) => json(StatusCode::OK, &Allowed { access, token: Some(token) }),
            None => Err(self.wrong(presented)),
        }
    }

    /// Stores a cookie with the token that it stands for.
    pub(super) fn keep_cookie(&self, kept: &Keep) -> Answer {
        let now = now_ms();
        let lifetime = u64::try_from(COOKIE_LIFETIME.as_millis()).unwrap_or(u64::MAX);
        let expires_at = now.saturating_add(lifetime);
        self.with(|memory| {
            Ok(memory.database.put_cookie(&kept.hash, &kept.token, now, expires_at, COOKIES)?)
        })?;
        nothing()
    }

    /// Deletes a cookie, so that it grants nothing any more.
    pub(super) fn drop_cookie(&self, presented: &Presented) -> Answer {
        self.with(|memory| Ok(memory.database.delete_cookie(&presented.hash)?))?;
        nothing()
    }

    fn access_of(&self, token: &SecretHash) -> Result<Option<String>, RequestFailure> {
        let found = self.with(|memory| Ok(memory.database.token_by_hash(token)?))?;
        let now = Time::from_ms(now_ms());
        let valid = found.filter(|found| {
            let same: bool = found.hash.ct_eq(token.as_slice()).into();
            same && found.expires_at.is_none_or(|expires_at| now < expires_at)
        });
        Ok(valid.map(|found| found.scope))
    }

    /// Counts a wrong token. An address that has sent many is told to wait.
    fn wrong(&self, presented: &Presented) -> RequestFailure {
        let from = presented.from.as_deref().and_then(|from| from.parse().ok());
        let from = from.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let judged = self.guesses.wrong(from, Time::from_ms(now_ms()));
        if let Some(Count { here, elsewhere }) = judged.log {
            console_warn!(
                "wrong, expired or revoked tokens from {from}: {here}, from elsewhere: {elsewhere}"
            );
        }
        match judged.wait {
            Some(wait) => ApiError::too_many_wrong_tokens(wait).into(),
            None => ApiError::wrong_token().into(),
        }
    }

    pub(super) fn tokens(&self) -> Answer {
        let records = self.with(|memory| Ok(memory.database.tokens()?))?;
        json(
            StatusCode::OK,
            &TokenList { tokens: records.into_iter().map(TokenRecord::summary).collect() },
        )
    }

    pub(super) fn create_token(&self, wanted: &CreateToken) -> Answer {
        let label = name(wanted.label.as_deref())?;
        let access: Access = wanted.scope.parse().map_err(ApiError::bad_request)?;
        let mut id = [0; 8];
        getrandom::fill(&mut id)?;
        let token = format!("{PREFIX}{}", random_secret()?);
        let now = now_ms();
        let record = TokenRecord {
            id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
            scope: access.to_string(),
            label,
            created_at_ms: now,
            expires_at_ms: wanted.expires_in_ms.map(|ms| now.saturating_add(ms).min(NEVER)),
        };
        self.with(|memory| Ok(memory.database.insert_token(&record, &hash_secret(&token))?))?;
        let response = ResponseBuilder::new()
            .with_status(StatusCode::CREATED.as_u16())
            .with_header("cache-control", "no-store")?;
        Ok(response.from_json(&TokenCreated { token, summary: record.summary() })?)
    }

    pub(super) fn revoke_token(&self, id: &str) -> Answer {
        if self.with(|memory| Ok(memory.database.delete_token(id)?))? {
            json(StatusCode::OK, &Done { success: true })
        } else {
            Err(ApiError::no_token_named(id).into())
        }
    }

    /// Creates a single-use ticket with the caller's access.
    pub(super) fn ticket(&self, request: &Request) -> Answer {
        let access = request.headers().get(ACCESS)?.unwrap_or_default();
        let ticket = random_secret()?;
        let expires_in_ms = u64::try_from(TICKET_LIFETIME.as_millis()).unwrap_or(u64::MAX);
        let (hash, now) = (hash_secret(&ticket), now_ms());
        let kept = self.with(|memory| {
            let expires_at = now.saturating_add(expires_in_ms);
            Ok(memory.database.put_ticket(&hash, &access, now, expires_at, TICKETS as u64)?)
        })?;
        if !kept {
            return Err(
                ApiError::unavailable("Too many tickets are unused: try again soon.").into()
            );
        }
        let response = ResponseBuilder::new().with_header("cache-control", "no-store")?;
        Ok(response.from_json(&Ticket { ticket, expires_in_ms })?)
    }

    /// Answers with a ticket's access, and uses the ticket up.
    pub(super) fn redeem(&self, presented: &Presented) -> Answer {
        let access =
            self.with(|memory| Ok(memory.database.take_ticket(&presented.hash, now_ms())?))?;
        let access = access.ok_or_else(ApiError::wrong_token)?;
        json(StatusCode::OK, &Allowed { access, token: None })
    }
}
