//! The list of sessions, and what sessions tell for it.

use http::StatusCode;
use moorline_core::api::{ApiError, ListQuery};

use super::{Directory, now_ms};
use crate::internal::Telling;
use crate::reply::{Answer, json, nothing};

impl Directory {
    pub(super) fn list(&self, wanted: ListQuery) -> Answer {
        let filter = wanted.filter()?;
        let page = self.with(|known| Ok(filter.page(known.summaries())))?;
        json(StatusCode::OK, &page)
    }

    /// A session tells of itself.
    pub(super) fn told(&self, telling: Telling) -> Answer {
        let Telling { told, counted } = telling;
        self.counted.borrow_mut().add(&counted);
        let id = told.summary.session_id.clone();
        let is_changed = self.with(|known| {
            if !known.sessions.contains_key(&id) && !self.is_busy(&id) {
                return Err(ApiError::no_session(id.as_str()).into());
            }
            Ok(known.told(told, now_ms())?)
        })?;
        if is_changed {
            self.list_changed();
        }
        nothing()
    }
}
