//! The state that programs of a session report, and `waiting` while they wait for an approval.

use moorline_shared::event::AgentState;

/// The state while an approval is open.
const WAITING: &str = "waiting";
/// The state after an approval, if none was reported before.
const IDLE: &str = "idle";

/// The state of a session's programs.
#[derive(Debug, Default)]
pub(super) struct ProgramStates {
    /// The last state that was reported, apart from waiting for an approval.
    reported: Option<AgentState>,
    /// True if the session waits for the approval of a program.
    is_waiting: bool,
}

impl ProgramStates {
    /// Begins to wait. Returns the state to record, if it has changed.
    pub(super) fn wait(&mut self, tool: Option<String>) -> Option<AgentState> {
        let was_waiting = std::mem::replace(&mut self.is_waiting, true);
        (!was_waiting).then(|| AgentState { value: WAITING.to_owned(), tool })
    }

    /// Ends to wait. Returns the state to record.
    pub(super) fn resume(&mut self) -> Option<AgentState> {
        let idle = || AgentState { value: IDLE.to_owned(), tool: None };
        let was_waiting = std::mem::take(&mut self.is_waiting);
        was_waiting.then(|| self.reported.clone().unwrap_or_else(idle))
    }

    /// Takes a state that a program reports. Returns it if it is to be recorded now.
    pub(super) fn report(&mut self, state: AgentState) -> Option<AgentState> {
        self.reported = Some(state.clone());
        (!self.is_waiting).then_some(state)
    }

    /// Takes note of a state that is recorded already.
    pub(super) fn recorded(&mut self, state: AgentState) {
        self.reported = Some(state);
    }
}
