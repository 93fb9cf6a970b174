//! The byte streams below a WebSocket.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::dial::Address;
use crate::dial::trust::{NoCertificates, RelayTrust};
use crate::folder::SocketPath;

/// A byte stream of any kind.
pub type RelayStream = Box<dyn Io>;

/// The traits of every kind of stream.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Connects to relays, and knows which certificates to trust.
pub struct Connector {
    tls: Option<TlsConnector>,
}

impl Connector {
    /// Creates a connector. Reads the trusted certificates if `address` needs them.
    ///
    /// # Errors
    /// [`NoCertificates`] if TLS is needed but the relay could not be verified.
    pub fn new(address: &Address, trust: &RelayTrust) -> Result<Self, NoCertificates> {
        let is_tls = matches!(address, Address::Tcp { tls: true, .. });
        let config = is_tls.then(|| trust.client_config()).transpose()?;
        Ok(Self { tls: config.map(|config| TlsConnector::from(Arc::new(config))) })
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
