//! The relay's TLS certificate, as its clients verify it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// The SHA-256 of a certificate in DER, as `openssl x509 -fingerprint -sha256` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// The error for a text that is not a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a fingerprint is the SHA-256 of a certificate: 64 hexadecimal digits, with or without colons"
)]
pub struct InvalidFingerprint;

impl Fingerprint {
    /// Returns the fingerprint of a certificate.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let digits: Vec<u8> = text.trim().bytes().filter(|byte| *byte != b':').collect();
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() {
            return Err(InvalidFingerprint);
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
            for digit in pair {
                let value = char::from(*digit).to_digit(16).ok_or(InvalidFingerprint)?;
                *byte = *byte << 4 | value as u8;
            }
        }
        Ok(Self(hash))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if index == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

/// The certificates that a client accepts from its relay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RelayTrust {
    /// Those of the authorities that the system trusts.
    #[default]
    System,
    /// Those of the authorities in this PEM file, or the relay's own certificate if it is in it.
    Authority(PathBuf),
    /// The one with this fingerprint, whatever names and dates it has.
    Certificate(Fingerprint),
}

/// The reason that no relay could be verified.
#[derive(Debug, thiserror::Error)]
pub enum NoCertificates {
    /// The system trusts no authority.
    #[error(
        "no certificates to verify the relay with: install the system's, such as the package \
         ca-certificates, or name a file in SSL_CERT_FILE"
    )]
    System,
    /// The file of an authority cannot be used.
    #[error("cannot read certificates from {} (`--tls-ca`): {why}", path.display())]
    Authority {
        /// The path of the file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
}

impl RelayTrust {
    /// Returns the configuration of a TLS client that accepts only these certificates.
    ///
    /// # Errors
    /// [`NoCertificates`].
    pub fn client_config(&self) -> Result<ClientConfig, NoCertificates> {
        let provider = Arc::new(default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|_| NoCertificates::System)?;
        let mut config = match self {
            Self::System => builder.with_root_certificates(system()?).with_no_client_auth(),
            Self::Authority(path) => {
                builder.with_root_certificates(authority(path)?).with_no_client_auth()
            }
            Self::Certificate(expected) => {
                let verifier = PinnedVerifier { expected: *expected, provider };
                let builder = builder.dangerous();
                builder.with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
            }
        };
        // WebSockets start as HTTP/1.1.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn system() -> Result<RootCertStore, NoCertificates> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some certificates could not be read");
    }
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() { Err(NoCertificates::System) } else { Ok(roots) }
}

fn authority(path: &Path) -> Result<RootCertStore, NoCertificates> {
    let bad = |why: String| NoCertificates::Authority { path: path.to_owned(), why };
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))?;
    for certificate in found {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() { Err(bad("it has none".to_owned())) } else { Ok(roots) }
}

/// Accepts one certificate. The handshake still proves that the relay has its key.
#[derive(Debug)]
struct PinnedVerifier {
    expected: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = Fingerprint::of(certificate);
        if found == self.expected {
            return Ok(ServerCertVerified::assertion());
        }
        let expected = self.expected;
        Err(Error::General(format!(
            "the relay's certificate has the fingerprint {found} instead of {expected}"
        )))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_reads_as_it_is_written() {
        let fingerprint = Fingerprint::of(&CertificateDer::from_slice(b"a certificate"));
        let text = fingerprint.to_string();
        assert_eq!((text.len(), text.parse()), (95, Ok(fingerprint)));
        let plain = text.replace(':', "").to_lowercase();
        assert_eq!(format!(" {plain}\n").parse(), Ok(fingerprint));
        for bad in ["", "AB:CD", &plain[1..], &format!("{plain}0"), &plain.replace('0', "g")] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(InvalidFingerprint), "{bad}");
        }
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for path in [file.path(), Path::new("/no/such/file")] {
            let refused = RelayTrust::Authority(path.to_owned()).client_config().unwrap_err();
            assert!(refused.to_string().contains("--tls-ca"), "{refused}");
        }
    }
}
