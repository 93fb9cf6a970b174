//! The session's agent: its state as the log reports it, and the requests of users that its host
//! has not carried out.
//!
//! Invariants:
//!
//! * *An approval is decided at most once.* [`Session::decide`] compares with the log and with every
//!   decision that waits, stored or not, and accepts only the first.
//! * *A decision is durable before it is answered or delivered*, and so is every other action:
//!   [`Session::action_outcome`] tells that it is, and only then does the host get it.
//! * *A decision is delivered exactly once, or told as undelivered.* A stored action is sent on each
//!   link until the host reports that it is over and all that follows from it is durable. The host
//!   carries out each number once. If the log then says nothing about the decision, or the session
//!   ends before, the approval is `undelivered`.
//!
//! The store has the state and the actions in one document, written in the transaction of the
//! entries that it follows from. The state may be ahead of the stored entries: the host repeats
//! these, and an entry that was applied changes nothing.

use std::borrow::Cow;
use std::collections::BTreeSet;

use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::agent::approval::{ApprovalDecision, ApprovalState};
use moorline_shared::event::{AgentPending, AgentTurn, ApprovalConfirmed, ApprovalProgress, Event};
use moorline_shared::fold::{AgentSummary, DecisionRefused, ReportedState, TurnEntry};
use moorline_shared::id::{ApprovalId, Seq};
use moorline_shared::limits::AGENT_EVENT_BYTES;
use moorline_shared::log::{Entry, Log};
use moorline_shared::publish::HostCommand;
use moorline_shared::rest::{AgentOverview, AuditKind};
use serde::{Deserialize, Serialize};

use super::Session;
use super::actions::{ActionQueue, WaitingAction};
use crate::action::ActionRefused;
use crate::audit::AuditRecord;
use crate::decision::{self, DecisionUnfit};

/// Most bytes of JSON of the turns in an `agent-pending` event, which has other fields.
const PENDING_TURNS_BYTES: usize = AGENT_EVENT_BYTES / 4 * 3;
/// The most approvals whose display is noted, so that it is reported once.
const SEEN: usize = 64;

/// The reason why a decision is not recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecideError {
    /// The approval does not await it.
    #[error(transparent)]
    Refused(#[from] DecisionRefused),
    /// It is about something that the approval does not have.
    #[error(transparent)]
    Unfit(#[from] DecisionUnfit),
    /// It is not accepted as an action.
    #[error(transparent)]
    Action(#[from] ActionRefused),
    /// Another decision is being stored: ask again once [`Session::action_outcome`] has its outcome.
    #[error("another decision is being stored")]
    Busy(ActionNumber),
}

/// The stored form of a session's agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentDocument {
    /// The state, as far as the log reports it.
    pub summary: AgentSummary,
    /// The last number that was given to an action.
    pub last: ActionNumber,
    /// The actions that the host is not known to have carried out, oldest first.
    pub waiting: Vec<WaitingAction>,
}

/// The agent of one session. Sessions of any driver may have one, as their programs may report a
/// state and ask for approvals.
#[derive(Debug, Default)]
pub(super) struct SessionAgent {
    /// Every event entry of the log, folded.
    summary: AgentSummary,
    actions: ActionQueue,
    /// The number of changes of the document. `stored` of them are in the store.
    changes: u64,
    stored: u64,
    /// The number of changes that readers may see, of the state and of what is foreseen.
    revision: u64,
    /// The number of changes of what is foreseen, and of reports that actions are stored.
    pending_revision: u64,
    outcomes: u64,
    /// Approvals whose display was reported to the host on this link.
    seen: BTreeSet<ApprovalId>,
}

impl SessionAgent {
    /// Returns the agent as it was stored, after the newest entries of the log.
    pub(super) fn restored(document: Option<AgentDocument>, newest: &Log) -> Self {
        let AgentDocument { summary, last, waiting } = document.unwrap_or_default();
        let mut agent =
            Self { summary, actions: ActionQueue::restored(last, waiting), ..Self::default() };
        for entry in newest.after(agent.summary.seq) {
            agent.apply(entry);
        }
        agent
    }

    /// Applies an entry of the log.
    pub(super) fn apply(&mut self, entry: &Entry) {
        if let Entry::Event(logged) = entry
            && AgentSummary::reads(entry.kind())
            && let Some(event) = logged.event()
            && self.summary.apply(logged.seq(), &event)
        {
            self.changed();
        }
        self.settle(entry.seq());
    }

    /// Settles the actions that the host has reported, given the log's last entry.
    fn settle(&mut self, head: Seq) {
        let settled = self.actions.settle(head);
        self.settle_all(&settled);
    }

    fn settle_all(&mut self, settled: &[SessionAction]) {
        if !settled.is_empty() {
            settled.iter().for_each(|action| self.summary.settle(action));
            self.actions_changed();
        }
    }

    fn changed(&mut self) {
        self.changes += 1;
        self.revision += 1;
    }

    fn actions_changed(&mut self) {
        self.pending_revision += 1;
        self.changed();
    }

    /// Begins anew, with a new log. Approvals stay whose decisions wait.
    pub(super) fn log_began(&mut self) {
        let settled = self.actions.log_began();
        self.settle_all(&settled);
        let decided = self.actions.open().filter_map(|waiting| match &waiting.action {
            SessionAction::Decide { approval_id, .. } => Some(approval_id.clone()),
            _ => None,
        });
        let kept: Vec<_> = decided.collect();
        self.summary.begin_anew(&kept);
        self.seen.clear();
        self.actions_changed();
    }

    /// Ends the actions: the session is over.
    pub(super) fn end(&mut self) {
        let open = self.actions.end();
        for WaitingAction { action, at_ms, .. } in &open {
            self.summary.abandon(action, *at_ms);
        }
        if !open.is_empty() {
            self.actions_changed();
        }
    }

    pub(super) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Returns a number that grows with each change that readers may see.
    pub(super) const fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns true if a request waits for the document to be stored.
    pub(super) fn is_urgent(&self) -> bool {
        self.actions.outcome(self.actions.last()).is_none()
    }

    /// Returns true if the document is to be stored with the entries up to `durable`.
    pub(super) fn is_due(&self, durable: Seq) -> bool {
        self.changes != self.stored || self.actions.forgets(self.actions.forgettable(durable))
    }

    /// Returns the document to store with the entries up to `durable`, and the action up to which
    /// all are forgotten with that.
    pub(super) fn document(&self, durable: Seq) -> (AgentDocument, ActionNumber) {
        let forgotten = self.actions.forgettable(durable);
        let (summary, last) = (self.summary.clone(), self.actions.last());
        (AgentDocument { summary, last, waiting: self.actions.to_store(forgotten) }, forgotten)
    }

    /// Records that a document is stored.
    pub(super) fn stored(&mut self, changes: u64, last: ActionNumber, forgotten: ActionNumber) {
        self.stored = changes;
        self.outcomes += u64::from(self.actions.outcome(last).is_none());
        self.actions.stored(last, forgotten);
    }

    /// Drops the actions that are not stored: whoever asked is told so.
    pub(super) fn not_stored(&mut self) {
        if self.actions.fail() {
            self.actions_changed();
        }
    }

    pub(super) fn take_due(&mut self) -> Vec<(ActionNumber, SessionAction)> {
        self.actions.take_due()
    }

    pub(super) fn link_began(&mut self) {
        self.actions.link_began();
        self.seen.clear();
    }

    pub(super) fn acted(&mut self, number: ActionNumber, seq: Seq, head: Seq) {
        self.actions.reported(number, seq);
        self.settle(head);
    }

    /// Returns the state with what is foreseen.
    fn view(&self, is_over: bool, now_ms: u64) -> Cow<'_, AgentSummary> {
        let waits = self.actions.open().next().is_some();
        if !waits && !is_over && !self.summary.expires_by(now_ms) {
            return Cow::Borrowed(&self.summary);
        }
        let mut view = self.summary.clone();
        for WaitingAction { action, at_ms, .. } in self.actions.open() {
            view.foresee(action, *at_ms);
        }
        view.expire(now_ms);
        if is_over {
            view.end();
        }
        Cow::Owned(view)
    }

    /// Returns what will follow from the actions that wait.
    fn pending(&self) -> AgentPending {
        let view = self.view(false, 0);
        let is_new = |turn: &&TurnEntry| self.summary.turns.get(&turn.turn_id) != Some(*turn);
        let turns = view.turns.entries().iter().filter(is_new).map(TurnEntry::event).collect();
        let turns = shortened(turns);
        let queue = |summary: &AgentSummary| -> Vec<_> {
            summary.turns.queued().map(|turn| turn.turn_id.clone()).collect()
        };
        let order = queue(&view);
        let order = if order == queue(&self.summary) { Vec::new() } else { order };
        let decided = self.actions.open().filter_map(|waiting| match &waiting.action {
            SessionAction::Decide { approval_id, decision } => Some((approval_id, decision)),
            _ => None,
        });
        let confirmed = |(approval_id, decision): (&ApprovalId, &ApprovalDecision)| {
            let (approved, custom_command) = (decision.approved, decision.custom_command.clone());
            let (approval_id, decision) = (approval_id.clone(), decision.clone());
            ApprovalConfirmed { approval_id, approved, custom_command, decision }
        };
        AgentPending { turns, order, approvals: decided.map(confirmed).collect() }
    }

    fn decision_of(&self, id: &ApprovalId) -> Option<ActionNumber> {
        let decides = |waiting: &&WaitingAction| match &waiting.action {
            SessionAction::Decide { approval_id, .. } => approval_id == id,
            _ => false,
        };
        self.actions.open().find(decides).map(|waiting| waiting.number)
    }
}

/// The agent, and the requests of users to it.
impl Session {
    /// Accepts an action. It is sent to the host once it is stored: see [`Session::action_outcome`].
    /// `now_ms` is the time in milliseconds since 1970.
    ///
    /// # Errors
    /// [`ActionRefused`].
    pub fn act(
        &mut self,
        action: SessionAction,
        now_ms: u64,
    ) -> Result<ActionNumber, ActionRefused> {
        self.act_all(vec![action], now_ms)
    }

    /// Accepts several actions, or none of them. Returns the number of the last.
    ///
    /// # Errors
    /// [`ActionRefused`].
    pub(crate) fn act_all(
        &mut self,
        actions: Vec<SessionAction>,
        now_ms: u64,
    ) -> Result<ActionNumber, ActionRefused> {
        if self.is_deleted() {
            return Err(ActionRefused::Deleted);
        }
        if self.lifecycle().is_over() {
            return Err(ActionRefused::Ended);
        }
        if !self.agent.actions.has_room(&actions) {
            return Err(ActionRefused::TooMuch);
        }
        for action in actions {
            self.agent.actions.push(action, now_ms);
        }
        self.agent.actions_changed();
        self.note_activity(now_ms);
        Ok(self.agent.actions.last())
    }

    /// Returns whether an accepted action is stored; `None` until that is known. The answer may
    /// change after each [`SessionInput::Stored`](super::SessionInput::Stored) and
    /// [`SessionInput::NotStored`](super::SessionInput::NotStored).
    #[must_use]
    pub fn action_outcome(&self, number: ActionNumber) -> Option<Result<(), ActionRefused>> {
        let outcome = self.agent.actions.outcome(number);
        outcome.or_else(|| self.is_deleted().then_some(Err(ActionRefused::Deleted)))
    }

    /// Records a decision, made at `decision.at`, if the approval awaits one. `digest` is the digest
    /// that the decider has seen. Returns the action that delivers it, or delivered it if the same
    /// request decided before; `None` if that was long ago.
    ///
    /// # Errors
    /// [`DecideError`].
    pub fn decide(
        &mut self,
        id: &ApprovalId,
        decision: ApprovalDecision,
        digest: Option<&str>,
    ) -> Result<Option<ActionNumber>, DecideError> {
        if self.is_deleted() {
            return Err(ActionRefused::Deleted.into());
        }
        let waiting = self.agent.decision_of(id);
        let approvals = &self.agent(decision.at).approvals;
        match approvals.check(id, &decision, digest) {
            Ok(true) => {
                let request = approvals.get(id).map(|entry| &entry.request);
                request.map_or(Ok(()), |request| decision::check(request, &decision))?;
            }
            Ok(false) => return Ok(waiting),
            // The loser is told of a decision only once it is durable.
            Err(DecisionRefused::Decided(entry)) => match waiting {
                Some(other) if self.action_outcome(other).is_none() => {
                    return Err(DecideError::Busy(other));
                }
                _ => return Err(DecisionRefused::Decided(entry).into()),
            },
            Err(refused) => return Err(refused.into()),
        }
        let (now_ms, by) = (decision.at, decision.by.clone());
        let answer = if decision.approved { "approved" } else { "denied" };
        let action = SessionAction::Decide { approval_id: id.clone(), decision };
        let number = self.act(action, now_ms)?;
        let record = AuditRecord { who: by, ..AuditRecord::nobodys(now_ms, AuditKind::Decided) };
        self.audit(record.with(format!("{answer} {id}")));
        Ok(Some(number))
    }

    /// Reports that a person has an approval on screen. Does nothing if the host is away, or the
    /// approval is not new.
    pub fn approval_seen(&mut self, id: &ApprovalId, by: &str, now_ms: u64) {
        let view = self.agent(now_ms);
        let is_new = view.approvals.get(id).is_some_and(|it| it.state == ApprovalState::Requested);
        let seen = &mut self.agent.seen;
        if is_new && self.host.is_linked() && seen.len() < SEEN && seen.insert(id.clone()) {
            let (approval_id, state) = (id.clone(), ApprovalState::Seen);
            let fields = ApprovalProgress { approval_id, state, reason: Some(by.to_owned()) };
            self.append(Event::new(self.id().clone(), now_ms, &fields));
        }
    }

    /// Returns the agent's state as users see it: as the log reports it, and as it will be once the
    /// host has carried out what waits. `now_ms` is the time in milliseconds since 1970.
    #[must_use]
    pub fn agent(&self, now_ms: u64) -> Cow<'_, AgentSummary> {
        self.agent.view(self.lifecycle().is_over(), now_ms)
    }

    /// Returns the document with which a fork from the entry `seq` begins.
    #[must_use]
    pub fn agent_at(&self, seq: Seq) -> AgentDocument {
        AgentDocument { summary: self.agent.summary.at(seq), ..AgentDocument::default() }
    }

    /// Returns the agent's state in a few words, for lists; `None` for a session without one.
    #[must_use]
    pub fn agent_overview(&self, now_ms: u64) -> Option<AgentOverview> {
        let view = self.agent(now_ms);
        let AgentSummary { seq: _, state, phase, turns, approvals } = &*view;
        let state = state.as_ref().map(|reported| reported.state.clone()).unwrap_or_default();
        let spec = self.record.agent.as_ref();
        (spec.is_some() || !view.is_empty()).then(|| AgentOverview {
            id: spec.and_then(|spec| spec.agent.clone()),
            state: Some(state.value).filter(|value| !value.is_empty()),
            tool: state.tool,
            phase: phase.clone(),
            approvals: approvals.open(now_ms).count(),
            queued: turns.queued().count(),
        })
    }

    /// Returns the state that the session's agent or program has reported last.
    pub(crate) const fn reported_state(&self) -> Option<&ReportedState> {
        self.agent.summary.state.as_ref()
    }

    /// Returns true if actions wait for the host, or to be forgotten.
    #[must_use]
    pub fn has_actions(&self) -> bool {
        !self.agent.actions.is_empty()
    }

    /// Returns what will follow from the actions that wait for the host.
    pub(crate) fn agent_pending(&self) -> AgentPending {
        self.agent.pending()
    }

    /// Returns a number that grows whenever what will follow from the actions that wait has changed.
    #[must_use]
    pub(crate) const fn pending_revision(&self) -> u64 {
        self.agent.pending_revision
    }

    /// Returns a number that grows whenever [`Session::action_outcome`], or what will follow from
    /// the actions that wait, may have changed.
    #[must_use]
    pub const fn action_revision(&self) -> u64 {
        self.agent.pending_revision + self.agent.outcomes
    }

    /// Sends the host the actions that are stored and were not sent on this link.
    pub(super) fn send_actions(&mut self) {
        if self.host.is_linked() {
            for (number, action) in self.agent.take_due() {
                self.host.command(HostCommand::Act { number, action });
            }
        }
    }
}

/// Shortens prompts until all turns together fit into one event.
fn shortened(mut turns: Vec<AgentTurn>) -> Vec<AgentTurn> {
    let mut most = PENDING_TURNS_BYTES;
    while serde_json::to_vec(&turns).map_or(0, |json| json.len()) > PENDING_TURNS_BYTES {
        most /= 2;
        for turn in &mut turns {
            turn.truncated |= turn.prompt.as_mut().is_some_and(|prompt| prompt.shorten(most));
        }
        if most == 0 {
            break;
        }
    }
    turns
}
