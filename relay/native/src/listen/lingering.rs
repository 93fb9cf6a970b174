//! Reads what a peer still sends when its connection is closed.
//!
//! A system resets a connection that is closed while its peer's bytes are not read. The peer may then lose
//! what was sent to it last, such as the close code of a WebSocket whose message was too large.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use moorline_core::profile::Profile;
use moorline_shared::limits::CLOSE_PATIENCE;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// A connection that reads the rest after it is dropped, unless the peer has closed it or it has
/// failed. The rest has at most [`Profile::unread_bytes`], and [`CLOSE_PATIENCE`] to arrive.
pub(super) struct Lingering<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    /// `None` once it is dropped.
    stream: Option<S>,
    /// True once the peer has closed the connection, or it has failed.
    is_over: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Lingering<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self { stream: Some(stream), is_over: false }
    }

    /// Acts on the stream. An error is its end.
    fn with<T>(
        &mut self,
        act: impl FnOnce(Pin<&mut S>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let result = ready!(act(Pin::new(stream)));
        self.is_over |= result.is_err();
        Poll::Ready(result)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Drop for Lingering<S> {
    fn drop(&mut self) {
        let stream = self.stream.take().filter(|_| !self.is_over);
        // Without a runtime, the relay itself has ended.
        if let (Some(stream), Ok(runtime)) = (stream, Handle::try_current()) {
            runtime.spawn(timeout(CLOSE_PATIENCE, read_rest(stream)));
        }
    }
}

async fn read_rest(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    // The peer learns that nothing more follows, and closes its side.
    if stream.shutdown().await.is_ok() {
        let mut rest = stream.take(Profile::NATIVE.unread_bytes);
        let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, has_room) = (buffer.filled().len(), buffer.remaining() > 0);
        let read = self.with(|stream| stream.poll_read(context, buffer));
        self.is_over |= has_room && read.is_ready() && buffer.filled().len() == before;
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(context))
    }
}
