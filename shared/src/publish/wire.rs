//! How [`HostCommand`] and [`HostMessage`] travel: output and input as binary messages, everything
//! else as one JSON object each.
//!
//! * Output: the frame behind its time, [`Frame::stamped`]; without a time as clients get it.
//! * Input: `[length of the client id: 1 byte][client id][frame]`.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Serialize;
use serde::de::Error as _;

use super::{HostCommand, HostMessage, RefusedReason, RequestId, WriteAnswer, WriteRefused};
use crate::event::Event;
use crate::frame::{Frame, FrameError};
use crate::id::{ClientId, Cursor, Epoch, Seq};
use crate::limits::SNAPSHOT_BYTES;
use crate::log::{Entry, EventEntry};
use crate::message::Snapshot;
use crate::session::{ExitStatus, Size};
use crate::tagged::tagged;

/// One WebSocket message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// JSON.
    Text(Bytes),
    /// See the module.
    Binary(Bytes),
}

/// Why a packet is no message between host and relay.
#[derive(Debug, thiserror::Error)]
pub enum BadPacket {
    /// It is no JSON object of a known shape.
    #[error("not a message between host and relay: {0}")]
    Json(#[from] serde_json::Error),
    /// Its frame is none.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It names no client.
    #[error("input begins with the client's id")]
    Client,
}

tagged! {
    /// The JSON of [`HostCommand`].
    enum CommandText {
        Resume {
            cursor: Option<Cursor>,
            window: u64,
            #[serde(default)]
            times: bool,
        },
        Ack {
            seq: Seq,
        },
        ClientResumed {
            client_id: ClientId,
        },
        Write {
            request: RequestId,
            #[serde(with = "crate::base64_bytes")]
            data: Bytes,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            event: Option<Event>,
            #[serde(default, skip_serializing_if = "is_default")]
            answer: WriteAnswer,
        },
        Append {
            event: Event,
        },
        Resize(Size),
        Answerer {
            client_id: Option<ClientId>,
            after: Seq,
        },
        Reply {
            client_id: ClientId,
            seq: Seq,
            #[serde(with = "crate::base64_bytes")]
            data: Bytes,
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            more: bool,
        },
        SnapshotRequest,
        Close,
        Error {
            code: RefusedReason,
        },
        #[serde(other)]
        Unknown,
    }
}

tagged! {
    /// The JSON of [`HostMessage`].
    enum MessageText {
        Resumed {
            epoch: Epoch,
            from: Seq,
            head: Seq,
            cols: u16,
            rows: u16,
        },
        Event {
            seq: Seq,
            event: Event,
        },
        Snapshot(Snapshot),
        SnapshotFailed,
        InputAck {
            client_id: ClientId,
            seq: Seq,
        },
        Written {
            request: RequestId,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            refused: Option<WriteRefused>,
        },
        Resized(Size),
        Exited(ExitStatus),
        #[serde(other)]
        Unknown,
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl HostCommand {
    /// The command as it travels.
    #[must_use]
    pub fn encode(self) -> Packet {
        json(&match self {
            Self::Input { client_id, piece } => return input(&client_id, &piece),
            Self::Resume { cursor, window, times } => CommandText::Resume { cursor, window, times },
            Self::Ack { seq } => CommandText::Ack { seq },
            Self::ClientResumed { client_id } => CommandText::ClientResumed { client_id },
            Self::Write { request, data, event, answer } => {
                CommandText::Write { request, data, event, answer }
            }
            Self::Append { event } => CommandText::Append { event },
            Self::Resize { size } => CommandText::Resize(size),
            Self::Answerer { client_id, after } => CommandText::Answerer { client_id, after },
            Self::Reply { client_id, seq, data, more } => {
                CommandText::Reply { client_id, seq, data, more }
            }
            Self::SnapshotRequest => CommandText::SnapshotRequest,
            Self::Close => CommandText::Close,
            Self::Refused { reason } => CommandText::Error { code: reason },
        })
    }

    /// Reads a text message; `None` for one that this version does not know.
    ///
    /// # Errors
    /// [`BadPacket`].
    pub fn from_text(text: &[u8]) -> Result<Option<Self>, BadPacket> {
        Ok(Some(match CommandText::read(utf8(text)?)? {
            CommandText::Resume { cursor, window, times } => Self::Resume { cursor, window, times },
            CommandText::Ack { seq } => Self::Ack { seq },
            CommandText::ClientResumed { client_id } => Self::ClientResumed { client_id },
            CommandText::Write { request, data, event, answer } => {
                Self::Write { request, data, event, answer }
            }
            CommandText::Append { event } => Self::Append { event },
            CommandText::Resize(size) => Self::Resize { size },
            CommandText::Answerer { client_id, after } => Self::Answerer { client_id, after },
            CommandText::Reply { client_id, seq, data, more } => {
                Self::Reply { client_id, seq, data, more }
            }
            CommandText::SnapshotRequest => Self::SnapshotRequest,
            CommandText::Close => Self::Close,
            CommandText::Error { code } => Self::Refused { reason: code },
            CommandText::Unknown => return Ok(None),
        }))
    }

    /// Reads a binary message: a piece of input.
    ///
    /// # Errors
    /// [`BadPacket`].
    pub fn from_binary(mut packet: Bytes) -> Result<Self, BadPacket> {
        let length = usize::from(*packet.first().ok_or(BadPacket::Client)?);
        if packet.len() <= length {
            return Err(BadPacket::Client);
        }
        let frame = packet.split_off(1 + length);
        let client_id = std::str::from_utf8(&packet[1..]).ok().and_then(|id| id.parse().ok());
        let client_id = client_id.ok_or(BadPacket::Client)?;
        Ok(Self::Input { client_id, piece: Frame::decode(frame)? })
    }
}

impl HostMessage {
    /// The message as it travels.
    #[must_use]
    pub fn encode(self) -> Packet {
        json(&match self {
            Self::Entry(Entry::Output(frame)) => return Packet::Binary(frame.stamped()),
            Self::Entry(Entry::Event(event)) => return Packet::Text(event.message().clone()),
            Self::Resumed { epoch, from, head, size: Size { cols, rows } } => {
                MessageText::Resumed { epoch, from, head, cols, rows }
            }
            Self::Snapshot(picture) => MessageText::Snapshot(picture),
            Self::SnapshotFailed => MessageText::SnapshotFailed,
            Self::InputAck { client_id, seq } => MessageText::InputAck { client_id, seq },
            Self::Written { request, result } => {
                MessageText::Written { request, refused: result.err() }
            }
            Self::Resized { size } => MessageText::Resized(size),
            Self::Exited { status } => MessageText::Exited(status),
        })
    }

    /// Reads a text message; `None` for one that this version does not know.
    ///
    /// # Errors
    /// [`BadPacket`].
    pub fn from_text(text: &Bytes) -> Result<Option<Self>, BadPacket> {
        Ok(Some(match MessageText::read(utf8(text)?)? {
            MessageText::Resumed { epoch, from, head, cols, rows } => {
                Self::Resumed { epoch, from, head, size: Size { cols, rows } }
            }
            MessageText::Event { seq: Seq::ZERO, .. } => return Err(FrameError::SeqZero.into()),
            // What was read is written again: what is stored and sent on is what is understood.
            MessageText::Event { seq, event } => {
                Self::Entry(Entry::Event(EventEntry::new(seq, event)))
            }
            // A host that keeps to no limit could not make one that is of use.
            MessageText::Snapshot(picture) if picture.data.len() > SNAPSHOT_BYTES => {
                Self::SnapshotFailed
            }
            MessageText::Snapshot(picture) => Self::Snapshot(picture),
            MessageText::SnapshotFailed => Self::SnapshotFailed,
            MessageText::InputAck { client_id, seq } => Self::InputAck { client_id, seq },
            MessageText::Written { request, refused } => {
                Self::Written { request, result: refused.map_or(Ok(()), Err) }
            }
            MessageText::Resized(size) => Self::Resized { size },
            MessageText::Exited(status) => Self::Exited { status },
            MessageText::Unknown => return Ok(None),
        }))
    }

    /// Reads a binary message: an entry of output.
    ///
    /// # Errors
    /// [`BadPacket`].
    pub fn from_binary(packet: Bytes) -> Result<Self, BadPacket> {
        Ok(Self::Entry(Entry::Output(Frame::decode_stamped(packet)?)))
    }
}

fn input(client_id: &ClientId, piece: &Frame) -> Packet {
    let (id, frame) = (client_id.as_str().as_bytes(), piece.encoded());
    let mut packet = BytesMut::with_capacity(1 + id.len() + frame.len());
    // An id has at most 32 bytes.
    packet.put_u8(id.len() as u8);
    packet.put_slice(id);
    packet.put_slice(&frame);
    Packet::Binary(packet.freeze())
}

fn utf8(text: &[u8]) -> Result<&str, BadPacket> {
    std::str::from_utf8(text).map_err(|error| serde_json::Error::custom(error).into())
}

fn json(message: &impl Serialize) -> Packet {
    let text = serde_json::to_vec(message);
    Packet::Text(text.expect("text keys and no floats: encoding cannot fail").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn command(command: &HostCommand, wire: &str) {
        let Packet::Text(text) = command.clone().encode() else { panic!("{command:?}") };
        assert_eq!(std::str::from_utf8(&text).unwrap(), wire);
        assert_eq!(HostCommand::from_text(&text).unwrap().as_ref(), Some(command));
    }

    fn message(message: &HostMessage, wire: &str) {
        let Packet::Text(text) = message.clone().encode() else { panic!("{message:?}") };
        assert_eq!(std::str::from_utf8(&text).unwrap(), wire);
        assert_eq!(HostMessage::from_text(&text).unwrap().as_ref(), Some(message));
    }

    fn event() -> Event {
        Event::new("session1".parse().unwrap(), "x", 1, json!({}))
    }

    #[test]
    fn a_snapshot_that_is_too_large_is_an_answer() {
        let snapshot = |bytes| {
            let (data, cols, rows) = (Bytes::from(vec![b'x'; bytes]), None, None);
            HostMessage::Snapshot(Snapshot { seq: Seq(1), data, cols, rows, reason: None })
        };
        for (bytes, is_answer) in [(SNAPSHOT_BYTES, false), (SNAPSHOT_BYTES + 1, true)] {
            let Packet::Text(text) = snapshot(bytes).encode() else { panic!() };
            let read = HostMessage::from_text(&text).unwrap();
            assert_eq!(read == Some(HostMessage::SnapshotFailed), is_answer);
        }
    }

    #[test]
    fn commands_have_these_wire_forms() {
        let cursor = Some(Cursor { epoch: Epoch(5), seq: Seq(7) });
        command(
            &HostCommand::Resume { cursor, window: 9, times: true },
            r#"{"type":"resume","cursor":{"epoch":5,"seq":7},"window":9,"times":true}"#,
        );
        command(
            &HostCommand::Resume { cursor: None, window: 9, times: false },
            r#"{"type":"resume","cursor":null,"window":9,"times":false}"#,
        );
        let old = HostCommand::from_text(br#"{"type":"resume","cursor":null,"window":9}"#);
        let untimed = HostCommand::Resume { cursor: None, window: 9, times: false };
        assert_eq!(old.unwrap(), Some(untimed));
        command(&HostCommand::Ack { seq: Seq(3) }, r#"{"type":"ack","seq":3}"#);
        command(
            &HostCommand::ClientResumed { client_id: "client_1".parse().unwrap() },
            r#"{"type":"client-resumed","clientId":"client_1"}"#,
        );
        command(
            &HostCommand::Write {
                request: RequestId(2),
                data: Bytes::from_static(b"ls\r"),
                event: Some(event()),
                answer: WriteAnswer::Queued,
            },
            r#"{"type":"write","request":2,"data":"bHMN","event":{"sessionId":"session1","type":"x","timestamp":1}}"#,
        );
        command(
            &HostCommand::Write {
                request: RequestId(3),
                data: Bytes::from_static(b"ls\r"),
                event: None,
                answer: WriteAnswer::Taken,
            },
            r#"{"type":"write","request":3,"data":"bHMN","answer":"taken"}"#,
        );
        command(
            &HostCommand::Append { event: event() },
            r#"{"type":"append","event":{"sessionId":"session1","type":"x","timestamp":1}}"#,
        );
        command(
            &HostCommand::Resize { size: Size::default() },
            r#"{"type":"resize","cols":80,"rows":24}"#,
        );
        command(
            &HostCommand::Answerer { client_id: None, after: Seq(4) },
            r#"{"type":"answerer","clientId":null,"after":4}"#,
        );
        let client_id: ClientId = "client_1".parse().unwrap();
        command(
            &HostCommand::Answerer { client_id: Some(client_id.clone()), after: Seq(4) },
            r#"{"type":"answerer","clientId":"client_1","after":4}"#,
        );
        let data = Bytes::from_static(b"\x1b[0n");
        command(
            &HostCommand::Reply { client_id, seq: Seq(5), data, more: false },
            r#"{"type":"reply","clientId":"client_1","seq":5,"data":"G1swbg=="}"#,
        );
        command(&HostCommand::SnapshotRequest, r#"{"type":"snapshot-request"}"#);
        command(&HostCommand::Close, r#"{"type":"close"}"#);
        command(
            &HostCommand::Refused { reason: RefusedReason::Fenced },
            r#"{"type":"error","code":"fenced"}"#,
        );
        assert_eq!(HostCommand::from_text(br#"{"type":"dance"}"#).unwrap(), None);
    }

    #[test]
    fn messages_have_these_wire_forms() {
        message(
            &HostMessage::Resumed {
                epoch: Epoch(5),
                from: Seq(1),
                head: Seq(2),
                size: Size::default(),
            },
            r#"{"type":"resumed","epoch":5,"from":1,"head":2,"cols":80,"rows":24}"#,
        );
        message(
            &HostMessage::Entry(Entry::Event(EventEntry::new(Seq(4), event()))),
            r#"{"type":"event","seq":4,"event":{"sessionId":"session1","type":"x","timestamp":1}}"#,
        );
        message(&HostMessage::SnapshotFailed, r#"{"type":"snapshot-failed"}"#);
        message(
            &HostMessage::InputAck { client_id: "client_1".parse().unwrap(), seq: Seq(1) },
            r#"{"type":"input-ack","clientId":"client_1","seq":1}"#,
        );
        message(
            &HostMessage::Written { request: RequestId(1), result: Ok(()) },
            r#"{"type":"written","request":1}"#,
        );
        message(
            &HostMessage::Written { request: RequestId(1), result: Err(WriteRefused::TooMuch) },
            r#"{"type":"written","request":1,"refused":"too-much"}"#,
        );
        message(
            &HostMessage::Resized { size: Size::default() },
            r#"{"type":"resized","cols":80,"rows":24}"#,
        );
        message(
            &HostMessage::Exited { status: ExitStatus { code: Some(1), signal: None } },
            r#"{"type":"exited","code":1,"signal":null}"#,
        );
        let picture = Snapshot {
            seq: Seq(4),
            data: Bytes::from_static(b"\x1bc!"),
            cols: Some(80),
            rows: Some(24),
            reason: None,
        };
        message(
            &HostMessage::Snapshot(picture),
            r#"{"type":"snapshot","seq":4,"data":"G2Mh","cols":80,"rows":24}"#,
        );
    }

    #[test]
    fn input_and_output_are_binary() {
        let piece = Frame::copy(Seq(1), b"ls").unwrap();
        let input = HostCommand::Input { client_id: "client_1".parse().unwrap(), piece };
        let Packet::Binary(packet) = input.clone().encode() else { panic!("text") };
        assert_eq!(&packet[..], b"\x08client_1\0\0\0\0\0\0\0\x01ls");
        assert_eq!(HostCommand::from_binary(packet.clone()).unwrap(), input);
        for end in 0..17 {
            assert!(HostCommand::from_binary(packet.slice(..end)).is_err(), "{end}");
        }
        let frame = Frame::copy(Seq(9), b"out").unwrap();
        let output = HostMessage::Entry(Entry::Output(frame.clone()));
        let Packet::Binary(packet) = output.clone().encode() else { panic!("text") };
        assert_eq!(packet, frame.encoded());
        assert_eq!(HostMessage::from_binary(packet).unwrap(), output);
        let output = HostMessage::Entry(Entry::Output(frame.at(0x0102)));
        let Packet::Binary(packet) = output.clone().encode() else { panic!("text") };
        assert_eq!(&packet[..], b"\x01\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x09out");
        assert_eq!(HostMessage::from_binary(packet).unwrap(), output);
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in ["", "1", "{}", r#"{"type":"ack"}"#, r#"{"type":"ack","seq":-1}"#] {
            assert!(HostCommand::from_text(bad.as_bytes()).is_err(), "{bad}");
        }
        let zero =
            r#"{"type":"event","seq":0,"event":{"sessionId":"session1","type":"x","timestamp":1}}"#;
        for bad in ["", r#"{"type":"event","seq":4}"#, zero] {
            assert!(HostMessage::from_text(&Bytes::from(bad)).is_err(), "{bad}");
        }
        assert!(HostMessage::from_binary(Bytes::from_static(b"1234567")).is_err());
        assert!(HostMessage::from_binary(Bytes::from_static(&[0; 8])).is_err());
    }
}
