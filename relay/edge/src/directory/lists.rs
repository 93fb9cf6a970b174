//! The list of sessions, and what sessions tell for it.

use http::StatusCode;
use moorline_relay::core::api::{ApiError, Filter};
use moorline_shared::session::Lifecycle;
use serde::Deserialize;

use super::{Directory, now_ms};
use crate::internal::Told;
use crate::reply::{Answer, json, nothing};

const PAGE: usize = 200;
const MOST_A_PAGE: usize = 1000;

/// What a list is to show.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    project: Option<String>,
    driver: Option<String>,
    lifecycle: Option<Lifecycle>,
    q: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

impl Wanted {
    fn filter(self) -> Result<Filter, ApiError> {
        let limit = self.limit.unwrap_or(PAGE);
        if !(1..=MOST_A_PAGE).contains(&limit) {
            return Err(ApiError::bad_request(format!("`limit` is 1 to {MOST_A_PAGE}.")));
        }
        let project = match self.project.as_deref() {
            None => None,
            Some("none") => Some(None),
            Some(id) => Some(Some(id.parse().map_err(|_| ApiError::invalid_project_id())?)),
        };
        let after = self.cursor.map(|cursor| cursor.parse()).transpose();
        Ok(Filter {
            project,
            driver: self.driver,
            lifecycle: self.lifecycle,
            text: self.q,
            after: after.map_err(ApiError::bad_request)?,
            limit,
        })
    }
}

impl Directory {
    pub(super) fn list(&self, wanted: Wanted) -> Answer {
        let filter = wanted.filter()?;
        let page = self.with(|known| Ok(filter.page(known.summaries())))?;
        json(StatusCode::OK, &page)
    }

    /// A session tells of itself.
    pub(super) fn told(&self, told: Told) -> Answer {
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
