//! The pages of `/api/audit`.

use moorline_shared::rest::{AuditEvent, AuditKind, AuditList};
use serde::Deserialize;

use super::Request;
use crate::api::ApiError;
use crate::schema::LARGEST_NUMBER;

/// The number of events of a page, unless the request names another.
const PAGE: u64 = 100;
/// The largest number of events of a page.
const LARGEST_PAGE: u64 = 500;

/// The query of `GET /api/audit`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(default)]
pub struct AuditQuery {
    /// Only events before this one: `next` of the page before.
    before: Option<u64>,
    /// The number of events, 1 to 500; 100 by default.
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 500))]
    limit: Option<u64>,
    /// Only events of these kinds, separated by commas, such as `shared,changed,revoked`.
    kinds: Option<String>,
}

/// The part of the stored events that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// Only events before this one.
    pub before: u64,
    /// The number of events.
    pub limit: u64,
    /// The kinds of the events, each between commas; empty for all.
    pub kinds: String,
}

impl AuditPage {
    /// Returns the page that a request asks for.
    ///
    /// # Errors
    /// `bad_request`.
    pub fn of(request: &Request) -> Result<Self, ApiError> {
        let AuditQuery { before, limit, kinds } = request.query()?;
        let limit = limit.unwrap_or(PAGE);
        if !(1..=LARGEST_PAGE).contains(&limit) {
            let message = format!("`limit` must be 1 to {LARGEST_PAGE}.");
            return Err(ApiError::bad_request(message));
        }
        let kinds = kinds.as_deref().map(known_kinds).transpose()?.unwrap_or_default();
        Ok(Self { before: before.unwrap_or(LARGEST_NUMBER).min(LARGEST_NUMBER), limit, kinds })
    }

    /// Returns the answer with these events, newest first.
    #[must_use]
    pub fn answer(&self, events: Vec<AuditEvent>) -> AuditList {
        let is_full = events.len() as u64 == self.limit;
        let next = events.last().map(|event| event.id).filter(|id| is_full && *id > 1);
        AuditList { events, next }
    }
}

/// Returns the kinds of a query as [`AuditPage::kinds`] has them.
fn known_kinds(kinds: &str) -> Result<String, ApiError> {
    match kinds.split(',').find(|kind| AuditKind::named(kind) == AuditKind::Unknown) {
        Some(unknown) => Err(ApiError::bad_request(format!("`{unknown}` is no kind of event."))),
        None => Ok(format!(",{kinds},")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Grant;
    use crate::tests::support::request;

    #[test]
    fn a_page_is_bounded_and_names_the_next() {
        let page = |query: &str| {
            AuditPage::of(&request(query, &serde_json::Value::Null))
                .map_err(|error| error.status().as_u16())
        };
        assert_eq!(page("").unwrap().limit, PAGE);
        for bad in ["limit=0", "limit=501", "limit=x", "before=-1", "kinds=", "kinds=cut,x"] {
            assert_eq!(page(bad), Err(400), "{bad}");
        }
        assert_eq!(page("kinds=cut,logged-in").unwrap().kinds, ",cut,logged-in,");
        let two = page("limit=2&before=9").unwrap();
        let record = Grant::unstored().event(7, AuditKind::Revoked);
        let event = |id| record.clone().about(&"abcdefgh".parse().unwrap()).event(id);
        assert_eq!(two.answer(vec![event(8), event(7)]).next, Some(7));
        assert_eq!(two.answer(vec![event(8)]).next, None);
        assert_eq!(two.answer(vec![event(2), event(1)]).next, None);
        assert_eq!(event(3).who, "admin");
    }
}
