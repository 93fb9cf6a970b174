//! Whether the agent asks before it changes files.

use moorline_shared::agent::approval::AnswerKind;
use moorline_shared::event::AgentInfo;
use serde::{Deserialize, Serialize};

use super::outbox::{AgentOutput, Outbox};

/// Returns true if tools of this kind change files. Commands do not count: many agents run those
/// that only read without a question.
pub(super) fn changes_files(kind: Option<&str>) -> bool {
    matches!(kind, Some("edit" | "delete" | "move"))
}

/// Watches whether the agent asks before it changes files.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct AskWatch {
    /// What was seen last; `None` before the first time.
    asks: Option<bool>,
    /// True once a user has allowed more than one change, or has chosen how the agent works. From
    /// then on a change without a question says nothing.
    is_free: bool,
}

impl AskWatch {
    /// Records that the agent has asked about a tool of this kind.
    pub(super) fn asked(&mut self, kind: Option<&str>, out: &mut Outbox) {
        if changes_files(kind) {
            self.observe(true, out);
        }
    }

    /// Records that the agent has changed a file without a question.
    pub(super) fn changed_unasked(&mut self, out: &mut Outbox) {
        if !self.is_free {
            self.observe(false, out);
        }
    }

    /// Records what a user has answered.
    pub(super) fn answered(&mut self, kind: AnswerKind) {
        self.is_free |= matches!(kind, AnswerKind::AllowSession | AnswerKind::AllowAlways);
    }

    /// Records that a user has chosen how the agent works.
    pub(super) fn configured(&mut self) {
        self.is_free = true;
    }

    fn observe(&mut self, asks: bool, out: &mut Outbox) {
        if self.asks == Some(asks) {
            return;
        }
        self.asks = Some(asks);
        out.event(&AgentInfo { asks: Some(asks), ..AgentInfo::default() });
        out.push(AgentOutput::Observed { asks });
    }
}
