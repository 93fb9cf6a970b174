//! The bodies of `/api/audit`.

use serde::{Deserialize, Serialize};

use crate::id::SessionId;

/// The answer to `GET /api/audit`, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditList {
    /// What was done, newest first.
    pub events: Vec<AuditEvent>,
    /// The `before` of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// Something that was done with a token, or refused. It never has a secret, and nothing of what a
/// session prints or is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// The event's number; later ones are larger.
    pub id: u64,
    /// When it happened, as RFC 3339.
    pub at: String,
    /// What happened.
    pub kind: AuditKind,
    /// Who did it: the label of the token, or else its scope; empty if the caller had no valid token.
    pub who: String,
    /// The id of the token; absent if it is not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// The address that it came from, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The session that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// More about it, such as the route that was refused or the scope that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The kind of an [`AuditEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AuditKind {
    /// A stream, an event stream, a host or an editor was connected.
    Connected,
    /// A client continued at its cursor.
    Resumed,
    /// A request was refused: it had no valid token, or its token does not allow it.
    Denied,
    /// A connection was closed because its token no longer allows it.
    Cut,
    /// A token was made.
    Shared,
    /// A token was changed.
    Changed,
    /// A token was revoked.
    Revoked,
    /// A browser logged in.
    LoggedIn,
    /// A browser, or every browser of a token, logged out.
    LoggedOut,
    /// An approval was decided.
    Decided,
    /// A passkey was added.
    PasskeyAdded,
    /// A passkey was removed.
    PasskeyRemoved,
    /// A kind of a later version.
    #[serde(other)]
    Unknown,
}

impl AuditKind {
    /// Returns the kind with this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let all = [
            Self::Connected,
            Self::Resumed,
            Self::Denied,
            Self::Cut,
            Self::Shared,
            Self::Changed,
            Self::Revoked,
            Self::LoggedIn,
            Self::LoggedOut,
            Self::Decided,
            Self::PasskeyAdded,
            Self::PasskeyRemoved,
        ];
        all.into_iter().find(|kind| kind.as_str() == name).unwrap_or(Self::Unknown)
    }

    /// Returns the kind as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Resumed => "resumed",
            Self::Denied => "denied",
            Self::Cut => "cut",
            Self::Shared => "shared",
            Self::Changed => "changed",
            Self::Revoked => "revoked",
            Self::LoggedIn => "logged-in",
            Self::LoggedOut => "logged-out",
            Self::Decided => "decided",
            Self::PasskeyAdded => "passkey-added",
            Self::PasskeyRemoved => "passkey-removed",
            Self::Unknown => "unknown",
        }
    }
}
