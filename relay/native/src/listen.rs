//! Serves HTTP on a port, or on a Unix socket. A request has only so long to arrive, so that nobody can
//! hold connections open by sending a little of one.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};

use accepting::Accepting;
use patient::Patient;
use unread::Drained;

mod accepting;
mod patient;
#[cfg(test)]
mod tests;
mod unread;

/// Time for the head of a request to arrive whole, counted from the connection's start or from the
/// answer before. So it is also how long an idle connection is kept. A proxy should keep its own for
/// less.
pub const HEAD_DEADLINE: Duration = Duration::from_secs(30);
/// What waits in the system's buffer for a connection to take it: enough for a line of 1 Gbit/s over
/// 1 ms, and a tenth of a second of one of 10 Mbit/s.
#[cfg(target_os = "linux")]
const NOT_SENT_BYTES: u32 = 128 * 1024;
/// Time for a peer to take what is sent to it, unless the relay is configured otherwise. The system then
/// closes the connection of one that is gone or never reads, whatever waits to be sent: nothing else would
/// end it after its session is deleted. Only Linux does this.
pub const TAKE_DEADLINE: Duration = Duration::from_secs(60);

/// The address that a request comes from: the peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// A port or a Unix socket.
pub trait Listener: Send + 'static {
    /// A connection to it.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Takes the next connection. Dropping the future loses nothing.
    ///
    /// # Errors
    /// What the system says.
    fn take(&self) -> impl Future<Output = io::Result<(Self::Stream, Peer)>> + Send;
}

/// A port, as [`serve`] takes connections from it.
#[derive(Debug)]
pub struct Port {
    /// The socket that listens.
    pub listener: TcpListener,
    /// Time for a peer to take what is sent to it, see [`TAKE_DEADLINE`].
    pub take_deadline: Duration,
}

impl Listener for Port {
    type Stream = TcpStream;

    async fn take(&self) -> io::Result<(TcpStream, Peer)> {
        let (stream, peer) = self.listener.accept().await?;
        if let Err(error) = configure(&stream, self.take_deadline) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        Ok((stream, Peer(peer.ip().to_canonical())))
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn take(&self) -> io::Result<(UnixStream, Peer)> {
        let (stream, _) = self.accept().await?;
        Ok((stream, Peer(Ipv4Addr::LOCALHOST.into())))
    }
}

/// Serves until `closing` is true, and then until the last connection has ended. Those whose peers take
/// nothing are closed soon after.
pub async fn serve(listener: impl Listener, router: Router, mut closing: watch::Receiver<bool>) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE);
    // Each connection has a sender for as long as it lasts. Nothing is ever sent.
    let (open, mut ended) = mpsc::channel::<()>(1);
    let leaving = watch::Sender::new(false);
    let mut accepting = Accepting::new(listener);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accepting.next() => accepted,
            () = begun(&mut closing) => break,
        };
        let stream = Patient::new(stream, leaving.subscribe());
        let router = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: hyper::Request<_>| {
            request.extensions_mut().insert(peer);
            router.call(Drained::wrap(request))
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let (open, mut closing) = (open.clone(), closing.clone());
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = &mut connection => ended,
                () = begun(&mut closing) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            // A peer that is gone, or too slow, is no fault.
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection has ended");
            }
            drop(open);
        });
    }
    leaving.send_replace(true);
    drop((accepting, open));
    ended.recv().await;
}

/// Waits for the relay to end.
pub(crate) async fn begun(closing: &mut watch::Receiver<bool>) {
    // The registry, which holds the sender, outlives this.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Makes a connection quick: a keystroke is a segment of its own, and what waits in the system's
/// buffer, in front of what comes next, is little however slow the line is.
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
