//! Passkeys (Web Authentication): a device logs a person in by a signature, without a token at hand.
//!
//! A passkey stands for a token, as a cookie does: it gives what the token gives, and ends with it. The
//! relay asks for discoverable credentials with user verification, and for no attestation, so any
//! device can make one. The steps are those of <https://www.w3.org/TR/webauthn-3/#sctn-rp-operations>.
//!
//! 1. The relay makes a challenge ([`ChallengeKey::issue`]) and answers with [`creation`] or [`request`].
//! 2. The browser has its device sign it.
//! 3. The relay checks the answer by [`PasskeyRecord::register`] or [`PasskeyRecord::log_in`], and notes the
//!    [`UsedChallenge`] that either returns. If it was noted before, the answer is [`PasskeyRefused::Challenge`].

mod authenticator;
mod challenge;
mod client_data;
mod key;
mod registered;
mod relying_party;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moorline_shared::limits::PASSKEY_CHALLENGE_LIFETIME;
use moorline_shared::rest::{
    PasskeyAlgorithm, PasskeyCreation, PasskeyDescriptor, PasskeyRelay, PasskeyRequest,
    PasskeySelection, PasskeyUser,
};
use sha2::{Digest as _, Sha256};

use crate::auth::{Grant, SecretHash};
pub use challenge::{CHALLENGE_KEY_BYTES, ChallengeKey, UsedChallenge};
pub use registered::{PasskeyRecord, id_of, passkeys_of};
pub use relying_party::RelyingParty;

/// The kind of every credential.
const PUBLIC_KEY: &str = "public-key";
/// The word for what a device must do.
const REQUIRED: &str = "required";

/// The reason that a passkey is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyRefused {
    /// It is not what browsers send.
    #[error("it cannot be read")]
    Malformed,
    /// The challenge is unknown, used, expired, or was for something else.
    #[error("its challenge was used already or is too old; try again")]
    Challenge,
    /// A page of another origin, or a frame in one, has asked for it.
    #[error("another page has asked for it")]
    Origin,
    /// It is for another name.
    #[error("it is for another name than this relay's")]
    Relay,
    /// Nobody has confirmed it on the device.
    #[error("the device has not checked who uses it")]
    NotVerified,
    /// Its algorithm is neither ES256 nor EdDSA, or its key is not valid.
    #[error("its kind of key is not supported")]
    Key,
    /// The relay does not have it, or its token is not valid any more.
    #[error("it was removed, or its token has expired or was revoked")]
    Unknown,
    /// The relay has it already.
    #[error("it was added already")]
    Known,
    /// The signature is another key's.
    #[error("its signature is not valid")]
    Signature,
    /// The counter did not go up.
    #[error("its counter went back: it may have been copied; remove it and add another")]
    Counter,
}

/// Returns what a browser needs to make a passkey that stands for a token, besides those that the token
/// has already.
#[must_use]
pub fn creation(
    rp: &RelyingParty,
    (grant, token): (&Grant, &SecretHash),
    known: &[PasskeyRecord],
    challenge: String,
) -> PasskeyCreation {
    let algorithm = |alg| PasskeyAlgorithm { kind: PUBLIC_KEY.to_owned(), alg };
    let descriptor = |known: &PasskeyRecord| PasskeyDescriptor {
        kind: PUBLIC_KEY.to_owned(),
        id: encode(&known.credential),
    };
    let here = known.iter().filter(|known| known.token == *token && known.relay == rp.id);
    PasskeyCreation {
        rp: PasskeyRelay { id: rp.id.clone(), name: "Moorline".to_owned() },
        user: PasskeyUser {
            id: encode(&user_of(token)),
            name: grant.holder(),
            display_name: grant.holder(),
        },
        challenge,
        // No RS256 (-257), which Chromium's console asks for: `key` verifies no RSA signatures, and every
        // device that can keep a passkey and check its user signs by ES256 or EdDSA.
        pub_key_cred_params: [key::ES256, key::EDDSA].map(algorithm).into(),
        timeout: lifetime_ms(),
        exclude_credentials: here.map(descriptor).collect(),
        authenticator_selection: PasskeySelection {
            resident_key: REQUIRED.to_owned(),
            require_resident_key: true,
            user_verification: REQUIRED.to_owned(),
        },
        attestation: "none".to_owned(),
    }
}

/// Returns what a browser needs to log in by one of its passkeys.
#[must_use]
pub fn request(rp: &RelyingParty, challenge: String) -> PasskeyRequest {
    let user_verification = REQUIRED.to_owned();
    PasskeyRequest { challenge, timeout: lifetime_ms(), rp_id: rp.id.clone(), user_verification }
}

fn lifetime_ms() -> u64 {
    PASSKEY_CHALLENGE_LIFETIME.as_millis() as u64
}

/// Returns the id under which devices keep a token's passkeys. It does not reveal the token's hash.
fn user_of(token: &SecretHash) -> [u8; 32] {
    Sha256::new().chain_update(b"moorline passkey user").chain_update(token).finalize().into()
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Result<Vec<u8>, PasskeyRefused> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| PasskeyRefused::Malformed)
}
