//! Tokens and tickets.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use moorline_relay::core::api::{ApiError, check_name};
use moorline_relay::core::auth::{Access, TICKET_LIFETIME, hash_secret};
use moorline_relay::core::record::TokenRecord;
use moorline_relay::core::rfc3339;
use moorline_shared::rest::{CreateToken, Done, Ticket, TokenCreated, TokenList, TokenSummary};
use moorline_shared::time::Time;
use subtle::ConstantTimeEq as _;
use worker::{Request, ResponseBuilder};

use super::{Directory, now_ms};
use crate::internal::{ACCESS, Allowed, Presented};
use crate::reply::{Answer, json};

/// What tokens begin with, so that people and scanners know one when they see it.
const PREFIX: &str = "moor_";
/// JavaScript's largest exact number: some time after the year 280,000.
const NEVER: u64 = (1 << 53) - 1;
/// Tickets at a time.
const TICKETS: u64 = 4096;

impl Directory {
    /// What a token allows.
    pub(super) fn verify(&self, presented: &Presented) -> Answer {
        let found = self.with(|known| Ok(known.database.token_by_hash(&presented.hash)?))?;
        let found = found.ok_or_else(ApiError::wrong_token)?;
        let same: bool = found.hash.ct_eq(&presented.hash).into();
        let now = Time::from_ms(now_ms());
        if same && found.expires_at.is_none_or(|expires_at| now < expires_at) {
            json(StatusCode::OK, &Allowed { access: found.scope })
        } else {
            Err(ApiError::wrong_token().into())
        }
    }

    pub(super) fn tokens(&self) -> Answer {
        let records = self.with(|known| Ok(known.database.tokens()?))?;
        json(StatusCode::OK, &TokenList { tokens: records.into_iter().map(summary).collect() })
    }

    pub(super) fn create_token(&self, wanted: CreateToken) -> Answer {
        check_name(wanted.label.as_deref())?;
        let access: Access = wanted.scope.parse().map_err(ApiError::bad_request)?;
        let (mut secret, mut name) = ([0; 32], [0; 8]);
        getrandom::fill(&mut secret)?;
        getrandom::fill(&mut name)?;
        let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        let now = now_ms();
        let record = TokenRecord {
            id: name.iter().map(|byte| format!("{byte:02x}")).collect(),
            scope: access.to_string(),
            label: wanted.label.filter(|label| !label.is_empty()),
            created_at_ms: now,
            expires_at_ms: wanted.expires_in_ms.map(|ms| now.saturating_add(ms).min(NEVER)),
        };
        self.with(|known| Ok(known.database.insert_token(&record, &hash_secret(&token))?))?;
        let response = ResponseBuilder::new()
            .with_status(StatusCode::CREATED.as_u16())
            .with_header("cache-control", "no-store")?;
        Ok(response.from_json(&TokenCreated { token, summary: summary(record) })?)
    }

    pub(super) fn revoke_token(&self, id: &str) -> Answer {
        if self.with(|known| Ok(known.database.delete_token(id)?))? {
            json(StatusCode::OK, &Done { success: true })
        } else {
            Err(ApiError::no_token_named(id).into())
        }
    }

    /// A ticket that allows what the caller may do.
    pub(super) fn ticket(&self, request: &Request) -> Answer {
        let access = request.headers().get(ACCESS)?.unwrap_or_default();
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let ticket = URL_SAFE_NO_PAD.encode(secret);
        let expires_in_ms = u64::try_from(TICKET_LIFETIME.as_millis()).unwrap_or(u64::MAX);
        let (hash, now) = (hash_secret(&ticket), now_ms());
        let kept = self.with(|known| {
            let expires_at = now.saturating_add(expires_in_ms);
            Ok(known.database.put_ticket(&hash, &access, now, expires_at, TICKETS)?)
        })?;
        if !kept {
            return Err(ApiError::unavailable("Too many tickets wait: try again soon.").into());
        }
        let response = ResponseBuilder::new().with_header("cache-control", "no-store")?;
        Ok(response.from_json(&Ticket { ticket, expires_in_ms })?)
    }

    /// What a ticket allows, once.
    pub(super) fn redeem(&self, presented: &Presented) -> Answer {
        let access =
            self.with(|known| Ok(known.database.take_ticket(&presented.hash, now_ms())?))?;
        let access = access.ok_or_else(ApiError::wrong_token)?;
        json(StatusCode::OK, &Allowed { access })
    }
}

fn summary(record: TokenRecord) -> TokenSummary {
    TokenSummary {
        id: record.id,
        scope: record.scope,
        label: record.label,
        created_at: rfc3339(record.created_at_ms),
        expires_at: record.expires_at_ms.map(rfc3339),
    }
}
