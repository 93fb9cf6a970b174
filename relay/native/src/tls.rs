//! TLS of the relay's own port: its certificate, which is read again when its files change, and the
//! handshakes.

mod files;
mod self_signed;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline_host::dial::Fingerprint;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub use files::TlsError;
use files::{CertificateFiles, FileStamps};

/// The name of HTTP/2 in a handshake (ALPN).
pub(crate) const HTTP2: &[u8] = b"h2";
/// Time allowed for a handshake.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Limit of handshakes at a time, each of which costs some kilobytes and a signature. Further connections are
/// closed.
pub const HANDSHAKES: usize = 1024;
/// Shortest time between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The file in the data folder with the fingerprint of the certificate in use, by which this user's own commands
/// verify the relay, whatever names the certificate has.
const FINGERPRINT_NAME: &str = "certificate.sha256";

/// The origin of the relay's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsSource {
    /// PEM files of somebody else.
    Files {
        /// The certificate, followed by those of its authorities.
        certificate: PathBuf,
        /// The certificate's private key.
        key: PathBuf,
    },
    /// A certificate that the relay makes and keeps in its data folder.
    SelfSigned,
}

/// The relay's certificate, and the handshakes in progress.
#[derive(Debug)]
pub struct TlsServer {
    files: CertificateFiles,
    /// The data folder, which gets the fingerprint.
    folder: PathBuf,
    current: Mutex<CurrentCertificate>,
    handshakes: Semaphore,
}

#[derive(Debug)]
struct CurrentCertificate {
    config: Arc<ServerConfig>,
    fingerprint: Fingerprint,
    /// State of the files when they were last read, whether they could be used or not.
    stamps: FileStamps,
    /// The time of the last look at the files.
    looked: Instant,
}

impl TlsServer {
    /// Reads the certificate and its key. Makes a self-signed certificate in the data folder if it is wanted and
    /// missing.
    ///
    /// # Errors
    /// [`TlsError`], which says what to do.
    pub fn open(source: &TlsSource, folder: &Path) -> Result<Self, TlsError> {
        let files = match source {
            TlsSource::Files { certificate, key } => {
                CertificateFiles { certificate: certificate.clone(), key: key.clone() }
            }
            TlsSource::SelfSigned => self_signed::keep(folder)?,
        };
        let stamps = files.stamps();
        let (config, fingerprint) = files.read()?;
        let looked = Instant::now();
        let current = CurrentCertificate { config: Arc::new(config), fingerprint, stamps, looked };
        let server = Self {
            files,
            folder: folder.to_owned(),
            current: Mutex::new(current),
            handshakes: Semaphore::new(HANDSHAKES),
        };
        server.publish(fingerprint);
        Ok(server)
    }

    /// Returns the fingerprint of the certificate in use.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.current().fingerprint
    }

    /// Returns the handshake's result: the connection over TLS.
    ///
    /// # Errors
    /// The client does not speak TLS, refuses the certificate or is too slow, or too many handshakes are in
    /// progress.
    pub(crate) async fn accept<S>(self: &Arc<Self>, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Ok(_permit) = self.handshakes.try_acquire() else {
            return Err(io::Error::other("too many handshakes are in progress"));
        };
        let handshake = async { TlsAcceptor::from(self.config().await?).accept(stream).await };
        timeout(HANDSHAKE_DEADLINE, handshake).await?
    }

    /// Returns the configuration for a new connection, after a look at the files if one is due.
    async fn config(self: &Arc<Self>) -> io::Result<Arc<ServerConfig>> {
        let is_due = {
            let mut current = self.current();
            let is_due = current.looked.elapsed() >= LOOK_EVERY;
            if is_due {
                current.looked = Instant::now();
            }
            is_due
        };
        if is_due {
            let server = Arc::clone(self);
            tokio::task::spawn_blocking(move || server.reload()).await?;
        }
        Ok(Arc::clone(&self.current().config))
    }

    /// Reads the files if they have changed. Files that cannot be used are logged once, and the certificate before
    /// them stays in use.
    fn reload(&self) {
        let stamps = self.files.stamps();
        if self.current().stamps == stamps {
            return;
        }
        let read = self.files.read();
        let mut current = self.current();
        current.stamps = stamps;
        match read {
            Ok((config, fingerprint)) => {
                current.config = Arc::new(config);
                current.fingerprint = fingerprint;
                drop(current);
                tracing::info!(%fingerprint, "the certificate has changed");
                self.publish(fingerprint);
            }
            Err(error) => {
                tracing::error!(%error, "the new certificate cannot be used, the one before stays");
            }
        }
    }

    /// Stores the fingerprint for this user's own commands.
    fn publish(&self, fingerprint: Fingerprint) {
        let path = self.folder.join(FINGERPRINT_NAME);
        if let Err(error) = files::replace(&path, &format!("{fingerprint}\n")) {
            tracing::warn!(%error, "commands on this machine cannot verify the relay");
        }
    }

    fn current(&self) -> MutexGuard<'_, CurrentCertificate> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the fingerprint of the certificate of the relay that serves from this data folder. `None` if it cannot
/// be read.
#[must_use]
pub fn published_fingerprint(folder: &Path) -> Option<Fingerprint> {
    std::fs::read_to_string(folder.join(FINGERPRINT_NAME)).ok()?.parse().ok()
}
