//! Questions about a session to its host, and their answers.

use moorline_shared::change::{ChangesAnswer, ChangesQuestion};
use moorline_shared::control::{ToHost, ToRelay};
use moorline_shared::failure::HostFailure;
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::publish::RequestId;
use moorline_shared::tmux::{TmuxAnswer, TmuxQuestion};
use serde::{Deserialize, Serialize};

use crate::plan::HostError;

/// A question about a session to its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionQuestion {
    /// About the files that its agent has changed.
    Changes(ChangesQuestion),
    /// About the tmux session that its pane is in.
    Tmux(TmuxQuestion),
}

/// The answer to a [`SessionQuestion`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionAnswer {
    /// To [`SessionQuestion::Changes`].
    Changes(ChangesAnswer),
    /// To [`SessionQuestion::Tmux`].
    Tmux(TmuxAnswer),
    /// The host did not answer.
    Failed(HostFailure),
}

impl SessionQuestion {
    /// Returns the message that asks the host.
    #[must_use]
    pub fn message(self, request: RequestId, session_id: SessionId) -> ToHost {
        match self {
            Self::Changes(question) => {
                ToHost::Changes { request, session_id, question: Box::new(question) }
            }
            Self::Tmux(question) => {
                ToHost::Tmux { request, session_id, question: Box::new(question) }
            }
        }
    }
}

impl SessionAnswer {
    /// Returns the answer that a host's message has. Without one, the host has failed.
    #[must_use]
    pub fn read(host: HostId, message: Option<ToRelay>) -> Self {
        match message {
            Some(ToRelay::Changes { answer, .. }) => Self::Changes(*answer),
            Some(ToRelay::Tmux { answer, .. }) => Self::Tmux(*answer),
            _ => Self::Failed(HostFailure::silent(HostError::Silent(host).to_string())),
        }
    }
}
