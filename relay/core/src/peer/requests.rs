//! The requests of a client that are answered once what they ask for is stored.

use std::collections::VecDeque;

use moorline_shared::limits::STREAM_REQUESTS;
use moorline_shared::message::{
    CancelMessage, DecideMessage, DoneMessage, PromptMessage, Scope, ServerMessage,
};
use moorline_shared::rest::StopTurn;

use super::Peer;
use super::input::READ_ONLY;
use crate::api::ApiError;
use crate::routes::ActionRequest;
use crate::routes::approvals::plan_decision;
use crate::routes::prompts::{plan_prompt, plan_stop};
use crate::session::Session;

/// The requests of one client, and their answers.
#[derive(Debug, Default)]
pub(super) struct PeerRequests {
    /// Requests that wait for the store, with the time of their arrival.
    waiting: Vec<StoringRequest>,
    answers: VecDeque<DoneMessage>,
}

#[derive(Debug)]
struct StoringRequest {
    request: u64,
    action: Box<ActionRequest>,
    /// When it arrived, in milliseconds since 1970.
    wall_ms: u64,
}

impl PeerRequests {
    fn refuse(&mut self, request: u64, code: &str, message: &str) {
        let (code, message) = (Some(code.to_owned()), Some(message.to_owned()));
        // More answers at once would tell the client nothing new.
        if self.answers.len() < 2 * STREAM_REQUESTS {
            self.answers.push_back(DoneMessage { request, code, message });
        }
    }

    fn begin(&mut self, request: u64, planned: Result<ActionRequest, ApiError>, wall_ms: u64) {
        match planned {
            Err(error) => self.refuse(request, &error.body().code, error.sentence()),
            Ok(_) if self.waiting.len() >= STREAM_REQUESTS => {
                self.refuse(request, "overloaded", "Wait for the answers to earlier requests.");
            }
            Ok(action) => {
                self.waiting.push(StoringRequest { request, action: Box::new(action), wall_ms });
            }
        }
    }

    /// Returns the next answer, if one is known.
    pub(super) fn poll(&mut self, session: &mut Session) -> Option<ServerMessage> {
        for mut waiting in std::mem::take(&mut self.waiting) {
            let request = waiting.request;
            match waiting.action.poll(session, waiting.wall_ms) {
                None => self.waiting.push(waiting),
                Some(Ok(_)) => {
                    self.answers.push_back(DoneMessage { request, code: None, message: None });
                }
                Some(Err(error)) => self.refuse(request, &error.body().code, error.sentence()),
            }
        }
        self.answers.pop_front().map(ServerMessage::Done)
    }
}

impl Peer {
    pub(super) fn prompt(&mut self, session: &Session, message: PromptMessage, wall_ms: u64) {
        let PromptMessage { request, turn_id, prompt } = message;
        if !self.may_ask(request) {
            return;
        }
        let known = session.agent(wall_ms).turns.get(&turn_id).is_some();
        let planned = if known {
            // The client repeats it, as it did not get the answer.
            Ok(ActionRequest::nothing())
        } else {
            plan_prompt(session, prompt, turn_id, &self.by(), wall_ms).map(ActionRequest::act)
        };
        self.requests.begin(request, planned, wall_ms);
    }

    pub(super) fn decide(&mut self, message: DecideMessage, wall_ms: u64) {
        let DecideMessage { request, approval_id, decision } = message;
        if self.may_ask(request) {
            let planned = plan_decision(decision, approval_id, &self.by());
            self.requests.begin(request, planned.map(ActionRequest::decide), wall_ms);
        }
    }

    pub(super) fn cancel(&mut self, session: &Session, message: CancelMessage, wall_ms: u64) {
        let CancelMessage { request, turn_id, force } = message;
        if self.may_ask(request) {
            let planned = plan_stop(session, StopTurn { turn_id, force }, wall_ms);
            self.requests.begin(request, planned.map(ActionRequest::act), wall_ms);
        }
    }

    fn may_ask(&mut self, request: u64) -> bool {
        let may_write = self.terms.scope == Scope::Write;
        if !may_write {
            self.requests.refuse(request, "read_only", READ_ONLY);
        }
        may_write
    }
}
