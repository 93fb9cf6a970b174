//! One connected client: a task that moves messages between its socket and its session.
//!
//! Nothing is queued for a client. The task takes a batch from the log at the client's cursor, as
//! large as the socket should get in one go, and takes the next when that one is sent. While the
//! socket is full, what the client says is still read: its acks and pings must not wait for it.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::{Sink as _, SinkExt as _, Stream as _, StreamExt as _};
use moorline_shared::id::{Epoch, Seq};
use moorline_shared::message::{ErrorCode, Scope, ServerMessage, close};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Error as SocketError;

use super::session::SessionHandle;
use moorline_core::peer::{self, Peer, PeerOutput};
use moorline_core::plain::{Plain, PlainOverrun};

/// What is taken from a session under one lock.
const BATCH_BYTES: usize = 256 * 1024;
/// How long a client may take to answer a close.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked whether a session was deleted whose client takes nothing.
const STALLED_CHECK: Duration = Duration::from_secs(1);
/// The WebSocket's own code for a message over the limit.
const MESSAGE_TOO_BIG: u16 = 1009;

/// What a client may do, and how it speaks.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// What its token allows.
    pub scope: Scope,
    /// How it speaks.
    pub dialect: Dialect,
}

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `moorline.v1`.
    Full,
    /// IC-1 alone.
    Basic,
    /// Text both ways, without any protocol: the socket is the terminal.
    Plain,
}

/// Why a connection is over.
#[derive(Debug)]
enum End {
    /// The socket is of no more use.
    Gone,
    /// The session says so.
    Close { code: u16, reason: &'static str },
}

/// Serves a client until it is gone.
pub async fn serve(
    socket: WebSocket,
    session: Arc<SessionHandle>,
    terms: Terms,
    mut closing: watch::Receiver<bool>,
) {
    let now = session.services().clock.now();
    let extended = terms.dialect == Dialect::Full;
    let attached = {
        let terms = peer::Terms::native(terms.scope, extended);
        Peer::attach(&mut session.lock().session, now, terms)
    };
    let Ok(mut peer) = attached else {
        let message = "This session has as many clients as it may: try again later.";
        return refuse(socket, close::OVERLOADED, ErrorCode::Overloaded, message).await;
    };
    let plain = (terms.dialect == Dialect::Plain)
        .then(|| Plain::begin(&mut session.lock().session, &mut peer, terms.scope, now));
    let mut client = Client { socket, session, peer, plain, has_spoken: false, reads: true };
    let end = client.run(&mut closing).await;
    let Client { socket, session, peer, .. } = client;
    tracing::debug!(?end, "client left");
    leave(peer, &session);
    drop(session);
    if let End::Close { code, reason } = end {
        say_goodbye(socket, code, reason).await;
    }
}

fn leave(peer: Peer, session: &Arc<SessionHandle>) {
    let mut state = session.lock();
    peer.detach(&mut state.session);
    state.settle();
}

/// Tells a client why it is not served, in a way that browsers can read.
pub async fn refuse(mut socket: WebSocket, code: u16, error: ErrorCode, message: &'static str) {
    let told = ServerMessage::Error { code: error, message: message.to_owned() };
    if socket.send(Message::text(told.to_json())).await.is_ok() {
        say_goodbye(socket, code, message).await;
    }
}

async fn say_goodbye(mut socket: WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
    let answered = async {
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    // Who does not answer is cut off.
    let _ = timeout(CLOSE_PATIENCE, answered).await;
}

/// What is to be done when a batch is sent.
enum Next {
    /// There is more in memory.
    More,
    /// What follows is in the store.
    Load { epoch: Epoch, after: Seq },
    /// Something has to happen.
    Wait,
}

struct Client {
    socket: WebSocket,
    session: Arc<SessionHandle>,
    peer: Peer,
    /// Of a client that speaks no protocol.
    plain: Option<Plain>,
    has_spoken: bool,
    /// Whether there is room for what the client says. Its socket is not read until there is.
    reads: bool,
}

impl Client {
    async fn run(&mut self, closing: &mut watch::Receiver<bool>) -> End {
        match self.converse(closing).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn converse(
        &mut self,
        closing: &mut watch::Receiver<bool>,
    ) -> Result<std::convert::Infallible, End> {
        let mut changed = self.session.subscribe();
        let mut timer = pin!(sleep_until(tokio::time::Instant::now()));
        let mut batch = Vec::new();
        loop {
            changed.mark_unchanged();
            let next = self.fill(&mut batch, closing);
            let session = Arc::clone(&self.session);
            tokio::select! {
                biased;
                sent = self.send_all(&mut batch) => sent?,
                end = over(session, closing.clone()) => return Err(end),
            }
            match next {
                Next::More => continue,
                Next::Load { epoch, after } => {
                    self.load(epoch, after).await;
                    continue;
                }
                Next::Wait => {}
            }
            self.arm(timer.as_mut());
            tokio::select! {
                message = self.socket.next(), if self.reads => self.incoming(message)?,
                _ = changed.changed() => {}
                () = timer.as_mut() => {}
                Ok(()) = closing.changed() => {}
            }
        }
    }

    /// Takes what the client is to be sent, and says what is to be done when it is.
    fn fill(&mut self, batch: &mut Vec<PeerOutput>, closing: &watch::Receiver<bool>) -> Next {
        let now = self.session.services().clock.now();
        let mut state = self.session.lock();
        // Looked at under the lock: a session that ends because of the shutdown does so after the
        // shutdown began, and its clients are told of the latter.
        if *closing.borrow() {
            self.peer.close(close::GOING_AWAY, "the relay is shutting down");
        }
        if let Some(plain) = &mut self.plain {
            self.reads = plain.advance(&mut state.session);
            if !self.reads {
                // Who is not read cannot be heard.
                self.peer.heard(now);
            }
        }
        let (mut bytes, mut next) = (0, Next::Wait);
        while let Some(output) = self.peer.poll_output(&mut state.session, now) {
            if let PeerOutput::Load { epoch, after } = output {
                next = Next::Load { epoch, after };
                break;
            }
            bytes += output_len(&output);
            batch.push(output);
            if bytes >= BATCH_BYTES {
                next = Next::More;
                break;
            }
        }
        // A peer asks its host for pictures while it is polled.
        state.settle_for_one();
        next
    }

    /// Brings what is not in memory any more.
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
        // A timer that fires early finds nothing to do; that is cheaper than setting it each time.
        if timer.is_elapsed() || due < timer.deadline() {
            timer.as_mut().reset(due);
        }
    }

    async fn send_all(&mut self, batch: &mut Vec<PeerOutput>) -> Result<(), End> {
        for output in batch.drain(..) {
            self.send(output).await?;
        }
        self.flush().await
    }

    async fn send(&mut self, output: PeerOutput) -> Result<(), End> {
        let Some(plain) = &mut self.plain else { return self.send_one(output).await };
        for output in plain.outgoing(output).into_iter().flatten() {
            self.send_one(output).await?;
        }
        Ok(())
    }

    async fn send_one(&mut self, output: PeerOutput) -> Result<(), End> {
        let message = match output {
            PeerOutput::Text(text) => match Utf8Bytes::try_from(text) {
                Ok(text) => Message::Text(text),
                Err(error) => {
                    tracing::error!(%error, "a message was no text");
                    return Err(End::Close {
                        code: close::INTERNAL,
                        reason: "a fault of the relay",
                    });
                }
            },
            PeerOutput::Frame(frame) => Message::Binary(frame),
            PeerOutput::Ping => Message::Ping(bytes::Bytes::new()),
            // It was taken out of the batch.
            PeerOutput::Load { .. } => return Ok(()),
            PeerOutput::Close { code, reason } => return Err(End::Close { code, reason }),
        };
        self.while_writing(|socket, context| socket.poll_ready(context)).await?;
        self.socket.start_send_unpin(message).map_err(|_| End::Gone)
    }

    async fn flush(&mut self) -> Result<(), End> {
        self.while_writing(|socket, context| socket.poll_flush(context)).await
    }

    /// Waits for the socket to take what is written, and hears the client meanwhile.
    async fn while_writing(
        &mut self,
        mut write: impl FnMut(
            Pin<&mut WebSocket>,
            &mut std::task::Context<'_>,
        ) -> Poll<Result<(), axum::Error>>,
    ) -> Result<(), End> {
        std::future::poll_fn(|context| {
            loop {
                if let Poll::Ready(result) = write(Pin::new(&mut self.socket), context) {
                    return Poll::Ready(result.map_err(|_| End::Gone));
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

    fn incoming(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
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
                self.peer.text(&mut state.session, now, &text);
                state.settle_for_one();
                drop(state);
                if !std::mem::replace(&mut self.has_spoken, true) {
                    // It may have taken the place of another connection.
                    self.session.wake();
                }
            }
            (Some(Ok(Message::Binary(piece))), None) => {
                self.peer.binary(&mut state.session, now, piece);
                state.settle_for_one();
            }
            (Some(Ok(Message::Ping(_) | Message::Pong(_))), _) => self.peer.heard(now),
            (Some(Err(error)), _) if is_too_large(&error) => {
                return Err(End::Close {
                    code: MESSAGE_TOO_BIG,
                    reason: "the message is too large",
                });
            }
            (Some(Ok(Message::Close(_)) | Err(_)) | None, _) => return Err(End::Gone),
        }
        Ok(())
    }
}

/// Waits for what ends a connection whose client takes nothing: such a client is not asked to go in
/// its turn.
async fn over(session: Arc<SessionHandle>, mut closing: watch::Receiver<bool>) -> End {
    loop {
        if *closing.borrow() {
            return End::Close { code: close::GOING_AWAY, reason: "the relay is shutting down" };
        }
        if session.lock().session.is_deleted() {
            return End::Close { code: close::NOT_FOUND, reason: "the session was deleted" };
        }
        tokio::select! {
            () = sleep(STALLED_CHECK) => {}
            Ok(()) = closing.changed() => {}
        }
    }
}

fn output_len(output: &PeerOutput) -> usize {
    match output {
        PeerOutput::Text(bytes) | PeerOutput::Frame(bytes) => bytes.len(),
        PeerOutput::Ping | PeerOutput::Load { .. } | PeerOutput::Close { .. } => 0,
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    matches!(cause, Some(SocketError::Capacity(_)))
}
