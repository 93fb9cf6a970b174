//! Challenges of which a relay keeps nothing until they are answered.
//!
//! A challenge holds what it is for and when it expires, authenticated by the relay's key (HMAC-SHA256). So anyone may ask
//! for any number of them, and takes nothing from others. Only an answer with a valid signature is noted, to be accepted
//! once ([`UsedChallenge`]).

use hmac::{Hmac, Mac as _};
use moorline_shared::limits::PASSKEY_CHALLENGE_LIFETIME;
use moorline_shared::time::Time;
use sha2::Sha256;

use super::{PasskeyRefused, decode, encode};
use crate::auth::{SecretHash, hash_secret};

/// Bytes of a key.
pub const CHALLENGE_KEY_BYTES: usize = 32;
/// Keeps these codes apart from others that a key could be used for.
const CONTEXT: &[u8] = b"moorline passkey challenge 1";
/// Random bytes of a challenge.
const NONCE_BYTES: usize = 16;

/// The key by which a relay knows its own challenges. Stored, so that a restart voids none.
#[derive(Clone)]
pub struct ChallengeKey([u8; CHALLENGE_KEY_BYTES]);

/// An answered challenge, which must not be accepted again before it expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedChallenge {
    /// Hash of the challenge.
    pub hash: SecretHash,
    /// When it expires.
    pub expires_at: Time,
}

impl ChallengeKey {
    /// Makes a random key.
    ///
    /// # Errors
    /// If the system provides no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut key = [0; CHALLENGE_KEY_BYTES];
        getrandom::fill(&mut key)?;
        Ok(Self(key))
    }

    /// Returns the key that a relay has stored.
    #[must_use]
    pub const fn new(key: [u8; CHALLENGE_KEY_BYTES]) -> Self {
        Self(key)
    }

    /// Returns the bytes to store.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; CHALLENGE_KEY_BYTES] {
        &self.0
    }

    /// Makes a challenge for the holder of a token to get a passkey, or for somebody to log in (`None`).
    ///
    /// # Errors
    /// If the system provides no random numbers.
    pub fn issue(&self, token: Option<&SecretHash>, now: Time) -> Result<String, getrandom::Error> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)?;
        let expires_at = (now + PASSKEY_CHALLENGE_LIFETIME).ms.to_be_bytes();
        let code = self.code(token, &nonce, expires_at).finalize().into_bytes();
        Ok(encode(&[&nonce[..], &expires_at, &code].concat()))
    }

    /// Checks a challenge that was answered, for the same purpose as [`ChallengeKey::issue`].
    pub(super) fn check(
        &self,
        challenge: &str,
        token: Option<&SecretHash>,
        now: Time,
    ) -> Result<UsedChallenge, PasskeyRefused> {
        let bytes = decode(challenge).map_err(|_| PasskeyRefused::Challenge)?;
        let parts = bytes.split_first_chunk::<NONCE_BYTES>();
        let parts = parts.and_then(|(nonce, rest)| Some((nonce, rest.split_first_chunk()?)));
        let (nonce, (expires_at, code)) = parts.ok_or(PasskeyRefused::Challenge)?;
        let verified = self.code(token, nonce, *expires_at).verify_slice(code);
        let expires_at = Time::from_ms(u64::from_be_bytes(*expires_at));
        if verified.is_err() || now >= expires_at {
            return Err(PasskeyRefused::Challenge);
        }
        Ok(UsedChallenge { hash: hash_secret(challenge), expires_at })
    }

    fn code(
        &self,
        token: Option<&SecretHash>,
        nonce: &[u8; NONCE_BYTES],
        expires_at: [u8; 8],
    ) -> Hmac<Sha256> {
        let code = Hmac::<Sha256>::new_from_slice(&self.0);
        let mut code = code.expect("HMAC takes keys of any length");
        code.update(CONTEXT);
        code.update(nonce);
        code.update(&expires_at);
        // Last, because it may be missing.
        code.update(token.map_or(&[], |token| &token[..]));
        code
    }
}

/// Hides the key.
impl std::fmt::Debug for ChallengeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChallengeKey(…)")
    }
}
