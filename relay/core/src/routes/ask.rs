//! Questions about a session that its host answers, and that no log reports.

use moorline_shared::id::{HostId, SessionId};

use super::prompts::check_agent;
use super::question::{SessionAnswer, SessionQuestion};
use super::tmux::check_tmux;
use super::{Reply, Request, SessionFolder, changes, folder_of, tmux};
use crate::api::ApiError;
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

/// Returns the reply to a request, from the answer of the host. `now_ms` is the time in milliseconds
/// since 1970.
///
/// # Errors
/// The host's reason as an error of the API, or `host_offline`.
pub fn answer_reply(answer: SessionAnswer, id: &SessionId, now_ms: u64) -> Result<Reply, ApiError> {
    match answer {
        SessionAnswer::Changes(answer) => changes::reply(id, answer, now_ms),
        SessionAnswer::Tmux(answer) => tmux::reply(id, answer),
        SessionAnswer::Failed(why) => Err(ApiError::not_operated(&why, id)),
    }
}
