//! Connections to the fake API server that can be cut at any byte, or stall.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are read at once while they are counted.
const COUNTED_BYTES: usize = 8 * 1024;

/// What happens to one connection. Shared between the connection and who controls it.
#[derive(Debug, Default)]
pub(super) struct LineFaults(Mutex<LineState>);

#[derive(Debug, Default)]
struct LineState {
    cut: bool,
    stalled: bool,
    /// Bytes that are read before the cut; `None` for no limit.
    reads_left: Option<u64>,
    /// Bytes that are written before the cut; `None` for no limit.
    writes_left: Option<u64>,
    /// Who waits for the end of a stall, or for data on a line that may be cut meanwhile.
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// A connection, seen from the server.
#[derive(Debug)]
pub(super) struct FaultyLine<S> {
    inner: S,
    faults: Arc<LineFaults>,
}

impl LineFaults {
    /// Ends the connection, whatever is on the way.
    pub(super) fn cut(&self) {
        self.change(|state| state.cut = true);
    }

    /// Lets nothing through until told, or lets it through again.
    pub(super) fn stall(&self, stalled: bool) {
        self.change(|state| state.stalled = stalled);
    }

    /// Ends the connection after so many more bytes in a direction.
    pub(super) fn limit(&self, reads: Option<u64>, writes: Option<u64>) {
        self.change(|state| {
            state.reads_left = reads;
            state.writes_left = writes;
            state.cut |= reads == Some(0) || writes == Some(0);
        });
    }

    #[cfg(test)]
    fn is_cut(&self) -> bool {
        self.state().cut
    }

    fn change(&self, change: impl FnOnce(&mut LineState)) {
        let mut state = self.state();
        change(&mut state);
        state.wake();
    }

    fn state(&self) -> MutexGuard<'_, LineState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many bytes may be read, at most `wanted`.
    fn poll_read_allowance(&self, context: &Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        state.reader = Some(context.waker().clone());
        state.poll_allowance(wanted, state.reads_left)
    }

    fn poll_write_allowance(
        &self,
        context: &Context<'_>,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        state.writer = Some(context.waker().clone());
        state.poll_allowance(wanted, state.writes_left)
    }

    fn has_read(&self, bytes: usize) {
        let mut state = self.state();
        let left = state.reads_left.map(|left| left.saturating_sub(bytes as u64));
        state.reads_left = left;
        state.end_if(left);
    }

    fn has_written(&self, bytes: usize) {
        let mut state = self.state();
        let left = state.writes_left.map(|left| left.saturating_sub(bytes as u64));
        state.writes_left = left;
        state.end_if(left);
    }
}

impl LineState {
    fn poll_allowance(&self, wanted: usize, left: Option<u64>) -> Poll<io::Result<usize>> {
        if self.cut {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if self.stalled {
            return Poll::Pending;
        }
        let left = left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        Poll::Ready(Ok(wanted.min(left)))
    }

    fn end_if(&mut self, left: Option<u64>) {
        if left == Some(0) {
            self.cut = true;
            self.wake();
        }
    }

    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl<S> FaultyLine<S> {
    pub(super) const fn new(inner: S, faults: Arc<LineFaults>) -> Self {
        Self { inner, faults }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FaultyLine<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        let wanted = buffer.remaining().min(COUNTED_BYTES);
        let allowed = ready!(line.faults.poll_read_allowance(context, wanted))?;
        let mut read = [0; COUNTED_BYTES];
        let mut read = ReadBuf::new(&mut read[..allowed]);
        ready!(Pin::new(&mut line.inner).poll_read(context, &mut read))?;
        buffer.put_slice(read.filled());
        line.faults.has_read(read.filled().len());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FaultyLine<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        let allowed = ready!(line.faults.poll_write_allowance(context, data.len()))?;
        let written = ready!(Pin::new(&mut line.inner).poll_write(context, &data[..allowed]))?;
        line.faults.has_written(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was written before a cut still arrives.
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn line_is_cut_after_the_byte() {
        let (mut near, far) = duplex(64);
        let faults = Arc::new(LineFaults::default());
        let mut far = FaultyLine::new(far, Arc::clone(&faults));
        faults.limit(Some(3), None);
        near.write_all(b"abcdef").await.unwrap();
        let mut read = [0; 6];
        assert_eq!(far.read(&mut read).await.unwrap(), 3);
        assert!(far.read(&mut read).await.is_err());
        assert!(far.write(b"x").await.is_err());
        assert!(faults.is_cut());
    }

    #[tokio::test]
    async fn line_that_stalls_loses_nothing() {
        let (mut near, far) = duplex(64);
        let faults = Arc::new(LineFaults::default());
        let mut far = FaultyLine::new(far, Arc::clone(&faults));
        faults.stall(true);
        near.write_all(b"abc").await.unwrap();
        let mut read = [0; 3];
        let reading = tokio::spawn(async move { far.read_exact(&mut read).await.map(|_| read) });
        tokio::task::yield_now().await;
        assert!(!reading.is_finished());
        faults.stall(false);
        assert_eq!(reading.await.unwrap().unwrap(), *b"abc");
    }
}
