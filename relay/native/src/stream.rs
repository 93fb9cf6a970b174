//! One connected client: a task that moves messages between its socket and its session.
//!
//! Nothing is queued for a client. The task takes a batch from the log at the client's cursor, as
//! large as the socket should get at once, and takes the next one when that is sent. While the
//! socket is full, the client's messages are still read: its acks and pings must not wait for it.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use futures_util::{Sink as _, SinkExt as _, Stream as _, StreamExt as _};
use moorline_shared::id::{Epoch, Seq};
use moorline_shared::message::{Scope, close};
use tokio::time::{Sleep, sleep, sleep_until};
use tokio_tungstenite::tungstenite::Error as SocketError;

use super::auth::{AccessEnd, AccessLease};
use super::clock::wall_ms;
use super::session::SessionHandle;
use super::websocket;
use moorline_core::auth::Grant;
use moorline_core::peer::{self, Peer, PeerOutput};
use moorline_core::plain::{Plain, PlainOverrun};
use moorline_core::profile::Profile;
use moorline_core::refusal::StreamRefusal;

/// Approximate bytes taken from a session under one lock.
const BATCH_BYTES: usize = 256 * 1024;
/// Interval of the check whether the session of a stalled client was deleted.
const STALLED_CHECK: Duration = Duration::from_secs(1);

/// A client's rights and its protocol.
#[derive(Debug, Clone)]
pub struct StreamTerms {
    /// The scope of its token.
    pub scope: Scope,
    /// The protocol that it speaks.
    pub dialect: Dialect,
    /// What its token gives.
    pub grant: Grant,
}

/// A client's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `moorline.v1`.
    Full,
    /// IC-1 only.
    Basic,
    /// Plain text both ways: the socket is the terminal.
    Plain,
}

/// The reason that a connection ends.
#[derive(Debug)]
enum StreamEnd {
    /// The socket has failed or was closed by the client.
    Gone,
    /// The session or the relay closes the connection.
    Close { code: u16, reason: &'static str },
}

/// Serves a client until it disconnects or is disconnected.
pub async fn serve(
    socket: WebSocket,
    session: Arc<SessionHandle>,
    terms: StreamTerms,
    mut lease: AccessLease,
) {
    let now = session.services().clock.now();
    let extended = terms.dialect == Dialect::Full;
    let attached = {
        let terms = peer::Terms::new(&Profile::NATIVE, terms.scope, extended);
        Peer::attach(&mut session.lock().session, now, terms)
    };
    let Ok(mut peer) = attached else {
        return refuse(socket, StreamRefusal::OVERLOADED).await;
    };
    peer.set_grant(terms.grant);
    let plain = (terms.dialect == Dialect::Plain)
        .then(|| Plain::begin(&mut session.lock().session, &mut peer, terms.scope, now));
    let mut client = StreamClient { socket, session, peer, plain, has_spoken: false, reads: true };
    let end = client.run(&mut lease).await;
    let StreamClient { socket, session, peer, .. } = client;
    tracing::debug!(?end, "client left");
    leave(peer, &session);
    drop(session);
    if let StreamEnd::Close { code, reason } = end {
        websocket::close(socket, code, reason).await;
    }
}

fn leave(peer: Peer, session: &Arc<SessionHandle>) {
    let mut state = session.lock();
    peer.detach(&mut state.session);
    state.settle();
}

/// Sends the reason that a client is refused, and closes. Browsers can read both.
pub async fn refuse(mut socket: WebSocket, refusal: StreamRefusal) {
    if socket.send(Message::text(refusal.to_json())).await.is_ok() {
        websocket::close(socket, refusal.close, refusal.message).await;
    }
}

/// The next step once a batch is sent.
enum AfterBatch {
    /// More is available in memory.
    More,
    /// The entries that follow are in the store.
    Load { epoch: Epoch, after: Seq },
    /// Nothing to send until something happens.
    Wait,
}

struct StreamClient {
    socket: WebSocket,
    session: Arc<SessionHandle>,
    peer: Peer,
    /// The state of a client that uses [`Dialect::Plain`].
    plain: Option<Plain>,
    has_spoken: bool,
    /// True if there is room for the client's input. If false, the socket is not read.
    reads: bool,
}

impl StreamClient {
    async fn run(&mut self, lease: &mut AccessLease) -> StreamEnd {
        match self.converse(lease).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn converse(
        &mut self,
        lease: &mut AccessLease,
    ) -> Result<std::convert::Infallible, StreamEnd> {
        let mut changed = self.session.subscribe();
        let mut timer = pin!(sleep_until(tokio::time::Instant::now()));
        let mut batch = Vec::new();
        loop {
            changed.mark_unchanged();
            let next = self.fill(&mut batch, lease);
            let session = Arc::clone(&self.session);
            tokio::select! {
                biased;
                sent = self.send_all(&mut batch) => sent?,
                end = over(session, lease) => return Err(end),
            }
            match next {
                AfterBatch::More => continue,
                AfterBatch::Load { epoch, after } => {
                    self.load(epoch, after).await;
                    continue;
                }
                AfterBatch::Wait => {}
            }
            self.arm(timer.as_mut());
            tokio::select! {
                message = self.socket.next(), if self.reads => self.incoming(message)?,
                _ = changed.changed() => {}
                () = timer.as_mut() => {}
                _ = lease.ended() => {}
            }
        }
    }

    /// Takes the next batch to send to the client, and returns the next step once it is sent.
    fn fill(&mut self, batch: &mut Vec<PeerOutput>, lease: &AccessLease) -> AfterBatch {
        let now = self.session.services().clock.now();
        let mut state = self.session.lock();
        // Checked under the lock: sessions that end because of the shutdown end after it began, so
        // their clients learn of the shutdown and not of the end.
        if let Some((code, reason)) = lease.ending().map(AccessEnd::close) {
            self.peer.close(code, reason);
        }
        if let Some(plain) = &mut self.plain {
            self.reads = plain.advance(&mut state.session);
            if !self.reads {
                // A client that is not read must not time out.
                self.peer.heard(now);
            }
        }
        let (mut bytes, mut next) = (0, AfterBatch::Wait);
        while let Some(output) = self.peer.poll_output(&mut state.session, now) {
            if let PeerOutput::Load { epoch, after } = output {
                next = AfterBatch::Load { epoch, after };
                break;
            }
            bytes += output_len(&output);
            batch.push(output);
            if bytes >= BATCH_BYTES {
                next = AfterBatch::More;
                break;
            }
        }
        // Polling a peer can make it request snapshots from the host.
        state.settle_for_one();
        next
    }

    /// Loads entries that are no longer in memory from the store.
    async fn load(&mut self, epoch: Epoch, after: Seq) {
        let entries = self.session.stored_entries(epoch, after).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a stored log cannot be read");
            Vec::new()
        });
        self.peer.loaded(&self.session.lock().session, entries);
    }

    fn arm(&self, mut timer: Pin<&mut Sleep>) {
        let Some(due) = self.peer.poll_timeout() else { return };
        let due = tokio::time::Instant::from_std(self.session.services().clock.instant(due));
        // A timer that fires early finds nothing to do, which is cheaper than resetting it each
        // time.
        if timer.is_elapsed() || due < timer.deadline() {
            timer.as_mut().reset(due);
        }
    }

    async fn send_all(&mut self, batch: &mut Vec<PeerOutput>) -> Result<(), StreamEnd> {
        for output in batch.drain(..) {
            self.send(output).await?;
        }
        self.flush().await
    }

    async fn send(&mut self, output: PeerOutput) -> Result<(), StreamEnd> {
        let Some(plain) = &mut self.plain else { return self.send_one(output).await };
        for output in plain.outgoing(output).into_iter().flatten() {
            self.send_one(output).await?;
        }
        Ok(())
    }

    async fn send_one(&mut self, output: PeerOutput) -> Result<(), StreamEnd> {
        let message = match output {
            PeerOutput::Text(text) => match Utf8Bytes::try_from(text) {
                Ok(text) => Message::Text(text),
                Err(error) => {
                    tracing::error!(%error, "a message was not text");
                    return Err(StreamEnd::Close {
                        code: close::INTERNAL,
                        reason: "internal error: see the relay's log",
                    });
                }
            },
            PeerOutput::Frame(frame) => Message::Binary(frame),
            PeerOutput::Ping => Message::Ping(bytes::Bytes::new()),
            // `fill` takes it out of the batch.
            PeerOutput::Load { .. } => return Ok(()),
            PeerOutput::Close { code, reason } => return Err(StreamEnd::Close { code, reason }),
        };
        self.while_writing(|socket, context| socket.poll_ready(context)).await?;
        self.socket.start_send_unpin(message).map_err(|_| StreamEnd::Gone)
    }

    async fn flush(&mut self) -> Result<(), StreamEnd> {
        self.while_writing(|socket, context| socket.poll_flush(context)).await
    }

    /// Waits until `write` is done, and reads the client's messages meanwhile.
    async fn while_writing(
        &mut self,
        mut write: impl FnMut(
            Pin<&mut WebSocket>,
            &mut std::task::Context<'_>,
        ) -> Poll<Result<(), axum::Error>>,
    ) -> Result<(), StreamEnd> {
        std::future::poll_fn(|context| {
            loop {
                if let Poll::Ready(result) = write(Pin::new(&mut self.socket), context) {
                    return Poll::Ready(result.map_err(|_| StreamEnd::Gone));
                }
                if !self.reads {
                    return Poll::Pending;
                }
                let message = ready!(Pin::new(&mut self.socket).poll_next(context));
                if let Err(end) = self.incoming(message) {
                    return Poll::Ready(Err(end));
                }
            }
        })
        .await
    }

    fn incoming(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), StreamEnd> {
        let now = self.session.services().clock.now();
        let mut state = self.session.lock();
        match (message, &mut self.plain) {
            (Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))), Some(plain)) => {
                self.peer.heard(now);
                if let Err(error) = plain.incoming(&mut state.session, &message.into_data()) {
                    tracing::debug!(%error, "a socket was read that should have waited");
                    self.peer.close(close::OVERLOADED, PlainOverrun::REASON);
                }
                self.reads = plain.advance(&mut state.session);
                state.settle_for_one();
            }
            (Some(Ok(Message::Text(text))), None) => {
                self.peer.text(&mut state.session, now, wall_ms(), &text);
                state.settle_for_one();
                drop(state);
                if !std::mem::replace(&mut self.has_spoken, true) {
                    // The connection may have replaced another one.
                    self.session.wake();
                }
            }
            (Some(Ok(Message::Binary(piece))), None) => {
                self.peer.binary(&mut state.session, now, piece);
                state.settle_for_one();
            }
            (Some(Ok(Message::Ping(_) | Message::Pong(_))), _) => self.peer.heard(now),
            (Some(Err(error)), _) if is_too_large(&error) => {
                return Err(StreamEnd::Close {
                    code: close::TOO_LARGE,
                    reason: "the message is too large",
                });
            }
            (Some(Ok(Message::Close(_)) | Err(_)) | None, _) => return Err(StreamEnd::Gone),
        }
        Ok(())
    }
}

/// Waits for events that end the connection of a stalled client. Such a client cannot be closed
/// through its queue of output.
async fn over(session: Arc<SessionHandle>, lease: &mut AccessLease) -> StreamEnd {
    loop {
        if let Some((code, reason)) = lease.ending().map(AccessEnd::close) {
            return StreamEnd::Close { code, reason };
        }
        if session.lock().session.is_deleted() {
            return StreamEnd::Close { code: close::NOT_FOUND, reason: "the session was deleted" };
        }
        tokio::select! {
            () = sleep(STALLED_CHECK) => {}
            _ = lease.ended() => {}
        }
    }
}

fn output_len(output: &PeerOutput) -> usize {
    match output {
        PeerOutput::Text(bytes) | PeerOutput::Frame(bytes) => bytes.len(),
        PeerOutput::Ping | PeerOutput::Load { .. } | PeerOutput::Close { .. } => 0,
    }
}

/// Returns true if a message exceeds the limit of the socket.
pub(crate) fn is_too_large(error: &axum::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    matches!(cause, Some(SocketError::Capacity(_)))
}
