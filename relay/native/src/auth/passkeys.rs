//! Passkeys, which stand for tokens. What is checked is decided in [`moorline_core::passkey`].

use moorline_core::api::ApiError;
use moorline_core::auth::{Grant, SecretHash, random_secret};
use moorline_core::passkey::{
    PasskeyChallenge, PasskeyRecord, PasskeyRefused, RelyingParty, challenge_of, id_of, passkeys_of,
};
use moorline_shared::rest::{AddPasskey, LogInByPasskey};
use moorline_shared::time::Time;

use super::Tokens;

impl Tokens {
    /// Makes and stores a challenge for the holder of a token to get a passkey, or for somebody to log
    /// in.
    ///
    /// # Errors
    /// `internal`, or `unavailable` if it cannot be stored.
    pub fn challenge(&self, token: Option<SecretHash>, now: Time) -> Result<String, ApiError> {
        let challenge = random_secret().map_err(|error| ApiError::internal(&error))?;
        let stored = PasskeyChallenge::new(&challenge, token, now);
        self.with_store(|store| store.put_passkey_challenge(&stored, now))?;
        Ok(challenge)
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
        let challenge = challenge_of(&wanted.credential.response.client_data);
        let challenge = challenge.map_err(ApiError::bad_passkey)?;
        self.with_store(|store| {
            let taken = store.take_passkey_challenge(&challenge)?;
            let known = store.passkeys()?;
            let made = PasskeyRecord::register(wanted, by, rp, taken.as_ref(), &known, now)?;
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
        let challenge = challenge_of(&presented.response.client_data);
        let challenge = challenge.map_err(ApiError::wrong_passkey)?;
        let id = id_of(&presented.id).map_err(ApiError::wrong_passkey)?;
        self.with_store(|store| {
            let taken = store.take_passkey_challenge(&challenge)?;
            let found = store.passkeys()?.into_iter().find(|passkey| passkey.id == id);
            let found = found.ok_or_else(|| ApiError::wrong_passkey(PasskeyRefused::Unknown))?;
            let used = found.log_in(presented, rp, taken.as_ref(), now);
            let used = used.map_err(ApiError::wrong_passkey)?;
            store.use_passkey(&used)?;
            Ok(used)
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
