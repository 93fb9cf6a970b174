//! The bodies of `/api/tokens` and `/api/login`.

use serde::{Deserialize, Serialize};

/// The body of `POST /api/tokens`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CreateToken {
    /// The rights of the token: `admin`, `host`, `project:<id>:write`, `project:<id>:read`,
    /// `session:<id>:write` or `session:<id>:read`.
    pub scope: String,
    /// The token's purpose, to tell tokens apart later. Others see it as the name of who decides and
    /// prompts with the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub label: Option<String>,
    /// Milliseconds for which the token is valid; by default until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
}

/// The body of `PATCH /api/tokens/:id`. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChangeToken {
    /// The rights of the token from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The token's purpose; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub label: Option<String>,
    /// Milliseconds from now until the token expires; `null` for a token that is valid until it is revoked.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "super::agent::given"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub expires_in_ms: Option<Option<u64>>,
}

/// The answer to `PATCH /api/tokens/:id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TokenChanged {
    /// Always true.
    pub success: bool,
    /// The token as it is now.
    #[serde(flatten)]
    pub summary: TokenSummary,
}

/// The answer to `POST /api/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TokenCreated {
    /// The secret, which is shown only this once.
    pub token: String,
    /// The stored part of the token.
    #[serde(flatten)]
    pub summary: TokenSummary,
}

/// The answer to `GET /api/tokens`, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TokenList {
    /// All stored tokens, including expired ones.
    pub tokens: Vec<TokenSummary>,
}

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TokenSummary {
    /// Names the token for revoking; it is not secret.
    pub id: String,
    /// The token's rights.
    pub scope: String,
    /// The token's purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// When the token was created, as RFC 3339.
    pub created_at: String,
    /// When it expires, as RFC 3339; absent if it is valid until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// When it was last used, as RFC 3339, to a minute; absent if it was not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
    /// True if it was made for a browser that a code let in. It ends with the browser's log-out.
    #[serde(default)]
    pub for_browser: bool,
}

/// The answer to `DELETE /api/login` and `DELETE /api/login/all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct LoggedOut {
    /// Always true.
    pub success: bool,
    /// True if the token that the browser had logged in with is revoked: it was the browser's own.
    /// Another token stays valid.
    #[serde(default)]
    pub revoked: bool,
}

/// The answer to `GET /api/login`: what the caller's token allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct LoginStatus {
    /// The token's rights.
    pub scope: String,
    /// The token's id; absent for a token that is not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// The token's purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// When the token expires, as RFC 3339; absent if it is valid until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}
