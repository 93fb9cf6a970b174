//! The end of a WebSocket that the relay closes.

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use moorline_shared::limits::CLOSE_PATIENCE;
use tokio::time::timeout;

/// Closes a WebSocket with a code of [`moorline_shared::message::close`] and a text for people, and
/// waits for the answer. A peer that does not answer within [`CLOSE_PATIENCE`] is disconnected.
pub(crate) async fn close(mut socket: WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
    let answered = async {
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    let _ = timeout(CLOSE_PATIENCE, answered).await;
}
