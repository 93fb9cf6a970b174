//! The bodies of `/api/passkeys` and `/api/login/passkey`: what a browser's `PublicKeyCredential` takes
//! and gives as JSON. Bytes are unpadded base64url.

use serde::{Deserialize, Serialize};

/// The answer to `POST /api/passkeys/challenge`: the argument of
/// `PublicKeyCredential.parseCreationOptionsFromJSON`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PasskeyCreation {
    /// The relay, by the name under which the page reaches it.
    pub rp: PasskeyRelay,
    /// The holder of the token that the passkey stands for.
    pub user: PasskeyUser,
    /// The challenge to sign, once, within five minutes.
    pub challenge: String,
    /// The accepted algorithms, the preferred one first.
    pub pub_key_cred_params: Vec<PasskeyAlgorithm>,
    /// Milliseconds until the challenge expires.
    pub timeout: u64,
    /// The passkeys that the token has already.
    pub exclude_credentials: Vec<PasskeyDescriptor>,
    /// What the device must be able to do.
    pub authenticator_selection: PasskeySelection,
    /// Always `none`: the relay does not ask which device it is.
    pub attestation: String,
}

/// The relay that a passkey is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PasskeyRelay {
    /// Its DNS name.
    pub id: String,
    /// Its name, for people.
    pub name: String,
}

/// The user that a device shows for a passkey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PasskeyUser {
    /// Follows from the token, and does not reveal it.
    pub id: String,
    /// The token's label, or else its scope.
    pub name: String,
    /// The same.
    pub display_name: String,
}

/// An algorithm of signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PasskeyAlgorithm {
    /// Always `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its number in the registry of COSE.
    pub alg: i32,
}

/// A passkey, by the id that its device gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PasskeyDescriptor {
    /// Always `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The credential's id.
    pub id: String,
}

/// What a device must be able to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PasskeySelection {
    /// Always `required`: the device finds the passkey without a user name.
    pub resident_key: String,
    /// Always true, for browsers that do not know `residentKey`.
    pub require_resident_key: bool,
    /// Always `required`: the device asks for a PIN, a fingerprint or the like.
    pub user_verification: String,
}

/// The answer to `POST /api/login/passkey/challenge`: the argument of
/// `PublicKeyCredential.parseRequestOptionsFromJSON`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PasskeyRequest {
    /// The challenge to sign, once, within five minutes.
    pub challenge: String,
    /// Milliseconds until the challenge expires.
    pub timeout: u64,
    /// The relay's DNS name.
    pub rp_id: String,
    /// Always `required`.
    pub user_verification: String,
}

/// The body of `POST /api/passkeys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddPasskey {
    /// The passkey's name, to tell passkeys apart later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub label: Option<String>,
    /// What `navigator.credentials.create` has given, as its `toJSON` returns it.
    pub credential: NewPasskey,
}

/// A credential that a browser has made. Other fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewPasskey {
    /// What the device and the browser state.
    pub response: NewPasskeyResponse,
}

/// What a device and a browser state about a new credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewPasskeyResponse {
    /// The challenge, and the page that asked.
    #[serde(rename = "clientDataJSON")]
    pub client_data: String,
    /// The relay, what the device has checked, and the new key.
    #[serde(rename = "authenticatorData")]
    pub authenticator_data: String,
}

/// The body of `POST /api/login/passkey`: what `navigator.credentials.get` has given, as its `toJSON`
/// returns it. Other fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogInByPasskey {
    /// The credential's id.
    pub id: String,
    /// What the device and the browser state.
    pub response: PasskeyAssertion,
}

/// What a device signs to log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PasskeyAssertion {
    /// The challenge, and the page that asked.
    #[serde(rename = "clientDataJSON")]
    pub client_data: String,
    /// The relay, what the device has checked, and its counter.
    #[serde(rename = "authenticatorData")]
    pub authenticator_data: String,
    /// The signature of both.
    pub signature: String,
    /// The user's id, as the relay gave it.
    #[serde(rename = "userHandle", default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// The answer to `POST /api/passkeys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PasskeyAdded {
    /// Always true.
    pub success: bool,
    /// The passkey.
    #[serde(flatten)]
    pub summary: PasskeySummary,
}

/// The answer to `GET /api/passkeys`, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PasskeyList {
    /// An administrator's list has all passkeys, others have those of the caller's token.
    pub passkeys: Vec<PasskeySummary>,
}

/// A passkey, without its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PasskeySummary {
    /// Names the passkey for removing it; it is not secret.
    pub id: String,
    /// The passkey's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The relay's name that it was made for. It works under this name only.
    pub relay: String,
    /// The id of the token that it stands for; absent if that is not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// The token's purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_label: Option<String>,
    /// When it was added, as RFC 3339.
    pub created_at: String,
    /// When somebody last logged in with it, as RFC 3339; absent if nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
}
