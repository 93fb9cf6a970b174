//! The sockets of a session, which stay open while the object hibernates.

use std::collections::HashMap;

use bytes::Bytes;
use js_sys::{ArrayBuffer, Date, Function, Map, Reflect, Uint8Array};
use moorline_core::peer::SavedPeer;
use moorline_core::plain::Plain;
use moorline_shared::message::{KEEPALIVE_PING, KEEPALIVE_PONG};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast as _, JsValue};
use worker::{State, WebSocket, WebSocketRequestResponsePair};

use crate::internal::Caller;

/// Tag of every socket that the object accepts.
const TAG: &str = "session";

/// State of a socket that survives hibernation, as its attachment.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Attachment {
    /// State of a client's socket.
    Client {
        /// Position of the client in the protocol.
        peer: Box<SavedPeer>,
        /// State of a plain client; `None` for one that speaks the protocol.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plain: Option<Plain>,
        /// Who has opened it; `None` if an earlier version accepted it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<Box<Caller>>,
    },
    /// State of the host's socket.
    Host {
        /// When the link was opened; of two links, the later one counts.
        since: u64,
        /// Hash of what the directory was last told.
        listed: Option<u64>,
        /// True if the host was asked where its log begins and has not answered.
        #[serde(default)]
        asked: bool,
        /// Who has opened it; `None` if an earlier version accepted it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<Box<Caller>>,
    },
}

/// Accepts a socket that may hibernate. The runtime answers `KEEPALIVE_PING` without waking the
/// object.
pub(super) fn accept(state: &State, socket: &WebSocket) -> worker::Result<()> {
    let pair = WebSocketRequestResponsePair::new(KEEPALIVE_PING, KEEPALIVE_PONG)?;
    state.as_raw().set_websocket_auto_response(&pair)?;
    let tags = vec![JsValue::from_str(TAG)];
    Ok(state.as_raw().accept_websocket_with_tags(socket.as_ref(), tags)?)
}

/// All open sockets with their attachments.
pub(super) fn open(state: &State) -> worker::Result<Vec<(WebSocket, Option<Attachment>)>> {
    let sockets = state.as_raw().get_websockets_with_tag(TAG)?;
    let open = sockets.into_iter().filter(|socket| socket.ready_state() == OPEN);
    Ok(open
        .map(|socket| {
            let socket = WebSocket::from(socket);
            let kept = socket.deserialize_attachment::<String>().ok().flatten();
            let attachment = kept.and_then(|kept| serde_json::from_str(&kept).ok());
            (socket, attachment)
        })
        .collect())
}

const OPEN: u16 = 1;

/// Saves a socket's attachment; does nothing if the socket is gone.
pub(super) fn keep(socket: &WebSocket, attachment: &Attachment) {
    if let Ok(kept) = serde_json::to_string(attachment) {
        let _ = socket.serialize_attachment(kept);
    }
}

/// Sends a text. Does nothing if the socket is gone, which the object learns by an event.
pub(super) fn send_text(socket: &WebSocket, text: &[u8]) {
    if let Ok(text) = std::str::from_utf8(text) {
        let _ = socket.send_with_str(text);
    }
}

/// Closes a socket; does nothing if it is gone.
pub(super) fn close(socket: &WebSocket, code: u16, reason: &str) {
    let _ = socket.close(Some(code), Some(reason));
}

/// When the runtime last answered a socket's keepalive by itself, in milliseconds since 1970.
pub(super) fn answered_at(state: &State, socket: &WebSocket) -> Option<u64> {
    let state: &JsValue = state.as_raw().as_ref();
    let method = Reflect::get(state, &JsValue::from_str("getWebSocketAutoResponseTimestamp"));
    let method: Function = method.ok()?.dyn_into().ok()?;
    let date: Date = method.call1(state, socket.as_ref()).ok()?.dyn_into().ok()?;
    Some(date.get_time() as u64)
}

/// Returns true if an endpoint may send this close code; other codes are only reported locally.
pub(super) const fn may_send(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Map from a socket to its owner.
#[derive(Debug, Default)]
pub(super) struct Owners(Map);

impl Owners {
    pub(super) fn insert(&self, socket: &WebSocket, owner: SocketOwner) {
        self.0.set(socket.as_ref(), &JsValue::from_f64(owner.0 as f64));
    }

    pub(super) fn find(&self, socket: &WebSocket) -> Option<SocketOwner> {
        self.0.get(socket.as_ref()).as_f64().map(|number| SocketOwner(number as u64))
    }

    pub(super) fn remove(&self, socket: &WebSocket) -> Option<SocketOwner> {
        let owner = self.find(socket);
        self.0.delete(socket.as_ref());
        owner
    }
}

/// Number that identifies a socket's owner: a client or the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SocketOwner(pub(super) u64);

/// Binary messages for several sockets, copied into JavaScript only once.
#[derive(Debug, Default)]
pub(super) struct Buffers(HashMap<(usize, usize), (Bytes, ArrayBuffer)>);

impl Buffers {
    /// Sends bytes. The runtime reads them later, so it gets a copy of its own.
    pub(super) fn send(&mut self, socket: &WebSocket, bytes: &Bytes) {
        let key = (bytes.as_ptr() as usize, bytes.len());
        // Holding the bytes keeps their address from being reused as a key.
        let make = || (bytes.clone(), Uint8Array::from(&bytes[..]).buffer());
        let (_, buffer) = self.0.entry(key).or_insert_with(make);
        let _ = socket.as_ref().send_with_array_buffer(buffer);
    }
}
