//! What a browser states: <https://www.w3.org/TR/webauthn-3/#dictionary-client-data>.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{PasskeyRefused, RelyingParty, decode};

/// The ceremony that a browser has carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Ceremony {
    /// A credential was made.
    #[serde(rename = "webauthn.create")]
    Create,
    /// A credential has signed.
    #[serde(rename = "webauthn.get")]
    Get,
}

/// The statement of a browser, which the device has signed by its hash.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClientData {
    #[serde(rename = "type")]
    ceremony: Ceremony,
    /// The challenge that was answered, still to be checked.
    pub(super) challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    /// SHA-256 of the text.
    #[serde(skip)]
    pub(super) hash: [u8; 32],
}

impl ClientData {
    /// Reads the statement of a browser, in base64url.
    pub(super) fn read(text: &str) -> Result<Self, PasskeyRefused> {
        let text = decode(text)?;
        let read = serde_json::from_slice(&text).map_err(|_| PasskeyRefused::Malformed);
        read.map(|read| Self { hash: Sha256::digest(&text).into(), ..read })
    }

    /// Checks that one of the relay's own pages has asked for the ceremony.
    pub(super) fn check(
        &self,
        ceremony: Ceremony,
        rp: &RelyingParty,
    ) -> Result<(), PasskeyRefused> {
        if self.ceremony != ceremony {
            return Err(PasskeyRefused::Challenge);
        }
        if self.cross_origin || self.origin != rp.origin {
            return Err(PasskeyRefused::Origin);
        }
        Ok(())
    }
}
