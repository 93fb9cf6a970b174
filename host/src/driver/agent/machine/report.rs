//! The state in one word, as it was last reported.

use moorline_shared::event::{Activity, AgentChanges, AgentState, Status};
use serde::{Deserialize, Serialize};

use super::cuts::cut;
use super::outbox::{AgentOutput, Outbox};

/// Most bytes of the name of a tool.
const TOOL_BYTES: usize = 200;

/// The state that was last reported.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct StateReport {
    /// The value and the tool; the value is empty before the first report.
    value: String,
    tool: Option<String>,
    /// The changed files, if they were reported.
    #[serde(default)]
    changes: Option<AgentChanges>,
}

impl StateReport {
    /// Reports the numbers of changed files, if they have changed. Nobody needs to hear that there
    /// are none if there were none.
    pub(super) fn report_changes(&mut self, changes: AgentChanges, out: &mut Outbox) {
        let plain = |changes: &AgentChanges| AgentChanges { turn_id: None, ..changes.clone() };
        if plain(&changes) != self.changes.as_ref().map(plain).unwrap_or_default() {
            out.event(&changes);
            self.changes = Some(changes);
        }
    }

    /// Reports that there are no changed files, because a log of another session is continued that
    /// may tell of some.
    pub(super) fn disown_changes(out: &mut Outbox) {
        out.event(&AgentChanges::default());
    }

    /// Reports the state, if it has changed.
    pub(super) fn report(&mut self, value: &str, tool: Option<&str>, out: &mut Outbox) {
        let tool = tool.map(|tool| {
            let mut tool = tool.to_owned();
            cut(&mut tool, TOOL_BYTES);
            tool
        });
        if self.value == value && self.tool == tool {
            return;
        }
        let activity = |value: &str| match value {
            "working" => Activity::Running,
            _ => Activity::Idle,
        };
        // Sessions begin as running ones.
        let before = if self.value.is_empty() { Activity::Running } else { activity(&self.value) };
        let status = activity(value);
        (self.value, self.tool) = (value.to_owned(), tool.clone());
        out.event(&AgentState { value: value.to_owned(), tool });
        if before != status {
            out.push(AgentOutput::Status(Status { status, ..Status::default() }));
        }
    }
}
