//! What was done by whom: the rows of `/api/audit`.

use moorline_shared::id::SessionId;
use moorline_shared::rest::{AuditEvent, AuditKind};
use serde::{Deserialize, Serialize};

use crate::rfc3339;

/// The number of events that are kept. Older ones are removed.
pub const AUDIT_EVENTS: u64 = 10_000;
/// The number of events between two removals of old ones.
pub const AUDIT_TRIM_EVERY: u64 = 100;
/// Something that was done with a token, or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// When it happened, in milliseconds since 1970.
    pub at_ms: u64,
    /// What happened.
    pub kind: AuditKind,
    /// Who did it, for people; empty if the caller had no valid token.
    pub who: String,
    /// The id of the token, if it is stored.
    pub token_id: Option<String>,
    /// The address that it came from.
    pub address: Option<String>,
    /// The session that it is about.
    pub session: Option<SessionId>,
    /// More about it, for people: no secret, and nothing of what a session prints or is sent.
    pub detail: Option<String>,
}

impl AuditRecord {
    /// Returns an event of a caller without a valid token.
    #[must_use]
    pub const fn nobodys(at_ms: u64, kind: AuditKind) -> Self {
        Self {
            at_ms,
            kind,
            who: String::new(),
            token_id: None,
            address: None,
            session: None,
            detail: None,
        }
    }

    /// Adds the address that it came from.
    #[must_use]
    pub fn from(self, address: impl ToString) -> Self {
        Self { address: Some(address.to_string()), ..self }
    }

    /// Adds the session that it is about.
    #[must_use]
    pub fn about(self, session: &SessionId) -> Self {
        Self { session: Some(session.clone()), ..self }
    }

    /// Adds more about it, for people.
    #[must_use]
    pub fn with(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// Returns the stored event as lists show it.
    #[must_use]
    pub fn event(self, id: u64) -> AuditEvent {
        AuditEvent {
            id,
            at: rfc3339(self.at_ms),
            kind: self.kind,
            who: self.who,
            token_id: self.token_id,
            address: self.address,
            session_id: self.session,
            detail: self.detail,
        }
    }
}
