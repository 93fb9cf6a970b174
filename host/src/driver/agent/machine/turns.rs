//! The turns: the queue, the one that runs, and those that may be retried.

use std::collections::VecDeque;
use std::time::Duration;

use moorline_shared::agent::fault::AgentFault;
use moorline_shared::agent::prompt::{Prompt, PromptImage, TurnError, TurnState, TurnUsage};
use moorline_shared::event::{AgentImage, AgentQueue, AgentTurn};
use moorline_shared::fold::{FORKED_TURN, TurnEntry};
use moorline_shared::id::TurnId;
use moorline_shared::limits::{AGENT_EVENT_BYTES, ENDED_TURNS, QUEUED_PROMPTS};
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};

use super::kept_prompt::KeptPrompt;
use super::outbox::{AgentOutput, Outbox};

/// Most bytes of JSON of the prompt in an event, which has other fields.
const PROMPT_BYTES: usize = AGENT_EVENT_BYTES - 8 * 1024;
/// Most bytes of the text of an image in one event, which has other fields.
const IMAGE_BYTES: usize = AGENT_EVENT_BYTES - 8 * 1024;
/// Time allowed for an agent to stop when it is asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// A prompt on its way to the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct QueuedTurn {
    pub(super) turn_id: TurnId,
    /// The prompt, with its images.
    pub(super) prompt: KeptPrompt,
    pub(super) by: String,
    pub(super) retry_of: Option<TurnId>,
    /// The message that tells the prompt, once it was sent. It is sent again, but not told again,
    /// if the agent did not take it.
    pub(super) message_id: Option<String>,
    /// A file of the prompt that is a symbolic link or behind one, so that the prompt is not sent.
    #[serde(default)]
    pub(super) linked: Option<String>,
}

impl QueuedTurn {
    /// Creates a turn whose prompt was not sent yet.
    pub(super) fn new(turn_id: TurnId, prompt: Prompt, by: String) -> Self {
        let prompt = KeptPrompt::new(prompt);
        Self { turn_id, prompt, by, retry_of: None, message_id: None, linked: None }
    }
}

/// The turn that the agent works on.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ActiveTurn {
    pub(super) turn: QueuedTurn,
    /// True while one of its questions is open.
    pub(super) is_waiting: bool,
    /// When the agent must have stopped, if it was asked to; cleared once users were told that it
    /// has not.
    stop_until: Option<Time>,
    /// True if the agent was asked to stop.
    pub(super) is_stopping: bool,
    /// True if the agent is known to have the prompt. Only version 2 of the protocol says so.
    pub(super) is_accepted: bool,
}

/// The turns of a session.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct TurnBook {
    queue: VecDeque<QueuedTurn>,
    active: Option<ActiveTurn>,
    /// The last turns that are over, oldest first, with the prompts to retry.
    ended: VecDeque<QueuedTurn>,
    /// True if the queue waits for a user, because the agent has ended meanwhile.
    is_held: bool,
}

impl TurnBook {
    /// Returns all prompts.
    pub(super) fn prompts(&self) -> impl Iterator<Item = &KeptPrompt> {
        let active = self.active.iter().map(|active| &active.turn);
        active.chain(&self.queue).chain(&self.ended).map(|turn| &turn.prompt)
    }

    /// Returns all prompts, to fill them.
    pub(super) fn prompts_mut(&mut self) -> impl Iterator<Item = &mut KeptPrompt> {
        let active = self.active.iter_mut().map(|active| &mut active.turn);
        active.chain(&mut self.queue).chain(&mut self.ended).map(|turn| &mut turn.prompt)
    }

    pub(super) fn active(&self) -> Option<&ActiveTurn> {
        self.active.as_ref()
    }

    pub(super) fn active_id(&self) -> Option<TurnId> {
        self.active.as_ref().map(|active| active.turn.turn_id.clone())
    }

    /// Makes the queue wait for a user, or go on.
    pub(super) const fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// Queues a prompt: at the front if it is meant for the turn that runs. A prompt that is known
    /// already is ignored.
    pub(super) fn queue(&mut self, turn: QueuedTurn, is_first: bool, out: &mut Outbox) {
        if self.is_known(&turn.turn_id) {
            return;
        }
        let (prompt, truncated) = shown(&turn.prompt);
        let event = AgentTurn {
            prompt: Some(prompt),
            truncated,
            by: Some(turn.by.clone()),
            retry_of: turn.retry_of.clone(),
            ..turn_event(&turn.turn_id, TurnState::Queued)
        };
        if self.queue.len() >= QUEUED_PROMPTS {
            let message = format!("{QUEUED_PROMPTS} prompts wait already: try again later.");
            let error = Some(AgentFault::QueueFull.error(message));
            out.event(&AgentTurn { state: TurnState::Failed, error, ..event });
            report_images(&turn.turn_id, &turn.prompt.images, out);
            self.forget(turn);
            return;
        }
        out.event(&event);
        report_images(&turn.turn_id, &turn.prompt.images, out);
        if is_first && !self.queue.is_empty() {
            self.queue.push_front(turn);
            self.report_order(out);
        } else {
            self.queue.push_back(turn);
        }
    }

    fn is_known(&self, id: &TurnId) -> bool {
        let is_active = self.active.as_ref().is_some_and(|active| active.turn.turn_id == *id);
        is_active || self.queue.iter().chain(&self.ended).any(|turn| turn.turn_id == *id)
    }

    /// Replaces a prompt that is queued. `linked` is as in [`QueuedTurn::linked`].
    pub(super) fn edit(
        &mut self,
        id: &TurnId,
        prompt: Prompt,
        linked: Option<String>,
        out: &mut Outbox,
    ) {
        if let Some(turn) = self.queue.iter_mut().find(|turn| turn.turn_id == *id) {
            let (shown, truncated) = shown(&prompt);
            turn.linked = linked;
            let prompt = prompt.with_data_of(&turn.prompt);
            let has_other_images = prompt.images != turn.prompt.images;
            turn.prompt = KeptPrompt::new(prompt);
            let event = turn_event(id, TurnState::Queued);
            out.event(&AgentTurn { prompt: Some(shown), truncated, ..event });
            if has_other_images {
                report_images(id, &turn.prompt.images, out);
            }
        }
    }

    /// Takes back a prompt that is queued.
    pub(super) fn withdraw(&mut self, id: &TurnId, out: &mut Outbox) {
        if let Some(place) = self.queue.iter().position(|turn| turn.turn_id == *id)
            && let Some(turn) = self.queue.remove(place)
        {
            out.event(&turn_event(id, TurnState::Withdrawn));
            self.forget(turn);
        }
    }

    /// Takes back all prompts that are queued.
    pub(super) fn withdraw_all(&mut self, out: &mut Outbox) {
        while let Some(turn) = self.queue.pop_front() {
            out.event(&turn_event(&turn.turn_id, TurnState::Withdrawn));
            self.forget(turn);
        }
    }

    /// Changes the order of the queue.
    pub(super) fn reorder(&mut self, order: &[TurnId], out: &mut Outbox) {
        let place = |turn: &QueuedTurn| order.iter().position(|id| *id == turn.turn_id);
        let queue = self.queue.make_contiguous();
        queue.sort_by_key(|turn| place(turn).unwrap_or(usize::MAX));
        self.report_order(out);
    }

    fn report_order(&self, out: &mut Outbox) {
        let order = self.queue.iter().map(|turn| turn.turn_id.clone()).collect();
        out.event(&AgentQueue { order });
    }

    /// Returns the prompt of a turn that is over.
    pub(super) fn ended(&self, id: &TurnId) -> Option<&Prompt> {
        self.ended.iter().find(|turn| turn.turn_id == *id).map(|turn| &*turn.prompt)
    }

    /// Takes the next prompt from the queue, if the agent may have it. It must then be begun or
    /// failed.
    pub(super) fn next(&mut self) -> Option<QueuedTurn> {
        let is_free = self.active.is_none() && !self.is_held;
        if is_free { self.queue.pop_front() } else { None }
    }

    /// Begins a turn.
    pub(super) fn begin(&mut self, turn: QueuedTurn, out: &mut Outbox) {
        out.event(&turn_event(&turn.turn_id, TurnState::Running));
        out.push(AgentOutput::TurnBegins { turn_id: turn.turn_id.clone() });
        self.active = Some(ActiveTurn {
            turn,
            is_waiting: false,
            stop_until: None,
            is_stopping: false,
            is_accepted: false,
        });
    }

    /// Records that the agent has the prompt of the running turn.
    pub(super) fn accept(&mut self) {
        if let Some(active) = &mut self.active {
            active.is_accepted = true;
        }
    }

    /// Fails a turn that has not begun.
    pub(super) fn fail(
        &mut self,
        turn: QueuedTurn,
        why: AgentFault,
        message: &str,
        out: &mut Outbox,
    ) {
        let error = Some(why.error(message));
        out.event(&AgentTurn { error, ..turn_event(&turn.turn_id, TurnState::Failed) });
        self.forget(turn);
    }

    /// Fails the first prompt of the queue.
    pub(super) fn fail_next(&mut self, why: AgentFault, message: &str, out: &mut Outbox) {
        if let Some(turn) = self.queue.pop_front() {
            self.fail(turn, why, message, out);
        }
    }

    /// Puts the running turn back at the front of the queue, because the agent did not take its
    /// prompt.
    pub(super) fn put_back(&mut self, out: &mut Outbox) {
        if let Some(active) = self.active.take() {
            out.event(&turn_event(&active.turn.turn_id, TurnState::Queued));
            out.push(AgentOutput::TurnOver { turn_id: active.turn.turn_id.clone() });
            self.queue.push_front(active.turn);
            self.report_order(out);
        }
    }

    /// Records whether a question of the running turn is open.
    pub(super) fn wait(&mut self, is_waiting: bool, out: &mut Outbox) {
        if let Some(active) = &mut self.active
            && active.is_waiting != is_waiting
        {
            active.is_waiting = is_waiting;
            let state = if is_waiting { TurnState::RequiresAction } else { TurnState::Running };
            out.event(&turn_event(&active.turn.turn_id, state));
        }
    }

    /// Records that the agent was asked to stop. Returns false if it was before, or nothing runs.
    pub(super) fn stop(&mut self, now: Time) -> bool {
        match &mut self.active {
            Some(active) if !active.is_stopping => {
                active.is_stopping = true;
                active.stop_until = Some(now + STOP_PATIENCE);
                true
            }
            _ => false,
        }
    }

    /// Returns the time by which the agent must have stopped.
    pub(super) fn stop_until(&self) -> Option<Time> {
        self.active.as_ref()?.stop_until
    }

    /// Returns true once if that time has come.
    pub(super) fn stops_late(&mut self, now: Time) -> bool {
        let Some(active) = &mut self.active else { return false };
        let is_late = active.stop_until.is_some_and(|until| until <= now);
        if is_late {
            active.stop_until = None;
        }
        is_late
    }

    /// Ends the running turn.
    pub(super) fn end(&mut self, end: AgentTurnEnd, out: &mut Outbox) {
        if let Some(active) = self.active.take() {
            let AgentTurnEnd { state, stop_reason, usage, error } = end;
            let event = turn_event(&active.turn.turn_id, state);
            out.event(&AgentTurn { stop_reason, usage, error, ..event });
            out.push(AgentOutput::TurnOver { turn_id: active.turn.turn_id.clone() });
            self.forget(active.turn);
        }
    }

    /// Takes over the last turns of the session that was forked, and reports them: relays do not read
    /// the turns of a copied log. A turn that was open there is over here. Those can be retried of which
    /// the host has the whole prompt: it has neither images nor what the log has only a part of.
    pub(super) fn inherit(&mut self, turns: Vec<TurnEntry>, out: &mut Outbox) {
        let older = turns.len().saturating_sub(ENDED_TURNS);
        for mut entry in turns.into_iter().skip(older) {
            if entry.state == TurnState::Queued {
                entry.state = TurnState::Withdrawn;
            } else if entry.state.is_active() {
                entry.state = TurnState::Failed;
                entry.error = Some(AgentFault::Forked.error(FORKED_TURN));
            }
            out.event(&entry.event());
            if !entry.truncated && entry.prompt.images.is_empty() {
                let by = entry.by.unwrap_or_default();
                let turn = QueuedTurn::new(entry.turn_id, entry.prompt, by);
                self.forget(QueuedTurn { retry_of: entry.retry_of, ..turn });
            }
        }
    }

    /// Keeps a turn that is over, so that it can be retried.
    fn forget(&mut self, turn: QueuedTurn) {
        self.ended.push_back(turn);
        if self.ended.len() > ENDED_TURNS {
            self.ended.pop_front();
        }
    }
}

/// The way in which a turn ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AgentTurnEnd {
    state: TurnState,
    stop_reason: Option<String>,
    usage: Option<TurnUsage>,
    error: Option<TurnError>,
}

impl AgentTurnEnd {
    /// The agent has stopped, for this reason.
    pub(super) fn stopped(reason: Option<String>) -> Self {
        let (state, error) = match reason.as_deref() {
            Some("cancelled") => (TurnState::Cancelled, None),
            Some("refusal") => {
                let message = "The agent refuses to go on with this prompt.";
                (TurnState::Failed, Some(AgentFault::Refused.error(message)))
            }
            _ => (TurnState::Done, None),
        };
        Self { state, stop_reason: reason, usage: None, error }
    }

    /// Adds the tokens that the turn has used.
    pub(super) fn with_usage(self, usage: Option<TurnUsage>) -> Self {
        Self { usage, ..self }
    }

    /// A user has stopped it.
    pub(super) fn cancelled() -> Self {
        Self { state: TurnState::Cancelled, stop_reason: None, usage: None, error: None }
    }

    /// It failed.
    pub(super) fn failed(why: AgentFault, message: String) -> Self {
        let error = Some(why.error(message));
        Self { state: TurnState::Failed, stop_reason: None, usage: None, error }
    }

    /// Returns the sentence about a failure.
    pub(super) fn message(&self) -> Option<&str> {
        self.error.as_ref().map(|error| &*error.message)
    }

    /// Returns true if the agent has stopped by itself.
    pub(super) fn is_done(&self) -> bool {
        self.state == TurnState::Done
    }

    /// Returns true if a user has stopped it.
    pub(super) fn is_cancelled(&self) -> bool {
        self.state == TurnState::Cancelled
    }
}

fn turn_event(id: &TurnId, state: TurnState) -> AgentTurn {
    AgentTurn {
        turn_id: id.clone(),
        state,
        prompt: None,
        by: None,
        stop_reason: None,
        usage: None,
        error: None,
        retry_of: None,
        truncated: false,
    }
}

/// Reports the images of a turn's prompt, in pieces that fit into events.
fn report_images(turn_id: &TurnId, all: &[PromptImage], out: &mut Outbox) {
    for (image, PromptImage { mime_type, data }) in all.iter().enumerate() {
        // Base64 has no characters of several bytes, and needs no escapes.
        let mut rest = &**data;
        for piece in 0.. {
            let (data, after) = rest.split_at(rest.floor_char_boundary(IMAGE_BYTES));
            rest = after;
            let more = !rest.is_empty();
            out.event(&AgentImage {
                turn_id: turn_id.clone(),
                image,
                images: all.len(),
                piece,
                mime_type: mime_type.clone(),
                data: data.to_owned(),
                more,
            });
            if !more {
                break;
            }
        }
    }
}

/// Returns the prompt as an event has it, and true if a part of it is missing there.
fn shown(prompt: &Prompt) -> (Prompt, bool) {
    let mut shown = prompt.without_data();
    let truncated = shown.shorten(PROMPT_BYTES);
    (shown, truncated)
}
