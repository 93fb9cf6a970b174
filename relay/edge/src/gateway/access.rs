//! Identifying the caller of a request.

use http::StatusCode;
use moorline_core::api::ApiError;
use moorline_core::audit::AuditRecord;
use moorline_core::auth::{Credential, Grant, SecretHash, fixed_token, hash_secret, presented};
use moorline_core::routes::{Matched, Reached, Subject};
use moorline_shared::id::{ProjectId, SessionId, WorkspaceId};
use moorline_shared::rest::AuditKind;
use subtle::ConstantTimeEq as _;
use worker::{Env, Request, console_error};

use super::Gateway;
use crate::address::asked;
use crate::internal::{
    AUDIT, Allowed, Audited, Caller, Held, Presented, REDEEM, STILL, VERIFY, VERIFY_COOKIE,
    WORKSPACE, WorkspaceFacts, WorkspaceWanted,
};
use crate::object_client;
use crate::reply::RequestFailure;

type Result<T> = std::result::Result<T, RequestFailure>;

/// The ticket in the URL's query, for event streams: browsers open them without custom headers.
pub(super) fn ticket(request: &Request) -> Option<String> {
    asked(&request.inner().url(), &["ticket"])
}

/// A caller, and what the directory says of the session that the request is about.
pub(super) struct Identified {
    /// The caller.
    pub(super) caller: Caller,
    /// The project of the session, for a caller whose access depends on it.
    pub(super) project: Option<ProjectId>,
}

impl Gateway {
    /// Identifies the caller by its ticket, if valid, else by the token or cookie that it presents.
    /// `session` is what the request is about.
    pub(super) async fn caller(
        &self,
        ticket: Option<String>,
        session: Option<SessionId>,
    ) -> Result<Identified> {
        let from = self.from().map(str::to_owned);
        if let Some(ticket) = &ticket {
            let presented =
                Presented { session: session.clone(), from: from.clone(), ..Presented::of(ticket) };
            if let Some(identified) = self.asked(REDEEM, &presented).await? {
                return Ok(identified);
            }
        }
        let own = self.own();
        let (path, presented) = match presented(&self.headers) {
            None if ticket.is_some() => return Err(ApiError::wrong_ticket().into()),
            None => return Err(ApiError::no_token().into()),
            Some(Credential::Token(token)) => {
                let token = hash_secret(token);
                if own.is_some_and(|own| own.ct_eq(&token).into()) {
                    let by_token = Caller::by_token(Grant::unstored(), token);
                    let caller = Caller { address: from, ..by_token };
                    return Ok(Identified { caller, project: None });
                }
                (VERIFY, Presented { hash: token, own: None, from: None, session: None })
            }
            Some(Credential::Cookie(secret)) => {
                (VERIFY_COOKIE, Presented { own, ..Presented::of(secret) })
            }
        };
        let identified = self.asked(path, &Presented { from, session, ..presented }).await?;
        identified.ok_or_else(|| ApiError::wrong_token().into())
    }

    /// Admits a caller to a route. The directory records a refusal.
    pub(super) async fn admitted(&self, matched: &Matched, found: &Identified) -> Result<()> {
        let (caller, route) = (&found.caller, matched.route);
        let (reached, exists) = match self.workspace(matched).await? {
            Some(WorkspaceFacts { record, reached }) => (reached, record.is_some()),
            None => (Reached { project: found.project.clone(), ..Reached::default() }, true),
        };
        let admitted = route.admit(&caller.grant.access, &matched.id, |_| reached);
        if admitted.as_ref().is_err_and(|error| error.status() == StatusCode::FORBIDDEN) {
            let record = caller.event(AuditKind::Denied);
            self.audit(record.with(format!("{} {}", route.method, route.path))).await;
        }
        admitted?;
        // Only a caller that it admits hears that there is none, as of the native relay.
        if exists { Ok(()) } else { Err(ApiError::no_workspace(&matched.id).into()) }
    }

    /// Asks the directory for the workspace that the path names, if it names one.
    async fn workspace(&self, matched: &Matched) -> Result<Option<WorkspaceFacts>> {
        if matched.route.subject != Subject::Workspace {
            return Ok(None);
        }
        let id: WorkspaceId = matched.id.parse().map_err(|_| ApiError::invalid_workspace_id())?;
        let directory = object_client::directory(&self.env)?;
        let wanted = WorkspaceWanted { id };
        Ok(Some(object_client::ask(&directory, WORKSPACE, &wanted).await?))
    }

    /// Has the directory record an event.
    async fn audit(&self, record: AuditRecord) {
        let told = async {
            let audited = Audited { records: vec![record] };
            object_client::post(&object_client::directory(&self.env)?, AUDIT, &audited).await
        };
        if let Err(failure) = told.await {
            console_error!("an audit event was not recorded: {failure}");
        }
    }

    /// Hash of the token in the Worker's secret `MOORLINE_TOKEN`, which grants admin access.
    pub(super) fn own(&self) -> Option<SecretHash> {
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

    async fn asked(&self, path: &str, presented: &Presented) -> Result<Option<Identified>> {
        let directory = object_client::directory(&self.env)?;
        match object_client::ask::<Allowed>(&directory, path, presented).await {
            Ok(Allowed { caller, project }) => Ok(Some(Identified { caller, project })),
            Err(RequestFailure::Passed(answer)) if answer.status_code() == 401 => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// Checks that a caller that was let in before may send one more request.
///
/// # Errors
/// 401 if the caller is no longer allowed what it was: access to this session, if one is named. 429 if its token is
/// used too often.
pub(super) async fn still(env: &Env, caller: &Caller, session: Option<&SessionId>) -> Result<()> {
    if !caller.can_end() {
        return Ok(());
    }
    let held = Held { session: session.cloned(), callers: vec![caller.clone()], is_request: true };
    let directory = object_client::directory(env)?;
    let callers: Vec<Option<Caller>> = object_client::ask(&directory, STILL, &held).await?;
    match callers.into_iter().next().flatten() {
        Some(_) => Ok(()),
        None => Err(ApiError::wrong_token().into()),
    }
}
