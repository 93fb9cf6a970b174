//! Making and changing the rows of tokens.

use std::time::Duration;

use moorline_shared::time::Time;

use super::{Access, Grant, SecretHash, hash_secret, random_secret};
use crate::audit::AuditRecord;
use crate::record::TokenRecord;
use crate::schema::LARGEST_NUMBER;

/// The prefix of every token, by which people and secret scanners recognize one.
const PREFIX: &str = "moor_";
/// The shortest time between two records of a token's use.
pub const USE_RECORD_INTERVAL: Duration = Duration::from_secs(60);

/// A token that was made. Its text is available only here.
#[derive(Clone)]
pub struct NewToken {
    /// The token's text, which is not stored.
    pub text: String,
    /// The stored form of the text.
    pub hash: SecretHash,
    /// The token as the store keeps it.
    pub record: TokenRecord,
}

impl NewToken {
    /// Makes a token. `expires_at` is in milliseconds since 1970.
    ///
    /// # Errors
    /// If the system provides no random numbers.
    pub fn make(
        access: &Access,
        label: Option<String>,
        now: Time,
        expires_at: Option<Time>,
    ) -> Result<Self, getrandom::Error> {
        let mut id = [0_u8; 8];
        getrandom::fill(&mut id)?;
        let text = format!("{PREFIX}{}", random_secret()?);
        let record = TokenRecord {
            id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
            scope: access.to_string(),
            label,
            created_at_ms: now.ms,
            expires_at_ms: expires_at.map(|at| at.ms.min(LARGEST_NUMBER)),
            last_used_ms: None,
            browser_of: None,
        };
        Ok(Self { hash: hash_secret(&text), text, record })
    }
}

impl NewToken {
    /// Returns the same token as the own one of a browser that has redeemed a code of `issuer`'s token.
    #[must_use]
    pub fn for_browser_of(mut self, issuer: &Grant) -> Self {
        self.record.browser_of = Some(issuer.person().to_owned());
        self
    }
}

impl std::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewToken").field("record", &self.record).finish_non_exhaustive()
    }
}

impl TokenRecord {
    /// Returns an audit event of somebody who made, changed or revoked the token.
    #[must_use]
    pub fn event(&self, done: &AuditRecord) -> AuditRecord {
        let label = self.label.as_deref().map(|label| format!(" “{label}”")).unwrap_or_default();
        let event = done.clone().with(format!("token {}{label}: {}", self.id, self.scope));
        match self.scope.parse() {
            Ok(Access::Session { id, .. }) => event.about(&id),
            _ => event,
        }
    }
}
