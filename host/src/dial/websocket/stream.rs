//! The byte streams below a WebSocket.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::dial::Address;
use crate::folder::SocketPath;

/// A byte stream of any kind.
pub type RelayStream = Box<dyn Io>;

/// The traits of every kind of stream.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// The error of a system that trusts no authority, so that no relay behind TLS can be verified.
#[derive(Debug, thiserror::Error)]
#[error(
    "no certificates to verify the relay with: install the system's, such as the package \
     ca-certificates, or name a file in SSL_CERT_FILE"
)]
pub struct NoCertificates;

/// Connects to relays, and knows which authorities to trust.
pub struct Connector {
    tls: Option<TlsConnector>,
}

impl Connector {
    /// Creates a connector. Reads the system's certificates if `address` needs them.
    ///
    /// # Errors
    /// [`NoCertificates`] if TLS is needed but the system trusts no authority.
    pub fn new(address: &Address) -> Result<Self, NoCertificates> {
        let tls = matches!(address, Address::Tcp { tls: true, .. });
        Ok(Self { tls: tls.then(tls_connector).transpose()? })
    }

    /// Connects to a relay.
    ///
    /// # Errors
    /// The relay cannot be reached, or not verified.
    pub async fn connect(&self, address: &Address) -> io::Result<RelayStream> {
        match address {
            Address::Unix(path) => {
                let path = SocketPath::new(path)?;
                Ok(Box::new(UnixStream::connect(path.path()).await?))
            }
            Address::Tcp { host, port, .. } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                // A keystroke's echo must not wait for more data.
                stream.set_nodelay(true)?;
                let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                Ok(Box::new(tls.connect(name, stream).await?))
            }
        }
    }
}

fn tls_connector() -> Result<TlsConnector, NoCertificates> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some certificates could not be read");
    }
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(NoCertificates);
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| NoCertificates)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // WebSockets start as HTTP/1.1.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
