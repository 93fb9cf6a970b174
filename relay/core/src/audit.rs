//! The audit: the events that `/api/audit` lists.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use moorline_shared::id::SessionId;
use moorline_shared::rest::{AuditEvent, AuditKind};
use serde::{Deserialize, Serialize};

use crate::rfc3339;

/// The number of events that are kept. Older ones are removed.
pub const AUDIT_EVENTS: u64 = 10_000;
/// The number of events between two removals of old ones.
pub const AUDIT_TRIM_EVERY: u64 = 100;
/// Time within which refusals of the same caller by the same route are one event.
const REFUSALS_TOGETHER: Duration = Duration::from_secs(60);
/// The most callers and routes whose refusals are compared.
const REFUSALS: usize = 1024;

/// Something that was done with a token, or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// When it happened, in milliseconds since 1970.
    pub at_ms: u64,
    /// The kind of event.
    pub kind: AuditKind,
    /// The caller's name, for people; empty if the caller had no valid token.
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

    /// Returns the event of a token that is not valid.
    #[must_use]
    pub fn wrong_token(at_ms: u64) -> Self {
        Self::nobodys(at_ms, AuditKind::Denied).with("wrong, expired or revoked token")
    }

    /// Adds the address that it came from.
    #[must_use]
    pub fn from(self, address: IpAddr) -> Self {
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

/// When each kind of refusal was recorded last, so that a caller that is refused over and over does
/// not fill the audit.
#[derive(Debug, Default)]
pub struct Refusals(BTreeMap<RefusalKey, u64>);

/// Who was refused, from where, and what.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RefusalKey {
    who: String,
    address: Option<String>,
    detail: Option<String>,
}

impl Refusals {
    /// Returns false if the event is a refusal like one of the last minute, or too many others were
    /// recorded within it.
    pub fn is_news(&mut self, event: &AuditRecord) -> bool {
        if event.kind != AuditKind::Denied {
            return true;
        }
        let together_ms = REFUSALS_TOGETHER.as_millis() as u64;
        let is_recent = |at_ms: u64| event.at_ms.saturating_sub(at_ms) < together_ms;
        let AuditRecord { who, address, detail, .. } = event.clone();
        let refusal = RefusalKey { who, address, detail };
        if self.0.get(&refusal).is_some_and(|at_ms| is_recent(*at_ms)) {
            return false;
        }
        if self.0.len() >= REFUSALS {
            self.0.retain(|_, at_ms| is_recent(*at_ms));
        }
        let has_room = self.0.len() < REFUSALS;
        if has_room {
            self.0.insert(refusal, event.at_ms);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn refusals_of_a_kind_are_news_once_a_minute() {
        let mut refusals = Refusals::default();
        let mut refuse = |at_ms, address: u32| {
            let record = AuditRecord::nobodys(at_ms, AuditKind::Denied);
            let record = record.from(Ipv4Addr::from_bits(address).into());
            refusals.is_news(&record.with("GET /api/tokens"))
        };
        assert_eq!((0..100).filter(|at_ms| refuse(*at_ms, 1)).count(), 1);
        assert!(refuse(100, 2) && refuse(60_000, 1));
        assert_eq!((3..5000).filter(|address| refuse(60_001, *address)).count(), REFUSALS - 2);
        assert_eq!(refusals.0.len(), REFUSALS);
        let event = AuditRecord::nobodys(60_001, AuditKind::Connected);
        assert!(refusals.is_news(&event) && refusals.is_news(&event));
    }
}
