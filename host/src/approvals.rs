//! The approvals of one session that wait for a decision, and who waits for each.
//!
//! [`OpenApprovals`] is a machine without I/O. Its owner passes in what happens: [`ask`], [`decide`],
//! [`withdraw`], [`asker_left`], [`delivered`], [`acted`], [`report`], [`tick`] and [`end`]. After
//! each, it carries out [`OpenApprovals::poll_output`] until `None`, and calls [`tick`] at
//! [`OpenApprovals::poll_timeout`]; a call too many is harmless.
//!
//! Whoever asks is answered exactly once: by a decision, the expiry, the end of the session, or a
//! refusal; or it withdraws the question. A decision counts as delivered once
//! [`delivered`](OpenApprovals::delivered) says so. Only then is it recorded as confirmed;
//! otherwise it is recorded as undelivered,
//! and so it is if the session ends before.
//!
//! [`ask`]: OpenApprovals::ask
//! [`decide`]: OpenApprovals::decide
//! [`withdraw`]: OpenApprovals::withdraw
//! [`asker_left`]: OpenApprovals::asker_left
//! [`delivered`]: OpenApprovals::delivered
//! [`acted`]: OpenApprovals::acted
//! [`report`]: OpenApprovals::report
//! [`tick`]: OpenApprovals::tick
//! [`end`]: OpenApprovals::end
//!
//! ```
//! use moorline_host::approvals::{ApprovalOutput, ApprovalRecord, Asker, AskerAnswer, OpenApprovals};
//! use moorline_shared::agent::action::ActionNumber;
//! use moorline_shared::agent::approval::{ApprovalDecision, ApprovalRequest};
//!
//! let request: ApprovalRequest = serde_json::from_str(r#"{"approvalId":"approval1"}"#).unwrap();
//! let id = request.approval_id.clone();
//! let mut approvals = OpenApprovals::default();
//! approvals.ask(Asker::Driver, request, false, None);
//! let recorded = approvals.poll_output();
//! assert!(matches!(recorded, Some(ApprovalOutput::Record(ApprovalRecord::Requested(_)))));
//! approvals.decide(ActionNumber(1), &id, ApprovalDecision::default());
//! let Some(ApprovalOutput::Answer { answer, .. }) = approvals.poll_output() else { panic!() };
//! assert!(matches!(answer, AskerAnswer::Decided(_)));
//! approvals.delivered(&id, true);
//! let recorded = approvals.poll_output();
//! assert!(matches!(recorded, Some(ApprovalOutput::Record(ApprovalRecord::Confirmed(_)))));
//! assert_eq!(approvals.poll_output(), Some(ApprovalOutput::Acted(ActionNumber(1))));
//! ```

mod actions;
mod options;
mod rule_book;
mod rules;
mod states;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use moorline_shared::agent::action::ActionNumber;
use moorline_shared::agent::approval::{
    AnswerKind, ApprovalDecision, ApprovalOption, ApprovalRequest, ApprovalState,
};
use moorline_shared::event::{AgentState, ApprovalConfirmed, ApprovalExpired, ApprovalProgress};
use moorline_shared::id::ApprovalId;
use moorline_shared::limits::{APPROVAL_BYTES, CLOSED_APPROVALS, OPEN_APPROVALS};

use actions::ActionProgress;
pub use options::{ALWAYS_OPTION, NEVER_OPTION, SESSION_OPTION, of_program};
pub use rule_book::{RuleBook, RuleError};
pub use rules::{RuleContext, can_be_ruled, deciding, rule_of};
use states::ProgramStates;

/// The reason told if a session ends before a decision.
const SESSION_OVER: &str = "the session has ended";
/// The reason told if a decision is about an approval that does not wait for it.
const NOT_AWAITED: &str = "the approval no longer waits for a decision";
/// The reason told if a decision was not taken.
const NOT_TAKEN: &str = "whoever asked no longer waits";

/// Who asks for an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// The session's driver.
    Driver,
    /// A program in the session.
    Program {
        /// The agent that the program belongs to, by its own account.
        agent: Option<String>,
    },
}

/// The answer to whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskerAnswer {
    /// A decision. The owner calls [`OpenApprovals::delivered`].
    Decided(ApprovalDecision),
    /// Nobody decided in time.
    Expired,
    /// The session has ended.
    Over,
    /// Too many approvals are open. Nothing is recorded.
    TooMany,
}

/// An entry for the session's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalRecord {
    /// The approval is asked for.
    Requested(Box<ApprovalRequest>),
    /// A decision was delivered.
    Confirmed(ApprovalConfirmed),
    /// Nobody decided in time.
    Expired(ApprovalExpired),
    /// The approval was withdrawn, or a decision was not delivered.
    Progress(ApprovalProgress),
    /// The state that programs of the session report.
    State(AgentState),
}

/// An output of [`OpenApprovals`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalOutput {
    /// Append this to the session's log.
    Record(ApprovalRecord),
    /// Answer whoever asked.
    Answer {
        /// Who asked.
        asker: Asker,
        /// The approval.
        approval_id: ApprovalId,
        /// The answer.
        answer: AskerAnswer,
    },
    /// Make a rule of an answer, if one can be made: see [`rule_of`].
    MakeRule {
        /// Who asked.
        asker: Asker,
        /// The approval that was answered.
        request: Box<ApprovalRequest>,
        /// The meaning of the answer.
        answer: AnswerKind,
        /// The answer.
        decision: ApprovalDecision,
    },
    /// All actions up to this one were carried out, and all that follows from them was output.
    Acted(ActionNumber),
}

/// The open approvals of a session: see the [module](self).
#[derive(Debug, Default)]
pub struct OpenApprovals {
    /// At most [`OPEN_APPROVALS`], oldest first.
    open: Vec<OpenApproval>,
    /// Approvals whose late decision was recorded as undelivered, oldest first.
    undelivered: VecDeque<ApprovalId>,
    states: ProgramStates,
    actions: ActionProgress,
    /// True once the session has ended.
    is_over: bool,
    outputs: VecDeque<ApprovalOutput>,
}

/// One open approval.
#[derive(Debug)]
struct OpenApproval {
    asker: Asker,
    /// The approval, with the answers that the host has added.
    request: ApprovalRequest,
    /// The answers of whoever asks.
    own_options: Vec<ApprovalOption>,
    /// The decision that is being delivered, and the action that brought it.
    delivering: Option<(ApprovalDecision, Option<ActionNumber>)>,
    /// True if the session's state is `waiting` for it.
    is_waited_for: bool,
}

impl OpenApprovals {
    /// Opens an approval. With `can_be_ruled`, the answers that make rules are offered. `ruled` is
    /// the decision of a rule, which is delivered at once, unless it allows what none of the asker's
    /// answers allows. An approval whose id is open already is ignored.
    pub fn ask(
        &mut self,
        asker: Asker,
        mut request: ApprovalRequest,
        can_be_ruled: bool,
        ruled: Option<ApprovalDecision>,
    ) {
        let approval_id = request.approval_id.clone();
        if self.position(&approval_id).is_some() {
            return;
        }
        if self.is_over || self.open.len() >= OPEN_APPROVALS {
            let answer = if self.is_over { AskerAnswer::Over } else { AskerAnswer::TooMany };
            self.outputs.push_back(ApprovalOutput::Answer { asker, approval_id, answer });
            return;
        }
        let own_options = request.options.clone();
        let ruled = ruled.filter(|it| !it.approved || options::can_allow(&own_options));
        if can_be_ruled {
            options::add_own(&mut request.options);
            if json_bytes(&request) > APPROVAL_BYTES {
                request.options.clone_from(&own_options);
            }
        }
        self.record(ApprovalRecord::Requested(Box::new(request.clone())));
        let is_program = matches!(asker, Asker::Program { .. });
        let is_waited_for = is_program && ruled.is_none();
        if is_waited_for && let Some(state) = self.states.wait(request.subject.tool.clone()) {
            self.record(ApprovalRecord::State(state));
        }
        let open = OpenApproval { asker, request, own_options, delivering: None, is_waited_for };
        self.open.push(open);
        if let Some(decision) = ruled {
            self.deliver(self.open.len() - 1, decision, None);
        }
    }

    /// Takes over an approval that an earlier host has recorded, and that the driver still waits
    /// for.
    pub fn restore(&mut self, request: ApprovalRequest) {
        let is_own = |option: &&ApprovalOption| !options::is_of_host(option);
        let own_options = request.options.iter().filter(is_own).cloned().collect();
        let (asker, delivering, is_waited_for) = (Asker::Driver, None, false);
        self.open.push(OpenApproval { asker, request, own_options, delivering, is_waited_for });
    }

    /// Takes a user's decision, which is the action `number`.
    pub fn decide(
        &mut self,
        number: ActionNumber,
        approval_id: &ApprovalId,
        decision: ApprovalDecision,
    ) {
        self.actions.begin(number);
        match self.position(approval_id) {
            Some(place) if self.open[place].delivering.is_none() => {
                let OpenApproval { asker, request, .. } = &self.open[place];
                let answer = options::kind_of(request, &decision);
                if !matches!(answer, AnswerKind::AllowOnce | AnswerKind::RejectOnce) {
                    self.outputs.push_back(ApprovalOutput::MakeRule {
                        asker: asker.clone(),
                        request: Box::new(request.clone()),
                        answer,
                        decision: decision.clone(),
                    });
                }
                self.deliver(place, decision, Some(number));
            }
            // The outcome of the decision that is being delivered is recorded.
            Some(_) => self.acted(number),
            None => {
                self.not_awaited(approval_id);
                self.acted(number);
            }
        }
    }

    /// Records that whoever asked has taken the decision, or that it cannot.
    pub fn delivered(&mut self, approval_id: &ApprovalId, is_taken: bool) {
        let place = self.position(approval_id);
        let Some(place) = place.filter(|place| self.open[*place].delivering.is_some()) else {
            return;
        };
        let open = self.open.remove(place);
        let Some((decision, number)) = open.delivering else { return };
        let approval_id = open.request.approval_id;
        if is_taken {
            self.record(ApprovalRecord::Confirmed(ApprovalConfirmed {
                approval_id,
                approved: decision.approved,
                custom_command: decision.custom_command.clone(),
                decision,
            }));
        } else {
            self.progress(approval_id, ApprovalState::Undelivered, NOT_TAKEN);
        }
        self.closed(open.is_waited_for, number);
    }

    /// Withdraws an approval for whoever asked. Ignored if it is not open.
    pub fn withdraw(&mut self, approval_id: &ApprovalId, reason: &str) {
        let Some(place) = self.position(approval_id) else { return };
        let OpenApproval { request, delivering, is_waited_for, .. } = self.open.remove(place);
        let state = match delivering {
            Some(_) => ApprovalState::Undelivered,
            None => ApprovalState::Withdrawn,
        };
        self.progress(request.approval_id, state, reason);
        self.closed(is_waited_for, delivering.and_then(|(_, number)| number));
    }

    /// Records that the program that asked has gone. Ignored if the approval is not open.
    pub fn asker_left(&mut self, approval_id: &ApprovalId) {
        self.withdraw(approval_id, "the program that asked has gone");
    }

    /// Takes a state that a program reports. It is recorded once the session no longer waits.
    pub fn report(&mut self, state: AgentState) {
        if !self.is_over
            && let Some(state) = self.states.report(state)
        {
            self.record(ApprovalRecord::State(state));
        }
    }

    /// Takes note of a state that the driver has recorded itself.
    pub fn state_recorded(&mut self, state: AgentState) {
        self.states.recorded(state);
    }

    /// Records that an action has begun which is not about an approval. Later ones are not reported
    /// as carried out before [`OpenApprovals::acted`] reports this one.
    pub fn begin(&mut self, number: ActionNumber) {
        self.actions.begin(number);
    }

    /// Records that an action other than a decision was carried out.
    pub fn acted(&mut self, number: ActionNumber) {
        let acted = self.actions.finish(number);
        self.outputs.extend(acted.map(ApprovalOutput::Acted));
    }

    /// Lets approvals expire. `now_ms` is the time in milliseconds since 1970.
    pub fn tick(&mut self, now_ms: u64) {
        while let Some(place) = self.open.iter().position(|open| {
            open.delivering.is_none() && open.request.expires_at.is_some_and(|at| at <= now_ms)
        }) {
            let OpenApproval { asker, request, is_waited_for, .. } = self.open.remove(place);
            let approval_id = request.approval_id;
            let expired = ApprovalExpired { approval_id: approval_id.clone() };
            self.record(ApprovalRecord::Expired(expired));
            let answer = AskerAnswer::Expired;
            self.outputs.push_back(ApprovalOutput::Answer { asker, approval_id, answer });
            self.closed(is_waited_for, None);
        }
    }

    /// Returns when to call [`OpenApprovals::tick`], in milliseconds since 1970. Every other call
    /// can change it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        let waiting = self.open.iter().filter(|open| open.delivering.is_none());
        waiting.filter_map(|open| open.request.expires_at).min()
    }

    /// Records that the session has ended: nothing is open any more, and nothing can be asked.
    pub fn end(&mut self) {
        self.is_over = true;
        while let Some(OpenApproval { asker, request, .. }) = self.open.first() {
            let (asker, approval_id) = (asker.clone(), request.approval_id.clone());
            let is_delivering = self.open[0].delivering.is_some();
            self.withdraw(&approval_id, SESSION_OVER);
            if !is_delivering {
                let answer = AskerAnswer::Over;
                self.outputs.push_back(ApprovalOutput::Answer { asker, approval_id, answer });
            }
        }
    }

    /// Returns the next output; call until `None`.
    pub fn poll_output(&mut self) -> Option<ApprovalOutput> {
        self.outputs.pop_front()
    }

    fn deliver(&mut self, place: usize, decision: ApprovalDecision, number: Option<ActionNumber>) {
        let open = &mut self.open[place];
        let told = options::in_own_words(&open.own_options, decision.clone());
        open.delivering = Some((decision, number));
        self.outputs.push_back(ApprovalOutput::Answer {
            asker: open.asker.clone(),
            approval_id: open.request.approval_id.clone(),
            answer: AskerAnswer::Decided(told),
        });
    }

    /// Records a decision about an approval that is not open, once for each approval.
    fn not_awaited(&mut self, approval_id: &ApprovalId) {
        if self.undelivered.contains(approval_id) {
            return;
        }
        if self.undelivered.len() >= OPEN_APPROVALS + CLOSED_APPROVALS {
            self.undelivered.pop_front();
        }
        self.undelivered.push_back(approval_id.clone());
        self.progress(approval_id.clone(), ApprovalState::Undelivered, NOT_AWAITED);
    }

    fn closed(&mut self, was_waited_for: bool, number: Option<ActionNumber>) {
        if was_waited_for
            && !self.open.iter().any(|open| open.is_waited_for)
            && let Some(state) = self.states.resume()
            && !self.is_over
        {
            self.record(ApprovalRecord::State(state));
        }
        if let Some(number) = number {
            self.acted(number);
        }
    }

    fn progress(&mut self, approval_id: ApprovalId, state: ApprovalState, reason: &str) {
        let reason = Some(reason.to_owned());
        self.record(ApprovalRecord::Progress(ApprovalProgress { approval_id, state, reason }));
    }

    fn record(&mut self, record: ApprovalRecord) {
        self.outputs.push_back(ApprovalOutput::Record(record));
    }

    fn position(&self, approval_id: &ApprovalId) -> Option<usize> {
        self.open.iter().position(|open| open.request.approval_id == *approval_id)
    }
}

/// Returns the bytes of a request's JSON.
pub(crate) fn json_bytes(request: &ApprovalRequest) -> usize {
    serde_json::to_vec(request).map_or(usize::MAX, |json| json.len())
}
