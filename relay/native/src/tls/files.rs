//! The files of a certificate and its key.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use moorline_host::dial::Fingerprint;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::HTTP2;

/// The reason that a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not PEM.
    #[error("cannot read {} (`{option}`): {why}", path.display())]
    Unreadable {
        /// The option that names the file.
        option: &'static str,
        /// The path of the file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The key is not the certificate's, or either is of an unknown kind.
    #[error(
        "the certificate in {} cannot be used with the key in {}: {error}", certificate.display(),
        key.display()
    )]
    Mismatch {
        /// The path of the certificate.
        certificate: PathBuf,
        /// The path of the key.
        key: PathBuf,
        /// What is wrong.
        error: rustls::Error,
    },
    /// The relay's own certificate cannot be made or stored.
    #[error("cannot make a certificate in {} (`--tls-self-signed`): {why}", path.display())]
    NotMade {
        /// The path of the file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// The paths of a certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CertificateFiles {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// The state of both files: changes with every write, and if a link leads elsewhere. `None` for a missing file.
pub(super) type FileStamps = [Option<(SystemTime, u64, u64)>; 2];

impl CertificateFiles {
    pub(super) fn stamps(&self) -> FileStamps {
        [&self.certificate, &self.key].map(|path| {
            let found = std::fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.ino(), found.len()))
        })
    }

    /// Returns the configuration of a server with this certificate, and the certificate's fingerprint.
    pub(super) fn read(&self) -> Result<(ServerConfig, Fingerprint), TlsError> {
        let no_certificate = |why| unreadable("--tls-cert", &self.certificate, why);
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| no_certificate(explained(error)))?;
        let own =
            chain.first().ok_or_else(|| no_certificate("it has no certificate".to_owned()))?;
        let fingerprint = Fingerprint::of(own);
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| unreadable("--tls-key", &self.key, explained(error)))?;
        let mismatch = |error| TlsError::Mismatch {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            error,
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(mismatch)?;
        // In the order of preference. Hosts and commands offer only HTTP/1.1.
        config.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
        Ok((config, fingerprint))
    }
}

fn unreadable(option: &'static str, path: &Path, why: String) -> TlsError {
    TlsError::Unreadable { option, path: path.to_owned(), why }
}

fn explained(error: pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "it has no private key in PEM form".to_owned(),
        error => error.to_string(),
    }
}

/// Writes a file that only its owner can read, and replaces an older one at once.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let draft = path.with_extension("new");
    // A draft that was left behind may have another mode.
    let _ = std::fs::remove_file(&draft);
    let mut file: File =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)
}
