//! Passkeys, which stand for tokens. What is checked is decided in [`moorline_core::passkey`].

use moorline_core::api::ApiError;
use moorline_core::auth::{Grant, SecretHash};
use moorline_core::passkey::{
    ChallengeKey, PasskeyRecord, PasskeyRefused, RelyingParty, id_of, passkeys_of,
};
use moorline_shared::rest::{AddPasskey, LogInByPasskey};
use moorline_shared::time::Time;

use super::Tokens;
use crate::store::Store;

/// Returns the key of challenges, which the first use makes.
fn challenge_key(store: &Store) -> Result<ChallengeKey, ApiError> {
    let new = ChallengeKey::random().map_err(|error| ApiError::internal(&error))?;
    Ok(store.passkey_challenge_key(new)?)
}

impl Tokens {
    /// Makes a challenge for the holder of a token to get a passkey, or for somebody to log in.
    ///
    /// # Errors
    /// `internal`, or `unavailable` if the first key cannot be stored.
    pub fn challenge(&self, token: Option<&SecretHash>, now: Time) -> Result<String, ApiError> {
        let challenge = self.with_store(challenge_key)?.issue(token, now);
        challenge.map_err(|error| ApiError::internal(&error))
    }

    /// Returns the passkeys that a caller may see, oldest first.
    ///
    /// # Errors
    /// `internal`.
    pub fn passkeys(&self, by: (&Grant, &SecretHash)) -> Result<Vec<PasskeyRecord>, ApiError> {
        let all = self.with_store(|store| store.passkeys())?;
        Ok(passkeys_of(all, by))
    }

    /// Adds a passkey that stands for the caller's token.
    ///
    /// # Errors
    /// Those of [`PasskeyRecord::register`], and `internal`.
    pub fn add_passkey(
        &self,
        wanted: &AddPasskey,
        by: (&Grant, &SecretHash),
        rp: &RelyingParty,
        now: Time,
    ) -> Result<PasskeyRecord, ApiError> {
        self.with_store(|store| {
            let (key, known) = (challenge_key(store)?, store.passkeys()?);
            let (made, used) = PasskeyRecord::register(wanted, by, rp, &key, &known, now)?;
            if !store.use_passkey_challenge(&used, now)? {
                return Err(ApiError::bad_passkey(PasskeyRefused::Challenge));
            }
            store.put_passkey(&made)?;
            Ok(made)
        })
    }

    /// Returns the passkey that somebody logs in with, and stores that it was used. The token that it
    /// stands for must be verified next.
    ///
    /// # Errors
    /// `passkey_refused` or `internal`.
    pub fn use_passkey(
        &self,
        presented: &LogInByPasskey,
        rp: &RelyingParty,
        now: Time,
    ) -> Result<PasskeyRecord, ApiError> {
        let id = id_of(&presented.id).map_err(ApiError::wrong_passkey)?;
        self.with_store(|store| {
            let found = store.passkeys()?.into_iter().find(|passkey| passkey.id == id);
            let found = found.ok_or_else(|| ApiError::wrong_passkey(PasskeyRefused::Unknown))?;
            let passed = found.log_in(presented, rp, &challenge_key(store)?, now);
            let (passkey, used) = passed.map_err(ApiError::wrong_passkey)?;
            if !store.use_passkey_challenge(&used, now)? {
                return Err(ApiError::wrong_passkey(PasskeyRefused::Challenge));
            }
            store.use_passkey(&passkey)?;
            Ok(passkey)
        })
    }

    /// Removes a passkey that the caller may see. Returns it.
    ///
    /// # Errors
    /// `not_found` or `internal`.
    pub fn remove_passkey(
        &self,
        id: &str,
        by: (&Grant, &SecretHash),
    ) -> Result<PasskeyRecord, ApiError> {
        let found = self.passkeys(by)?.into_iter().find(|passkey| passkey.id == id);
        let found = found.ok_or_else(ApiError::no_passkey)?;
        self.with_store(|store| store.delete_passkey(id))?;
        Ok(found)
    }
}
