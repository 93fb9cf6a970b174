//! Questions that are passed on to a session's host, which works on files to answer them.

use moorline_core::plan::{HostError, OPERATIONS_PATIENCE};
use moorline_shared::control::{ToHost, ToRelay};
use moorline_shared::id::HostId;
use moorline_shared::publish::RequestId;

use crate::http::App;
use crate::http::error::ApiError;

/// Asks a host, and returns what `read` finds in its answer. Of a host that does not answer, or
/// says something else, `silent` makes the answer from a sentence.
///
/// # Errors
/// Those of a host that cannot be asked.
pub(super) async fn ask<A>(
    app: &App,
    host: HostId,
    question: impl FnOnce(RequestId) -> ToHost,
    read: impl FnOnce(ToRelay) -> Option<A>,
    silent: impl FnOnce(String) -> A,
) -> Result<A, ApiError> {
    match app.registry.hosts().ask_within(&host, OPERATIONS_PATIENCE, question).await {
        Ok(answer) => {
            let is_silent = || silent(HostError::Silent(host).to_string());
            Ok(read(answer).unwrap_or_else(is_silent))
        }
        Err(error @ HostError::Silent(_)) => Ok(silent(error.to_string())),
        Err(error) => Err(error.into()),
    }
}
