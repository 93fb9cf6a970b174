//! Questions about a session that its host answers, and that no log reports.

use moorline_shared::change::{ChangesAnswer, ChangesQuestion};
use moorline_shared::control::{ToHost, ToRelay};
use moorline_shared::failure::HostFailure;
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::publish::RequestId;
use moorline_shared::tmux::{TmuxAnswer, TmuxQuestion};
use serde::{Deserialize, Serialize};

use super::prompts::check_agent;
use super::tmux::check_tmux;
use super::{Reply, Request, SessionFolder, changes, folder_of, tmux};
use crate::api::ApiError;
use crate::plan::HostError;
use crate::session::Session;

/// The handler of a request that becomes a question to the session's host.
#[derive(Debug, Clone, Copy)]
pub struct QuestionHandler {
    /// Checks that such questions can be asked about a session.
    check: fn(&Session) -> Result<(), ApiError>,
    /// Reads the question from the request.
    read: fn(&Request) -> Result<SessionQuestion, ApiError>,
}

impl QuestionHandler {
    /// Returns a handler about the changes of a session's agent.
    pub(super) const fn of_agent(read: fn(&Request) -> Result<SessionQuestion, ApiError>) -> Self {
        Self { check: check_agent, read }
    }

    /// Returns a handler about the tmux session of a session's pane.
    pub(super) const fn of_tmux(read: fn(&Request) -> Result<SessionQuestion, ApiError>) -> Self {
        Self { check: check_tmux, read }
    }
}

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

    /// Returns the reply to the request. `now_ms` is the time in milliseconds since 1970.
    ///
    /// # Errors
    /// The host's reason as an error of the API, or `host_offline`.
    pub fn reply(self, id: &SessionId, now_ms: u64) -> Result<Reply, ApiError> {
        match self {
            Self::Changes(answer) => changes::reply(id, answer, now_ms),
            Self::Tmux(answer) => tmux::reply(id, answer),
            Self::Failed(why) => Err(ApiError::not_operated(&why, id)),
        }
    }
}

/// Returns the host to ask about a session, and the question.
///
/// # Errors
/// `not_an_agent`, `not_tmux`, `session_ended`, `host_offline` for a session whose host is unknown,
/// or those of the request's own faults.
pub fn ask_host(
    session: &Session,
    QuestionHandler { check, read }: QuestionHandler,
    request: &Request,
) -> Result<(HostId, SessionQuestion), ApiError> {
    check(session)?;
    let SessionFolder { host, folder: _ } = folder_of(session, request.now_ms)?;
    Ok((host, read(request)?))
}
