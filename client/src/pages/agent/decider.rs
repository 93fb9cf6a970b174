//! The ways in which decisions reach the relay.

use std::time::Duration;

use leptos::prelude::*;
use moorline_shared::id::{ApprovalId, SessionId};
use moorline_shared::rest::DecideApproval;

use super::state::{ConversationState, report_seen};
use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest, RequestError};
use crate::session::conversation::UserRequest;

/// The time between two attempts to reach the relay.
const RETRY: Duration = Duration::from_secs(2);

/// The progress of a decision on its way to the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DecisionProgress {
    /// The relay does not answer. The decision is sent again.
    Waiting,
    /// The relay has stored it.
    Stored,
    /// The relay has refused it, for this reason.
    Refused(String),
}

/// The way in which a decision reaches the relay.
#[derive(Clone, Copy)]
#[expect(clippy::large_enum_variant, reason = "both are handles that are copied")]
pub(super) enum Decider {
    /// Over the link of the conversation, also after an interruption.
    Conversation(ConversationState),
    /// As a request about this session. The signal is true if the page's token only reads.
    Request(PageAccess, StoredValue<SessionId>, RwSignal<bool>),
}

impl Decider {
    /// Sends a decision until the relay has stored or refused it, and calls `then` with each progress.
    /// Sends it no more once `then` returns false. The decision has a key, so it counts once.
    pub(super) fn decide(
        self,
        id: ApprovalId,
        decision: DecideApproval,
        then: impl Fn(DecisionProgress) -> bool + 'static,
    ) {
        match self {
            Self::Conversation(state) => {
                state.request(UserRequest::Decide(id, decision), move |answer| {
                    then(match answer {
                        Ok(()) => DecisionProgress::Stored,
                        Err(reason) => DecisionProgress::Refused(reason),
                    });
                });
            }
            Self::Request(access, session, _) => {
                let path = format!("/api/session/{}/approvals/{id}", session.get_value());
                send(access, ApiRequest::post(path, &decision), Box::new(then));
            }
        }
    }

    /// Returns true if this page may decide; tracked.
    pub(super) fn may_decide(self) -> bool {
        match self {
            Self::Conversation(state) => state.view.with(|view| !view.read_only),
            Self::Request(.., only_reads) => !only_reads.get(),
        }
    }

    /// Returns the decision about an approval that did not reach the relay yet; tracked. `None` where the
    /// progress of [`Decider::decide`] tells it.
    pub(super) fn unsent(self, id: &ApprovalId) -> Option<bool> {
        match self {
            Self::Conversation(state) => state.unsent_decision(id),
            Self::Request(..) => None,
        }
    }

    /// Returns the session of the question.
    pub(super) fn session(self) -> SessionId {
        match self {
            Self::Conversation(state) => state.id(),
            Self::Request(_, session, _) => session.get_value(),
        }
    }

    /// Tells the relay that a question is on the screen. Nobody minds if that fails.
    pub(super) fn seen(self, id: &ApprovalId) {
        match self {
            Self::Conversation(state) => state.seen(id),
            Self::Request(access, session, _) => {
                session.with_value(|session| report_seen(access, session, id))
            }
        }
    }
}

fn send(access: PageAccess, request: ApiRequest, then: Box<dyn Fn(DecisionProgress) -> bool>) {
    api::ask(access, request.clone(), move |answer| {
        let progress = match answer {
            Ok(_) => DecisionProgress::Stored,
            Err(RequestError::Unreachable) => DecisionProgress::Waiting,
            Err(error) => DecisionProgress::Refused(error.to_string()),
        };
        if then(progress.clone()) && progress == DecisionProgress::Waiting {
            set_timeout(move || send(access, request, then), RETRY);
        }
    });
}
