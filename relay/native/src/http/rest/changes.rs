//! Questions about the changes of an agent, which the session's host answers.

use std::sync::Arc;

use moorline_core::plan::{HostError, OPERATIONS_PATIENCE};
use moorline_core::routes::{Reply, changes_reply, host_of_changes};
use moorline_shared::change::{ChangesAnswer, ChangesQuestion};
use moorline_shared::control::{ToHost, ToRelay};

use crate::clock::wall_ms;
use crate::http::App;
use crate::http::error::ApiError;
use crate::session::SessionHandle;

/// Asks the session's host.
pub(in crate::http) async fn ask(
    app: &App,
    session: &Arc<SessionHandle>,
    question: ChangesQuestion,
) -> Result<Reply, ApiError> {
    let host = host_of_changes(&session.lock().session, wall_ms())?;
    let (session_id, question) = (session.id().clone(), Box::new(question));
    let ask = |request| ToHost::Changes { request, session_id, question };
    let answer = match app.registry.hosts().ask_within(&host, OPERATIONS_PATIENCE, ask).await {
        Ok(ToRelay::Changes { answer, .. }) => *answer,
        Err(error @ HostError::Silent(_)) => ChangesAnswer::silent(error.to_string()),
        Err(error) => return Err(error.into()),
        Ok(_) => ChangesAnswer::silent(HostError::Silent(host).to_string()),
    };
    changes_reply(session.id(), answer, wall_ms())
}
