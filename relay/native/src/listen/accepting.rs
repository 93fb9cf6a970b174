//! Takes connections, and refuses them in words when the process has no file descriptor left: one is kept
//! for that.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::time::Duration;

use futures_util::FutureExt as _;
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout};

use super::{Listener, Peer};
use moorline_core::api::ApiError;

/// How long to wait before a connection is tried again that could be neither taken nor refused.
const FULL_PAUSE: Duration = Duration::from_secs(1);
/// How long a client that is refused may take to send its request: others wait meanwhile.
const REFUSAL_PATIENCE: Duration = Duration::from_millis(200);
/// Bytes of its request that are read: one that is not read may cost it the answer.
const REQUEST_BYTES: usize = 16 * 1024;
/// How often at most the log is told.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// A listener, and what to refuse connections with.
pub(super) struct Accepting<L> {
    listener: L,
    /// A descriptor to give up for a connection that is refused. `None` if there was none to be had.
    spare: Option<File>,
    /// When the log was told last.
    told: Option<Instant>,
}

impl<L: Listener> Accepting<L> {
    pub(super) fn new(listener: L) -> Self {
        Self { listener, spare: spare(), told: None }
    }

    /// The next connection. Dropping the future loses nothing but one that is being refused.
    pub(super) async fn next(&mut self) -> (L::Stream, Peer) {
        loop {
            if self.spare.is_none() {
                self.spare = spare();
            }
            match self.listener.take().await {
                Ok(accepted) => return accepted,
                Err(error) if is_lost(&error) => {}
                Err(error) => self.recover(&error).await,
            }
        }
    }

    async fn recover(&mut self, error: &io::Error) {
        if self.told.is_none_or(|told| told.elapsed() >= LOG_EVERY) {
            self.told = Some(Instant::now());
            tracing::error!(%error, "no connection can be accepted: raise the limit of open files");
        }
        if !is_full(error) || !self.refuse().await {
            sleep(FULL_PAUSE).await;
        }
    }

    /// Refuses the connection that is next. False if it cannot be had even so.
    async fn refuse(&mut self) -> bool {
        if self.spare.take().is_none() {
            return false;
        }
        // Without waiting: others would take the descriptor meanwhile.
        let taken = self.listener.take().now_or_never();
        let is_taken = match taken {
            Some(Ok((stream, _))) => {
                answer(stream).await;
                true
            }
            Some(Err(_)) => false,
            // The system says that there is no descriptor before it looks whether there is a
            // connection.
            None => true,
        };
        self.spare = spare();
        is_taken
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

/// A connection that was lost before it was taken is nobody's fault; any other error lasts until
/// others close.
fn is_lost(error: &io::Error) -> bool {
    let lost =
        [ErrorKind::ConnectionRefused, ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset];
    lost.contains(&error.kind())
}

/// Whether the process, or the machine, has no descriptor left.
fn is_full(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut request = vec![0; REQUEST_BYTES];
    // Who is gone, or slow, gets no better answer.
    let _ = timeout(REFUSAL_PATIENCE, stream.read(&mut request)).await;
    let told = async {
        stream.write_all(&refusal()).await?;
        stream.shutdown().await
    };
    let _ = timeout(REFUSAL_PATIENCE, told).await;
}

/// The whole answer.
fn refusal() -> Vec<u8> {
    let error = ApiError::unavailable(
        "The relay has no file descriptor left for a connection: close some, or raise its limit of \
         open files.",
    );
    let body = serde_json::to_string(error.body()).unwrap_or_default();
    let length = body.len();
    format!(
        "HTTP/1.1 {}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         cache-control: no-store\r\nx-content-type-options: nosniff\r\nretry-after: 1\r\n\
         connection: close\r\n\r\n{body}",
        error.status()
    )
    .into_bytes()
}
