//! A request that is answered once its actions are stored.

use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::agent::approval::ApprovalDecision;
use moorline_shared::fold::DecisionRefused;
use moorline_shared::id::{ApprovalId, TurnId};
use moorline_shared::rest::ActionAccepted;

use super::Reply;
use crate::action::ActionRefused;
use crate::api::ApiError;
use crate::session::{DecideError, Session};

/// Actions that a request leads to, and how it is answered.
#[derive(Debug, Clone)]
pub(crate) struct ActionPlan {
    /// The actions, in order.
    pub(crate) actions: Vec<SessionAction>,
    /// The answer, once they are stored.
    pub(crate) reply: Reply,
}

/// A decision that a request makes.
#[derive(Debug, Clone)]
pub(crate) struct DecisionPlan {
    pub(crate) approval_id: ApprovalId,
    pub(crate) decision: ApprovalDecision,
    pub(crate) digest: Option<String>,
}

#[derive(Debug)]
enum ActionStep {
    /// Nothing is accepted yet.
    Plan(ActionPlan),
    /// The actions are being stored.
    Storing(ActionNumber, Reply),
    /// The decision is not made yet.
    Decide(DecisionPlan),
    /// Somebody else's decision is being stored; then this one is compared again.
    Busy(ActionNumber, DecisionPlan),
    /// Somebody has the approval on screen.
    See(ApprovalId, String, Reply),
    /// This decision is being stored.
    Deciding(ActionNumber, ApprovalId),
    /// The answer was given.
    Over,
}

/// A request that is answered once what it asks for is stored. Call [`ActionRequest::poll`], and
/// again after each change of the session's [`action_revision`](Session::action_revision), until
/// it returns the answer. To abandon it, drop it: what was accepted stays accepted.
#[derive(Debug)]
pub struct ActionRequest {
    step: ActionStep,
}

impl ActionRequest {
    pub(crate) const fn act(plan: ActionPlan) -> Self {
        Self { step: ActionStep::Plan(plan) }
    }

    /// Returns a request that asks for nothing, and is answered at once.
    pub(crate) fn nothing() -> Self {
        let (actions, reply) = (Vec::new(), Reply::ok(&()));
        Self::act(ActionPlan { actions, reply })
    }

    pub(crate) const fn decide(plan: DecisionPlan) -> Self {
        Self { step: ActionStep::Decide(plan) }
    }

    pub(crate) const fn see(id: ApprovalId, by: String, reply: Reply) -> Self {
        Self { step: ActionStep::See(id, by, reply) }
    }

    /// Returns the answer; `None` until the session's store has answered, and once it was given.
    /// `now_ms` is the time in milliseconds since 1970.
    pub fn poll(&mut self, session: &mut Session, now_ms: u64) -> Option<Result<Reply, ApiError>> {
        loop {
            match std::mem::replace(&mut self.step, ActionStep::Over) {
                ActionStep::Over => return None,
                ActionStep::See(id, by, reply) => {
                    session.approval_seen(&id, &by, now_ms);
                    return Some(Ok(reply));
                }
                ActionStep::Plan(ActionPlan { actions, reply }) => {
                    match session.act_all(actions, now_ms) {
                        Ok(number) => self.step = ActionStep::Storing(number, reply),
                        Err(why) => return Some(Err(refused(why, session))),
                    }
                }
                ActionStep::Storing(number, reply) => match session.action_outcome(number) {
                    None => {
                        self.step = ActionStep::Storing(number, reply);
                        return None;
                    }
                    Some(Ok(())) => return Some(Ok(reply)),
                    Some(Err(why)) => return Some(Err(refused(why, session))),
                },
                ActionStep::Decide(plan) => {
                    if let Some(answer) = self.begin_decision(session, plan, now_ms) {
                        return Some(answer);
                    }
                }
                ActionStep::Busy(number, plan) => {
                    if session.action_outcome(number).is_none() {
                        self.step = ActionStep::Busy(number, plan);
                        return None;
                    }
                    self.step = ActionStep::Decide(plan);
                }
                ActionStep::Deciding(number, id) => match session.action_outcome(number) {
                    None => {
                        self.step = ActionStep::Deciding(number, id);
                        return None;
                    }
                    Some(Ok(())) => return Some(entry(session, &id, now_ms)),
                    Some(Err(why)) => return Some(Err(refused(why, session))),
                },
            }
        }
    }

    /// Makes the decision, unless it is refused or has to wait. Returns the answer, if it is known.
    fn begin_decision(
        &mut self,
        session: &mut Session,
        plan: DecisionPlan,
        now_ms: u64,
    ) -> Option<Result<Reply, ApiError>> {
        let decision = ApprovalDecision { at: now_ms, ..plan.decision.clone() };
        let id = plan.approval_id.clone();
        match session.decide(&id, decision, plan.digest.as_deref()) {
            Ok(Some(number)) => self.step = ActionStep::Deciding(number, id),
            Ok(None) => return Some(entry(session, &id, now_ms)),
            Err(DecideError::Busy(number)) => self.step = ActionStep::Busy(number, plan),
            Err(DecideError::Refused(DecisionRefused::Unknown)) => {
                return Some(Err(no_approval(session)));
            }
            Err(DecideError::Refused(why)) => {
                return Some(Err(ApiError::not_decided(why, session.id())));
            }
            Err(DecideError::Unfit(why)) => {
                return Some(Err(ApiError::decision_unfit(&why, session.id())));
            }
            Err(DecideError::Action(why)) => return Some(Err(refused(why, session))),
        }
        None
    }
}

fn refused(why: ActionRefused, session: &Session) -> ApiError {
    ApiError::not_accepted(why, session.id())
}

/// Answers with an approval.
pub(super) fn entry(session: &Session, id: &ApprovalId, now_ms: u64) -> Result<Reply, ApiError> {
    let view = session.agent(now_ms);
    let entry = view.approvals.get(id).ok_or_else(|| no_approval(session))?;
    Ok(Reply::ok(entry))
}

fn no_approval(session: &Session) -> ApiError {
    if session.may_lack_entries() {
        return ApiError::not_known_yet(session.id());
    }
    ApiError::no_approval(session.id())
}

/// Returns the answer to an action about this turn.
pub(super) fn accepted(session: &Session, turn_id: Option<TurnId>, now_ms: u64) -> Reply {
    let (success, session_id, timestamp) = (true, session.id().clone(), now_ms);
    Reply::ok(&ActionAccepted { success, session_id, turn_id, timestamp })
}
