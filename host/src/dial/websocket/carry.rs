//! The task that carries a wire's messages over a WebSocket.

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use moorline_shared::limits::CLOSE_PATIENCE;
use moorline_shared::link::Liveness;
use moorline_shared::message::{KEEPALIVE_PING, close};
use moorline_shared::packet::{Decode, Encode, Packet};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::dial::{Wire, WireItem};

/// Starts a task that carries a wire over the socket until either side closes it, and returns the
/// wire's near end. In each direction the sender waits while the other end does not read.
pub(super) fn carry<S, H, T>(socket: WebSocketStream<T>, room: usize) -> Wire<S, H>
where
    S: Encode + Send + 'static,
    H: Decode + Send + 'static,
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (near, far) = Wire::<S, H>::pair(room);
    tokio::spawn(async move {
        let Wire { sender, receiver } = far;
        let (sink, stream) = socket.split();
        tokio::select! {
            biased;
            _ = write(sink, receiver) => {}
            code = read(stream, &sender) => {
                _ = sender.send(WireItem::Closed(code)).await;
            }
            // Nobody receives any more, though the sending half may still be held.
            () = sender.closed() => {}
        }
    });
    near
}

/// Sends messages until the wire is closed or the socket breaks, and a keepalive in every silence.
async fn write<S: Encode, T: AsyncRead + AsyncWrite + Unpin>(
    mut sink: SplitSink<WebSocketStream<T>, Message>,
    mut receiver: mpsc::Receiver<WireItem<S>>,
) -> Result<(), Error> {
    let mut liveness = Liveness::new(Instant::now());
    loop {
        let mut next = tokio::select! {
            item = receiver.recv() => Some(item.unwrap_or(WireItem::Closed(close::GOING_AWAY))),
            () = sleep_until(liveness.ping_at()) => {
                sink.feed(Message::text(KEEPALIVE_PING)).await?;
                None
            }
        };
        while let Some(item) = next {
            match item {
                WireItem::Message(message) => sink.feed(message_of(message.encode())).await?,
                WireItem::Closed(code) => {
                    let frame = CloseFrame { code: code.into(), reason: Utf8Bytes::default() };
                    let closing = sink.send(Message::Close(Some(frame)));
                    return timeout(CLOSE_PATIENCE, closing).await.unwrap_or(Ok(()));
                }
            }
            next = receiver.try_recv().ok();
        }
        sink.flush().await?;
        liveness.said(Instant::now());
    }
}

/// Receives messages until the socket is closed or silent, or the host drops the wire. Returns the
/// close code.
async fn read<H: Decode, T: AsyncRead + AsyncWrite + Unpin>(
    mut stream: SplitStream<WebSocketStream<T>>,
    sender: &mpsc::Sender<WireItem<H>>,
) -> u16 {
    loop {
        // Begins anew here, so that the time in which the host takes no message does not count.
        let dead_at = Liveness::new(Instant::now()).dead_at();
        let Ok(message) = timeout_at(dead_at, stream.next()).await else { return close::ABNORMAL };
        let packet = match message {
            Some(Ok(Message::Text(text))) => Packet::Text(text.into()),
            Some(Ok(Message::Binary(bytes))) => Packet::Binary(bytes),
            Some(Ok(Message::Close(frame))) => {
                // Polling once more sends the answer to the close frame.
                _ = timeout(CLOSE_PATIENCE, stream.next()).await;
                return frame.map_or(close::ABNORMAL, |frame| frame.code.into());
            }
            Some(Ok(_)) => continue,
            Some(Err(error)) => {
                tracing::debug!(%error, "a link broke");
                return close::ABNORMAL;
            }
            None => return close::ABNORMAL,
        };
        match H::decode(packet) {
            Ok(message) => {
                if sender.send(WireItem::Message(message)).await.is_err() {
                    return close::ABNORMAL;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the relay sent an invalid message");
                return close::PROTOCOL;
            }
        }
    }
}

fn message_of(packet: Packet) -> Message {
    match packet {
        Packet::Binary(bytes) => Message::Binary(bytes),
        Packet::Text(text) => match Utf8Bytes::try_from(text.clone()) {
            Ok(text) => Message::Text(text),
            // Never happens: JSON is UTF-8.
            Err(_) => Message::text(String::from_utf8_lossy(&text).into_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use moorline_shared::control::{ToHost, ToRelay};
    use moorline_shared::limits::{DEAD_AFTER, HEARTBEAT};
    use tokio::io::{DuplexStream, duplex};
    use tokio_tungstenite::tungstenite::protocol::Role;

    type Near = Wire<ToRelay, ToHost>;

    async fn pair() -> (Near, WebSocketStream<DuplexStream>) {
        let (near, far) = duplex(1024);
        let near = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
        (carry(near, 4), WebSocketStream::from_raw_socket(far, Role::Server, None).await)
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_link_is_pinged_and_then_taken_for_dead() {
        let (mut near, mut far) = pair().await;
        let begin = Instant::now();
        for round in 1..=2 {
            let ping = far.next().await.unwrap().unwrap();
            assert_eq!(ping, Message::text(KEEPALIVE_PING));
            assert_eq!(begin.elapsed().as_secs(), round * HEARTBEAT.as_secs());
        }
        far.send(Message::text(r#"{"type":"pong","t":0}"#)).await.unwrap();
        assert_eq!(near.recv().await, Ok(ToHost::Pong { t: 0 }));
        assert_eq!(near.recv().await, Err(close::ABNORMAL));
        assert_eq!(begin.elapsed(), 2 * HEARTBEAT + DEAD_AFTER);
    }

    #[tokio::test]
    async fn close_codes_go_both_ways() {
        let (mut near, mut far) = pair().await;
        let frame = CloseFrame { code: 4409.into(), reason: Utf8Bytes::default() };
        far.close(Some(frame)).await.unwrap();
        assert_eq!(near.recv().await, Err(close::REPLACED));
        let (near, mut far) = pair().await;
        near.sender.send(WireItem::Closed(close::NORMAL)).await.unwrap();
        let Message::Close(Some(frame)) = far.next().await.unwrap().unwrap() else { panic!() };
        assert_eq!(u16::from(frame.code), close::NORMAL);
        let (near, mut far) = pair().await;
        drop(near);
        let Message::Close(Some(frame)) = far.next().await.unwrap().unwrap() else { panic!() };
        assert_eq!(u16::from(frame.code), close::GOING_AWAY);
        let (mut near, mut far) = pair().await;
        far.send(Message::text("dance")).await.unwrap();
        assert_eq!(near.recv().await, Err(close::PROTOCOL));
        let (mut near, far) = pair().await;
        drop(far);
        assert_eq!(near.recv().await, Err(close::ABNORMAL));
    }

    #[tokio::test]
    async fn a_relay_that_does_not_read_makes_the_host_wait() {
        let (near, mut far) = pair().await;
        let big = || ToRelay::Failed {
            request: moorline_shared::publish::RequestId(1),
            code: "x".repeat(200_000),
            message: String::new(),
        };
        let mut sent = 0;
        while near.sender.try_send(WireItem::Message(big())).is_ok() {
            sent += 1;
            tokio::task::yield_now().await;
        }
        // The messages in the channel, plus those that the socket's own buffer has taken.
        assert!(sent < 10, "{sent} messages wait");
        for _ in 0..sent {
            far.next().await.unwrap().unwrap();
        }
        near.sender.send(WireItem::Message(big())).await.unwrap();
        far.next().await.unwrap().unwrap();
    }
}
