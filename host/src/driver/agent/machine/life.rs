//! The agent's process and session: how far its start has come, and the requests to it that are
//! not answered.

use std::collections::BTreeMap;
use std::time::Duration;

use moorline_shared::agent::content::LoginMethod;
use moorline_shared::id::TurnId;
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};

use super::outbox::Outbox;
use crate::driver::agent::acp::{AcpVersion, AgentAbilities, AgentCall};

/// Time allowed for each step of an agent's start. The first start of one may download it.
pub(super) const START_PATIENCE: Duration = Duration::from_mins(3);

/// Time without any update after which an agent has repeated all of its history. Gemini (0.61) goes
/// on with it after it has answered.
const HISTORY_REST: Duration = Duration::from_millis(300);
/// Time after which the history counts as repeated, whatever comes.
const HISTORY_PATIENCE: Duration = Duration::from_secs(5);

/// How far the agent has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum AgentPhase {
    /// Its process is being started.
    Starting,
    /// It was asked to introduce itself.
    Initializing,
    /// It opens the session.
    Opening,
    /// It takes prompts.
    Ready,
    /// A user must log in.
    NeedsLogin,
    /// It logs in.
    LoggingIn,
    /// It has ended after it was ready.
    Exited,
    /// It could not be started.
    Failed,
    /// The session is over.
    Closed,
}

/// The way to open a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OpenWay {
    /// A new one.
    New,
    /// An old one, whose history is repeated.
    Load,
    /// An old one, without its history.
    Resume,
}

/// What a request to the agent is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum RequestPurpose {
    /// Asks it to introduce itself, in this version of the protocol.
    Initialize {
        version: u64,
    },
    LogIn,
    Open(OpenWay),
    /// Sets the setting `id` to `value`.
    Set {
        id: String,
        value: String,
    },
    /// Sends the prompt of this turn.
    Prompt(TurnId),
    /// Closes the session.
    Close,
}

/// The requests to the agent that are not answered.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct OpenRequests {
    /// The id of the last request. It is never used again, not even for another process.
    last: u64,
    open: BTreeMap<u64, RequestPurpose>,
}

impl OpenRequests {
    /// Sends a request.
    pub(super) fn send(&mut self, purpose: RequestPurpose, asked: &AgentCall, out: &mut Outbox) {
        self.last += 1;
        self.open.insert(self.last, purpose);
        out.request(self.last, asked);
    }

    /// Takes the purpose of a request that is answered.
    pub(super) fn take(&mut self, id: u64) -> Option<RequestPurpose> {
        self.open.remove(&id)
    }

    /// Returns true if a setting is being set.
    pub(super) fn is_setting(&self) -> bool {
        self.open.values().any(|purpose| matches!(purpose, RequestPurpose::Set { .. }))
    }

    /// Returns the number of open requests.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Forgets all, because nobody is left to answer.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }
}

/// The agent's process and session.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AgentLife {
    pub(super) phase: AgentPhase,
    /// The number of processes so far.
    pub(super) count: u64,
    /// The agent's id of the session, once it has one.
    pub(super) session_id: Option<String>,
    /// True if this process has opened that session.
    pub(super) is_open: bool,
    /// What it has said of itself.
    pub(super) known: AgentProfile,
    /// When the present step of its start must be done.
    pub(super) until: Option<Time>,
    /// The rest of its history, while that may come.
    #[serde(default)]
    pub(super) history: Option<HistoryRest>,
    /// What is to become of its process.
    pub(super) process: ProcessFate,
}

/// The wait for the rest of a history whose end no agent of version 1 tells.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct HistoryRest {
    /// When it is complete, if nothing comes before.
    ends_at: Time,
    /// When it is complete in any case.
    until: Time,
}

/// What an agent has said of itself.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct AgentProfile {
    pub(super) dialect: AcpVersion,
    pub(super) abilities: AgentAbilities,
    pub(super) login: Vec<LoginMethod>,
}

/// What is to become of the agent's process.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct ProcessFate {
    /// True from its start until its end is reported.
    pub(super) is_up: bool,
    /// True if it was killed because a user asked for it.
    pub(super) is_forced: bool,
    /// True if another is to be started once it has ended.
    pub(super) restarts: bool,
}

impl AgentLife {
    pub(super) fn new() -> Self {
        Self {
            phase: AgentPhase::Starting,
            count: 0,
            session_id: None,
            is_open: false,
            known: AgentProfile::default(),
            until: None,
            history: None,
            process: ProcessFate::default(),
        }
    }

    /// Enters a phase that must be over after [`START_PATIENCE`].
    pub(super) fn enter(&mut self, phase: AgentPhase, now: Time) {
        (self.phase, self.until, self.history) = (phase, Some(now + START_PATIENCE), None);
    }

    /// Enters a phase that may last.
    pub(super) const fn settle(&mut self, phase: AgentPhase) {
        (self.phase, self.until, self.history) = (phase, None, None);
    }

    /// Waits for the rest of the history that is being repeated.
    pub(super) fn await_history(&mut self, now: Time) {
        self.until = None;
        self.history =
            Some(HistoryRest { ends_at: now + HISTORY_REST, until: now + HISTORY_PATIENCE });
    }

    /// Records that an update came, which may be a part of the history.
    pub(super) fn hear_history(&mut self, now: Time) {
        if let Some(rest) = &mut self.history {
            rest.ends_at = rest.until.min(now + HISTORY_REST);
        }
    }

    /// Returns when the history is complete.
    pub(super) fn history_ends_at(&self) -> Option<Time> {
        self.history.map(|rest| rest.ends_at)
    }

    /// Returns true once if the history is complete.
    pub(super) fn has_all_history(&mut self, now: Time) -> bool {
        self.history.take_if(|rest| rest.ends_at <= now).is_some()
    }

    /// Returns the id of a message or tool call of the agent, unique in the session: another
    /// process may use the same ids for others.
    pub(super) fn scoped(&self, wire_id: &str, suffix: &str) -> String {
        let id = with_suffix(wire_id, suffix);
        match self.count {
            0 | 1 => id,
            count => format!("{id}~{count}"),
        }
    }
}

/// Returns an id that differs from those of the conversation that a session continues.
pub(super) fn with_suffix(id: &str, suffix: &str) -> String {
    if suffix.is_empty() { id.to_owned() } else { format!("{id}~{suffix}") }
}
