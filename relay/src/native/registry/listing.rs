//! The list of sessions: filtered, in pages, newest first.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::rest::{Overview, SessionList, SessionSummary};
use moorline_shared::session::Lifecycle;

use super::{Known, Registry, Slot};
use crate::native::session::summary;

/// Which sessions are asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Those of a project, or, by `Some(None)`, those of none.
    pub project: Option<Option<ProjectId>>,
    /// Those that this driver runs.
    pub driver: Option<String>,
    /// Those in this state.
    pub lifecycle: Option<Lifecycle>,
    /// Those whose name, command, folder or id has this text in it, in any case.
    pub text: Option<String>,
    /// Those behind this one.
    pub after: Option<Position>,
    /// No more than these.
    pub limit: usize,
}

/// A place in the list. As text it is opaque: the next page's cursor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    created_at: String,
    id: SessionId,
}

/// The text is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`cursor` is the `nextCursor` of the page before")]
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

impl Filter {
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

impl Registry {
    /// A page of the list.
    #[must_use]
    pub fn list(&self, filter: &Filter) -> SessionList {
        let mut sessions = self.known().summaries();
        sessions.retain(|session| filter.lets_pass(session));
        let total = sessions.len();
        if let Some(after) = &filter.after {
            sessions.retain(|session| Position::of(session) < *after);
        }
        let more = sessions.len() > filter.limit;
        sessions.truncate(filter.limit);
        let last = sessions.last().filter(|_| more);
        let next_cursor = last.map(|session| Position::of(session).to_string());
        SessionList { sessions, total, next_cursor }
    }

    /// One session, as the list shows it.
    #[must_use]
    pub fn summary(&self, id: &SessionId) -> Option<SessionSummary> {
        self.known().slots.get(id).map(Slot::summary)
    }

    /// Everything that lists show.
    #[must_use]
    pub fn overview(&self) -> Overview {
        let known = self.known();
        let sessions = known.summaries();
        let projects = known.projects_with(&sessions);
        Overview { sessions, projects }
    }
}

impl Known {
    /// All sessions, newest first.
    pub(super) fn summaries(&self) -> Vec<SessionSummary> {
        let mut list: Vec<_> = self.slots.values().map(Slot::summary).collect();
        list.sort_by_cached_key(|session| std::cmp::Reverse(Position::of(session)));
        list
    }
}

impl Slot {
    fn summary(&self) -> SessionSummary {
        match self {
            Self::Running(handle) => handle.summary(),
            Self::Over { record, opened } => match opened.upgrade() {
                Some(handle) => handle.summary(),
                None => summary(record, 0),
            },
        }
    }
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
