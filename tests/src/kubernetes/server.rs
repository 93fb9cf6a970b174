//! The socket of the fake API server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use anyhow::{Context as _, Result};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::line::{FaultyLine, LineFaults};

/// A server that can go away and come back on the same port.
pub(super) struct ApiServer {
    router: Router,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    /// The certificate, for clients; empty without TLS.
    certificate: String,
    lines: Arc<OpenLines>,
    /// Accepts connections; `None` while the server is away.
    accepting: Option<JoinHandle<()>>,
}

/// The connections that are open.
#[derive(Debug, Default)]
struct OpenLines(Mutex<Vec<Weak<LineFaults>>>);

impl ApiServer {
    /// Starts a server on a free port.
    pub(super) async fn start(router: Router, with_tls: bool) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (tls, certificate) = if with_tls { tls()? } else { (None, String::new()) };
        let mut server = Self {
            router,
            address: listener.local_addr()?,
            tls,
            certificate,
            lines: Arc::default(),
            accepting: None,
        };
        server.accept(listener);
        Ok(server)
    }

    pub(super) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Ends all connections, and refuses others.
    pub(super) async fn go_away(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            // Then the socket is closed.
            _ = accepting.await;
        }
        self.lines.cut();
    }

    /// Listens again, on the same port.
    pub(super) async fn come_back(&mut self) -> Result<()> {
        if self.accepting.is_none() {
            let listener = TcpListener::bind(self.address).await;
            self.accept(listener.context("the port of the API server is taken")?);
        }
        Ok(())
    }

    fn accept(&mut self, listener: TcpListener) {
        let (router, tls, lines) = (self.router.clone(), self.tls.clone(), Arc::clone(&self.lines));
        self.accepting = Some(tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let faults = lines.open();
                let router = router.clone().layer(Extension(Arc::clone(&faults)));
                tokio::spawn(serve(socket, tls.clone(), faults, router));
            }
        }));
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
        }
        self.lines.cut();
    }
}

impl OpenLines {
    fn open(&self) -> Arc<LineFaults> {
        let faults = Arc::new(LineFaults::default());
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|line| line.strong_count() > 0);
        lines.push(Arc::downgrade(&faults));
        faults
    }

    fn cut(&self) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.drain(..).filter_map(|line| line.upgrade()).for_each(|line| line.cut());
    }
}

async fn serve(
    socket: TcpStream,
    tls: Option<TlsAcceptor>,
    faults: Arc<LineFaults>,
    router: Router,
) {
    // Small frames are not to wait for others.
    _ = socket.set_nodelay(true);
    match tls {
        None => serve_http(FaultyLine::new(socket, faults), router).await,
        Some(tls) => {
            // A client that does not trust the certificate goes away here.
            if let Ok(socket) = tls.accept(socket).await {
                serve_http(FaultyLine::new(socket, faults), router).await;
            }
        }
    }
}

async fn serve_http(
    line: FaultyLine<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>,
    router: Router,
) {
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new().serve_connection(TokioIo::new(line), service);
    // Clients may go away at any time.
    _ = connection.with_upgrades().await;
}

/// Makes a certificate for this machine. Returns how to serve with it, and the certificate as PEM.
fn tls() -> Result<(Option<TlsAcceptor>, String)> {
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((Some(TlsAcceptor::from(Arc::new(config))), made.cert.pem()))
}
