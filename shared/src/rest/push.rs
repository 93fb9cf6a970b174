//! Bodies of Web Push: notices for browsers whose pages are closed.

use serde::{Deserialize, Serialize};

/// The answer to `GET /api/push`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PushKey {
    /// The relay's public key for push services: an uncompressed point of P-256 in base64url. A
    /// browser subscribes with it as `applicationServerKey`. Null if the relay sends no notices.
    pub public_key: Option<String>,
}

/// The body of `POST /api/push/subscriptions`: a browser's subscription, as its `toJSON` gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct SubscribePush {
    /// The address at the browser's push service.
    pub endpoint: String,
    /// The browser's keys.
    pub keys: PushKeys,
}

/// The keys of a subscription, each in base64url.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct PushKeys {
    /// The browser's public key: a point of P-256.
    pub p256dh: String,
    /// The secret that authenticates messages: 16 bytes.
    pub auth: String,
}

/// The answer to `POST /api/push/subscriptions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PushSubscribed {
    /// True.
    pub success: bool,
    /// The subscription's id: the same for the same endpoint.
    pub id: String,
}
