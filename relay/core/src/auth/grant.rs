//! The rights of a token's holder.

use moorline_shared::rest::AuditKind;
use moorline_shared::time::Time;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::{Access, SecretHash};
use crate::audit::AuditRecord;
use crate::record::FoundToken;

/// The rights of the holder of a valid token, or of a ticket or cookie that was made from one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// The token's id; `None` for a token that is not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// The sessions and actions that it allows.
    pub access: Access,
    /// The token's label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// When the token expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// For a browser's own token, which it was given for a code: whose browser it is, as
    /// [`Grant::person`] has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser_of: Option<String>,
}

impl Grant {
    /// Returns what a stored token gives at `now`, in milliseconds since 1970. `None` if its hash is
    /// not `presented`, or it has expired.
    #[must_use]
    pub fn of(found: FoundToken, presented: &SecretHash, now: Time) -> Option<Self> {
        let FoundToken { id, hash, scope, label, expires_at, browser_of } = found;
        let is_same: bool = hash.ct_eq(presented.as_slice()).into();
        if !is_same || expires_at.is_some_and(|at| at <= now) {
            return None;
        }
        let access = scope.parse().ok()?;
        Some(Self { token_id: Some(id), access, label, expires_at, browser_of })
    }

    /// Returns full access by a token that is not stored.
    #[must_use]
    pub const fn unstored() -> Self {
        let (label, expires_at, browser_of) = (None, None, None);
        Self { token_id: None, access: Access::Admin, label, expires_at, browser_of }
    }

    /// Returns full access of a command on the relay's own machine.
    #[must_use]
    pub fn command_line() -> Self {
        Self { label: Some("command line".to_owned()), ..Self::unstored() }
    }

    /// Returns an audit event of something that the holder does, at `at_ms` in milliseconds since
    /// 1970.
    #[must_use]
    pub fn event(&self, at_ms: u64, kind: AuditKind) -> AuditRecord {
        let (token_id, who) = (self.token_id.clone(), self.holder());
        AuditRecord { token_id, who, ..AuditRecord::nobodys(at_ms, kind) }
    }

    /// Returns the person whom the token is of: the id of the token by which the person came, which for
    /// a browser's own token is the one that its code stood for. Empty for the owner of the relay, who
    /// has a token that is not stored.
    #[must_use]
    pub fn person(&self) -> &str {
        self.browser_of.as_ref().or(self.token_id.as_ref()).map_or("", String::as_str)
    }

    /// Returns the id of the token that ends when its browser logs out, because nobody else has it.
    #[must_use]
    pub fn browser_token(&self) -> Option<&str> {
        self.browser_of.as_ref().and(self.token_id.as_deref())
    }

    /// Returns the name of the holder, as other people see it: the label, or else the scope.
    #[must_use]
    pub fn holder(&self) -> String {
        self.label.clone().unwrap_or_else(|| self.access.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::NewToken;

    fn grant_of(made: NewToken) -> Grant {
        let NewToken { hash, record, .. } = made;
        let found = FoundToken {
            id: record.id,
            hash: hash.to_vec(),
            scope: record.scope,
            label: record.label,
            expires_at: None,
            browser_of: record.browser_of,
        };
        Grant::of(found, &hash, Time::from_ms(1)).unwrap()
    }

    #[test]
    fn a_browser_is_of_the_person_whose_code_it_had() {
        let make = || NewToken::make(&Access::Admin, None, Time::from_ms(1), None).unwrap();
        let owner = Grant::command_line();
        let made = grant_of(make());
        assert_eq!((owner.person(), owner.browser_token()), ("", None));
        assert_eq!(
            (made.person(), made.browser_token()),
            (made.token_id.as_deref().unwrap(), None)
        );
        for issuer in [&owner, &made] {
            let browser = grant_of(make().for_browser_of(issuer));
            assert_eq!(browser.person(), issuer.person());
            assert_eq!(browser.browser_token(), browser.token_id.as_deref());
            // So is a browser that was let in by that one.
            let next = grant_of(make().for_browser_of(&browser));
            assert_eq!(next.person(), issuer.person());
        }
    }
}
