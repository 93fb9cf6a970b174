//! Certificates from files, and handshakes that do not come to an end.

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use tokio::io::duplex;

use super::*;

/// A folder with certificates and keys.
struct Pairs(TempDir);

impl Pairs {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a new certificate for `localhost` and its key.
    fn write(&self, certificate: &str, key: &str) {
        let pair = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let made = params.self_signed(&pair).unwrap();
        std::fs::write(self.path(certificate), made.pem()).unwrap();
        std::fs::write(self.path(key), pair.serialize_pem()).unwrap();
    }

    fn open(&self, certificate: &str, key: &str) -> Result<TlsServer, TlsError> {
        let source = TlsSource::Files { certificate: self.path(certificate), key: self.path(key) };
        TlsServer::open(&source, self.0.path())
    }
}

#[test]
fn a_pair_that_cannot_be_used_does_not_replace_one_that_can() {
    let pairs = Pairs::new();
    pairs.write("c", "k");
    let server = pairs.open("c", "k").unwrap();
    let first = server.fingerprint();
    server.reload();
    assert_eq!(server.fingerprint(), first);
    std::fs::write(pairs.path("c"), "not a certificate").unwrap();
    server.reload();
    assert_eq!(server.fingerprint(), first);
    // The new certificate arrives before its key.
    pairs.write("c", "other");
    server.reload();
    assert_eq!(server.fingerprint(), first);
    std::fs::rename(pairs.path("other"), pairs.path("k")).unwrap();
    server.reload();
    assert_ne!(server.fingerprint(), first);
    assert_eq!(published_fingerprint(pairs.0.path()), Some(server.fingerprint()));
}

#[test]
fn files_that_cannot_be_used_are_refused_with_the_option_to_change() {
    let pairs = Pairs::new();
    pairs.write("c", "k");
    pairs.write("c2", "k2");
    std::fs::write(pairs.path("empty"), "").unwrap();
    for (certificate, key, why) in [
        ("none", "k", "--tls-cert"),
        ("empty", "k", "--tls-cert"),
        ("c", "none", "--tls-key"),
        ("c", "c", "no private key"),
        ("c", "k2", "cannot be used with the key"),
    ] {
        let refused = pairs.open(certificate, key).unwrap_err().to_string();
        assert!(refused.contains(why), "{certificate} {key}: {refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn handshakes_are_bounded_in_time_and_number() {
    let pairs = Pairs::new();
    pairs.write("c", "k");
    let server = Arc::new(pairs.open("c", "k").unwrap());
    let began = Instant::now();
    let (near, _far) = duplex(16);
    let slow = server.accept(near).await.unwrap_err();
    assert_eq!((slow.kind(), began.elapsed()), (io::ErrorKind::TimedOut, HANDSHAKE_DEADLINE));
    let held = server.handshakes.try_acquire_many(HANDSHAKES as u32).unwrap();
    let (near, _far) = duplex(16);
    let refused = server.accept(near).await.unwrap_err();
    assert!(refused.to_string().contains("too many"), "{refused}");
    assert_eq!(began.elapsed(), HANDSHAKE_DEADLINE);
    drop(held);
}
