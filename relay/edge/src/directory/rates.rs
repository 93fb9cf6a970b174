//! Limits of what is done with one token, which the directory counts because every use of a stored
//! token passes through it.

use moorline_core::api::ApiError;
use moorline_core::auth::{Grant, start_session};
use moorline_shared::time::Time;

use super::{DirectoryState, now_ms};
use crate::reply::RequestFailure;

impl DirectoryState {
    /// Counts a request with a token. The count is kept in memory: an object that is loaded again
    /// allows a full burst.
    pub(super) fn count_request(&self, grant: &Grant) -> Result<(), RequestFailure> {
        let wait = self.rates.request_with(grant, Time::from_ms(now_ms()));
        wait.map_or(Ok(()), |wait| Err(ApiError::too_many_requests(wait).into()))
    }

    /// Counts a session that is about to be started with a token. The count is stored, because a
    /// session is much more expensive than a row.
    pub(super) fn count_start(&self, grant: &Grant) -> Result<(), RequestFailure> {
        let Some(token) = &grant.token_id else { return Ok(()) };
        let now = Time::from_ms(now_ms());
        self.with(|memory| {
            let settled = memory.database.starts_settled(token)?;
            let settled = start_session(settled, now).map_err(ApiError::too_many_starts)?;
            Ok(memory.database.put_starts(token, settled, now)?)
        })
    }
}
