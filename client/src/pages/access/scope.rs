//! Scopes of tokens, and their descriptions.

use moorline_shared::id::{ProjectId, SessionId};

/// The scope of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenScope {
    /// Full access.
    Admin,
    /// May publish sessions.
    Host,
    /// The sessions of a project, and whether they may be steered.
    Project(ProjectId, bool),
    /// A session, and whether it may be steered.
    Session(SessionId, bool),
}

impl TokenScope {
    /// Reads a scope as the relay writes it; `None` for one of a later version.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (kind, id, rights) = (parts.next()?, parts.next(), parts.next());
        let writes = rights == Some("write");
        match (kind, id) {
            ("admin", None) => Some(Self::Admin),
            ("host", None) => Some(Self::Host),
            ("project", Some(id)) => Some(Self::Project(id.parse().ok()?, writes)),
            ("session", Some(id)) => Some(Self::Session(id.parse().ok()?, writes)),
            _ => None,
        }
    }

    /// Returns the scope as the relay reads it.
    pub(super) fn text(&self) -> String {
        let rights = |writes: &bool| if *writes { "write" } else { "read" };
        match self {
            Self::Admin => "admin".to_owned(),
            Self::Host => "host".to_owned(),
            Self::Project(id, writes) => format!("project:{id}:{}", rights(writes)),
            Self::Session(id, writes) => format!("session:{id}:{}", rights(writes)),
        }
    }

    /// Returns the scope in words, with the names of projects and sessions.
    pub(super) fn words(
        &self,
        project: impl FnOnce(&ProjectId) -> Option<String>,
        session: impl FnOnce(&SessionId) -> Option<String>,
    ) -> String {
        let rights = |writes: &bool| if *writes { "read and write" } else { "only read" };
        match self {
            Self::Admin => "Administrator".to_owned(),
            Self::Host => "Host".to_owned(),
            Self::Project(id, writes) => {
                let name = project(id).unwrap_or_else(|| id.to_string());
                format!("Project {name}, {}", rights(writes))
            }
            Self::Session(id, writes) => {
                let name = session(id).unwrap_or_else(|| id.to_string());
                format!("Session {name}, {}", rights(writes))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn scopes_are_read_and_said() {
        let words = |text: &str| {
            let scope = TokenScope::read(text)?;
            assert_eq!(scope.text(), text);
            let project = |id: &ProjectId| (id.as_str() == "project1").then(|| "notes".to_owned());
            Some(scope.words(project, |_| None))
        };
        for (text, expected) in [
            ("admin", "Administrator"),
            ("host", "Host"),
            ("project:project1:write", "Project notes, read and write"),
            ("project:project2:read", "Project project2, only read"),
            ("session:abcdefgh:read", "Session abcdefgh, only read"),
        ] {
            assert_eq!(words(text).as_deref(), Some(expected));
        }
        for other in ["", "admin:x", "root", "session:a b:read"] {
            assert_eq!(TokenScope::read(other), None, "{other}");
        }
    }
}
