//! Public keys as devices write them.
//!
//! Web Authentication has keys in the canonical form of CTAP2, with no optional parameters
//! (<https://www.w3.org/TR/webauthn-3/#sctn-attested-credential-data>). So each kind of key is the same
//! bytes around its coordinates, and needs no reader of CBOR.

use p256::ecdsa::signature::Verifier as _;

use super::PasskeyRefused;

/// ECDSA on P-256 with SHA-256, by its number in COSE.
pub(super) const ES256: i32 = -7;
/// Ed25519, by the number of EdDSA in COSE.
pub(super) const EDDSA: i32 = -8;

/// `{1: 2, 3: -7, -1: 1, -2: x…`: an ES256 key.
const ES256_START: &[u8] = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20";
/// `…, -3: y}`.
const ES256_MIDDLE: &[u8] = b"\x22\x58\x20";
/// `{1: 1, 3: -8, -1: 6, -2: x}`: an EdDSA key.
const EDDSA_START: &[u8] = b"\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20";

/// The public key of a passkey.
#[derive(Debug)]
pub(super) enum PasskeyKey {
    Es256(p256::ecdsa::VerifyingKey),
    EdDsa(ed25519_dalek::VerifyingKey),
}

impl PasskeyKey {
    /// Reads the key that bytes begin with. Returns the bytes after it, too.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, &[u8]), PasskeyRefused> {
        es256(bytes).or_else(|| eddsa(bytes)).ok_or(PasskeyRefused::Key)
    }

    /// Checks a signature of a message.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), PasskeyRefused> {
        let verified = match self {
            Self::Es256(key) => p256::ecdsa::Signature::from_der(signature)
                .and_then(|signature| key.verify(message, &signature)),
            Self::EdDsa(key) => ed25519_dalek::Signature::from_slice(signature)
                .and_then(|signature| key.verify_strict(message, &signature)),
        };
        verified.map_err(|_| PasskeyRefused::Signature)
    }
}

fn es256(bytes: &[u8]) -> Option<(PasskeyKey, &[u8])> {
    let (x, rest) = bytes.strip_prefix(ES256_START)?.split_first_chunk::<32>()?;
    let (y, rest) = rest.strip_prefix(ES256_MIDDLE)?.split_first_chunk::<32>()?;
    let point = p256::EncodedPoint::from_affine_coordinates(x.into(), y.into(), false);
    let key = p256::ecdsa::VerifyingKey::from_encoded_point(&point).ok()?;
    Some((PasskeyKey::Es256(key), rest))
}

fn eddsa(bytes: &[u8]) -> Option<(PasskeyKey, &[u8])> {
    let (x, rest) = bytes.strip_prefix(EDDSA_START)?.split_first_chunk()?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(x).ok()?;
    (!key.is_weak()).then_some((PasskeyKey::EdDsa(key), rest))
}
