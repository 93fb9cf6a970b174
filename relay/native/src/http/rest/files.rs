//! A search for files, which the session's host answers.

use std::sync::Arc;

use moorline_core::plan::HostError;
use moorline_core::routes::{Reply, SessionFolder, files_reply, folder_of};
use moorline_shared::control::{ToHost, ToRelay};

use crate::clock::wall_ms;
use crate::http::App;
use crate::http::error::ApiError;
use crate::session::SessionHandle;

/// Asks the session's host.
pub(in crate::http) async fn find(
    app: &App,
    session: &Arc<SessionHandle>,
    query: String,
) -> Result<Reply, ApiError> {
    let SessionFolder { host, folder } = folder_of(&session.lock().session, wall_ms())?;
    let ask = |request| ToHost::FindFiles { request, folder, query };
    match app.registry.hosts().ask(&host, ask).await? {
        ToRelay::FoundFiles { found, .. } => Ok(files_reply(session.id(), found, wall_ms())),
        ToRelay::Failed { message, .. } => Err(ApiError::internal(&message)),
        _ => Err(HostError::Silent(host).into()),
    }
}
