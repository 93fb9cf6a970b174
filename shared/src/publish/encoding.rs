//! The wire form of [`HostCommand`] and [`HostMessage`]: output and input are binary messages,
//! everything else is one JSON object each.
//!
//! * Output: [`Frame::stamped`]; a frame without a time has the form in which clients get it.
//! * Input: `[length of the client id: 1 byte][client id][frame]`.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{HostCommand, HostMessage};
use crate::frame::Frame;
use crate::id::ClientId;
use crate::limits::SNAPSHOT_BYTES;
use crate::log::Entry;
use crate::packet::{BadPacket, Decode, Encode, Packet, json, utf8};

impl Encode for HostCommand {
    fn encode(self) -> Packet {
        match self {
            Self::Input { client_id, piece } => input(&client_id, &piece),
            other => json(&other),
        }
    }
}

impl Decode for HostCommand {
    fn decode(packet: Packet) -> Result<Self, BadPacket> {
        match packet {
            Packet::Text(text) => Ok(Self::read(utf8(&text)?)?),
            Packet::Binary(packet) => decode_input(packet),
        }
    }
}

impl Encode for HostMessage {
    fn encode(self) -> Packet {
        match self {
            Self::Entry(Entry::Output(frame)) => Packet::Binary(frame.stamped()),
            Self::Entry(Entry::Event(event)) => Packet::Text(event.message().clone()),
            other => json(&other),
        }
    }
}

impl Decode for HostMessage {
    fn decode(packet: Packet) -> Result<Self, BadPacket> {
        let text = match packet {
            Packet::Text(text) => text,
            Packet::Binary(packet) => {
                return Ok(Self::Entry(Entry::Output(Frame::decode_stamped(packet)?)));
            }
        };
        Ok(match Self::read(utf8(&text)?)? {
            // A host that exceeds the limit could not make a smaller snapshot on request.
            Self::Snapshot(snapshot) if snapshot.data.len() > SNAPSHOT_BYTES => {
                Self::SnapshotFailed
            }
            message => message,
        })
    }
}

fn decode_input(mut packet: Bytes) -> Result<HostCommand, BadPacket> {
    let length = usize::from(*packet.first().ok_or(BadPacket::Client)?);
    if packet.len() <= length {
        return Err(BadPacket::Client);
    }
    let frame = packet.split_off(1 + length);
    let client_id = std::str::from_utf8(&packet[1..]).ok().and_then(|id| id.parse().ok());
    let client_id = client_id.ok_or(BadPacket::Client)?;
    Ok(HostCommand::Input { client_id, piece: Frame::decode(frame)? })
}

/// Serde for an event's entry, in the fields of an `event` message.
pub(super) mod event_entry {
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::event::Event;
    use crate::frame::FrameError;
    use crate::id::Seq;
    use crate::log::{Entry, EventEntry};

    /// Never called: an entry is encoded already.
    pub(in crate::publish) fn serialize<S: Serializer>(_: &Entry, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("an entry has its own encoding"))
    }

    /// Encodes the parsed event anew, so that only what was understood is stored and sent on.
    pub(in crate::publish) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Entry, D::Error> {
        #[derive(Deserialize)]
        struct Numbered {
            seq: Seq,
            event: Event,
        }
        let Numbered { seq, event } = Numbered::deserialize(deserializer)?;
        if seq == Seq::ZERO {
            return Err(D::Error::custom(FrameError::SeqZero));
        }
        Ok(Entry::Event(EventEntry::new(seq, event)))
    }
}

/// Serde for the result of a write, as the optional reason of a refusal.
pub(super) mod refusal {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::publish::WriteRefused;

    /// Returns the result of a write that was taken.
    #[expect(clippy::unnecessary_wraps, reason = "the default of a field of this type")]
    pub(in crate::publish) const fn none() -> Result<(), WriteRefused> {
        Ok(())
    }

    pub(in crate::publish) fn serialize<S: Serializer>(
        result: &Result<(), WriteRefused>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        result.err().serialize(serializer)
    }

    pub(in crate::publish) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Result<(), WriteRefused>, D::Error> {
        let refused = Option::<WriteRefused>::deserialize(deserializer)?;
        Ok(refused.map_or(Ok(()), Err))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::action::{ActionNumber, SessionAction};
    use crate::event::Event;
    use crate::id::{Cursor, Epoch, Seq};
    use crate::log::EventEntry;
    use crate::message::Snapshot;
    use crate::publish::{RefusedReason, RequestId, WriteAnswer, WriteRefused};
    use crate::session::{ExitReason, ExitStatus, Size};
    use serde_json::json;

    fn command(command: &HostCommand, wire: &str) {
        let Packet::Text(text) = command.clone().encode() else { panic!("{command:?}") };
        assert_eq!(std::str::from_utf8(&text).unwrap(), wire);
        assert_eq!(&HostCommand::decode(Packet::Text(text.clone())).unwrap(), command);
    }

    fn message(message: &HostMessage, wire: &str) {
        let Packet::Text(text) = message.clone().encode() else { panic!("{message:?}") };
        assert_eq!(std::str::from_utf8(&text).unwrap(), wire);
        assert_eq!(&HostMessage::decode(Packet::Text(text.clone())).unwrap(), message);
    }

    fn event() -> Event {
        Event::of_kind("session1".parse().unwrap(), "x", 1, json!({}))
    }

    #[test]
    fn a_snapshot_that_is_too_large_is_an_answer() {
        let snapshot = |bytes| {
            let (data, cols, rows) = (Bytes::from(vec![b'x'; bytes]), None, None);
            HostMessage::Snapshot(Snapshot { seq: Seq(1), data, cols, rows, reason: None })
        };
        for (bytes, is_answer) in [(SNAPSHOT_BYTES, false), (SNAPSHOT_BYTES + 1, true)] {
            let Packet::Text(text) = snapshot(bytes).encode() else { panic!() };
            let read = HostMessage::decode(Packet::Text(text.clone())).unwrap();
            assert_eq!(read == HostMessage::SnapshotFailed, is_answer);
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
        let old = HostCommand::decode(Packet::Text(Bytes::from_static(
            br#"{"type":"resume","cursor":null,"window":9}"#,
        )));
        let untimed = HostCommand::Resume { cursor: None, window: 9, times: false };
        assert_eq!(old.unwrap(), untimed);
        command(&HostCommand::Ack { seq: Seq(3) }, r#"{"type":"ack","seq":3}"#);
        command(
            &HostCommand::Act {
                number: ActionNumber(3),
                action: SessionAction::Withdraw { turn_id: "turn_0001".parse().unwrap() },
            },
            r#"{"type":"act","number":3,"action":{"type":"withdraw","turnId":"turn_0001"}}"#,
        );
        command(
            &HostCommand::ClientResumed { client_id: "client_1".parse().unwrap() },
            r#"{"type":"client-resumed","clientId":"client_1"}"#,
        );
        command(&HostCommand::Watched { watched: true }, r#"{"type":"watched","watched":true}"#);
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
        assert_eq!(
            HostCommand::decode(Packet::Text(Bytes::from_static(br#"{"type":"dance"}"#))).unwrap(),
            HostCommand::Unknown
        );
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
            &HostMessage::Acted { number: ActionNumber(3), seq: Seq(4) },
            r#"{"type":"acted","number":3,"seq":4}"#,
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
            &HostMessage::Exited {
                status: ExitStatus { code: Some(1), signal: None, reason: None },
            },
            r#"{"type":"exited","code":1,"signal":null}"#,
        );
        message(
            &HostMessage::Exited { status: ExitReason::PaneClosed.into() },
            r#"{"type":"exited","code":null,"signal":null,"reason":"pane-closed"}"#,
        );
        let snapshot = Snapshot {
            seq: Seq(4),
            data: Bytes::from_static(b"\x1bc!"),
            cols: Some(80),
            rows: Some(24),
            reason: None,
        };
        message(
            &HostMessage::Snapshot(snapshot),
            r#"{"type":"snapshot","seq":4,"data":"G2Mh","cols":80,"rows":24}"#,
        );
    }

    #[test]
    fn input_and_output_are_binary() {
        let piece = Frame::copy(Seq(1), b"ls").unwrap();
        let input = HostCommand::Input { client_id: "client_1".parse().unwrap(), piece };
        let Packet::Binary(packet) = input.clone().encode() else { panic!("text") };
        assert_eq!(&packet[..], b"\x08client_1\0\0\0\0\0\0\0\x01ls");
        assert_eq!(HostCommand::decode(Packet::Binary(packet.clone())).unwrap(), input);
        for end in 0..17 {
            assert!(HostCommand::decode(Packet::Binary(packet.slice(..end))).is_err(), "{end}");
        }
        let frame = Frame::copy(Seq(9), b"out").unwrap();
        let output = HostMessage::Entry(Entry::Output(frame.clone()));
        let Packet::Binary(packet) = output.clone().encode() else { panic!("text") };
        assert_eq!(packet, frame.encoded());
        assert_eq!(HostMessage::decode(Packet::Binary(packet)).unwrap(), output);
        let output = HostMessage::Entry(Entry::Output(frame.at(0x0102)));
        let Packet::Binary(packet) = output.clone().encode() else { panic!("text") };
        assert_eq!(&packet[..], b"\x01\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x09out");
        assert_eq!(HostMessage::decode(Packet::Binary(packet)).unwrap(), output);
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in ["", "1", "{}", r#"{"type":"ack"}"#, r#"{"type":"ack","seq":-1}"#] {
            assert!(HostCommand::decode(Packet::Text(Bytes::from(bad))).is_err(), "{bad}");
        }
        let zero =
            r#"{"type":"event","seq":0,"event":{"sessionId":"session1","type":"x","timestamp":1}}"#;
        for bad in ["", r#"{"type":"event","seq":4}"#, zero] {
            assert!(HostMessage::decode(Packet::Text(Bytes::from(bad))).is_err(), "{bad}");
        }
        assert!(HostMessage::decode(Packet::Binary(Bytes::from_static(b"1234567"))).is_err());
        assert!(HostMessage::decode(Packet::Binary(Bytes::from_static(&[0; 8]))).is_err());
    }
}
