//! The scope of a token, parsed once.

use std::fmt;
use std::str::FromStr;

use moorline_shared::id::SessionId;
use moorline_shared::message::Scope;

use crate::naming::id_of;

/// The scope of a token: what it allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Allows everything.
    Admin,
    /// Allows publishing sessions.
    Host,
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
#[error("the scope must be `admin`, `host`, `session:<id>:write` or `session:<id>:read`")]
pub struct InvalidAccess;

impl Access {
    /// Returns the access to a session; `None` if the token gives none.
    #[must_use]
    pub fn scope_of(&self, session: &SessionId) -> Option<Scope> {
        match self {
            Self::Admin => Some(Scope::Write),
            Self::Session { id, scope } if id == session => Some(*scope),
            Self::Host | Self::Session { .. } => None,
        }
    }

    /// Returns true if the token allows listing, creating and deleting sessions.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        *self == Self::Admin
    }
}

impl FromStr for Access {
    type Err = InvalidAccess;

    fn from_str(text: &str) -> Result<Self, InvalidAccess> {
        let mut parts = text.split(':');
        let access = match (parts.next(), parts.next(), parts.next()) {
            (Some("admin"), None, None) => Self::Admin,
            (Some("host"), None, None) => Self::Host,
            (Some("session"), Some(id), Some(scope)) => {
                let scope = match scope {
                    "write" => Scope::Write,
                    "read" => Scope::Read,
                    _ => return Err(InvalidAccess),
                };
                Self::Session { id: id_of(id).map_err(|_| InvalidAccess)?, scope }
            }
            _ => return Err(InvalidAccess),
        };
        if parts.next().is_none() { Ok(access) } else { Err(InvalidAccess) }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin => f.write_str("admin"),
            Self::Host => f.write_str("host"),
            Self::Session { id, scope: Scope::Write } => write!(f, "session:{id}:write"),
            Self::Session { id, scope: Scope::Read } => write!(f, "session:{id}:read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_as_it_is_written() {
        for text in ["admin", "host", "session:abcdefgh:write", "session:abcdefgh:read"] {
            assert_eq!(text.parse::<Access>().unwrap().to_string(), text);
        }
        for bad in ["", "Admin", "admin:", "session", "session:abcdefgh", "session:short:read"] {
            assert_eq!(bad.parse::<Access>(), Err(InvalidAccess), "{bad}");
        }
        for bad in ["session:abcdefgh:admin", "session:abcdefgh:read:", "host:x"] {
            assert_eq!(bad.parse::<Access>(), Err(InvalidAccess), "{bad}");
        }
    }

    #[test]
    fn a_session_may_go_by_a_longer_name() {
        let name = "user_1_ws_3f1c9a52-7c1f-4a53-9f0e-0d6a3c1b2e4f";
        let access: Access = format!("session:{name}:write").parse().unwrap();
        assert_eq!(access.scope_of(&id_of(name).unwrap()), Some(Scope::Write));
        assert_eq!(access.to_string().parse(), Ok(access));
    }

    #[test]
    fn a_session_token_is_for_that_session_only() {
        let (own, other) = ("abcdefgh".parse().unwrap(), "ijklmnop".parse().unwrap());
        let read: Access = "session:abcdefgh:read".parse().unwrap();
        assert_eq!((read.scope_of(&own), read.scope_of(&other)), (Some(Scope::Read), None));
        assert_eq!(Access::Admin.scope_of(&other), Some(Scope::Write));
        assert_eq!(Access::Host.scope_of(&own), None);
    }
}
