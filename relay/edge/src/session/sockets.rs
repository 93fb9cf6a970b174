//! The sockets of a session, which stay open while the object sleeps.

use std::collections::HashMap;

use bytes::Bytes;
use js_sys::{ArrayBuffer, Date, Function, Map, Reflect, Uint8Array};
use moorline_core::peer::SavedPeer;
use moorline_core::plain::Plain;
use moorline_shared::message::{KEEPALIVE_PING, KEEPALIVE_PONG};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast as _, JsValue};
use worker::{State, WebSocket, WebSocketRequestResponsePair};

/// The tag of every socket that is the session's business.
const TAG: &str = "session";

/// What is kept of a socket while the object sleeps, or has lost its memory.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Attachment {
    /// A client's.
    Client {
        /// Where it stands.
        peer: Box<SavedPeer>,
        /// Of one that gets text alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plain: Option<Plain>,
    },
    /// The host's.
    Host {
        /// The later of two is the one that counts.
        since: u64,
        /// A hash of what the directory was told.
        listed: Option<u64>,
        /// It was asked where it begins, and has not answered.
        #[serde(default)]
        asked: bool,
    },
}

/// Takes a socket in, to sleep while nothing is said. `KEEPALIVE_PING` is answered without waking.
pub(super) fn accept(state: &State, socket: &WebSocket) -> worker::Result<()> {
    let pair = WebSocketRequestResponsePair::new(KEEPALIVE_PING, KEEPALIVE_PONG)?;
    state.as_raw().set_websocket_auto_response(&pair)?;
    let tags = vec![JsValue::from_str(TAG)];
    Ok(state.as_raw().accept_websocket_with_tags(socket.as_ref(), tags)?)
}

/// The sockets that are open, with what is kept of them.
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

/// Keeps what must survive sleep. A socket that is gone needs nothing.
pub(super) fn keep(socket: &WebSocket, attachment: &Attachment) {
    if let Ok(kept) = serde_json::to_string(attachment) {
        let _ = socket.serialize_attachment(kept);
    }
}

/// Sends a text. To a socket that is gone nothing is sent; its end is told by an event.
pub(super) fn send_text(socket: &WebSocket, text: &[u8]) {
    if let Ok(text) = std::str::from_utf8(text) {
        let _ = socket.send_with_str(text);
    }
}

/// Closes a socket, unless it is gone.
pub(super) fn close(socket: &WebSocket, code: u16, reason: &str) {
    let _ = socket.close(Some(code), Some(reason));
}

/// When the runtime last answered a socket's sign of life by itself, in milliseconds since 1970.
pub(super) fn answered_at(state: &State, socket: &WebSocket) -> Option<u64> {
    let state: &JsValue = state.as_raw().as_ref();
    let method = Reflect::get(state, &JsValue::from_str("getWebSocketAutoResponseTimestamp"));
    let method: Function = method.ok()?.dyn_into().ok()?;
    let date: Date = method.call1(state, socket.as_ref()).ok()?.dyn_into().ok()?;
    Some(date.get_time() as u64)
}

/// Whether a close code may be sent, and not only be told of.
pub(super) const fn may_send(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Finds who a socket belongs to.
#[derive(Debug, Default)]
pub(super) struct Owners(Map);

impl Owners {
    pub(super) fn insert(&self, socket: &WebSocket, owner: Owner) {
        self.0.set(socket.as_ref(), &JsValue::from_f64(owner.0 as f64));
    }

    pub(super) fn find(&self, socket: &WebSocket) -> Option<Owner> {
        self.0.get(socket.as_ref()).as_f64().map(|number| Owner(number as u64))
    }

    pub(super) fn remove(&self, socket: &WebSocket) -> Option<Owner> {
        let owner = self.find(socket);
        self.0.delete(socket.as_ref());
        owner
    }
}

/// A number for whoever a socket belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner(pub(super) u64);

/// Binary messages that are sent to many sockets: made once.
#[derive(Debug, Default)]
pub(super) struct Buffers(HashMap<(usize, usize), (Bytes, ArrayBuffer)>);

impl Buffers {
    /// Sends bytes. The runtime reads them later, so they must be its own.
    pub(super) fn send(&mut self, socket: &WebSocket, bytes: &Bytes) {
        let key = (bytes.as_ptr() as usize, bytes.len());
        // The bytes are held so that no others come to be in their place.
        let make = || (bytes.clone(), Uint8Array::from(&bytes[..]).buffer());
        let (_, buffer) = self.0.entry(key).or_insert_with(make);
        let _ = socket.as_ref().send_with_array_buffer(buffer);
    }
}
