//! The approvals of a session.

use serde::{Deserialize, Serialize};

use crate::agent::approval::{
    AnswerKind, ApprovalDecision, ApprovalKind, ApprovalRequest, ApprovalState,
};
use crate::event::{
    ApprovalConfirmed, ApprovalExpired, ApprovalProgress, Event, EventFields, EventKind,
};
use crate::id::{ApprovalId, Seq};
use crate::limits::{CLOSED_APPROVALS, OPEN_APPROVALS};

/// One approval, with what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ApprovalEntry {
    /// The question.
    #[serde(flatten)]
    pub request: ApprovalRequest,
    /// Its state.
    #[serde(default)]
    pub state: ApprovalState,
    /// When it was asked, in milliseconds since 1970.
    #[serde(default)]
    pub requested_at: u64,
    /// The decision, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<ApprovalDecision>,
    /// Who has seen it, or why it was withdrawn or could not be delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The log's entry that asks; 0 if it is not known.
    #[serde(default)]
    pub seq: Seq,
    /// The log's entry from which on nobody waits for a decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<Seq>,
}

/// The approvals of a session, oldest first. All that are open, and the last ones that are not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApprovalList {
    entries: Vec<ApprovalEntry>,
}

/// The reason why a decision is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecisionRefused {
    /// The approval is unknown, or was forgotten long after it was decided.
    #[error("the approval does not exist")]
    Unknown,
    /// It was decided before.
    #[error("the approval is decided already")]
    Decided(Box<ApprovalEntry>),
    /// Nobody decided in time.
    #[error("the approval has expired")]
    Expired,
    /// Whoever asked no longer waits.
    #[error("the approval was withdrawn")]
    Withdrawn,
    /// The decision is about something else than what will be done.
    #[error("the digest is not that of the approval")]
    Digest,
    /// The approval has no such answer.
    #[error("the approval does not have this option")]
    Option,
    /// No answer of the approval allows anything.
    #[error("the approval can only be denied")]
    NotApprovable,
}

impl ApprovalEntry {
    /// Returns true if a decision is still awaited at this time, in milliseconds since 1970.
    #[must_use]
    pub fn is_open(&self, now_ms: u64) -> bool {
        self.state.is_open() && self.request.expires_at.is_none_or(|at| now_ms < at)
    }

    /// Returns true if a usual answer allows it, or it is a form, which is answered with its fields.
    fn may_be_allowed_without_option(&self) -> bool {
        let is_usual = |kind| matches!(kind, AnswerKind::AllowOnce | AnswerKind::AllowSession);
        self.request.kind == ApprovalKind::Form
            || self.request.options.iter().any(|option| is_usual(option.kind))
    }

    /// Returns true if every answer rejects it, or there is none. It can only be denied then, unless
    /// it is a form.
    fn is_only_deniable(&self) -> bool {
        self.request.kind != ApprovalKind::Form
            && self.request.options.iter().all(|option| option.kind.rejects())
    }
}

impl ApprovalList {
    /// Returns all approvals, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[ApprovalEntry] {
        &self.entries
    }

    /// Returns the approvals that await a decision at this time, in milliseconds since 1970.
    pub fn open(&self, now_ms: u64) -> impl Iterator<Item = &ApprovalEntry> {
        self.entries.iter().filter(move |entry| entry.is_open(now_ms))
    }

    /// Returns the approval with this id.
    #[must_use]
    pub fn get(&self, id: &ApprovalId) -> Option<&ApprovalEntry> {
        self.entries.iter().find(|entry| entry.request.approval_id == *id)
    }

    /// Checks a decision, made at `decision.at`. `digest` is the digest that the decider has seen.
    /// Returns true if the approval awaits it, and false if the same request decided it before.
    ///
    /// # Errors
    /// [`DecisionRefused`].
    pub fn check(
        &self,
        id: &ApprovalId,
        decision: &ApprovalDecision,
        digest: Option<&str>,
    ) -> Result<bool, DecisionRefused> {
        let entry = self.get(id).ok_or(DecisionRefused::Unknown)?;
        if let Some(made) = &entry.decision {
            let is_same = decision.key.is_some() && decision.key == made.key;
            return if is_same {
                Ok(false)
            } else {
                Err(DecisionRefused::Decided(Box::new(entry.clone())))
            };
        }
        match entry.state {
            ApprovalState::Expired => return Err(DecisionRefused::Expired),
            state if !state.is_open() => return Err(DecisionRefused::Withdrawn),
            _ if !entry.is_open(decision.at) => return Err(DecisionRefused::Expired),
            _ => {}
        }
        let matches = digest.map_or(!decision.approved, |digest| digest == entry.request.digest);
        if !matches {
            return Err(DecisionRefused::Digest);
        }
        if decision.approved && entry.is_only_deniable() {
            return Err(DecisionRefused::NotApprovable);
        }
        if let Some(chosen) = &decision.option_id {
            let mut options = entry.request.options.iter();
            let option = options.find(|option| option.option_id == *chosen);
            let option = option.ok_or(DecisionRefused::Option)?;
            if option.kind.allows() && !decision.approved
                || option.kind.rejects() && decision.approved
            {
                return Err(DecisionRefused::Option);
            }
        } else if decision.approved && !entry.may_be_allowed_without_option() {
            return Err(DecisionRefused::Option);
        }
        Ok(true)
    }

    /// Records a decision that [`ApprovalList::check`] has accepted. It is not delivered yet.
    pub fn decide(&mut self, id: &ApprovalId, decision: ApprovalDecision) {
        if let Some(entry) = self.find(id)
            && entry.state.may_become(ApprovalState::Decided)
        {
            entry.state = ApprovalState::Decided;
            entry.decision = Some(decision);
        }
    }

    /// Records that a decision was never delivered, unless an event says that the asker got one.
    pub(super) fn undelivered(&mut self, id: &ApprovalId, decision: &ApprovalDecision) {
        let Some(entry) = self.find(id) else { return };
        if entry.state.may_become(ApprovalState::Undelivered) {
            entry.state = ApprovalState::Undelivered;
        }
        // An event of the host says so without the decision.
        if entry.state == ApprovalState::Undelivered {
            entry.decision.get_or_insert_with(|| decision.clone());
        }
    }

    /// Returns the approvals as they were after the entry `seq`, as far as they are known.
    #[must_use]
    pub fn at(&self, seq: Seq) -> Self {
        let asked = self.entries.iter().filter(|entry| entry.seq <= seq).cloned();
        let entries = asked.map(|entry| match entry.closed_by {
            Some(closed) if closed > seq => {
                let (state, decision, reason) = (ApprovalState::Requested, None, None);
                ApprovalEntry { state, decision, reason, closed_by: None, ..entry }
            }
            _ => entry,
        });
        Self { entries: entries.collect() }
    }

    /// Closes the approvals that the log leaves open, because nobody waits for them any more.
    pub(super) fn end(&mut self, reason: &str) {
        for entry in &mut self.entries {
            let next = match entry.state {
                ApprovalState::Decided => ApprovalState::Undelivered,
                state if state.is_open() => ApprovalState::Withdrawn,
                _ => continue,
            };
            entry.state = next;
            entry.reason.get_or_insert_with(|| reason.to_owned());
        }
    }

    /// Closes the approvals that nobody has decided by this time, in milliseconds since 1970.
    pub(super) fn expire(&mut self, now_ms: u64) {
        for entry in &mut self.entries {
            if entry.state.is_open() && !entry.is_open(now_ms) {
                entry.state = ApprovalState::Expired;
            }
        }
    }

    /// Forgets the approvals that are not among these.
    pub(super) fn keep(&mut self, ids: &[ApprovalId]) {
        self.entries.retain(|entry| ids.contains(&entry.request.approval_id));
    }

    /// Returns true if an approval would expire by this time, in milliseconds since 1970.
    pub(super) fn is_due(&self, now_ms: u64) -> bool {
        self.entries.iter().any(|entry| entry.state.is_open() && !entry.is_open(now_ms))
    }

    /// Applies the event of the entry `seq`. Returns true if it is about approvals.
    pub fn apply(&mut self, seq: Seq, event: &Event) -> bool {
        let at = (seq, event.timestamp);
        match event.known_kind() {
            EventKind::ApprovalRequest => with(event, |asked| self.requested(asked, at)),
            EventKind::ApprovalConfirmed => with(event, |told| self.confirmed(told, at)),
            EventKind::ApprovalExpired => with(event, |expired: ApprovalExpired| {
                self.advance(&expired.approval_id, ApprovalState::Expired, None, seq);
            }),
            EventKind::ApprovalProgress => with(event, |to: ApprovalProgress| {
                self.advance(&to.approval_id, to.state, to.reason, seq);
            }),
            _ => return false,
        }
        self.forget_old();
        true
    }

    fn requested(&mut self, request: ApprovalRequest, (seq, requested_at): (Seq, u64)) {
        if self.get(&request.approval_id).is_none() {
            let (state, decision, reason) = (ApprovalState::Requested, None, None);
            let closed_by = None;
            self.entries.push(ApprovalEntry {
                request,
                state,
                requested_at,
                decision,
                reason,
                seq,
                closed_by,
            });
        }
    }

    fn confirmed(&mut self, confirmed: ApprovalConfirmed, (seq, timestamp): (Seq, u64)) {
        let ApprovalConfirmed { approval_id, approved, custom_command, decision } = confirmed;
        let Some(entry) = self.find(&approval_id) else { return };
        entry.closed_by.get_or_insert(seq);
        if entry.state.may_become(ApprovalState::Delivered) {
            entry.state = ApprovalState::Delivered;
        }
        // The log has the last word: what it reports is what the asker was told.
        let at = if decision.at == 0 { timestamp } else { decision.at };
        entry.decision = Some(ApprovalDecision { approved, custom_command, at, ..decision });
    }

    fn advance(&mut self, id: &ApprovalId, to: ApprovalState, reason: Option<String>, seq: Seq) {
        if let Some(entry) = self.find(id)
            && entry.state.may_become(to)
        {
            entry.state = to;
            entry.reason = reason.or(entry.reason.take());
            if !to.is_open() {
                entry.closed_by.get_or_insert(seq);
            }
        }
    }

    fn find(&mut self, id: &ApprovalId) -> Option<&mut ApprovalEntry> {
        self.entries.iter_mut().find(|entry| entry.request.approval_id == *id)
    }

    /// Forgets the oldest approvals beyond the limits.
    fn forget_old(&mut self) {
        let is_open =
            |entry: &ApprovalEntry| entry.state.is_open() || entry.state == ApprovalState::Decided;
        for (open, most) in [(true, OPEN_APPROVALS), (false, CLOSED_APPROVALS)] {
            let count = self.entries.iter().filter(|entry| is_open(entry) == open).count();
            let mut surplus = count.saturating_sub(most);
            self.entries.retain(|entry| {
                let forgets = surplus > 0 && is_open(entry) == open;
                surplus -= usize::from(forgets);
                !forgets
            });
        }
    }
}

/// Passes the fields of an event on, if they can be read.
fn with<F: EventFields>(event: &Event, apply: impl FnOnce(F)) {
    if let Some(fields) = event.read::<F>() {
        apply(fields);
    }
}
