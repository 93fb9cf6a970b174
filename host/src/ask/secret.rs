//! The secret of a host, from which the keys of its sessions are derived.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use blake3::{Hash, keyed_hash};
use moorline_shared::id::{ApprovalId, SessionId};

/// Names the key of the host itself. It is shorter than every session's id.
const HOST: &[u8] = b"host";

/// The secret of a host. It is kept in a file, so that keys stay valid when the host restarts.
pub struct AskSecret(Hash);

impl AskSecret {
    /// Reads the secret, or makes one if the file is missing or damaged.
    ///
    /// # Errors
    /// The system's error.
    pub fn open(path: &Path) -> io::Result<Self> {
        match Self::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::warn!(path = %path.display(), "the secret was damaged, and is replaced");
            }
            read => return read,
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        let secret = Self(Hash::from_bytes(bytes));
        let mut options = OpenOptions::new();
        let mut file = options.create(true).write(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(secret.0.to_hex().as_bytes())?;
        Ok(secret)
    }

    /// Reads the secret.
    ///
    /// # Errors
    /// The system's error; `InvalidData` if the file does not contain a secret.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut text = String::new();
        OpenOptions::new().read(true).open(path)?.take(256).read_to_string(&mut text)?;
        let damaged = |_| io::Error::new(io::ErrorKind::InvalidData, "it contains no secret");
        Hash::from_hex(text.trim()).map(Self).map_err(damaged)
    }

    /// Returns the key of a session.
    #[must_use]
    pub fn session_key(&self, session: &SessionId) -> String {
        self.key(session.as_str().as_bytes()).to_hex().to_string()
    }

    /// Returns the key for requests that concern the whole host.
    #[must_use]
    pub fn host_key(&self) -> String {
        self.key(HOST).to_hex().to_string()
    }

    /// Returns true if this is the key of the session.
    pub(super) fn is_session_key(&self, session: &SessionId, key: &str) -> bool {
        self.is_key(session.as_str().as_bytes(), key)
    }

    /// Returns true if this is the key for requests that concern the whole host.
    pub(super) fn is_host_key(&self, key: &str) -> bool {
        self.is_key(HOST, key)
    }

    /// Returns the id of an approval that is asked for at a time, in milliseconds since 1970.
    /// `count` differs for each while the host runs.
    pub(super) fn approval_id(&self, session: &SessionId, now_ms: u64, count: u64) -> ApprovalId {
        let hash = self.key(format!("{session} {now_ms} {count}").as_bytes());
        let (bits, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
        ApprovalId::from_random(u128::from_le_bytes(*bits))
    }

    fn key(&self, name: &[u8]) -> Hash {
        keyed_hash(self.0.as_bytes(), name)
    }

    /// Hashes are compared in constant time.
    fn is_key(&self, name: &[u8], key: &str) -> bool {
        Hash::from_hex(key).is_ok_and(|key| key == self.key(name))
    }
}

impl std::fmt::Debug for AskSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AskSecret")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_that_of_one_session_and_stays_valid() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ask.key");
        let (one, other) = ("session1".parse().unwrap(), "session2".parse().unwrap());
        let secret = AskSecret::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let key = secret.session_key(&one);
        assert!(secret.is_session_key(&one, &key) && !secret.is_session_key(&other, &key));
        assert!(!secret.is_session_key(&one, "") && !secret.is_host_key(&key));
        assert!(secret.is_host_key(&secret.host_key()));
        assert_eq!(AskSecret::open(&path).unwrap().session_key(&one), key);
        std::fs::write(&path, "not a secret").unwrap();
        assert_ne!(AskSecret::open(&path).unwrap().session_key(&one), key);
    }
}
