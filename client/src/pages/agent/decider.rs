//! How decisions reach the relay.

use leptos::prelude::*;
use moorline_shared::id::{ApprovalId, SessionId};
use moorline_shared::rest::DecideApproval;

use super::state::{ConversationState, report_seen};
use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest};
use crate::session::conversation::UserRequest;

/// The way in which a decision reaches the relay.
#[derive(Clone, Copy)]
pub(super) enum Decider {
    /// Over the link of the conversation, also after an interruption.
    Conversation(ConversationState),
    /// As a request about this session.
    Request(PageAccess, StoredValue<SessionId>),
}

impl Decider {
    /// Sends a decision, and calls `then` once the relay has stored or refused it.
    pub(super) fn decide(
        self,
        id: ApprovalId,
        decision: DecideApproval,
        then: impl FnOnce(Result<(), String>) + 'static,
    ) {
        match self {
            Self::Conversation(state) => state.request(UserRequest::Decide(id, decision), then),
            Self::Request(access, session) => {
                let path = format!("/api/session/{}/approvals/{id}", session.get_value());
                api::ask(access, ApiRequest::post(path, &decision), move |answer| {
                    then(answer.map(drop).map_err(|error| error.to_string()));
                });
            }
        }
    }

    /// Tells the relay that a question is on the screen. Nobody minds if that fails.
    pub(super) fn seen(self, id: &ApprovalId) {
        match self {
            Self::Conversation(state) => state.seen(id),
            Self::Request(access, session) => {
                session.with_value(|session| report_seen(access, session, id))
            }
        }
    }
}
