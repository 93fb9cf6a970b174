//! The part of an agent session's state that relays keep.

use serde::{Deserialize, Serialize};

use super::approvals::ApprovalList;
use super::turns::{TurnList, turn_of};
use crate::agent::action::SessionAction;
use crate::agent::fault::AgentFault;
use crate::event::{AgentInfo, AgentQueue, AgentState, Event, EventKind};
use crate::id::{ApprovalId, Seq};

/// The phases of an agent whose process is gone: see [`AgentInfo::phase`].
const EXITED: &str = "exited";
const FAILED: &str = "failed";
/// The reason of an approval that was closed by the end of its session.
const SESSION_ENDED: &str = "The session has ended.";
/// The reason of a turn that was cut off by the end of its session.
const AGENT_EXITED: &str = "The agent has ended.";
/// The reason of an approval that was open where a session was forked.
pub const FORKED_APPROVAL: &str =
    "The session was forked while the question was open: the other session asks it.";
/// The reason of a turn that ran where a session was forked.
pub const FORKED_TURN: &str =
    "The session was forked while the turn ran, which belongs to the other session.";

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
    /// Returns true if events of this kind can change the state. Others need not be applied.
    #[must_use]
    pub const fn reads(kind: EventKind) -> bool {
        matches!(
            kind,
            EventKind::AgentState
                | EventKind::AgentInfo
                | EventKind::AgentTurn
                | EventKind::AgentQueue
                | EventKind::SessionForked
                | EventKind::ApprovalRequest
                | EventKind::ApprovalConfirmed
                | EventKind::ApprovalExpired
                | EventKind::ApprovalProgress
        )
    }

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
            EventKind::SessionForked => self.fork(),
            _ => return self.approvals.apply(seq, event),
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

    /// Records that an action is over, and that the log up to here has all that follows from it. A
    /// decision of which the log says nothing was not delivered.
    pub fn settle(&mut self, action: &SessionAction) {
        if let SessionAction::Decide { approval_id, decision } = action {
            self.approvals.undelivered(approval_id, decision);
        }
    }

    /// Records that an action will never be carried out, because the session is over.
    pub fn abandon(&mut self, action: &SessionAction, now_ms: u64) {
        match action {
            SessionAction::Decide { .. } => self.settle(action),
            action => self.turns.abandon(action, now_ms),
        }
    }

    /// Closes what the log leaves open, because the session is over: no agent is in any state now.
    pub fn end(&mut self) {
        self.state = None;
        if let Some(phase) = self.phase.as_mut().filter(|phase| *phase != FAILED) {
            *phase = EXITED.to_owned();
        }
        self.approvals.end(SESSION_ENDED);
        self.turns.end(&AgentFault::AgentExited.error(AGENT_EXITED));
    }

    /// Closes what the copied entries leave open: another process follows, which has none of it.
    fn fork(&mut self) {
        (self.state, self.phase) = (None, None);
        self.approvals.end(FORKED_APPROVAL);
        self.turns.end(&AgentFault::Forked.error(FORKED_TURN));
    }

    /// Returns the part of the state after the entry `seq` with which a fork from there begins: the
    /// approvals. The fork's host reports the turns.
    #[must_use]
    pub fn at(&self, seq: Seq) -> Self {
        Self { seq, approvals: self.approvals.at(seq), ..Self::default() }
    }

    /// Closes the approvals that have expired by this time, in milliseconds since 1970.
    pub fn expire(&mut self, now_ms: u64) {
        self.approvals.expire(now_ms);
    }

    /// Returns true if [`AgentSummary::expire`] would change something at this time.
    #[must_use]
    pub fn expires_by(&self, now_ms: u64) -> bool {
        self.approvals.is_due(now_ms)
    }

    /// Forgets everything but these approvals, because another log begins.
    pub fn begin_anew(&mut self, kept: &[ApprovalId]) {
        let mut approvals = std::mem::take(&mut self.approvals);
        approvals.keep(kept);
        *self = Self { approvals, ..Self::default() };
    }

    /// Returns true if nothing was reported, asked or queued so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { seq: _, state, phase, turns, approvals } = self;
        let is_empty = turns.entries().is_empty() && approvals.entries().is_empty();
        state.is_none() && phase.is_none() && is_empty
    }
}
