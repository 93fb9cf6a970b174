//! Ends connections whose peers take nothing while the relay shuts down.
//!
//! Everything that is written to such a peer waits: an answer, an event stream, a WebSocket's close. The
//! relay would otherwise wait for it for as long as its limits allow.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::sleep;

use super::connections::CountedConnection;

/// Limit of a write's wait once the relay shuts down.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connection whose writes fail if they wait too long after the relay began to shut down.
pub(super) struct Patient<S> {
    stream: S,
    /// True once the relay shuts down. Its sender may then be gone.
    leaving: watch::Receiver<bool>,
    /// Ready once a write has waited too long; `None` while no write waits.
    limit: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Counts the connection for its address for as long as it lives, whatever protocol it is upgraded to. `None` if
    /// connections are not limited.
    _counted: Option<CountedConnection>,
}

impl<S> Patient<S> {
    pub(super) const fn new(
        stream: S,
        leaving: watch::Receiver<bool>,
        counted: Option<CountedConnection>,
    ) -> Self {
        Self { stream, leaving, limit: None, _counted: counted }
    }

    /// Returns the result of a write, or fails it if it has waited too long.
    fn judge(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.limit = None;
            return written;
        }
        let leaving = &self.leaving;
        let limit = self.limit.get_or_insert_with(|| Box::pin(too_long(leaving.clone())));
        ready!(limit.as_mut().poll(context));
        self.limit = None;
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

async fn too_long(mut leaving: watch::Receiver<bool>) {
    let _ = leaving.wait_for(|leaving| *leaving).await;
    sleep(PATIENCE).await;
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
