//! Questions about a session that its host answers.

use std::sync::Arc;

use moorline_core::plan::{HostError, OPERATIONS_PATIENCE};
use moorline_core::routes::{
    QuestionHandler, Reply, Request, SessionAnswer, answer_reply, ask_host,
};

use crate::clock::wall_ms;
use crate::http::App;
use crate::http::error::ApiError;
use crate::session::SessionHandle;

/// Asks the session's host.
pub(in crate::http) async fn ask(
    app: &App,
    session: &Arc<SessionHandle>,
    ask: QuestionHandler,
    request: &Request,
) -> Result<Reply, ApiError> {
    let (host, question) = ask_host(&session.lock().session, ask, request)?;
    let message = |request| question.message(request, session.id().clone());
    let hosts = app.registry.hosts();
    let answer = match hosts.ask_within(&host, OPERATIONS_PATIENCE, message).await {
        Ok(answer) => Some(answer),
        Err(HostError::Silent(_)) => None,
        Err(error) => return Err(error.into()),
    };
    answer_reply(SessionAnswer::read(host, answer), session.id(), wall_ms())
}
