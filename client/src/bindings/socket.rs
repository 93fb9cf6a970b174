//! A WebSocket that belongs to one generation of a connection.

use gloo_events::EventListener;
use js_sys::{Array, ArrayBuffer, Uint8Array};
use moorline_shared::message::{TOKEN_SUBPROTOCOL_PREFIX, close};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

use super::storage;

/// An event of a socket.
#[derive(Debug)]
pub enum SocketEvent {
    /// The socket may be written to.
    Opened,
    /// A text message arrived.
    Text(String),
    /// A binary message arrived, still outside of wasm's memory.
    Binary(ArrayBuffer),
    /// The socket is closed. No event follows.
    Closed {
        /// The WebSocket close code; [`close::ABNORMAL`] if the connection broke.
        code: u16,
    },
}

/// Copies a binary message into wasm's memory.
#[must_use]
pub fn to_vec(message: &ArrayBuffer) -> Vec<u8> {
    Uint8Array::new(message).to_vec()
}

/// The browser refused to dial: the address or a subprotocol is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the browser refused the address or the token")]
pub struct DialRefused;

/// An open or opening WebSocket. Dropping it closes it without a further event.
#[must_use = "dropping it closes the connection"]
pub struct Socket {
    _listeners: [EventListener; 3],
    socket: WebSocket,
}

impl Socket {
    /// Dials `address` and reports events to `happened`. Without a token among `protocols`, the
    /// browser's cookie stands for it.
    ///
    /// # Errors
    /// [`DialRefused`]; then no event is reported. A page that uses nothing that the browser has stored
    /// needs a token, because a browser sends its cookies with every socket.
    pub fn dial(
        address: &str,
        protocols: &[String],
        happened: impl Fn(SocketEvent) + Clone + 'static,
    ) -> Result<Self, DialRefused> {
        let has_token = protocols.iter().any(|name| name.starts_with(TOKEN_SUBPROTOCOL_PREFIX));
        if storage::is_off() && !has_token {
            return Err(DialRefused);
        }
        let protocols: Array = protocols.iter().map(|name| JsValue::from_str(name)).collect();
        let socket =
            WebSocket::new_with_str_sequence(address, &protocols).map_err(|_| DialRefused)?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let opened = happened.clone();
        let message = happened.clone();
        let listeners = [
            EventListener::once(&socket, "open", move |_| opened(SocketEvent::Opened)),
            EventListener::new(&socket, "message", move |event| {
                let Some(event) = event.dyn_ref::<MessageEvent>() else { return };
                match event.data().dyn_into::<ArrayBuffer>() {
                    Ok(buffer) => message(SocketEvent::Binary(buffer)),
                    Err(data) => {
                        if let Some(text) = data.as_string() {
                            message(SocketEvent::Text(text));
                        }
                    }
                }
            }),
            EventListener::once(&socket, "close", move |event| {
                let code = event.dyn_ref::<CloseEvent>().map_or(close::ABNORMAL, CloseEvent::code);
                happened(SocketEvent::Closed { code });
            }),
        ];
        Ok(Self { _listeners: listeners, socket })
    }

    /// Sends a text message. Does nothing on a socket that is closing: its close event follows.
    pub fn send_text(&self, text: &str) {
        if self.is_open() {
            let _ = self.socket.send_with_str(text);
        }
    }

    /// Sends a binary message, under the same conditions as [`Socket::send_text`].
    pub fn send_binary(&self, bytes: &[u8]) {
        if self.is_open() {
            let _ = self.socket.send_with_u8_array(bytes);
        }
    }

    /// Browsers log an error for each message on a closing socket, such as one of a tab that was
    /// frozen.
    fn is_open(&self) -> bool {
        self.socket.ready_state() == WebSocket::OPEN
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The close event comes in a later task, when the listeners are gone.
        let _ = self.socket.close();
    }
}
