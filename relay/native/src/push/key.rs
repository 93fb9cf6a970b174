//! The key by which push services recognise this relay (VAPID, RFC 8292).

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use web_push_native::p256::ecdsa::signature::Signer as _;
use web_push_native::p256::ecdsa::{Signature, SigningKey};

/// The name of the key's file in the data folder.
const FILE_NAME: &str = "push.key";
/// Who answers for the messages, as push services want to know it.
const CONTACT: &str = env!("CARGO_PKG_REPOSITORY");
/// Time for which a signature is valid, in seconds. Services accept a day at most.
const VALID_S: u64 = 12 * 60 * 60;

/// The reason why there is no key.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot use {}: {error}", path.display())]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The file has something else.
    #[error("{} is not a key: remove it, and browsers subscribe again", .0.display())]
    Invalid(PathBuf),
    /// The system could not provide random numbers.
    #[error("cannot get random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

/// The relay's key.
pub(super) struct VapidKey {
    signing: SigningKey,
    public: String,
}

impl std::fmt::Debug for VapidKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VapidKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl VapidKey {
    /// Reads the key in a folder. Makes it if there is none.
    ///
    /// # Errors
    /// [`KeyError`].
    pub(super) fn open(folder: &Path) -> Result<Self, KeyError> {
        let path = folder.join(FILE_NAME);
        let failed = |error| KeyError::File { path: path.clone(), error };
        match fs::read_to_string(&path) {
            Ok(text) => return Self::read(&text).ok_or(KeyError::Invalid(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let key = loop {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret)?;
            // Nearly every number is one.
            if let Ok(signing) = SigningKey::from_slice(&secret) {
                break signing;
            }
        };
        let text = URL_SAFE_NO_PAD.encode(key.to_bytes());
        match store(folder, &path, &text) {
            Ok(()) => Ok(Self::new(key)),
            // Another request was first.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let text = fs::read_to_string(&path).map_err(failed)?;
                Self::read(&text).ok_or(KeyError::Invalid(path))
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let secret = URL_SAFE_NO_PAD.decode(text.trim()).ok()?;
        SigningKey::from_slice(&secret).ok().map(Self::new)
    }

    fn new(signing: SigningKey) -> Self {
        let point = signing.verifying_key().to_encoded_point(false);
        Self { public: URL_SAFE_NO_PAD.encode(point.as_bytes()), signing }
    }

    /// Returns the public key in base64url.
    pub(super) fn public(&self) -> &str {
        &self.public
    }

    /// Returns the header `Authorization` for a push service's origin. `now_s` is the time in
    /// seconds since 1970.
    pub(super) fn authorization(&self, audience: &str, now_s: u64) -> String {
        let claims = json!({ "aud": audience, "exp": now_s + VALID_S, "sub": CONTACT });
        let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"ES256"}"#);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature: Signature = self.signing.sign(signed.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature.to_bytes());
        format!("vapid t={signed}.{signature}, k={}", self.public)
    }
}

/// Writes a file that only this user can read, whole or not at all.
fn store(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    let mut name = [0; 8];
    getrandom::fill(&mut name).map_err(io::Error::other)?;
    let staged = folder.join(format!(".{FILE_NAME}.{:016x}", u64::from_ne_bytes(name)));
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&staged)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // Unlike a rename, this does not replace the file of who was first.
        fs::hard_link(&staged, path)
    };
    let written = written();
    // It is only another name of the file by now, or was not written.
    let _ = fs::remove_file(&staged);
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::Value;
    use web_push_native::p256::ecdsa::VerifyingKey;
    use web_push_native::p256::ecdsa::signature::Verifier as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let key = VapidKey::open(folder.path()).unwrap();
        assert_eq!(VapidKey::open(folder.path()).unwrap().public(), key.public());
        assert_eq!(URL_SAFE_NO_PAD.decode(key.public()).unwrap().len(), 65);
        let path = folder.path().join(FILE_NAME);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let secret = fs::read_to_string(&path).unwrap();
        assert!(!format!("{key:?}").contains(&secret));
        for bad in ["", "x", "AAAA", &"A".repeat(43)] {
            fs::write(&path, bad).unwrap();
            assert!(matches!(VapidKey::open(folder.path()), Err(KeyError::Invalid(_))), "{bad}");
        }
    }

    #[test]
    fn a_message_is_signed_for_its_service() {
        let folder = tempfile::tempdir().unwrap();
        let key = VapidKey::open(folder.path()).unwrap();
        let header = key.authorization("https://push.example.org", 1000);
        let token = header.strip_prefix("vapid t=").unwrap();
        let (token, public) = token.split_once(", k=").unwrap();
        assert_eq!(public, key.public());
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (_, claims) = signed.split_once('.').unwrap();
        let claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        assert_eq!(claims["aud"], "https://push.example.org");
        assert_eq!(claims["exp"], 1000 + VALID_S);
        assert!(claims["sub"].as_str().unwrap().starts_with("https://"), "{claims}");
        let point = URL_SAFE_NO_PAD.decode(public).unwrap();
        let verifying = VerifyingKey::from_sec1_bytes(&point).unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let signature = Signature::from_slice(&signature).unwrap();
        verifying.verify(signed.as_bytes(), &signature).unwrap();
    }
}
