//! Accepts connections. If the process has no file descriptor left, gives up a spare one to refuse a
//! connection with an explanation.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::time::Duration;

use futures_util::FutureExt as _;
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout};

use super::{Listener, PeerAddress};
use moorline_core::api::ApiError;

/// Pause after a connection could be neither accepted nor refused.
const FULL_PAUSE: Duration = Duration::from_secs(1);
/// Time allowed for a refused client to send its request. Other connections wait meanwhile.
const REFUSAL_PATIENCE: Duration = Duration::from_millis(200);
/// Limit of the request's bytes that are read. Without reading them, the client may lose the
/// answer.
const REQUEST_BYTES: usize = 16 * 1024;
/// Shortest time between two log messages.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// A listener, and a spare descriptor to refuse connections with.
pub(super) struct Accepting<L> {
    listener: L,
    /// The descriptor to give up for a connection that is refused. `None` if it could not be opened.
    spare: Option<File>,
    /// The time of the last log message.
    told: Option<Instant>,
}

impl<L: Listener> Accepting<L> {
    pub(super) fn new(listener: L) -> Self {
        Self { listener, spare: spare(), told: None }
    }

    /// The listener.
    pub(super) const fn listener(&self) -> &L {
        &self.listener
    }

    /// Returns the next connection. Dropping the future loses at most one that is being refused.
    pub(super) async fn next(&mut self) -> (L::Stream, PeerAddress) {
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

    /// Refuses the next connection. Returns false if it cannot be accepted even with the spare
    /// descriptor.
    async fn refuse(&mut self) -> bool {
        if self.spare.take().is_none() {
            return false;
        }
        // Without waiting, as others would take the descriptor meanwhile.
        let taken = self.listener.take().now_or_never();
        let is_taken = match taken {
            Some(Ok((stream, _))) => {
                // Over TLS, an answer would need a handshake first.
                if self.listener.tls().is_none() {
                    answer(stream, &no_descriptor()).await;
                }
                true
            }
            Some(Err(_)) => false,
            // No connection is waiting. The system reports the lack of descriptors before it looks
            // for one.
            None => true,
        };
        self.spare = spare();
        is_taken
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Returns true if the connection was lost before it was accepted. Any other error lasts until
/// descriptors are freed.
fn is_lost(error: &io::Error) -> bool {
    let lost =
        [ErrorKind::ConnectionRefused, ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset];
    lost.contains(&error.kind())
}

/// Returns true if the process or the machine has no descriptor left.
fn is_full(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Answers a connection's first request, whatever it is, and closes the connection.
pub(super) async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, error: &ApiError) {
    let mut request = vec![0; REQUEST_BYTES];
    // A client that has gone or is slow gets the same answer.
    let _ = timeout(REFUSAL_PATIENCE, stream.read(&mut request)).await;
    let told = async {
        stream.write_all(&refusal(error)).await?;
        stream.shutdown().await
    };
    let _ = timeout(REFUSAL_PATIENCE, told).await;
}

fn no_descriptor() -> ApiError {
    ApiError::unavailable(
        "The relay has no file descriptor left for a connection: close some, or raise its limit of \
         open files.",
    )
}

/// Returns the complete HTTP response.
fn refusal(error: &ApiError) -> Vec<u8> {
    let body = serde_json::to_string(error.body()).unwrap_or_default();
    let (length, wait) = (body.len(), error.retry_after().unwrap_or(1));
    format!(
        "HTTP/1.1 {}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         cache-control: no-store\r\nx-content-type-options: nosniff\r\nretry-after: {wait}\r\n\
         connection: close\r\n\r\n{body}",
        error.status()
    )
    .into_bytes()
}
