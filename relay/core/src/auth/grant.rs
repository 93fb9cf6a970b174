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
}

impl Grant {
    /// Returns what a stored token gives at `now`, in milliseconds since 1970. `None` if its hash is
    /// not `presented`, or it has expired.
    #[must_use]
    pub fn of(found: FoundToken, presented: &SecretHash, now: Time) -> Option<Self> {
        let FoundToken { id, hash, scope, label, expires_at } = found;
        let is_same: bool = hash.ct_eq(presented.as_slice()).into();
        if !is_same || expires_at.is_some_and(|at| at <= now) {
            return None;
        }
        Some(Self { token_id: Some(id), access: scope.parse().ok()?, label, expires_at })
    }

    /// Returns full access by a token that is not stored.
    #[must_use]
    pub const fn unstored() -> Self {
        Self { token_id: None, access: Access::Admin, label: None, expires_at: None }
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

    /// Returns the name of the holder, as other people see it: the label, or else the scope.
    #[must_use]
    pub fn holder(&self) -> String {
        self.label.clone().unwrap_or_else(|| self.access.to_string())
    }
}
