//! Tokens, and the tickets and cookies that stand for them.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use moorline_core::api::ApiError;
use moorline_core::audit::AuditRecord;
use moorline_core::auth::{
    Count, Grant, SecretHash, TICKETS, USE_RECORD_INTERVAL, hash_secret, random_secret,
};
use moorline_core::record::TokenRecord;
use moorline_core::routes::{changed_token, new_token};
use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::limits::TICKET_LIFETIME;
use moorline_shared::rest::{
    AuditKind, ChangeToken, CreateToken, Done, LoggedOut, Ticket, TokenChanged, TokenCreated,
    TokenList,
};
use moorline_shared::time::Time;
use subtle::ConstantTimeEq as _;
use worker::{ResponseBuilder, console_warn};

use super::change::OBJECTS_AT_ONCE;
use super::{DirectoryState, now_ms};
use crate::internal::{Allowed, Caller, Keep, Leaving, Presented};
use crate::reply::{Answer, RequestFailure, json, nothing};

impl DirectoryState {
    /// Answers with the holder of a token.
    pub(super) fn verify(&self, presented: &Presented) -> Answer {
        match self.grant_of(&presented.hash)? {
            Some(grant) => self.allowed(Caller::by_token(grant, presented.hash), presented),
            None => Err(self.wrong(presented)),
        }
    }

    /// Answers with the holder of the token that a cookie stands for.
    pub(super) fn verify_cookie(&self, presented: &Presented) -> Answer {
        let now = now_ms();
        let token = self.with(|memory| Ok(memory.database.cookie(&presented.hash, now)?))?;
        let Some((token, expires_at)) = token else { return Err(self.wrong(presented)) };
        match self.grant_of_cookie(&token, presented)? {
            Some(grant) => {
                let cookie = (Some(presented.hash), Some(expires_at));
                let by_token = Caller::by_token(grant, token);
                let caller = Caller { cookie: cookie.0, cookie_expires_at: cookie.1, ..by_token };
                self.allowed(caller, presented)
            }
            None => Err(self.wrong(presented)),
        }
    }

    fn allowed(&self, caller: Caller, presented: &Presented) -> Answer {
        let grant = &caller.grant;
        self.count_request(grant)?;
        self.note_use(grant)?;
        let project = match &presented.session {
            Some(session) if grant.access.only_project().is_some() => self.project_of(session)?,
            _ => None,
        };
        let caller = Caller { address: presented.from.clone(), ..caller };
        json(StatusCode::OK, &Allowed { caller, project })
    }

    /// Stores a token's use, at most once a minute.
    pub(super) fn note_use(&self, grant: &Grant) -> Result<(), RequestFailure> {
        let Some(id) = &grant.token_id else { return Ok(()) };
        let now = now_ms();
        let is_recent = |at_ms: &u64| u128::from(now - at_ms) < USE_RECORD_INTERVAL.as_millis();
        if self.used.borrow().get(id).is_some_and(is_recent) {
            return Ok(());
        }
        self.used.borrow_mut().insert(id.clone(), now);
        self.with(|memory| Ok(memory.database.use_token(id, now)?))
    }

    pub(super) fn project_of(
        &self,
        session: &SessionId,
    ) -> Result<Option<ProjectId>, RequestFailure> {
        self.ask(|it| Ok(it.record(session).and_then(|record| record.project.clone())))
    }

    /// What the token of a cookie gives now, which may be the Worker's own.
    pub(super) fn grant_of_cookie(
        &self,
        token: &SecretHash,
        presented: &Presented,
    ) -> Result<Option<Grant>, RequestFailure> {
        let is_own = presented.own.is_some_and(|own| own.ct_eq(token).into());
        if is_own { Ok(Some(Grant::unstored())) } else { self.grant_of(token) }
    }

    /// What a stored token gives now.
    fn grant_of(&self, token: &SecretHash) -> Result<Option<Grant>, RequestFailure> {
        let found = self.with(|memory| Ok(memory.database.token_by_hash(token)?))?;
        Ok(found.and_then(|found| Grant::of(found, token, Time::from_ms(now_ms()))))
    }

    /// Returns a caller with what its token and cookie give now; `None` if it is not allowed what it was. `session` is what
    /// its connection is about.
    pub(super) fn still(
        &self,
        caller: &Caller,
        session: Option<&SessionId>,
    ) -> Result<Option<Caller>, RequestFailure> {
        let mut cookie_expires_at = None;
        if let Some(cookie) = &caller.cookie {
            let found = self.with(|memory| Ok(memory.database.cookie(cookie, now_ms())?))?;
            let found = found.filter(|(token, _)| *token == caller.token);
            let Some((_, expires_at)) = found else { return Ok(None) };
            cookie_expires_at = Some(expires_at);
        }
        let now = match &caller.grant.token_id {
            // The Worker's own token does not change while the Worker runs.
            None => Some(caller.grant.clone()),
            Some(_) => self.grant_of(&caller.token)?,
        };
        let Some(now) = now.filter(|now| now.access == caller.grant.access) else {
            return Ok(None);
        };
        let reaches = match (now.access.only_project(), session) {
            (Some(_), Some(session)) => {
                now.access.scope_of(session, self.project_of(session)?.as_ref()).is_some()
            }
            _ => true,
        };
        Ok(reaches.then(|| Caller { grant: now, cookie_expires_at, ..caller.clone() }))
    }

    /// Stores a cookie with the token that it stands for, or lets it expire later.
    pub(super) async fn keep_cookie(self: &Rc<Self>, kept: &Keep) -> Answer {
        let Keep { hash, caller, expires_at, is_new } = kept;
        let (now, expires_at) = (now_ms(), expires_at.ms);
        if !is_new {
            let is_kept =
                self.with(|memory| Ok(memory.database.renew_cookie(hash, now, expires_at)?))?;
            if !is_kept {
                return Err(ApiError::wrong_token().into());
            }
            // What the cookie has opened stays open for as long.
            self.recheck_token(&caller.token).await;
            return nothing();
        }
        let token = &caller.token;
        self.with(|memory| Ok(memory.database.put_cookie(hash, token, now, expires_at)?))?;
        self.record(&caller.event(AuditKind::LoggedIn));
        nothing()
    }

    /// Deletes a browser's cookie, revokes its own token, and closes what they have opened.
    pub(super) async fn log_out(self: &Rc<Self>, leaving: &Leaving) -> Answer {
        let Leaving { presented, is_cookie } = leaving;
        let token = if *is_cookie {
            self.with(|memory| {
                let token = memory.database.cookie(&presented.hash, now_ms())?;
                memory.database.delete_cookie(&presented.hash)?;
                Ok(token.map(|(token, _)| token))
            })?
        } else {
            Some(presented.hash)
        };
        let mut revoked = false;
        if let Some(token) = token {
            // Nobody is named if the token was revoked meanwhile.
            if let Some(grant) = self.grant_of_cookie(&token, presented)? {
                let caller = Caller {
                    cookie: is_cookie.then_some(presented.hash),
                    address: presented.from.clone(),
                    ..Caller::by_token(grant, token)
                };
                self.record(&caller.event(AuditKind::LoggedOut));
                revoked = self.end_own(&caller)?;
            }
            self.recheck_token(&token).await;
            if revoked {
                self.with(|memory| Ok(memory.database.forget_token(&token)?))?;
            }
        }
        json(StatusCode::OK, &LoggedOut { success: true, revoked })
    }

    /// Revokes the caller's token if it is the browser's own. Returns true if it did. A passkey keeps the
    /// token of a cookie, but not one that the browser itself has.
    fn end_own(&self, caller: &Caller) -> Result<bool, RequestFailure> {
        let Some(id) = caller.grant.browser_token() else { return Ok(false) };
        self.with(|memory| match caller.cookie {
            Some(_) => Ok(!memory.database.end_browser_tokens(Some(id), None)?.is_empty()),
            None => Ok(memory.database.delete_token(id)?),
        })
    }

    /// Ends the log-ins of a person's browsers: deletes their cookies, revokes the tokens that are their
    /// own and have no passkeys, and closes what they have opened.
    pub(super) async fn log_out_everywhere(self: &Rc<Self>, caller: &Caller) -> Answer {
        let person = caller.grant.person();
        let (mut cut, mut ended) = self.with(|memory| {
            let cut = memory.database.delete_cookies(&caller.token, person)?;
            Ok((cut, memory.database.end_browser_tokens(None, Some(person))?))
        })?;
        if self.end_own(caller)? {
            ended.push(caller.token);
        }
        self.record(&caller.event(AuditKind::LoggedOut).with("everywhere"));
        cut.push(caller.token);
        cut.extend(&ended);
        cut.sort_unstable();
        cut.dedup();
        stream::iter(cut)
            .for_each_concurrent(OBJECTS_AT_ONCE, async |token| self.recheck_token(&token).await)
            .await;
        self.with(|memory| {
            Ok(ended.iter().try_for_each(|token| memory.database.forget_token(token))?)
        })?;
        let revoked = ended.contains(&caller.token);
        json(StatusCode::OK, &LoggedOut { success: true, revoked })
    }

    /// Counts a wrong token. An address that has sent many is told to wait.
    fn wrong(&self, presented: &Presented) -> RequestFailure {
        self.wrong_with(presented, ApiError::wrong_token())
    }

    /// [`Self::wrong`], with the answer for who need not wait.
    pub(super) fn wrong_with(&self, presented: &Presented, error: ApiError) -> RequestFailure {
        let from = presented.from.as_deref().and_then(|from| from.parse().ok());
        let from = from.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let judged = self.guesses.wrong(from, Time::from_ms(now_ms()));
        if let Some(Count { here, elsewhere }) = judged.log {
            console_warn!(
                "wrong, expired or revoked tokens from {from}: {here}, from elsewhere: {elsewhere}"
            );
            let event = AuditRecord::wrong_token(now_ms());
            self.record(&AuditRecord { address: presented.from.clone(), ..event });
        }
        match judged.wait {
            Some(wait) => ApiError::too_many_wrong_tokens(wait).into(),
            None => error.into(),
        }
    }

    pub(super) fn tokens(&self) -> Answer {
        let records = self.with(|memory| Ok(memory.database.tokens()?))?;
        json(
            StatusCode::OK,
            &TokenList { tokens: records.into_iter().map(TokenRecord::summary).collect() },
        )
    }

    pub(super) fn create_token(&self, caller: &Caller, wanted: &CreateToken) -> Answer {
        let mut made = new_token(wanted, Time::from_ms(now_ms()))?;
        if caller.is_by_ticket {
            made = made.for_browser_of(&caller.grant);
        }
        self.with(|memory| Ok(memory.database.insert_token(&made.record, &made.hash)?))?;
        self.record(&made.record.event(&caller.event(AuditKind::Shared)));
        let response = ResponseBuilder::new()
            .with_status(StatusCode::CREATED.as_u16())
            .with_header("cache-control", "no-store")?;
        let created = TokenCreated { token: made.text, summary: made.record.summary() };
        Ok(response.from_json(&created)?)
    }

    pub(super) async fn change_token(
        self: &Rc<Self>,
        caller: &Caller,
        id: &str,
        wanted: &ChangeToken,
    ) -> Answer {
        let (found, hash) = self.stored_token(id)?.ok_or_else(|| ApiError::no_token_named(id))?;
        let record = changed_token(found, wanted, Time::from_ms(now_ms()))?;
        self.with(|memory| Ok(memory.database.change_token(&record)?))?;
        self.record(&record.event(&caller.event(AuditKind::Changed)));
        self.recheck_token(&hash).await;
        json(StatusCode::OK, &TokenChanged { success: true, summary: record.summary() })
    }

    pub(super) async fn revoke_token(self: &Rc<Self>, caller: &Caller, id: &str) -> Answer {
        let (record, hash) = self.stored_token(id)?.ok_or_else(|| ApiError::no_token_named(id))?;
        self.with(|memory| Ok(memory.database.delete_token(id)?))?;
        self.record(&record.event(&caller.event(AuditKind::Revoked)));
        self.recheck_token(&hash).await;
        self.with(|memory| Ok(memory.database.forget_token(&hash)?))?;
        json(StatusCode::OK, &Done { success: true })
    }

    fn stored_token(&self, id: &str) -> Result<Option<(TokenRecord, SecretHash)>, RequestFailure> {
        self.with(|memory| {
            let Some(hash) = memory.database.token_hash(id)? else { return Ok(None) };
            let record = memory.database.tokens()?.into_iter().find(|record| record.id == id);
            Ok(record.map(|record| (record, hash)))
        })
    }

    /// Creates a single-use ticket with the caller's access.
    pub(super) fn ticket(&self, caller: &Caller) -> Answer {
        let caller = serde_json::to_string(caller).map_err(worker::Error::from)?;
        let ticket = random_secret()?;
        let expires_in_ms = u64::try_from(TICKET_LIFETIME.as_millis()).unwrap_or(u64::MAX);
        let (hash, now) = (hash_secret(&ticket), now_ms());
        let kept = self.with(|memory| {
            let expires_at = now.saturating_add(expires_in_ms);
            Ok(memory.database.put_ticket(&hash, &caller, now, expires_at, TICKETS as u64)?)
        })?;
        if !kept {
            return Err(
                ApiError::unavailable("Too many tickets are unused: try again soon.").into()
            );
        }
        let response = ResponseBuilder::new().with_header("cache-control", "no-store")?;
        Ok(response.from_json(&Ticket { ticket, expires_in_ms })?)
    }

    /// Answers with a ticket's holder, and uses the ticket up.
    pub(super) fn redeem(&self, presented: &Presented) -> Answer {
        let caller =
            self.with(|memory| Ok(memory.database.take_ticket(&presented.hash, now_ms())?))?;
        let caller = caller.and_then(|caller| serde_json::from_str::<Caller>(&caller).ok());
        let caller = caller.ok_or_else(ApiError::wrong_token)?;
        let caller = self.still(&caller, None)?.ok_or_else(ApiError::wrong_token)?;
        self.allowed(Caller { is_by_ticket: true, ..caller }, presented)
    }
}
