//! Serves HTTP on a port, with or without TLS, or on a Unix socket. Over TLS, clients may choose HTTP/2. A request must
//! arrive within a time limit, so that nobody can hold connections open by sending a part of one.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, watch};

use acceptor::{Accepting, answer};
pub use connections::AddressConnections;
use http2::Http2Service;
use lingering::Lingering;
use patient::Patient;
use unread::Drained;

use crate::tls::{HTTP2, TlsServer};
use moorline_core::api::ApiError;
use moorline_shared::limits::REQUEST_HEAD_BYTES;

mod acceptor;
mod as_http1;
mod connections;
mod http2;
mod lingering;
mod patient;
mod streams;
#[cfg(test)]
mod tests;
mod unread;

/// Time allowed for the head of a request to arrive, counted from the connection's start or from the
/// previous answer. It also limits how long an idle connection is kept. A proxy should keep its own
/// for a shorter time.
pub const HEAD_DEADLINE: Duration = Duration::from_secs(30);
/// Limit of connections that are told at a time why they are refused. Further ones are closed.
const REFUSED_AT_ONCE: usize = 64;
/// Limit of unsent data in the system's buffer: enough for 1 ms at 1 Gbit/s, and a tenth of a second
/// at 10 Mbit/s.
#[cfg(target_os = "linux")]
const NOT_SENT_BYTES: u32 = 128 * 1024;
/// Default time allowed for a peer to take what is sent to it. After that, the system closes the
/// connection, whatever waits to be sent. Nothing else would end the connection of a peer that is gone or
/// never reads after its session is deleted. Only Linux does this.
pub const TAKE_DEADLINE: Duration = Duration::from_secs(60);

/// The address of the peer that a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

/// Extension of a request that came over the relay's own TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverTls;

/// A port or a Unix socket that accepts connections.
pub trait Listener: Send + 'static {
    /// The type of its connections.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Accepts the next connection. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The system's error.
    fn take(&self) -> impl Future<Output = io::Result<(Self::Stream, PeerAddress)>> + Send;

    /// Returns the TLS that its connections begin with.
    fn tls(&self) -> Option<&Arc<TlsServer>> {
        None
    }

    /// Returns the counter of each address's connections, if they are limited.
    fn connections(&self) -> Option<&Arc<AddressConnections>> {
        None
    }
}

/// A TCP port for [`serve`].
#[derive(Debug)]
pub struct Port {
    /// The listening socket.
    pub listener: TcpListener,
    /// The TLS that its connections begin with; `None` for plain HTTP.
    pub tls: Option<Arc<TlsServer>>,
    /// Limits the connections of each address.
    pub connections: Arc<AddressConnections>,
    /// Time allowed for a peer to take what is sent to it, see [`TAKE_DEADLINE`].
    pub take_deadline: Duration,
}

impl Listener for Port {
    type Stream = TcpStream;

    async fn take(&self) -> io::Result<(TcpStream, PeerAddress)> {
        let (stream, peer) = self.listener.accept().await?;
        if let Err(error) = configure(&stream, self.take_deadline) {
            tracing::debug!(%error, "a connection could not be configured");
        }
        Ok((stream, PeerAddress(peer.ip().to_canonical())))
    }

    fn tls(&self) -> Option<&Arc<TlsServer>> {
        self.tls.as_ref()
    }

    fn connections(&self) -> Option<&Arc<AddressConnections>> {
        Some(&self.connections)
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn take(&self) -> io::Result<(UnixStream, PeerAddress)> {
        let (stream, _) = self.accept().await?;
        Ok((stream, PeerAddress(Ipv4Addr::LOCALHOST.into())))
    }
}

/// Serves until `closing` is true, and then until the last connection has ended. From then on,
/// connections whose peers take nothing are closed within seconds.
pub async fn serve(listener: impl Listener, router: Router, mut closing: watch::Receiver<bool>) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE);
    builder.max_buf_size(REQUEST_HEAD_BYTES);
    let refusing = Arc::new(Semaphore::new(REFUSED_AT_ONCE));
    // Each connection holds a sender until it ends. Nothing is ever sent.
    let (open, mut ended) = mpsc::channel::<()>(1);
    let leaving = watch::Sender::new(false);
    let mut accepting = Accepting::new(listener);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accepting.next() => accepted,
            () = begun(&mut closing) => break,
        };
        let tls = accepting.listener().tls().cloned();
        let connections = accepting.listener().connections().cloned();
        let counted = match &connections {
            Some(connections) => match connections.admit(peer) {
                Some(counted) => Some(counted),
                None => {
                    refuse(stream, tls.is_some(), &refusing);
                    continue;
                }
            },
            None => None,
        };
        let stream = Patient::new(Lingering::new(stream), leaving.subscribe(), counted);
        let (builder, router) = (builder.clone(), router.clone());
        let service = ConnectionService { builder, router, peer, tls, connections };
        let (open, closing) = (open.clone(), closing.clone());
        tokio::spawn(async move {
            service.run(stream, closing).await;
            drop(open);
        });
    }
    leaving.send_replace(true);
    drop((accepting, open));
    ended.recv().await;
}

/// Serves one connection.
struct ConnectionService {
    builder: http1::Builder,
    router: Router,
    peer: PeerAddress,
    tls: Option<Arc<TlsServer>>,
    connections: Option<Arc<AddressConnections>>,
}

/// Refuses a connection of an address that has too many. Closes it without an answer over TLS, or if many are being refused.
fn refuse<S>(stream: S, is_tls: bool, refusing: &Arc<Semaphore>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let permit = Arc::clone(refusing).try_acquire_owned();
    if let (Ok(permit), false) = (permit, is_tls) {
        tokio::spawn(async move {
            answer(stream, &ApiError::too_many_connections()).await;
            drop(permit);
        });
    }
}

impl ConnectionService {
    /// Serves until the connection has ended, and no longer than for the current request once `closing` is true.
    async fn run<S>(self, stream: S, mut closing: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(tls) = &self.tls else { return self.carry(stream, closing).await };
        let accepted = tokio::select! {
            accepted = tls.accept(stream) => accepted,
            () = begun(&mut closing) => return,
        };
        match accepted {
            Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(HTTP2) => {
                let Self { router, peer, connections, .. } = self;
                Http2Service { router, peer, connections }.run(stream, closing).await;
            }
            Ok(stream) => self.carry(stream, closing).await,
            // Scanners, and browsers that refuse the certificate, are not faults.
            Err(error) => tracing::debug!(%error, "a TLS handshake has failed"),
        }
    }

    async fn carry<S>(self, stream: S, mut closing: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { builder, router, peer, tls, .. } = self;
        let (router, is_tls) = (TowerToHyperService::new(router), tls.is_some());
        let service = service_fn(move |mut request: hyper::Request<_>| {
            request.extensions_mut().insert(peer);
            if is_tls {
                request.extensions_mut().insert(OverTls);
            }
            router.call(Drained::wrap(request))
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = begun(&mut closing) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        // A peer that has gone or is too slow is not a fault.
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection has ended");
        }
    }
}

/// Waits until `closing` is true.
pub(crate) async fn begun(closing: &mut watch::Receiver<bool>) {
    // Cannot fail: the registry, which holds the sender, outlives this.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Configures a connection for low latency: each keystroke is sent at once, and little data waits
/// in the system's buffer in front of it, however slow the line is.
fn configure(stream: &TcpStream, take_deadline: Duration) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    {
        let socket = socket2::SockRef::from(stream);
        socket.set_tcp_notsent_lowat(NOT_SENT_BYTES)?;
        socket.set_tcp_user_timeout(Some(take_deadline))?;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = take_deadline;
    Ok(())
}
