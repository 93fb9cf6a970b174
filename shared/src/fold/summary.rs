//! The part of an agent session's state that relays keep.

use serde::{Deserialize, Serialize};

use super::approvals::ApprovalList;
use super::turns::{TurnList, turn_of};
use crate::agent::action::SessionAction;
use crate::event::{AgentInfo, AgentQueue, AgentState, Event, EventKind};
use crate::id::Seq;

/// The state that a session's agent, or one of its programs, has reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportedState {
    /// The entry that reports it.
    pub seq: Seq,
    /// When it began, in milliseconds since 1970.
    pub timestamp: u64,
    /// The state.
    #[serde(flatten)]
    pub state: AgentState,
}

/// The state, the queue and the approvals of a session. Sessions of any kind may have one: programs
/// on a terminal also report states and ask for approvals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentSummary {
    /// The last entry that was applied.
    pub seq: Seq,
    /// The last reported state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<ReportedState>,
    /// The agent's phase: see [`AgentInfo::phase`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The turns.
    pub turns: TurnList,
    /// The approvals.
    pub approvals: ApprovalList,
}

impl AgentSummary {
    /// Applies the event of the entry `seq`. Returns true if that changed anything but the
    /// position.
    pub fn apply(&mut self, seq: Seq, event: &Event) -> bool {
        if seq <= self.seq {
            return false;
        }
        self.seq = seq;
        match event.known_kind() {
            EventKind::AgentState => {
                let timestamp = event.timestamp;
                let read = event.read::<AgentState>();
                self.state = read.map(|state| ReportedState { seq, timestamp, state });
            }
            EventKind::AgentInfo => {
                let phase = event.read::<AgentInfo>().map(|info| info.phase);
                self.phase = phase.filter(|phase| !phase.is_empty()).or(self.phase.take());
            }
            EventKind::AgentTurn => {
                if let Some(turn) = turn_of(event) {
                    self.turns.turn(turn, event.timestamp);
                }
            }
            EventKind::AgentQueue => {
                if let Some(queue) = event.read::<AgentQueue>() {
                    self.turns.reorder(&queue.order);
                }
            }
            _ => return self.approvals.apply(event),
        }
        true
    }

    /// Applies an action that the host has not carried out yet, as far as it can be foreseen.
    pub fn foresee(&mut self, action: &SessionAction, now_ms: u64) {
        match action {
            SessionAction::Decide { approval_id, decision } => {
                self.approvals.decide(approval_id, decision.clone());
            }
            action => self.turns.foresee(action, now_ms),
        }
    }

    /// Returns true if nothing was reported, asked or queued so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { seq: _, state, phase, turns, approvals } = self;
        let is_empty = turns.entries().is_empty() && approvals.entries().is_empty();
        state.is_none() && phase.is_none() && is_empty
    }
}
