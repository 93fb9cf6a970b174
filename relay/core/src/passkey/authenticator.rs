//! What a device states: <https://www.w3.org/TR/webauthn-3/#sctn-authenticator-data>.

use sha2::{Digest as _, Sha256};

use super::{PasskeyRefused, RelyingParty};

/// Somebody has touched the device.
const USER_PRESENT: u8 = 1 << 0;
/// The device has checked who it was.
const USER_VERIFIED: u8 = 1 << 2;
/// The passkey may be copied to other devices of the same person.
const BACKUP_ELIGIBLE: u8 = 1 << 3;
/// The passkey was copied.
const BACKED_UP: u8 = 1 << 4;
/// A credential follows.
const HAS_CREDENTIAL: u8 = 1 << 6;
/// Extensions follow, which the relay does not ask for.
const HAS_EXTENSIONS: u8 = 1 << 7;
/// Bytes of the id of a device's model.
const MODEL_BYTES: usize = 16;
/// Most bytes of a credential's id.
const MOST_ID_BYTES: usize = 1023;

/// The statement of a device.
#[derive(Debug)]
pub(super) struct AuthenticatorData<'a> {
    relay_hash: &'a [u8; 32],
    flags: u8,
    /// The number of signatures of the device or the passkey; 0 if it does not count.
    pub(super) counter: u32,
    rest: &'a [u8],
}

impl<'a> AuthenticatorData<'a> {
    /// Reads the fixed part of a statement.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, PasskeyRefused> {
        let (relay_hash, rest) = bytes.split_first_chunk().ok_or(PasskeyRefused::Malformed)?;
        let ([flags], rest) = rest.split_first_chunk().ok_or(PasskeyRefused::Malformed)?;
        let (counter, rest) = rest.split_first_chunk().ok_or(PasskeyRefused::Malformed)?;
        Ok(Self { relay_hash, flags: *flags, counter: u32::from_be_bytes(*counter), rest })
    }

    /// Checks that it is for this relay, and that the device has checked who uses it.
    pub(super) fn check(&self, rp: &RelyingParty) -> Result<(), PasskeyRefused> {
        if self.relay_hash[..] != Sha256::digest(&rp.id)[..] {
            return Err(PasskeyRefused::Relay);
        }
        if !self.has(USER_PRESENT) || !self.has(USER_VERIFIED) {
            return Err(PasskeyRefused::NotVerified);
        }
        if self.has(BACKED_UP) && !self.has(BACKUP_ELIGIBLE) {
            return Err(PasskeyRefused::Malformed);
        }
        Ok(())
    }

    /// Returns the id of the credential that was made, and its key, which may be followed by
    /// extensions.
    pub(super) fn credential(&self) -> Result<(&'a [u8], &'a [u8]), PasskeyRefused> {
        let rest = self.rest.get(MODEL_BYTES..).filter(|_| self.has(HAS_CREDENTIAL));
        let (length, rest) =
            rest.and_then(<[u8]>::split_first_chunk).ok_or(PasskeyRefused::Malformed)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if !(1..=MOST_ID_BYTES).contains(&length) {
            return Err(PasskeyRefused::Malformed);
        }
        rest.split_at_checked(length).ok_or(PasskeyRefused::Malformed)
    }

    /// Returns true if extensions follow the credential.
    pub(super) const fn has_extensions(&self) -> bool {
        self.has(HAS_EXTENSIONS)
    }

    const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}
