//! The rows of passkeys: adding one, and logging in by one.

use moorline_shared::limits::PASSKEYS_OF_TOKEN;
use moorline_shared::rest::{AddPasskey, LogInByPasskey, PasskeySummary};
use moorline_shared::time::Time;

use super::authenticator::AuthenticatorData;
use super::client_data::{Ceremony, ClientData};
use super::key::PasskeyKey;
use super::{ChallengeKey, PasskeyRefused, RelyingParty, UsedChallenge, decode, encode, user_of};
use crate::api::{ApiError, name};
use crate::audit::AuditRecord;
use crate::auth::{Access, Grant, SecretHash};
use crate::rfc3339;
use sha2::{Digest as _, Sha256};

/// The row of one passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyRecord {
    /// Its id, which follows from the credential's.
    pub id: String,
    /// Hash of the token that it stands for.
    pub token: SecretHash,
    /// The relay's name that it was made for.
    pub relay: String,
    /// Its name, for people.
    pub label: Option<String>,
    /// The credential's id, which the device chose.
    pub credential: Vec<u8>,
    /// The public key, as the device wrote it.
    pub key: Vec<u8>,
    /// The counter of its last signature.
    pub counter: u32,
    /// When it was added, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// When somebody last logged in with it, in milliseconds since 1970.
    pub last_used_ms: Option<u64>,
    /// The id of its token, if that is stored. Not a column of its own.
    pub token_id: Option<String>,
    /// The label of its token. Not a column of its own.
    pub token_label: Option<String>,
}

impl PasskeyRecord {
    /// Returns the row of a passkey that a device has made for the holder of a token, and the challenge that it answers.
    /// `key` has made the challenge, and `known` are all passkeys.
    ///
    /// # Errors
    /// `bad_request`, `bad_passkey`, `overloaded`; `forbidden` for a host's token, which is no
    /// person's.
    pub fn register(
        wanted: &AddPasskey,
        (grant, token): (&Grant, &SecretHash),
        rp: &RelyingParty,
        key: &ChallengeKey,
        known: &[Self],
        now: Time,
    ) -> Result<(Self, UsedChallenge), ApiError> {
        if grant.access == Access::Host {
            return Err(ApiError::forbidden());
        }
        let label = name(wanted.label.as_deref())?;
        let made = made(wanted, token, rp, key, now).map_err(ApiError::bad_passkey);
        let (made, used) = made?;
        if known.iter().any(|it| it.id == made.id) {
            return Err(ApiError::bad_passkey(PasskeyRefused::Known));
        }
        if known.iter().filter(|it| it.token == *token).count() >= PASSKEYS_OF_TOKEN {
            return Err(ApiError::too_many_passkeys());
        }
        let (token_id, token_label) = (grant.token_id.clone(), grant.label.clone());
        Ok((Self { label, token_id, token_label, ..made }, used))
    }

    /// Checks a login by this passkey. `challenges` has made the challenge. Returns the row afterwards and the challenge: the rim
    /// stores the counter, the time of use, and that the challenge was used. The token must be checked, too.
    ///
    /// # Errors
    /// [`PasskeyRefused`].
    pub fn log_in(
        self,
        presented: &LogInByPasskey,
        rp: &RelyingParty,
        challenges: &ChallengeKey,
        now: Time,
    ) -> Result<(Self, UsedChallenge), PasskeyRefused> {
        let response = &presented.response;
        let client = ClientData::read(&response.client_data)?;
        let used = challenges.check(&client.challenge, None, now)?;
        client.check(Ceremony::Get, rp)?;
        let data = decode(&response.authenticator_data)?;
        let device = AuthenticatorData::read(&data)?;
        device.check(rp)?;
        let user = response.user.as_deref().map(decode).transpose()?;
        let is_own = user.is_none_or(|user| user == user_of(&self.token));
        if id_of(&presented.id).as_ref() != Ok(&self.id) || !is_own {
            return Err(PasskeyRefused::Unknown);
        }
        if self.relay != rp.id {
            return Err(PasskeyRefused::Relay);
        }
        let (key, _) = PasskeyKey::read(&self.key)?;
        let message = [&data[..], &client.hash].concat();
        key.verify(&message, &decode(&response.signature)?)?;
        let counts = device.counter != 0 || self.counter != 0;
        if counts && device.counter <= self.counter {
            return Err(PasskeyRefused::Counter);
        }
        Ok((Self { counter: device.counter, last_used_ms: Some(now.ms), ..self }, used))
    }

    /// Returns the passkey as lists show it.
    #[must_use]
    pub fn summary(self) -> PasskeySummary {
        PasskeySummary {
            id: self.id,
            label: self.label,
            relay: self.relay,
            token_id: self.token_id,
            token_label: self.token_label,
            created_at: rfc3339(self.created_at_ms),
            last_used: self.last_used_ms.map(rfc3339),
        }
    }

    /// Returns an audit event of somebody who added, removed or used the passkey.
    #[must_use]
    pub fn event(&self, done: AuditRecord) -> AuditRecord {
        let label = self.label.as_deref().map(|label| format!(" “{label}”")).unwrap_or_default();
        done.with(format!("passkey{label} for {}", self.relay))
    }
}

/// Returns the id of the passkey with a credential's id, in base64url.
///
/// # Errors
/// [`PasskeyRefused::Malformed`].
pub fn id_of(credential: &str) -> Result<String, PasskeyRefused> {
    decode(credential).map(|credential| id(&credential))
}

/// Returns the passkeys that a caller may see and remove: an administrator all, others those of their
/// token.
#[must_use]
pub fn passkeys_of(
    all: Vec<PasskeyRecord>,
    (grant, token): (&Grant, &SecretHash),
) -> Vec<PasskeyRecord> {
    let is_visible = |it: &PasskeyRecord| grant.access.is_admin() || it.token == *token;
    all.into_iter().filter(is_visible).collect()
}

fn id(credential: &[u8]) -> String {
    encode(&Sha256::digest(credential))
}

/// Returns the row of a credential, without names, and the challenge that it answers.
fn made(
    wanted: &AddPasskey,
    token: &SecretHash,
    rp: &RelyingParty,
    key: &ChallengeKey,
    now: Time,
) -> Result<(PasskeyRecord, UsedChallenge), PasskeyRefused> {
    let response = &wanted.credential.response;
    let client = ClientData::read(&response.client_data)?;
    let used = key.check(&client.challenge, Some(token), now)?;
    client.check(Ceremony::Create, rp)?;
    let data = decode(&response.authenticator_data)?;
    let device = AuthenticatorData::read(&data)?;
    device.check(rp)?;
    let (credential, rest) = device.credential()?;
    let (_, after) = PasskeyKey::read(rest)?;
    if !after.is_empty() && !device.has_extensions() {
        return Err(PasskeyRefused::Malformed);
    }
    let made = PasskeyRecord {
        id: id(credential),
        token: *token,
        relay: rp.id.clone(),
        label: None,
        credential: credential.to_owned(),
        key: rest[..rest.len() - after.len()].to_owned(),
        counter: device.counter,
        created_at_ms: now.ms,
        last_used_ms: None,
        token_id: None,
        token_label: None,
    };
    Ok((made, used))
}
