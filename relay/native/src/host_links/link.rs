//! A link to a host over either carrier: a WebSocket, or channels to a host in this process.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use futures_util::{Sink as _, SinkExt as _, Stream as _};
use moorline_host::dial::{Wire, WireItem};
use moorline_shared::limits::CLOSE_PATIENCE;
use moorline_shared::message::{KEEPALIVE_PING, KEEPALIVE_PONG};
use moorline_shared::packet::{BadPacket, Decode, Encode, Packet};
use tokio::sync::mpsc::OwnedPermit;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::timeout;

use crate::websocket;

/// Something that arrived over a link.
#[derive(Debug)]
pub enum LinkInput<M> {
    /// A message of this link's protocol.
    Message(M),
    /// A keepalive, which only shows that the host is alive.
    Alive,
    /// A packet that is not a message of this protocol.
    Bad(BadPacket),
    /// The end: the host closed the link, or it broke.
    Closed,
}

/// The error of a link that is closed or broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the link is closed")]
pub struct LinkGone;

/// The relay's end of a link. As with a sink, call [`Link::poll_ready`] before each
/// [`Link::start_send`].
pub trait Link: Send + 'static {
    /// Messages from the host.
    type In: Send;
    /// Messages to the host.
    type Out: Send;

    /// True if a silent host may be gone.
    const CAN_DIE: bool;

    /// Polls for the next thing that arrives.
    fn poll_hear(&mut self, context: &mut Context<'_>) -> Poll<LinkInput<Self::In>>;

    /// Ready when a message can be sent.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), LinkGone>>;

    /// Sends a message, after [`Link::poll_ready`].
    ///
    /// # Errors
    /// [`LinkGone`].
    fn start_send(&mut self, message: Self::Out) -> Result<(), LinkGone>;

    /// Ready when everything was handed to the carrier.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), LinkGone>>;

    /// Closes the link, with a code of [`moorline_shared::message::close`].
    fn close(self, code: u16, reason: &'static str) -> impl Future<Output = ()> + Send;
}

/// A link over a WebSocket.
#[derive(Debug)]
pub struct SocketLink<In, Out> {
    socket: WebSocket,
    /// True if a keepalive of the host is to be answered.
    owes_pong: bool,
    of: std::marker::PhantomData<fn(Out) -> In>,
}

impl<In, Out> SocketLink<In, Out> {
    /// Wraps an open WebSocket.
    #[must_use]
    pub const fn new(socket: WebSocket) -> Self {
        Self { socket, owes_pong: false, of: std::marker::PhantomData }
    }
}

impl<In: Decode + Send + 'static, Out: Encode + Send + 'static> Link for SocketLink<In, Out> {
    type In = In;
    type Out = Out;

    const CAN_DIE: bool = true;

    fn poll_hear(&mut self, context: &mut Context<'_>) -> Poll<LinkInput<In>> {
        let packet = match ready!(Pin::new(&mut self.socket).poll_next(context)) {
            Some(Ok(Message::Text(text))) if text == KEEPALIVE_PING => {
                self.owes_pong = true;
                return Poll::Ready(LinkInput::Alive);
            }
            Some(Ok(Message::Text(text))) => Packet::Text(text.into()),
            Some(Ok(Message::Binary(packet))) => Packet::Binary(packet),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Poll::Ready(LinkInput::Alive),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Poll::Ready(LinkInput::Closed),
        };
        Poll::Ready(In::decode(packet).map_or_else(LinkInput::Bad, LinkInput::Message))
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), LinkGone>> {
        let is_ready = ready!(Pin::new(&mut self.socket).poll_ready(context));
        Poll::Ready(is_ready.map_err(|_| LinkGone))
    }

    fn start_send(&mut self, message: Out) -> Result<(), LinkGone> {
        let message = match message.encode() {
            Packet::Binary(bytes) => Message::Binary(bytes),
            Packet::Text(bytes) => Message::Text(Utf8Bytes::try_from(bytes).map_err(|_| LinkGone)?),
        };
        self.socket.start_send_unpin(message).map_err(|_| LinkGone)
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), LinkGone>> {
        if self.owes_pong {
            ready!(self.poll_ready(context))?;
            self.owes_pong = false;
            let pong = Message::Text(Utf8Bytes::from_static(KEEPALIVE_PONG));
            self.socket.start_send_unpin(pong).map_err(|_| LinkGone)?;
        }
        let flushed = ready!(Pin::new(&mut self.socket).poll_flush(context));
        Poll::Ready(flushed.map_err(|_| LinkGone))
    }

    async fn close(self, code: u16, reason: &'static str) {
        websocket::close(self.socket, code, reason).await;
    }
}

type Room<Out> = Pin<Box<dyn Future<Output = Option<OwnedPermit<WireItem<Out>>>> + Send>>;

/// A link to a host in this process.
pub struct LocalLink<In, Out> {
    wire: Wire<Out, In>,
    /// Room for one message, once [`Link::poll_ready`] has reserved it.
    permit: Option<OwnedPermit<WireItem<Out>>>,
    /// Waits for room when the channel is full.
    waiting: Option<Room<Out>>,
}

impl<In, Out> LocalLink<In, Out> {
    /// Wraps the relay's end of a wire.
    #[must_use]
    pub const fn new(wire: Wire<Out, In>) -> Self {
        Self { wire, permit: None, waiting: None }
    }
}

impl<In: Send + 'static, Out: Send + 'static> Link for LocalLink<In, Out> {
    type In = In;
    type Out = Out;

    const CAN_DIE: bool = false;

    fn poll_hear(&mut self, context: &mut Context<'_>) -> Poll<LinkInput<In>> {
        Poll::Ready(match ready!(self.wire.receiver.poll_recv(context)) {
            Some(WireItem::Message(message)) => LinkInput::Message(message),
            Some(WireItem::Closed(_)) | None => LinkInput::Closed,
        })
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), LinkGone>> {
        if self.permit.is_some() {
            return Poll::Ready(Ok(()));
        }
        let mut waiting = match self.waiting.take() {
            Some(waiting) => waiting,
            None => match self.wire.sender.clone().try_reserve_owned() {
                Ok(permit) => {
                    self.permit = Some(permit);
                    return Poll::Ready(Ok(()));
                }
                Err(TrySendError::Closed(_)) => return Poll::Ready(Err(LinkGone)),
                Err(TrySendError::Full(sender)) => {
                    Box::pin(async { sender.reserve_owned().await.ok() })
                }
            },
        };
        match waiting.as_mut().poll(context) {
            Poll::Ready(permit) => {
                self.permit = permit;
                Poll::Ready(self.permit.as_ref().map(|_| ()).ok_or(LinkGone))
            }
            Poll::Pending => {
                self.waiting = Some(waiting);
                Poll::Pending
            }
        }
    }

    fn start_send(&mut self, message: Out) -> Result<(), LinkGone> {
        self.permit.take().ok_or(LinkGone)?.send(WireItem::Message(message));
        Ok(())
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), LinkGone>> {
        Poll::Ready(Ok(()))
    }

    async fn close(self, code: u16, _: &'static str) {
        let Wire { sender, receiver } = self.wire;
        // A host that waits for room reads nothing, so close this receiver first.
        drop((self.permit, receiver));
        let _ = timeout(CLOSE_PATIENCE, sender.send(WireItem::Closed(code))).await;
    }
}

impl<In, Out> std::fmt::Debug for LocalLink<In, Out> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}
