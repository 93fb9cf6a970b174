//! Forks of sessions.

use std::sync::Arc;

use moorline_core::api::responses::{Guarded, OfSession, Starting, WithBody};
use moorline_core::routes::{Reply, forked};
use moorline_shared::id::SessionId;
use moorline_shared::rest::{Created, ErrorBody, ForkSession};

use super::find;
use crate::http::App;
use crate::http::error::ApiError;

/// Start a session on the log of another
///
/// The new session begins with the source's output up to `seq`, under the same numbers, and
/// continues with the output of its own process. That runs the same command with the same variables,
/// project and, unless the request says otherwise, size, in the source's current folder.
#[utoipa::path(
    post, path = "/api/sessions/{id}/fork", tag = "Sessions", operation_id = "forkSession",
    params(("id" = SessionId, Path, description = "The session.")),
    request_body = Option<ForkSession>,
    responses(Guarded, OfSession, WithBody, Starting,
        (status = 201, description = "The new session is running.", body = Created),
        (status = 409, description = "Too many entries before `seq` are gone: `trimmed`.",
            body = ErrorBody)),
)]
pub(in crate::http) async fn fork(
    app: &Arc<App>,
    id: &SessionId,
    wanted: ForkSession,
) -> Result<Reply, ApiError> {
    let source = find(app, id).await?;
    let (handle, from) = app.registry.fork(&source, wanted).await?;
    Ok(forked(handle.summary(), from))
}
