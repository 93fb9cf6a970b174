//! The list of sessions: filtered, in pages, newest first.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::rest::{SessionList, SessionSummary};
use moorline_shared::session::Lifecycle;
use serde::Deserialize;

use super::ApiError;

const PAGE: usize = 200;
const MOST_A_PAGE: usize = 1000;

/// The query parameters of a list.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(default)]
pub struct ListQuery {
    /// Only sessions of this project, or `none` for those without a project.
    #[cfg_attr(feature = "openapi", param(pattern = "^(none|[a-zA-Z0-9_-]{8,32})$"))]
    project: Option<String>,
    /// Only sessions that this driver runs.
    driver: Option<String>,
    /// Only sessions in this state.
    #[cfg_attr(feature = "openapi", param(inline))]
    lifecycle: Option<Lifecycle>,
    /// Only sessions with this text in their name, command, folder or id.
    q: Option<String>,
    /// The number of sessions on a page.
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000, default = 200))]
    limit: Option<usize>,
    /// The `nextCursor` of the page before.
    #[cfg_attr(feature = "openapi", param(pattern = "^[a-zA-Z0-9_-]+$"))]
    cursor: Option<String>,
}

impl ListQuery {
    /// Parses the parameters.
    ///
    /// # Errors
    /// `bad_request` or `invalid_id` if a value is not valid.
    pub fn filter(self) -> Result<Filter, ApiError> {
        let limit = self.limit.unwrap_or(PAGE);
        if !(1..=MOST_A_PAGE).contains(&limit) {
            return Err(ApiError::bad_request(format!("`limit` must be from 1 to {MOST_A_PAGE}.")));
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

/// A condition on the sessions of a list, and the page to show.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only sessions of this project; `Some(None)` for those without a project.
    pub project: Option<Option<ProjectId>>,
    /// Only sessions that this driver runs.
    pub driver: Option<String>,
    /// Only sessions in this state.
    pub lifecycle: Option<Lifecycle>,
    /// Only sessions whose name, command, folder or id contains this text, ignoring case.
    pub text: Option<String>,
    /// Only sessions after this place in the list.
    pub after: Option<Position>,
    /// The most sessions on a page.
    pub limit: usize,
}

/// A place in the list. Its text form is opaque: the cursor of the next page.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    created_at: String,
    id: SessionId,
}

/// The error for a text that is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`cursor` must be the `nextCursor` of the previous page")]
pub struct InvalidPosition;

impl Position {
    fn of(session: &SessionSummary) -> Self {
        Self { created_at: session.created_at.clone(), id: session.session_id.clone() }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(format!("{} {}", self.created_at, self.id)))
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidPosition)?;
        let text = String::from_utf8(bytes).map_err(|_| InvalidPosition)?;
        let (created_at, id) = text.split_once(' ').ok_or(InvalidPosition)?;
        let id = id.parse().map_err(|_| InvalidPosition)?;
        Ok(Self { created_at: created_at.to_owned(), id })
    }
}

/// Sorts sessions in the order of lists: newest first.
pub fn sort(sessions: &mut [SessionSummary]) {
    sessions.sort_by_cached_key(|session| std::cmp::Reverse(Position::of(session)));
}

impl Filter {
    /// Returns a page of the matching sessions. `sessions` are all, in the order of [`sort`].
    #[must_use]
    pub fn page(&self, mut sessions: Vec<SessionSummary>) -> SessionList {
        sessions.retain(|session| self.lets_pass(session));
        let total = sessions.len();
        if let Some(after) = &self.after {
            sessions.retain(|session| Position::of(session) < *after);
        }
        let more = sessions.len() > self.limit;
        sessions.truncate(self.limit);
        let last = sessions.last().filter(|_| more);
        let next_cursor = last.map(|session| Position::of(session).to_string());
        SessionList { sessions, total, next_cursor }
    }

    fn lets_pass(&self, session: &SessionSummary) -> bool {
        self.project.as_ref().is_none_or(|project| *project == session.project)
            && self.driver.as_ref().is_none_or(|driver| *driver == session.driver)
            && self.lifecycle.is_none_or(|lifecycle| lifecycle == session.lifecycle)
            && self.text.as_ref().is_none_or(|text| has_text(session, &text.to_lowercase()))
    }
}

fn has_text(session: &SessionSummary, text: &str) -> bool {
    let command = session.command.join(" ");
    let fields = [&session.name, &command, session.session_id.as_str()];
    let mut all = fields.into_iter().chain(session.cwd.as_deref());
    all.any(|field| field.to_lowercase().contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_as_it_is_written() {
        let id = "abcdefgh".parse().unwrap();
        let position = Position { created_at: "2026-01-02T03:04:05.678Z".into(), id };
        assert_eq!(position.to_string().parse(), Ok(position));
        for bad in ["", "x", "\0", "YWJj", "YWJjIGRlZg", "%%%"] {
            assert_eq!(bad.parse::<Position>(), Err(InvalidPosition), "{bad:?}");
        }
    }
}
