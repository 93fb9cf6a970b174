//! Questions about the changes of an agent, which the session's host answers.

use std::sync::Arc;

use moorline_core::routes::{Reply, Request, ask_changes, changes_reply};
use moorline_shared::change::ChangesQuestion;
use moorline_shared::control::{ToHost, ToRelay};

use super::forward;
use crate::clock::wall_ms;
use crate::http::App;
use crate::http::error::ApiError;
use crate::session::SessionHandle;

/// Asks the session's host.
pub(in crate::http) async fn ask(
    app: &App,
    session: &Arc<SessionHandle>,
    ask: fn(&Request) -> Result<ChangesQuestion, ApiError>,
    request: &Request,
) -> Result<Reply, ApiError> {
    let (host, question) = ask_changes(&session.lock().session, ask, request)?;
    let (session_id, question) = (session.id().clone(), Box::new(question));
    let ask = |request| ToHost::Changes { request, session_id, question };
    let read = |answer| match answer {
        ToRelay::Changes { answer, .. } => Some(*answer),
        _ => None,
    };
    let answer = forward::ask(app, host, ask, read).await?;
    changes_reply(session.id(), answer, wall_ms())
}
