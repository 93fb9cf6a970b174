//! The scope of a token, parsed once.

use std::fmt;
use std::str::FromStr;

use moorline_shared::id::{ProjectId, SessionId};
use moorline_shared::message::Scope;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::naming::id_of;

/// The scope of a token: what it allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Allows everything.
    Admin,
    /// Allows publishing sessions.
    Host,
    /// Allows access to a project and to the sessions that are in it.
    Project {
        /// The project's id.
        id: ProjectId,
        /// The right to start and steer sessions, or only to watch them.
        scope: Scope,
    },
    /// Allows access to one session.
    Session {
        /// The session.
        id: SessionId,
        /// The right to steer the session, or only to watch it.
        scope: Scope,
    },
}

/// The error for a text that is not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the scope must be `admin`, `host`, `project:<id>:write`, `project:<id>:read`, \
     `session:<id>:write` or `session:<id>:read`"
)]
pub struct InvalidAccess;

impl Access {
    /// Returns the access to a session that is in `project`; `None` if the token gives none.
    #[must_use]
    pub fn scope_of(&self, session: &SessionId, project: Option<&ProjectId>) -> Option<Scope> {
        match self {
            Self::Admin => Some(Scope::Write),
            Self::Session { id, scope } if id == session => Some(*scope),
            Self::Project { id, scope } if Some(id) == project => Some(*scope),
            Self::Host | Self::Project { .. } | Self::Session { .. } => None,
        }
    }

    /// Returns the access to a project and to starting sessions in it; `None` if the token gives
    /// none.
    #[must_use]
    pub fn scope_in(&self, project: Option<&ProjectId>) -> Option<Scope> {
        match self {
            Self::Admin => Some(Scope::Write),
            Self::Project { id, scope } if Some(id) == project => Some(*scope),
            Self::Host | Self::Project { .. } | Self::Session { .. } => None,
        }
    }

    /// Returns the scope for a session that the token is known to reach; `None` for a host's token.
    #[must_use]
    pub const fn scope(&self) -> Option<Scope> {
        match self {
            Self::Admin => Some(Scope::Write),
            Self::Project { scope, .. } | Self::Session { scope, .. } => Some(*scope),
            Self::Host => None,
        }
    }

    /// Returns true if the token allows everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        *self == Self::Admin
    }

    /// Returns the only project that the token reaches, if it is a project's.
    #[must_use]
    pub const fn only_project(&self) -> Option<&ProjectId> {
        match self {
            Self::Project { id, .. } => Some(id),
            Self::Admin | Self::Host | Self::Session { .. } => None,
        }
    }
}

impl FromStr for Access {
    type Err = InvalidAccess;

    fn from_str(text: &str) -> Result<Self, InvalidAccess> {
        let mut parts = text.split(':');
        let access = match (parts.next(), parts.next(), parts.next()) {
            (Some("admin"), None, None) => Self::Admin,
            (Some("host"), None, None) => Self::Host,
            (Some("project"), Some(id), Some(scope)) => {
                Self::Project { id: id.parse().map_err(|_| InvalidAccess)?, scope: read(scope)? }
            }
            (Some("session"), Some(id), Some(scope)) => {
                Self::Session { id: id_of(id).map_err(|_| InvalidAccess)?, scope: read(scope)? }
            }
            _ => return Err(InvalidAccess),
        };
        if parts.next().is_none() { Ok(access) } else { Err(InvalidAccess) }
    }
}

fn read(scope: &str) -> Result<Scope, InvalidAccess> {
    match scope {
        "write" => Ok(Scope::Write),
        "read" => Ok(Scope::Read),
        _ => Err(InvalidAccess),
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |scope: &Scope| match scope {
            Scope::Write => "write",
            Scope::Read => "read",
        };
        match self {
            Self::Admin => f.write_str("admin"),
            Self::Host => f.write_str("host"),
            Self::Project { id, scope } => write!(f, "project:{id}:{}", word(scope)),
            Self::Session { id, scope } => write!(f, "session:{id}:{}", word(scope)),
        }
    }
}

impl Serialize for Access {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Access {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_as_it_is_written() {
        for text in [
            "admin",
            "host",
            "project:project_1:write",
            "project:project_1:read",
            "session:abcdefgh:write",
            "session:abcdefgh:read",
        ] {
            assert_eq!(text.parse::<Access>().unwrap().to_string(), text);
        }
        for bad in ["", "Admin", "admin:", "session", "session:abcdefgh", "session:short:read"] {
            assert_eq!(bad.parse::<Access>(), Err(InvalidAccess), "{bad}");
        }
        for bad in ["session:abcdefgh:admin", "session:abcdefgh:read:", "host:x"] {
            assert_eq!(bad.parse::<Access>(), Err(InvalidAccess), "{bad}");
        }
        for bad in ["project", "project:project_1", "project:project_1:all", "project::read"] {
            assert_eq!(bad.parse::<Access>(), Err(InvalidAccess), "{bad}");
        }
    }

    #[test]
    fn a_session_may_go_by_a_longer_name() {
        let name = "user_1_ws_3f1c9a52-7c1f-4a53-9f0e-0d6a3c1b2e4f";
        let access: Access = format!("session:{name}:write").parse().unwrap();
        assert_eq!(access.scope_of(&id_of(name).unwrap(), None), Some(Scope::Write));
        assert_eq!(access.to_string().parse(), Ok(access));
    }

    #[test]
    fn a_token_reaches_its_own_sessions_only() {
        let (own, other) = ("abcdefgh".parse().unwrap(), "ijklmnop".parse().unwrap());
        let read: Access = "session:abcdefgh:read".parse().unwrap();
        assert_eq!(read.scope_of(&own, None), Some(Scope::Read));
        assert_eq!(read.scope_of(&other, None), None);
        assert_eq!(Access::Admin.scope_of(&other, None), Some(Scope::Write));
        assert_eq!(Access::Host.scope_of(&own, None), None);

        let (project, elsewhere) = ("project_1".parse().unwrap(), "project_2".parse().unwrap());
        let writer: Access = "project:project_1:write".parse().unwrap();
        assert_eq!(writer.scope_of(&own, Some(&project)), Some(Scope::Write));
        assert_eq!(writer.scope_of(&own, Some(&elsewhere)), None);
        assert_eq!(writer.scope_of(&own, None), None);
        assert_eq!(writer.scope_in(Some(&project)), Some(Scope::Write));
        assert_eq!((writer.scope_in(Some(&elsewhere)), writer.scope_in(None)), (None, None));
        assert_eq!(read.scope_in(Some(&project)), None);
    }
}
