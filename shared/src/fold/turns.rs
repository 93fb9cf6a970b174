//! The turns of a session: those that are queued, the one that runs, and those that are over.

use serde::{Deserialize, Serialize};

use crate::agent::action::SessionAction;
use crate::agent::prompt::{Prompt, TurnError, TurnState, TurnUsage};
use crate::event::{AgentTurn, Event};
use crate::id::TurnId;
use crate::limits::ENDED_TURNS;

/// One turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TurnEntry {
    /// Its id.
    pub turn_id: TurnId,
    /// Its state.
    pub state: TurnState,
    /// The prompt, without the data of images.
    #[serde(default)]
    pub prompt: Prompt,
    /// Who sent the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it was queued, in milliseconds since 1970.
    #[serde(default)]
    pub queued_at: u64,
    /// When its state last changed, in milliseconds since 1970.
    #[serde(default)]
    pub changed_at: u64,
    /// Why the agent stopped, in its own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// The tokens used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<TurnUsage>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<TurnError>,
    /// The turn that it retries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<TurnId>,
    /// True if a part of the prompt is missing here, because it is too long for an event. The agent
    /// gets all of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// True while the session's host does not know of it yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
}

/// The turns of a session: the last ones that are over, the one that runs, then the queue, next
/// first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TurnList {
    entries: Vec<TurnEntry>,
}

impl TurnList {
    /// Returns all turns.
    #[must_use]
    pub fn entries(&self) -> &[TurnEntry] {
        &self.entries
    }

    /// Returns the turn with this id.
    #[must_use]
    pub fn get(&self, id: &TurnId) -> Option<&TurnEntry> {
        self.entries.iter().find(|turn| turn.turn_id == *id)
    }

    /// Returns the queue, next first.
    pub fn queued(&self) -> impl Iterator<Item = &TurnEntry> {
        self.entries.iter().filter(|turn| turn.state == TurnState::Queued)
    }

    /// Returns the turn that runs.
    #[must_use]
    pub fn active(&self) -> Option<&TurnEntry> {
        self.entries.iter().find(|turn| turn.state.is_active())
    }

    /// Takes over an `agent-turn` event.
    pub(super) fn turn(&mut self, turn: AgentTurn, timestamp: u64) {
        let index = self.entries.iter().position(|entry| entry.turn_id == turn.turn_id);
        let index = index.unwrap_or_else(|| {
            self.entries.push(TurnEntry::new(turn.turn_id.clone(), timestamp));
            self.entries.len() - 1
        });
        let entry = &mut self.entries[index];
        let left_queue = entry.state == TurnState::Queued && turn.state != TurnState::Queued;
        entry.update(turn, timestamp);
        if left_queue {
            // Whatever leaves the queue goes before those that stay in it.
            let entry = self.entries.remove(index);
            let first = self.entries.iter().position(|entry| entry.state == TurnState::Queued);
            self.entries.insert(first.unwrap_or(self.entries.len()), entry);
        }
        self.forget_old();
    }

    /// Puts the queued prompts into this order; those that it does not name follow.
    pub(super) fn reorder(&mut self, order: &[TurnId]) {
        let place = |turn: &TurnEntry| {
            let named = order.iter().position(|id| *id == turn.turn_id);
            let queued = turn.state == TurnState::Queued;
            (queued, if queued { named.unwrap_or(usize::MAX) } else { 0 })
        };
        self.entries.sort_by_key(place);
    }

    /// Applies an action that the host has not carried out yet, as far as it can be foreseen.
    pub(super) fn foresee(&mut self, action: &SessionAction, now_ms: u64) {
        match action {
            SessionAction::Prompt { turn_id, prompt, by, steer: _ } => {
                self.foresee_prompt(turn_id, prompt.without_data(), by, None, now_ms);
            }
            SessionAction::Retry { turn_id, new_turn_id, by } => {
                let prompt = self.get(turn_id).map(|turn| turn.prompt.clone()).unwrap_or_default();
                self.foresee_prompt(new_turn_id, prompt, by, Some(turn_id.clone()), now_ms);
            }
            SessionAction::EditPrompt { turn_id, prompt } => {
                if let Some(turn) = self.find_queued(turn_id) {
                    turn.prompt = prompt.without_data();
                }
            }
            SessionAction::Withdraw { turn_id } => {
                if let Some(turn) = self.find_queued(turn_id) {
                    turn.state = TurnState::Withdrawn;
                }
            }
            SessionAction::Reorder { order } => self.reorder(order),
            _ => {}
        }
    }

    /// Records that an action will never be carried out, because the session is over.
    pub(super) fn abandon(&mut self, action: &SessionAction, now_ms: u64) {
        self.foresee(action, now_ms);
        if let SessionAction::Prompt { turn_id, .. }
        | SessionAction::Retry { new_turn_id: turn_id, .. } = action
            && let Some(turn) = self.find_queued(turn_id)
        {
            (turn.state, turn.pending) = (TurnState::Withdrawn, false);
        }
    }

    /// Ends the turns that the log leaves open, because no agent has them any more: the one that runs
    /// has failed for this reason, and those that are queued are withdrawn.
    pub(super) fn end(&mut self, why: &TurnError) {
        for turn in &mut self.entries {
            if turn.state.is_active() {
                turn.state = TurnState::Failed;
                turn.error.get_or_insert_with(|| why.clone());
            } else if turn.state == TurnState::Queued {
                (turn.state, turn.pending) = (TurnState::Withdrawn, false);
            }
        }
    }

    fn foresee_prompt(
        &mut self,
        id: &TurnId,
        prompt: Prompt,
        by: &str,
        retry_of: Option<TurnId>,
        now_ms: u64,
    ) {
        if self.get(id).is_none() {
            let by = Some(by.to_owned());
            let turn = TurnEntry::new(id.clone(), now_ms);
            self.entries.push(TurnEntry { prompt, by, retry_of, pending: true, ..turn });
        }
    }

    fn find_queued(&mut self, id: &TurnId) -> Option<&mut TurnEntry> {
        let mut turns = self.entries.iter_mut();
        turns.find(|turn| turn.turn_id == *id && turn.state == TurnState::Queued)
    }

    fn forget_old(&mut self) {
        let over = self.entries.iter().filter(|turn| turn.state.is_over()).count();
        let mut surplus = over.saturating_sub(ENDED_TURNS);
        self.entries.retain(|turn| {
            let forgets = surplus > 0 && turn.state.is_over();
            surplus -= usize::from(forgets);
            !forgets
        });
    }
}

impl TurnEntry {
    fn new(turn_id: TurnId, now_ms: u64) -> Self {
        Self {
            turn_id,
            state: TurnState::Queued,
            prompt: Prompt::default(),
            by: None,
            queued_at: now_ms,
            changed_at: now_ms,
            stop_reason: None,
            usage: None,
            error: None,
            retry_of: None,
            truncated: false,
            pending: false,
        }
    }

    /// Takes over the fields of an event that it has.
    fn update(&mut self, turn: AgentTurn, timestamp: u64) {
        let AgentTurn { turn_id: _, state, prompt, by, stop_reason, usage, error, .. } = turn;
        let AgentTurn { retry_of, truncated, .. } = turn;
        if self.state != state {
            (self.state, self.changed_at) = (state, timestamp);
        }
        self.pending = false;
        if let Some(prompt) = prompt {
            (self.prompt, self.truncated) = (prompt, truncated);
        }
        self.by = by.or(self.by.take());
        self.stop_reason = stop_reason.or(self.stop_reason.take());
        self.usage = usage.or(self.usage);
        self.error = error.or(self.error.take());
        self.retry_of = retry_of.or(self.retry_of.take());
    }

    /// Returns the turn as an event reports it in full.
    #[must_use]
    pub fn event(&self) -> AgentTurn {
        AgentTurn {
            turn_id: self.turn_id.clone(),
            state: self.state,
            prompt: Some(self.prompt.clone()),
            by: self.by.clone(),
            stop_reason: self.stop_reason.clone(),
            usage: self.usage,
            error: self.error.clone(),
            retry_of: self.retry_of.clone(),
            truncated: self.truncated,
        }
    }
}

/// Returns the turn that an event reports.
pub(super) fn turn_of(event: &Event) -> Option<AgentTurn> {
    event.read::<AgentTurn>()
}
