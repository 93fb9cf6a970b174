//! Questions about operations, which the session's host answers.

use std::sync::Arc;

use moorline_core::routes::{HostQuestion, QuestionOutcome, Reply, SessionFolder, folder_of};
use moorline_shared::control::{ToHost, ToRelay};

use super::forward;
use crate::clock::wall_ms;
use crate::http::App;
use crate::http::error::ApiError;
use crate::session::SessionHandle;

/// Asks the session's host, and reports the answer in the session's log.
pub(in crate::http) async fn ask(
    app: &App,
    session: &Arc<SessionHandle>,
    asked: HostQuestion,
) -> Result<Reply, ApiError> {
    let SessionFolder { host, folder } = folder_of(&session.lock().session, wall_ms())?;
    let question = Box::new(asked.question.clone());
    let ask = |request| ToHost::Operations { request, folder, question };
    let read = |answer| match answer {
        ToRelay::Operations { answer, .. } => Some(*answer),
        _ => None,
    };
    let answer = forward::ask(app, host, ask, read).await?;
    let now_ms = wall_ms();
    let QuestionOutcome { event, reply } = asked.finish(session.id(), answer, now_ms);
    session.change(|session| {
        session.note_activity(now_ms);
        session.append(event);
    });
    reply
}
