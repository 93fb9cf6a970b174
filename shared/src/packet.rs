//! How messages between host and relay travel: each is one WebSocket message, a [`Packet`].

use bytes::Bytes;
use serde::Serialize;
use serde::de::Error as _;

use crate::frame::FrameError;

/// One WebSocket message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// JSON.
    Text(Bytes),
    /// A frame with what its kind of message puts before it.
    Binary(Bytes),
}

/// Why a packet is no message between host and relay.
#[derive(Debug, thiserror::Error)]
pub enum BadPacket {
    /// It is no JSON object of a known shape.
    #[error("not a message between host and relay: {0}")]
    Json(#[from] serde_json::Error),
    /// Its frame cannot be read.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It names no client.
    #[error("input begins with the client's id")]
    Client,
}

/// A message that one side sends.
pub trait Encode {
    /// The message as it travels.
    #[must_use]
    fn encode(self) -> Packet;
}

/// A message that one side receives.
pub trait Decode: Sized {
    /// Reads a packet. A message of a type that this version does not know is the enum's `Unknown`.
    ///
    /// # Errors
    /// [`BadPacket`].
    fn decode(packet: Packet) -> Result<Self, BadPacket>;
}

pub(crate) fn utf8(text: &[u8]) -> Result<&str, BadPacket> {
    std::str::from_utf8(text).map_err(|error| serde_json::Error::custom(error).into())
}

pub(crate) fn json(message: &impl Serialize) -> Packet {
    let text = serde_json::to_vec(message);
    Packet::Text(text.expect("text keys and no floats: encoding cannot fail").into())
}
