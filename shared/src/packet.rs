//! The envelope of messages between host and relay: each is one WebSocket message, a [`Packet`].

use bytes::Bytes;
use serde::Serialize;
use serde::de::Error as _;

use crate::frame::FrameError;

/// One WebSocket message between host and relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// A JSON object.
    Text(Bytes),
    /// A frame behind a header that depends on the kind of message.
    Binary(Bytes),
}

/// The error for a packet that is not a message between host and relay.
#[derive(Debug, thiserror::Error)]
pub enum BadPacket {
    /// The text is not a JSON object of a known shape.
    #[error("not a message between host and relay: {0}")]
    Json(#[from] serde_json::Error),
    /// The frame is invalid.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The packet does not begin with a client's id.
    #[error("input must begin with the client's id")]
    Client,
}

/// A message that one side sends.
pub trait Encode {
    /// Encodes the message for the wire.
    #[must_use]
    fn encode(self) -> Packet;
}

/// A message that one side receives.
pub trait Decode: Sized {
    /// Decodes a packet. A message of an unknown type becomes the enum's `Unknown`.
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
