//! Error answers of requests to agents, and about approvals.

use std::fmt::Display;

use http::StatusCode;
use moorline_shared::agent::image::ImageFault;
use moorline_shared::fold::{ApprovalEntry, DecisionRefused};
use moorline_shared::id::SessionId;
use moorline_shared::limits::{AGENT_PROMPT_TOO_LARGE, ID_CHARACTERS, QUEUE_FULL};

use super::ApiError;
use crate::action::ActionRefused;
use crate::decision::DecisionUnfit;

impl ApiError {
    /// A request to the session's agent was not accepted; `why` gives the reason.
    #[must_use]
    pub fn not_accepted(why: ActionRefused, id: &SessionId) -> Self {
        let (status, code, error) = match why {
            ActionRefused::Ended => (StatusCode::CONFLICT, "session_ended", "Session has ended"),
            ActionRefused::Deleted => return Self::no_session(id.as_str()),
            ActionRefused::TooMuch => {
                (StatusCode::TOO_MANY_REQUESTS, "overloaded", "Too many requests are waiting")
            }
            ActionRefused::NotStored => {
                (StatusCode::SERVICE_UNAVAILABLE, "not_stored", "Request not stored")
            }
        };
        Self::new(status, code, error).with_message(why).of_session(id.as_str())
    }

    /// The request conflicts with the state of the session's agent. `code` is a stable code, and
    /// `message` says what to do.
    #[must_use]
    pub fn agent_conflict(code: &str, error: &str, message: impl Display, id: &SessionId) -> Self {
        Self::new(StatusCode::CONFLICT, code, error).with_message(message).of_session(id.as_str())
    }

    /// The prompt exceeds its limit.
    #[must_use]
    pub fn prompt_too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Prompt too large")
            .with_message(AGENT_PROMPT_TOO_LARGE)
    }

    /// An image of the prompt is not one that agents take. `place` counts from 0.
    #[must_use]
    pub fn bad_image(place: usize, why: ImageFault) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_image", "Image not valid")
            .with_message(format!("`images[{place}]` cannot be sent: {why}."))
    }

    /// The agent's queue is full.
    #[must_use]
    pub fn queue_full(id: &SessionId) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", "Too many prompts are queued")
            .with_message(QUEUE_FULL)
            .of_session(id.as_str())
    }

    /// The session's host is away, or has not sent everything that it has, and only that can have what
    /// the request names.
    #[must_use]
    pub fn not_known_yet(id: &SessionId) -> Self {
        let message = "The relay does not have all of the session's log yet, which its host has: \
                       try again once the host is connected.";
        Self::host_offline(message).of_session(id.as_str())
    }

    /// The turn does not exist. `turn` may be any text.
    #[must_use]
    pub fn no_turn(turn: &str, id: &SessionId) -> Self {
        let turn = &turn[..turn.floor_char_boundary(*ID_CHARACTERS.end())];
        Self::new(StatusCode::NOT_FOUND, "turn_not_found", "Turn not found")
            .with_message(format!(
                "The turn `{turn}` does not exist, or ended long ago: `GET \
                 /api/session/{id}/prompts` lists the others."
            ))
            .of_session(id.as_str())
    }

    /// The approval does not exist.
    #[must_use]
    pub fn no_approval(id: &SessionId) -> Self {
        Self::new(StatusCode::NOT_FOUND, "approval_not_found", "Approval not found")
            .with_message(format!(
                "The approval does not exist, or was decided long ago: `GET \
                 /api/session/{id}/approvals` lists the others."
            ))
            .of_session(id.as_str())
    }

    /// A decision was not recorded; `why` gives the reason.
    #[must_use]
    pub fn not_decided(why: DecisionRefused, id: &SessionId) -> Self {
        let (status, code, error, message) = match why {
            DecisionRefused::Unknown => return Self::no_approval(id),
            DecisionRefused::Decided(entry) => return Self::already_decided(entry, id),
            DecisionRefused::Expired => (
                StatusCode::GONE,
                "approval_expired",
                "Approval has expired",
                "Nobody decided in time, and whoever asked was told so.",
            ),
            DecisionRefused::Withdrawn => (
                StatusCode::GONE,
                "approval_withdrawn",
                "Approval was withdrawn",
                "Whoever asked no longer waits for a decision.",
            ),
            DecisionRefused::Digest => (
                StatusCode::CONFLICT,
                "digest_mismatch",
                "Digest does not match",
                "Read the approval again, and decide on what it shows now: `digest` must be its \
                 digest.",
            ),
            DecisionRefused::Option => (
                StatusCode::BAD_REQUEST,
                "bad_request",
                "Option not valid",
                "`optionId` must be one of the approval's options, and `approved` must match it. It \
                 can be left out if an option allows it once, or to deny.",
            ),
            DecisionRefused::NotApprovable => (
                StatusCode::BAD_REQUEST,
                "not_approvable",
                "Approval can only be denied",
                "Whoever asks offers no answer that allows it: send `approved` as false.",
            ),
        };
        Self::new(status, code, error).with_message(message).of_session(id.as_str())
    }

    /// A decision is about something that its approval does not have; `why` says what.
    #[must_use]
    pub fn decision_unfit(why: &DecisionUnfit, id: &SessionId) -> Self {
        let (status, code, error) = match why {
            DecisionUnfit::Answers(_) => {
                (StatusCode::BAD_REQUEST, "bad_answers", "Answers not valid")
            }
            DecisionUnfit::Command(_) => {
                (StatusCode::BAD_REQUEST, "bad_request", "Command cannot be changed")
            }
            DecisionUnfit::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Decision too large")
            }
        };
        Self::new(status, code, error).with_message(why).of_session(id.as_str())
    }

    fn already_decided(entry: Box<ApprovalEntry>, id: &SessionId) -> Self {
        let decision = entry.decision.as_ref();
        let by = decision.map_or("somebody", |decision| decision.by.as_str());
        let answer = if decision.is_some_and(|decision| decision.approved) { "yes" } else { "no" };
        let message = format!("{by} has decided already, and the answer was {answer}.");
        let error = "Approval is decided already";
        let mut error = Self::new(StatusCode::CONFLICT, "already_decided", error)
            .with_message(message)
            .of_session(id.as_str());
        error.body.approval = serde_json::to_value(entry).ok().map(Box::new);
        error
    }
}
