//! Questions that are passed on to a session's host, which works on files to answer them.

use moorline_core::plan::{HostError, OPERATIONS_PATIENCE};
use moorline_shared::control::{ToHost, ToRelay};
use moorline_shared::failure::HostFailure;
use moorline_shared::id::HostId;
use moorline_shared::publish::RequestId;

use crate::http::App;
use crate::http::error::ApiError;

/// Asks a host, and returns what `read` finds in its answer. A host that does not answer, or says
/// something else, has failed.
///
/// # Errors
/// Those of a host that cannot be asked.
pub(super) async fn ask<A: From<HostFailure>>(
    app: &App,
    host: HostId,
    question: impl FnOnce(RequestId) -> ToHost,
    read: impl FnOnce(ToRelay) -> Option<A>,
) -> Result<A, ApiError> {
    let silent = |error: HostError| A::from(HostFailure::silent(error.to_string()));
    match app.registry.hosts().ask_within(&host, OPERATIONS_PATIENCE, question).await {
        Ok(answer) => Ok(read(answer).unwrap_or_else(|| silent(HostError::Silent(host)))),
        Err(error @ HostError::Silent(_)) => Ok(silent(error)),
        Err(error) => Err(error.into()),
    }
}
