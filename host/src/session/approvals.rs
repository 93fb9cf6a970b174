//! The approvals of a session: carries out what [`OpenApprovals`] decides.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::agent::approval::{
    AnswerKind, ApprovalDecision, ApprovalRequest, ApprovalState,
};
use moorline_shared::agent::rule::RuleScope;
use moorline_shared::event::AgentState;
use moorline_shared::fold::Conversation;
use moorline_shared::id::ApprovalId;
use moorline_shared::limits::TOO_MANY_APPROVALS;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::{HostedState, Session};
use crate::approvals::{
    ApprovalOutput, ApprovalRecord, Asker, AskerAnswer, OpenApprovals, RuleBook, RuleContext,
    can_be_ruled, rule_of,
};
use crate::clock::wall_ms;

/// Longest sleep before the clock is read again: the machine may be suspended meanwhile.
const CLOCK_CHECK: Duration = Duration::from_secs(30);

/// Longest time that a question waits for what was said before it.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// The reason for withdrawing what a program has asked an earlier host.
const ASKER_CUT_OFF: &str = "the host was restarted, and the program that asked was cut off";

/// The approvals of a session, and the programs that wait for them.
#[derive(Debug)]
pub(super) struct HostedApprovals {
    open: OpenApprovals,
    book: Arc<RuleBook>,
    /// Where the programs that asked await the answer.
    programs: HashMap<ApprovalId, oneshot::Sender<AskerAnswer>>,
    /// The task that lets approvals expire, and when it does so, in milliseconds since 1970.
    expiry: Option<(u64, AbortHandle)>,
}

/// The approval that a program waits for. Dropping it withdraws the approval.
#[derive(Debug)]
pub(crate) struct PendingApproval {
    session: Arc<Session>,
    approval_id: ApprovalId,
    answer: oneshot::Receiver<AskerAnswer>,
}

/// The error of a session that has too much to store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionBehind;

impl HostedApprovals {
    pub(super) fn new(book: Arc<RuleBook>) -> Self {
        Self { open: OpenApprovals::default(), book, programs: HashMap::new(), expiry: None }
    }

    /// Takes the withdrawal of the driver.
    pub(super) fn withdraw(&mut self, approval_id: &ApprovalId, reason: &str) {
        self.open.withdraw(approval_id, reason);
    }

    /// Takes note that the driver has carried out an action.
    pub(super) fn acted(&mut self, number: ActionNumber) {
        self.open.acted(number);
    }

    /// Takes note of a state that the driver has reported.
    pub(super) fn state_recorded(&mut self, state: AgentState) {
        self.open.state_recorded(state);
    }
}

impl HostedState {
    /// Carries out an action of a user.
    pub(super) fn act(&mut self, number: ActionNumber, action: SessionAction) {
        match action {
            SessionAction::Decide { approval_id, decision } => {
                self.approvals.open.decide(number, &approval_id, decision);
            }
            action => {
                self.approvals.open.begin(number);
                if !self.control.act(number, action) {
                    self.approvals.open.acted(number);
                }
            }
        }
    }

    /// Answers whoever asked for an approval.
    fn answer(&mut self, asker: &Asker, approval_id: &ApprovalId, answer: AskerAnswer) {
        let is_decision = matches!(answer, AskerAnswer::Decided(_));
        let is_taken = match asker {
            Asker::Program { .. } => {
                // The program's acknowledgement follows.
                let program = self.approvals.programs.remove(approval_id);
                program.is_some_and(|program| program.send(answer).is_ok())
            }
            Asker::Driver => {
                let taken = match &answer {
                    AskerAnswer::Decided(decision) => {
                        self.control.decide(approval_id, Some(decision))
                    }
                    AskerAnswer::Expired => self.control.decide(approval_id, None),
                    AskerAnswer::TooMany => self.control.decide(approval_id, Some(&refusal())),
                    AskerAnswer::Over => true,
                };
                if is_decision && taken {
                    self.approvals.open.delivered(approval_id, true);
                }
                taken
            }
        };
        if is_decision && !is_taken {
            self.approvals.open.delivered(approval_id, false);
        }
    }
}

/// Returns the decision about an approval beyond the limit.
fn refusal() -> ApprovalDecision {
    ApprovalDecision {
        approved: false,
        reason: Some(format!("overloaded: {TOO_MANY_APPROVALS}")),
        by: "host".to_owned(),
        at: wall_ms(),
        ..ApprovalDecision::default()
    }
}

impl Session {
    /// Takes a question of the session's driver.
    pub(super) fn ask_for_driver(&self, state: &mut HostedState, request: ApprovalRequest) {
        self.open_approval(state, Asker::Driver, request);
    }

    /// Takes a question of a program in the session. `agent` is the agent that the program belongs
    /// to, by its own account. [`Session::flushed`] comes before it.
    pub(crate) fn ask(
        self: &Arc<Self>,
        agent: Option<String>,
        request: ApprovalRequest,
    ) -> PendingApproval {
        let approval_id = request.approval_id.clone();
        let (sender, answer) = oneshot::channel();
        let mut state = self.lock();
        state.approvals.programs.insert(approval_id.clone(), sender);
        self.open_approval(&mut state, Asker::Program { agent }, request);
        state.settle();
        PendingApproval { session: Arc::clone(self), approval_id, answer }
    }

    /// Waits until the log has what the session has said so far, so that a question about it comes
    /// after it. A session that waits for its relay does not keep a question back for long.
    pub(crate) async fn flushed(self: &Arc<Self>) {
        let said = self.lock().control.flush();
        let _ = timeout(FLUSH_PATIENCE, said).await;
    }

    /// Takes over the approvals that an earlier host has left open. Programs have lost the
    /// connection on which they waited.
    pub(super) fn restore_approvals(&self, state: &mut HostedState, conversation: &Conversation) {
        for entry in conversation.summary.approvals.entries() {
            if !entry.state.is_open() {
                continue;
            }
            let approval_id = &entry.request.approval_id;
            if state.control.awaits(approval_id) {
                state.approvals.open.restore(entry.request.clone());
            } else {
                let reason = Some(ASKER_CUT_OFF.to_owned());
                let (id, to) = (approval_id.clone(), ApprovalState::Withdrawn);
                self.record_progress(state, id, to, reason);
            }
        }
    }

    /// Records the state that a program in the session reports.
    ///
    /// # Errors
    /// [`SessionBehind`] if too much is not durable at the relay.
    pub(crate) fn report_state(
        self: &Arc<Self>,
        reported: AgentState,
    ) -> Result<(), SessionBehind> {
        let mut state = self.lock();
        if state.is_far_ahead() {
            return Err(SessionBehind);
        }
        state.approvals.open.report(reported);
        state.settle();
        Ok(())
    }

    /// Withdraws everything that is open, because the session has ended.
    pub(super) fn end_approvals(&self, state: &mut HostedState) {
        state.approvals.open.end();
        self.carry_out_approvals(state);
        state.approvals.book.session_ended(self.id());
    }

    /// Carries out what follows from changes of approvals.
    pub(super) fn carry_out_approvals(&self, state: &mut HostedState) {
        while let Some(output) = state.approvals.open.poll_output() {
            match output {
                ApprovalOutput::Record(record) => self.record_approval(state, &record),
                ApprovalOutput::Answer { asker, approval_id, answer } => {
                    state.answer(&asker, &approval_id, answer);
                }
                ApprovalOutput::MakeRule { asker, request, answer, decision } => {
                    self.make_rule(&state.approvals.book, &asker, &request, answer, &decision);
                }
                ApprovalOutput::Acted(number) => state.publisher.acted(number),
            }
        }
    }

    fn open_approval(&self, state: &mut HostedState, asker: Asker, request: ApprovalRequest) {
        let context = self.rule_context(&asker);
        let can_be_ruled = can_be_ruled(&request, &context);
        let ruled = state.approvals.book.decide(&request, &context, wall_ms());
        state.approvals.open.ask(asker, request, can_be_ruled, ruled);
    }

    fn record_approval(&self, state: &mut HostedState, record: &ApprovalRecord) {
        match record {
            ApprovalRecord::Requested(request) => self.record(state, &**request),
            ApprovalRecord::Confirmed(confirmed) => self.record(state, confirmed),
            ApprovalRecord::Expired(expired) => self.record(state, expired),
            ApprovalRecord::Progress(progress) => self.record(state, progress),
            ApprovalRecord::State(reported) => self.record(state, reported),
        }
    }

    fn make_rule(
        &self,
        book: &Arc<RuleBook>,
        asker: &Asker,
        request: &ApprovalRequest,
        answer: AnswerKind,
        decision: &ApprovalDecision,
    ) {
        let Some(rule) = rule_of(answer, request, decision, &self.rule_context(asker)) else {
            tracing::info!(session = %self.id(), "an answer holds once: no rule can be made of it");
            return;
        };
        let (id, is_kept) = (rule.id.clone(), rule.scope == RuleScope::Always);
        if !book.add(rule) {
            tracing::warn!("an answer holds once: the host has too many rules, revoke some");
            return;
        }
        tracing::info!(session = %self.id(), rule = id, by = decision.by, "a rule was made");
        if is_kept {
            let book = Arc::clone(book);
            tokio::task::spawn_blocking(move || {
                if let Err(error) = book.save() {
                    tracing::error!(%error, "the rules cannot be stored: they end with this host");
                }
            });
        }
    }

    fn rule_context(&self, asker: &Asker) -> RuleContext {
        let agent = match asker {
            Asker::Program { agent } => agent.clone(),
            Asker::Driver => self.hosted.facts.agent.as_ref().and_then(|spec| spec.agent.clone()),
        };
        let folder = PathBuf::from(&self.hosted.cwd);
        RuleContext { session_id: self.id().clone(), folder, agent }
    }
}

/// Starts a task that lets approvals expire, if none does so early enough.
pub(super) fn start_expiry(session: &Arc<Session>, state: &mut HostedState) {
    let approvals = &mut state.approvals;
    let next = approvals.open.poll_timeout();
    let is_early = |next| approvals.expiry.as_ref().is_some_and(|(at, _)| *at <= next);
    let Some(next) = next.filter(|next| !is_early(*next)) else { return };
    if let Some((_, task)) = approvals.expiry.take() {
        task.abort();
    }
    let session = Arc::downgrade(session);
    let wait = Duration::from_millis(next.saturating_sub(wall_ms())).min(CLOCK_CHECK);
    let task = tokio::spawn(async move {
        tokio::time::sleep(wait).await;
        let Some(session) = session.upgrade() else { return };
        let mut state = session.lock();
        state.approvals.expiry = None;
        state.approvals.open.tick(wall_ms());
        state.settle();
    });
    approvals.expiry = Some((next, task.abort_handle()));
}

impl PendingApproval {
    /// Returns the approval's id.
    pub(crate) const fn id(&self) -> &ApprovalId {
        &self.approval_id
    }

    /// Waits for the answer. Not called again after it.
    pub(crate) async fn answer(&mut self) -> AskerAnswer {
        (&mut self.answer).await.unwrap_or(AskerAnswer::Over)
    }

    /// Withdraws the approval.
    pub(crate) fn withdraw(self, reason: &str) {
        let mut state = self.session.lock();
        state.approvals.open.withdraw(&self.approval_id, reason);
        state.settle();
    }

    /// Records that the program has the decision.
    pub(crate) fn taken(self) {
        let mut state = self.session.lock();
        state.approvals.open.delivered(&self.approval_id, true);
        state.settle();
    }
}

impl Drop for PendingApproval {
    fn drop(&mut self) {
        let mut state = self.session.lock();
        state.approvals.programs.remove(&self.approval_id);
        state.approvals.open.asker_left(&self.approval_id);
        state.settle();
    }
}
