//! The handlers of approvals: the questions of sessions that await a person's decision.

use moorline_shared::agent::approval::ApprovalDecision;
use moorline_shared::id::ApprovalId;
use moorline_shared::rest::{ApprovalCards, DecideApproval, SessionApprovals};
#[cfg(feature = "openapi")]
use moorline_shared::{fold::ApprovalEntry, id::SessionId};
use serde::Deserialize;

use super::action_request::{ActionRequest, DecisionPlan, entry};
use super::{Asked, Reply, Request, View};
use crate::api::ApiError;
#[cfg(feature = "openapi")]
use crate::api::responses::{BadQuery, Deciding, Guarded, OfApproval, OfSession, WithBody};
use crate::session::Session;

/// The query parameters of a session's approvals.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(default)]
pub(crate) struct ApprovalQuery {
    /// `open` for those that await a decision; `all`, the default, for the last ones that do not too.
    #[cfg_attr(feature = "openapi", param(pattern = "^(open|all)$"))]
    state: Option<String>,
}

/// List the approvals of a session
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/session/{id}/approvals", tag = "Approvals", operation_id = "approvals",
    params(("id" = SessionId, Path, description = "The session."), ApprovalQuery),
    responses(Guarded, OfSession, BadQuery,
        (status = 200, description = "The approvals, oldest first.", body = SessionApprovals)),
))]
pub(crate) fn list(session: &Session, request: &Request) -> Result<Reply, ApiError> {
    let only_open = match request.query::<ApprovalQuery>()?.state.as_deref() {
        None | Some("all") => false,
        Some("open") => true,
        Some(_) => return Err(ApiError::bad_request("`state` must be `open` or `all`.")),
    };
    let view = session.agent(request.now_ms);
    let entries = view.approvals.entries().iter();
    let approvals = entries.filter(|entry| !only_open || entry.is_open(request.now_ms));
    let approvals = approvals.cloned().collect();
    Ok(Reply::ok(&SessionApprovals { session_id: session.id().clone(), approvals }))
}

/// Get an approval
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/session/{id}/approvals/{item}", tag = "Approvals", operation_id = "approval",
    params(("id" = SessionId, Path, description = "The session."), ("item" = ApprovalId, Path, description = "The approval.")),
    responses(Guarded, OfSession, OfApproval,
        (status = 200, description = "The approval.", body = ApprovalEntry)),
))]
pub(crate) fn get(session: &Session, request: &Request) -> Result<Reply, ApiError> {
    entry(session, &approval(session, request)?, request.now_ms)
}

/// Decide about an approval
///
/// The first decision counts. It is stored before it is answered, and reaches whoever asked once, even if the session's
/// host is away now; the approval's `state` tells whether it has.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/session/{id}/approvals/{item}", tag = "Approvals", operation_id = "decide",
    params(("id" = SessionId, Path, description = "The session."), ("item" = ApprovalId, Path, description = "The approval.")),
    request_body = DecideApproval,
    responses(Guarded, OfSession, WithBody, OfApproval, Deciding,
        (status = 200, description = "The decision is stored.", body = ApprovalEntry)),
))]
pub(crate) fn decide(session: &Session, request: &Request) -> Result<Asked, ApiError> {
    let wanted = request.body()?;
    let id = approval(session, request)?;
    plan_decision(wanted, id, &request.by()).map(Asked::decide)
}

/// Plans a decision.
pub(crate) fn plan_decision(
    wanted: DecideApproval,
    approval_id: ApprovalId,
    by: &str,
) -> Result<DecisionPlan, ApiError> {
    let DecideApproval { approved, option_id, custom_command, reason, answers, digest, key } =
        wanted;
    let Some(approved) = approved else {
        return Err(ApiError::bad_request("`approved` must be true or false."));
    };
    if approved && digest.is_none() {
        return Err(ApiError::bad_request(
            "To allow something, send its `digest` as the approval shows it.",
        ));
    }
    let by = by.to_owned();
    let decision =
        ApprovalDecision { approved, option_id, custom_command, reason, answers, by, at: 0, key };
    Ok(DecisionPlan { approval_id, decision, digest })
}

/// Report that an approval is on a person's screen
///
/// Other readers then see that somebody looks at it. Does nothing if the session's host is away.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/session/{id}/approvals/{item}/seen", tag = "Approvals", operation_id = "approvalSeen",
    params(("id" = SessionId, Path, description = "The session."), ("item" = ApprovalId, Path, description = "The approval.")),
    responses(Guarded, OfSession, OfApproval,
        (status = 200, description = "The approval.", body = ApprovalEntry)),
))]
pub(crate) fn seen(session: &Session, request: &Request) -> Result<Asked, ApiError> {
    let id = approval(session, request)?;
    let reply = entry(session, &id, request.now_ms)?;
    Ok(Asked::Act(Box::new(ActionRequest::see(id, request.by(), reply))))
}

/// List the open approvals of all sessions
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/approvals", tag = "Approvals", operation_id = "allApprovals",
    responses(Guarded,
        (status = 200, description = "The approvals that await a decision, oldest first.", body = ApprovalCards)),
))]
pub(crate) fn all(view: &View<'_>, request: &Request) -> Result<Reply, ApiError> {
    let approvals = view.directory.open_approvals(&request.grant.access, request.now_ms);
    Ok(Reply::ok(&ApprovalCards { approvals }))
}

fn approval(session: &Session, request: &Request) -> Result<ApprovalId, ApiError> {
    // An id that is not valid names nothing, whatever the host has.
    request.item.parse().map_err(|_| ApiError::no_approval(session.id()))
}
