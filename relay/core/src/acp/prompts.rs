//! The prompts of a client to one session, until their turns are over.

use std::collections::VecDeque;

use moorline_shared::agent::prompt::TurnState;
use moorline_shared::fold::TurnEntry;
use moorline_shared::id::{SessionId, TurnId};
use moorline_shared::message::{CancelMessage, ClientMessage, DoneMessage, PromptMessage};
use moorline_shared::rest::SendPrompt;
use moorline_shared::rpc::{RpcError, RpcId};
use serde_json::{Value, json};

use super::call::{CallPurpose, withdraw};
use super::context::AcpContext;
use super::failure::{bad_params, of_code, overloaded};
use super::link::SessionLink;
use super::outbox::AcpOutbox;
use super::view::AcpView;

/// Turns whose prompts are remembered as the client's own, so that they are not shown to it.
const OWN_TURNS: usize = 128;

/// The reasons why an agent stops, besides `end_turn`. Clients know no others.
const STOP_REASONS: [&str; 4] = ["max_tokens", "max_turn_requests", "refusal", "cancelled"];

/// The prompts of one client to one session.
#[derive(Debug, Default)]
pub(super) struct PromptBook {
    open: Vec<OpenPrompt>,
    /// The turns of which this client has sent the prompt, the latest last.
    own: VecDeque<TurnId>,
}

/// A prompt whose request is not answered.
#[derive(Debug)]
struct OpenPrompt {
    id: RpcId,
    turn_id: TurnId,
    /// The request that queues it; `None` once that is stored.
    request: Option<u64>,
    /// True once the turn was seen in the session's log.
    is_seen: bool,
    stop: StopProgress,
    /// The state of the turn when it was last asked to stop; `None` if it was not known.
    stop_tried_in: Option<TurnState>,
}

/// How far the client's wish to stop a turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StopProgress {
    Unwanted,
    Wanted,
    /// The turn is being stopped, by the request with this number.
    Stopping(u64),
    /// The prompt is being withdrawn.
    Withdrawing,
    /// The session has the request.
    Requested,
    /// It was refused: the turn was in another state. It is tried again once the state changes.
    Refused,
}

impl PromptBook {
    /// Returns the number of prompts whose turns are not over.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Returns true if the client has sent the prompt of a turn.
    pub(super) fn is_own(&self, turn: &TurnId) -> bool {
        self.own.contains(turn)
    }

    /// Forgets which prompts are the client's own, because it asks for the whole history.
    pub(super) fn forget_own(&mut self) {
        self.own.clear();
    }

    /// Sends a prompt as the turn `turn_id`.
    ///
    /// # Errors
    /// The error for the client.
    pub(super) fn send(
        &mut self,
        link: &mut SessionLink,
        id: RpcId,
        turn_id: TurnId,
        prompt: SendPrompt,
    ) -> Result<(), RpcError> {
        if self.open.iter().any(|open| open.turn_id == turn_id) {
            return Err(bad_params("A prompt with this `turnId` is not answered yet."));
        }
        let turn = turn_id.clone();
        let request = link.request(|request| {
            ClientMessage::Prompt(PromptMessage { request, turn_id: turn, prompt })
        });
        let request = request.ok_or_else(|| overloaded("Wait for the answers to your prompts."))?;
        self.own.push_back(turn_id.clone());
        if self.own.len() > OWN_TURNS {
            self.own.pop_front();
        }
        self.open.push(OpenPrompt {
            id,
            turn_id,
            request: Some(request),
            is_seen: false,
            stop: StopProgress::Unwanted,
            stop_tried_in: None,
        });
        Ok(())
    }

    /// Takes the answer to a request on the stream. Returns false if it is about something else.
    pub(super) fn done(&mut self, done: &DoneMessage, out: &mut AcpOutbox) -> bool {
        let number = done.request;
        if let Some(place) = self.open.iter().position(|open| open.request == Some(number)) {
            let Some(code) = &done.code else {
                self.open[place].request = None;
                return true;
            };
            let refused = self.open.remove(place);
            let message = done.message.as_deref().unwrap_or(code);
            out.refuse(&refused.id, of_code(code, message));
            return true;
        }
        let stops = |open: &&mut OpenPrompt| open.stop == StopProgress::Stopping(number);
        let stopped = self.open.iter_mut().find(stops);
        stopped.is_some_and(|open| {
            open.stop = StopProgress::after(done.code.is_none());
            true
        })
    }

    /// Takes the answer to a withdrawal.
    pub(super) fn withdrawn(&mut self, turn: &TurnId, is_stored: bool) {
        if let Some(open) = self.open.iter_mut().find(|open| open.turn_id == *turn) {
            open.stop = StopProgress::after(is_stored);
        }
    }

    /// Stops the turns of all prompts.
    pub(super) fn stop_all(&mut self) {
        self.open.iter_mut().for_each(OpenPrompt::want_stop);
    }

    /// Stops the turn of one prompt. Returns false if the request is not a prompt.
    pub(super) fn stop(&mut self, id: &RpcId) -> bool {
        let open = self.open.iter_mut().find(|open| open.id == *id);
        open.map(OpenPrompt::want_stop).is_some()
    }

    /// Answers the prompts whose turns are over, and stops those that the client wants to stop.
    pub(super) fn progress(
        &mut self,
        view: &AcpView,
        link: &mut SessionLink,
        context: &mut AcpContext<'_>,
        session: &SessionId,
    ) {
        self.open.retain_mut(|open| {
            let turn = view.conversation.summary.turns.get(&open.turn_id);
            let answer = match turn {
                // A turn that was seen is only forgotten long after its end.
                None if open.is_seen => Some(Ok(json!({ "stopReason": "end_turn" }))),
                turn => turn.and_then(outcome),
            };
            open.is_seen |= turn.is_some();
            if let Some(answer) = answer {
                let turn_id = &open.turn_id;
                let answer = answer.map(|mut answer| {
                    answer["_meta"] = json!({ "moorline": { "turnId": turn_id } });
                    answer
                });
                context.out.answer(&open.id, &answer);
                return false;
            }
            open.pursue_stop(turn.map(|turn| turn.state), link, context, session);
            true
        });
    }

    /// Answers the prompts that the session's log does not know, because it was read on after a
    /// gap: their turns ended in it.
    pub(super) fn after_gap(&mut self, view: &AcpView) {
        for open in &mut self.open {
            let is_pending = view.pending.turns.iter().any(|turn| turn.turn_id == open.turn_id);
            open.is_seen |= open.request.is_none() && !is_pending;
        }
    }

    /// Answers all prompts as stopped, whether or not they are.
    pub(super) fn give_up(&mut self, out: &mut AcpOutbox) {
        for open in self.open.drain(..) {
            out.answer(&open.id, &Ok(json!({ "stopReason": "cancelled" })));
        }
    }

    /// Refuses all prompts.
    pub(super) fn fail_all(&mut self, error: &RpcError, out: &mut AcpOutbox) {
        for open in self.open.drain(..) {
            out.refuse(&open.id, error.clone());
        }
    }
}

impl OpenPrompt {
    fn want_stop(&mut self) {
        if self.stop == StopProgress::Unwanted {
            self.stop = StopProgress::Wanted;
        }
    }

    fn pursue_stop(
        &mut self,
        state: Option<TurnState>,
        link: &mut SessionLink,
        context: &mut AcpContext<'_>,
        session: &SessionId,
    ) {
        let is_due = match self.stop {
            StopProgress::Wanted => true,
            StopProgress::Refused => self.stop_tried_in != state,
            _ => false,
        };
        if is_due && self.request.is_none() {
            self.stop_tried_in = state;
            let is_active = state.is_some_and(TurnState::is_active);
            self.stop = self.ask_stop(is_active, link, context, session);
        }
    }

    fn ask_stop(
        &self,
        is_active: bool,
        link: &mut SessionLink,
        context: &mut AcpContext<'_>,
        session: &SessionId,
    ) -> StopProgress {
        if is_active {
            let turn_id = Some(self.turn_id.clone());
            let stop = |request| CancelMessage { request, turn_id, force: false };
            let request = link.request(|request| ClientMessage::Cancel(stop(request)));
            return request.map_or(StopProgress::Wanted, StopProgress::Stopping);
        }
        let purpose = CallPurpose::Withdraw(session.clone(), self.turn_id.clone());
        context.calls.send(purpose, withdraw(session, &self.turn_id), context.out);
        StopProgress::Withdrawing
    }
}

impl StopProgress {
    const fn after(is_stored: bool) -> Self {
        if is_stored { Self::Requested } else { Self::Refused }
    }
}

/// Returns the answer to the prompt of a turn; `None` if the turn is not over.
fn outcome(turn: &TurnEntry) -> Option<Result<Value, RpcError>> {
    let reason = match turn.state {
        TurnState::Done => {
            let known = |word: &&str| STOP_REASONS.contains(word);
            turn.stop_reason.as_deref().filter(known).unwrap_or("end_turn")
        }
        TurnState::Cancelled | TurnState::Withdrawn => "cancelled",
        TurnState::Failed => {
            let error = turn.error.as_ref();
            let code = error.map_or("failed", |error| &error.code);
            let message = error.map_or("The turn has failed.", |error| &error.message);
            return Some(Err(of_code(code, message)));
        }
        _ => return None,
    };
    Some(Ok(json!({ "stopReason": reason })))
}
