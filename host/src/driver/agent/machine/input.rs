//! What a machine is told.

use std::path::PathBuf;

use moorline_shared::agent::action::SessionAction;
use moorline_shared::agent::approval::ApprovalDecision;
use moorline_shared::event::AgentChanges;
use moorline_shared::fold::TurnEntry;
use moorline_shared::id::ApprovalId;
use moorline_shared::session::ExitStatus;
use serde::{Deserialize, Serialize};

use crate::driver::agent::acp::ServiceAnswer;
use crate::driver::agent::rpc::RpcError;

/// The session that a machine runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSettings {
    /// The name of the agent, for people, until it introduces itself.
    pub name: String,
    /// The folder that it works in: an absolute path.
    pub cwd: PathBuf,
    /// Absolute paths of the other folders that it may work in.
    pub directories: Vec<String>,
    /// True if the agent runs in a pod: the host has neither its files nor a terminal there.
    #[serde(default)]
    pub in_pod: bool,
    /// The command that starts the agent, so that users can log in with it.
    #[serde(default)]
    pub command: Vec<String>,
    /// The mode to begin in, by the agent's own id.
    pub mode: Option<String>,
    /// The model to begin with, by the agent's own id.
    pub model: Option<String>,
    /// True if this version of the agent was last seen to ask before it changed a file, false if it
    /// did not; `None` if that is not known.
    pub asks: Option<bool>,
    /// Distinguishes the ids of messages and tool calls from those of the conversation that the
    /// session continues, such as the session's own id; empty if it continues none.
    #[serde(default)]
    pub id_suffix: String,
    /// The conversation that it continues, which it is told before its first prompt.
    #[serde(default)]
    pub history: Option<String>,
    /// The turns of that conversation, as far as they are known. All are reported; those that were
    /// open as over, because their agent does not run here.
    #[serde(default)]
    pub inherited: Vec<TurnEntry>,
}

/// An input of an [`AgentMachine`](super::AgentMachine).
#[derive(Debug, Clone, PartialEq)]
pub enum AgentInput {
    /// The agent's process was started.
    Started,
    /// It could not be started.
    NotStarted {
        /// The reason.
        message: String,
    },
    /// A line of its output, without the end.
    Line(Vec<u8>),
    /// A line of its output that was too long, and was dropped.
    LineTooLong,
    /// Its process has ended, and all lines were passed in.
    Exited {
        /// The way in which it ended.
        exit: ExitStatus,
        /// The last line that it wrote to its standard error.
        last_words: Option<String>,
    },
    /// Its process was ended because nobody used it, for this reason.
    Suspended {
        /// The reason, in a sentence.
        message: String,
    },
    /// A user asks for something.
    Action {
        /// What the user asks for.
        action: SessionAction,
        /// A file of its prompt that is a symbolic link or behind one, if there is such a file.
        linked: Option<String>,
    },
    /// The decision about a question.
    Decision {
        /// The question.
        approval_id: ApprovalId,
        /// The decision; `None` if nobody decided in time.
        decision: Option<ApprovalDecision>,
    },
    /// Bytes that a user types.
    Typed(Vec<u8>),
    /// The answer to an [`AgentOutput::Serve`](super::AgentOutput::Serve).
    Served {
        /// The number of the work.
        work: u64,
        /// The answer.
        result: Result<ServiceAnswer, RpcError>,
    },
    /// Files that have changed in a turn, or were kept or reverted since.
    Changes(AgentChanges),
    /// The time of [`AgentMachine::poll_timeout`](super::AgentMachine::poll_timeout) has come.
    Timeout,
    /// The session is to end.
    Close,
}
