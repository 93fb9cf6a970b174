//! The codes of what goes wrong in an agent's session after a request was answered.

use super::prompt::TurnError;

/// A reason why a turn has failed, or why something else that was asked for did not happen. It is
/// the `code` of a turn's `error`, or of a `session-error` event. `docs/AGENTS.md` describes each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentFault {
    /// The agent has answered the prompt with an error.
    AgentError,
    /// The agent's process has ended while the turn ran.
    AgentExited,
    /// The agent could not be started.
    AgentFailed,
    /// The agent has broken the protocol.
    AgentProtocol,
    /// A file of the prompt is not in the session's folder.
    BadFile,
    /// The session was forked while the turn ran.
    Forked,
    /// The agent cannot continue its earlier conversation.
    HistoryLost,
    /// The agent does not wait for this login.
    LoginRefused,
    /// The agent takes no images.
    NoImages,
    /// The agent has not stopped in time.
    NotStopping,
    /// The agent works in one folder only.
    OneFolder,
    /// Too many prompts wait.
    QueueFull,
    /// The agent refuses to go on with the prompt.
    Refused,
    /// The setting is not changed.
    SettingRefused,
    /// The agent asks too much at a time.
    TooManyQuestions,
    /// The turn to retry is not known.
    UnknownTurn,
}

impl AgentFault {
    /// All faults.
    pub const ALL: [Self; 16] = [
        Self::AgentError,
        Self::AgentExited,
        Self::AgentFailed,
        Self::AgentProtocol,
        Self::BadFile,
        Self::Forked,
        Self::HistoryLost,
        Self::LoginRefused,
        Self::NoImages,
        Self::NotStopping,
        Self::OneFolder,
        Self::QueueFull,
        Self::Refused,
        Self::SettingRefused,
        Self::TooManyQuestions,
        Self::UnknownTurn,
    ];

    /// Returns the stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AgentError => "agent_error",
            Self::AgentExited => "agent_exited",
            Self::AgentFailed => "agent_failed",
            Self::AgentProtocol => "agent_protocol",
            Self::BadFile => "bad_file",
            Self::Forked => "forked",
            Self::HistoryLost => "history_lost",
            Self::LoginRefused => "login_refused",
            Self::NoImages => "no_images",
            Self::NotStopping => "not_stopping",
            Self::OneFolder => "one_folder",
            Self::QueueFull => "queue_full",
            Self::Refused => "refused",
            Self::SettingRefused => "setting_refused",
            Self::TooManyQuestions => "too_many_questions",
            Self::UnknownTurn => "unknown_turn",
        }
    }

    /// Returns the error of a turn that has failed for this reason.
    #[must_use]
    pub fn error(self, message: impl Into<String>) -> TurnError {
        TurnError { code: self.code().to_owned(), message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const DOCUMENTED: &str = include_str!("../../../docs/AGENTS.md");

    #[test]
    fn each_code_is_documented_with_what_to_do() {
        let row = |code: &str| {
            let mut lines = DOCUMENTED.lines();
            lines.find(|line| line.starts_with(&format!("| `{code}` |"))).map(str::to_owned)
        };
        for fault in AgentFault::ALL {
            let code = fault.code();
            let row = row(code).unwrap_or_else(|| panic!("docs/AGENTS.md does not have {code}"));
            let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            assert!(cells.len() == 4 && cells.iter().all(|cell| !cell.is_empty()), "{row}");
        }
    }

    #[test]
    fn each_fault_is_listed_once() {
        let codes: BTreeSet<_> = AgentFault::ALL.into_iter().map(AgentFault::code).collect();
        assert_eq!(codes.len(), AgentFault::ALL.len());
        // A new variant makes this `match` incomplete, and has to be added to `ALL`, too.
        for fault in AgentFault::ALL {
            let place = fault as usize;
            assert_eq!(AgentFault::ALL.get(place), Some(&fault), "in the order of the variants");
        }
    }
}
