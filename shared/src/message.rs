//! The text messages of the stream protocol, one JSON object each.
//!
//! Unknown types decode to `Unknown` and unknown fields are skipped, so that either side can be
//! newer. Messages marked + in `docs/PROTOCOL.md` only go to and come from clients that offered
//! [`SUBPROTOCOL`].

pub mod close;
mod meta;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::id::{ClientId, Epoch, Seq};
use crate::tagged::tagged;
pub use meta::{ExtendedMeta, Scope, SessionMeta};

/// The WebSocket subprotocol of clients that know more than IC-1.
pub const SUBPROTOCOL: &str = "moorline.v1";
/// That of event streams, for pages: browsers want one of the names back, and never get the token.
pub const EVENTS_SUBPROTOCOL: &str = "moorline.events";
/// A WebSocket subprotocol that begins so carries a token; it is never echoed back.
pub const TOKEN_SUBPROTOCOL_PREFIX: &str = "moorline.bearer.";

/// The ping that asks for nothing but a sign of life, on every kind of link. Some relays answer it
/// with [`KEEPALIVE_PONG`] without waking, so it is always this text.
pub const KEEPALIVE_PING: &str = r#"{"type":"ping","t":0}"#;
/// See [`KEEPALIVE_PING`].
pub const KEEPALIVE_PONG: &str = r#"{"type":"pong","t":0}"#;

tagged! {
    /// From client to relay.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum ClientMessage {
        /// Must come first, once. Nothing is replayed or streamed before it.
        Resume(Resume),
        /// Asks for a [`ServerMessage::Snapshot`].
        SnapshotRequest,
        /// Everything up to `seq` is applied: flow-control credit and resume cursor.
        Ack {
            /// The last applied entry.
            seq: Seq,
        },
        /// The client's terminal has this size.
        Resize {
            /// Columns, 2 to 1000.
            cols: u16,
            /// Rows, 1 to 500.
            rows: u16,
        },
        /// The client's terminal answers what the program asked. It is no typing, and claims no
        /// size. It counts if this client is the one that answers: see [`Resume::answers`].
        Reply {
            /// The entry in which the query ended.
            seq: Seq,
            /// The answer to all that the entry asks; empty where the terminal has none.
            #[serde(with = "crate::base64_bytes")]
            data: bytes::Bytes,
            /// More of the answer follows.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            more: bool,
        },
        /// Asks for a [`ServerMessage::Pong`] with the same `t`.
        Ping {
            /// Anything that the client wants back.
            t: u64,
        },
        /// A type that this version does not know; ignored.
        #[serde(other)]
        Unknown,
    }
}

/// How a client opens a stream: the cursor from which it goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resume {
    /// The last applied entry; `None` for a client that has none.
    pub last_seq: Option<Seq>,
    /// The incarnation that `last_seq` belongs to; `None` takes it for the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// Names the client over its connections; without it the client cannot type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// How the client wants to come up to date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<CatchUp>,
    /// Whether a client that would be sent more than 8 MiB wants a picture instead, now or later:
    /// one that shows a screen. [`CatchUp::Snapshot`] wants that too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub jump: bool,
    /// Whether input is kept while the session's host is away, and delivered once when it is back.
    /// Without this it is refused: [`ErrorCode::HostOffline`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
    /// Whether the client answers the program's queries with [`ClientMessage::Reply`] while it is
    /// the one that typed or resized last. Else the host answers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub answers: bool,
}

impl Resume {
    /// Whether the client would rather have a picture than a long backlog.
    #[must_use]
    pub fn jumps(&self) -> bool {
        self.jump || self.catch_up == Some(CatchUp::Snapshot)
    }
}

/// How a client wants to come up to date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CatchUp {
    /// By every entry that it missed.
    #[default]
    Replay,
    /// By a picture of the screen.
    Snapshot,
}

tagged! {
    /// From relay to client.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum ServerMessage {
        /// The first message on a connection.
        SessionMeta(Box<SessionMeta>),
        /// The agent's or shell's state.
        State {
            /// The state's name.
            value: String,
            /// The tool that runs, where there is one.
            tool: Option<String>,
            /// When, RFC 3339.
            ts: String,
            /// The entry that told it.
            #[serde(skip_serializing_if = "Option::is_none")]
            seq: Option<Seq>,
        },
        /// The one answer to [`ClientMessage::Resume`], before any entry.
        Resumed(Resumed),
        /// A picture of the screen.
        Snapshot(Snapshot),
        /// This client's input up to `seq` is accepted and will not be lost.
        InputAck {
            /// The last accepted piece.
            seq: Seq,
        },
        /// An event from the log.
        Event {
            /// The entry's number.
            seq: Seq,
            /// The event.
            event: Event,
        },
        /// The connection is alive though nothing happens.
        Heartbeat {
            /// The log's last entry.
            head: Seq,
        },
        /// The answer to [`ClientMessage::Ping`].
        Pong {
            /// As in the ping.
            t: u64,
        },
        /// The session's process ended; nothing follows.
        Exit {
            /// The log's last entry.
            seq: Seq,
            /// The exit code; `None` for a process that was killed or lost.
            code: Option<i32>,
            /// The signal's name, as `SIGKILL`.
            signal: Option<String>,
        },
        /// Something that the client asked for cannot be done.
        Error {
            /// Stable, for programs.
            code: ErrorCode,
            /// For people: what to do.
            message: String,
        },
        /// A type that this version does not know; ignored.
        #[serde(other)]
        Unknown,
    }
}

/// See [`ServerMessage::Resumed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resumed {
    /// How the stream goes on.
    pub outcome: Outcome,
    /// The log's incarnation.
    pub epoch: Epoch,
    /// Entries after this one follow; after a snapshot, those after the snapshot's seq.
    pub from: Seq,
    /// The log's last entry at this moment.
    pub head: Seq,
    /// The last piece of this client's input that was accepted; `None` while the session's host
    /// is away: then the first `input-ack` tells, and the client sends no input before it.
    pub input_seq: Option<Seq>,
}

/// How a stream goes on after `resume`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every entry after the client's cursor follows.
    Continue,
    /// A snapshot follows, then every entry after it.
    Snapshot,
    /// The client's epoch is void: it clears its screen; then as `Snapshot`.
    Reset,
    /// The session is over: what is retained follows, then `exit`.
    Ended,
}

/// A picture of the screen: see [`ServerMessage::Snapshot`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The last entry that the picture contains. A snapshot takes no number itself.
    pub seq: Seq,
    /// Terminal bytes that reset the screen and repaint it.
    #[serde(with = "crate::base64_bytes")]
    pub data: bytes::Bytes,
    /// The size that the picture was taken at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cols: Option<u16>,
    /// See `cols`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
    /// Why it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<SnapshotReason>,
}

/// Why a snapshot is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotReason {
    /// The client asked for one.
    Requested,
    /// It opened the stream.
    Resume,
    /// The client fell too far behind.
    Behind,
    /// The client interrupted what it had more than a second of in front of it.
    Interrupt,
    /// A reason that this version does not know.
    #[serde(other)]
    Other,
}

/// Stable error codes of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The message is no JSON object of a known shape, or the frame is none.
    BadMessage,
    /// No picture could be made.
    SnapshotFailed,
    /// No such session.
    NotFound,
    /// The token is missing, wrong or expired.
    Unauthorized,
    /// The token only allows reading.
    ReadOnly,
    /// `resume` must come first.
    ResumeRequired,
    /// The message, frame or queue is over its limit.
    TooLarge,
    /// The session's host is away.
    HostOffline,
    /// The session is over.
    SessionEnded,
    /// Too many clients or sessions.
    Overloaded,
    /// A code that this version does not know.
    #[serde(other)]
    Other,
}

/// Why a text is no message.
#[derive(Debug, thiserror::Error)]
#[error("not a message of this protocol: {0}")]
pub struct BadMessage(#[from] serde_json::Error);

impl ClientMessage {
    /// Reads one message.
    ///
    /// # Errors
    /// [`BadMessage`] for what is no JSON object or lacks a known type's fields.
    pub fn from_json(text: &str) -> Result<Self, BadMessage> {
        Ok(Self::read(text)?)
    }

    /// The message as JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(self)
    }
}

impl ServerMessage {
    /// Reads one message.
    ///
    /// # Errors
    /// [`BadMessage`] for what is no JSON object or lacks a known type's fields.
    pub fn from_json(text: &str) -> Result<Self, BadMessage> {
        Ok(Self::read(text)?)
    }

    /// The message as JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(self)
    }
}

fn to_json<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message)
        .expect("messages have text keys and no floats, so encoding cannot fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(json: &str, message: &ClientMessage) {
        assert_eq!(&ClientMessage::from_json(json).unwrap(), message);
        assert_eq!(message.to_json(), json);
    }

    fn server(json: &str, message: &ServerMessage) {
        assert_eq!(&ServerMessage::from_json(json).unwrap(), message);
        assert_eq!(message.to_json(), json);
    }

    #[test]
    fn client_messages_have_these_wire_forms() {
        let resume = Resume { last_seq: Some(Seq(7)), ..Resume::default() };
        client(r#"{"type":"resume","lastSeq":7}"#, &ClientMessage::Resume(resume));
        client(r#"{"type":"resume","lastSeq":null}"#, &ClientMessage::Resume(Resume::default()));
        let resume = Resume {
            last_seq: Some(Seq(7)),
            epoch: Some(Epoch(1_700_000_000_000)),
            client_id: Some("client_1".parse().unwrap()),
            catch_up: Some(CatchUp::Replay),
            jump: true,
            hold: true,
            answers: true,
        };
        client(
            r#"{"type":"resume","lastSeq":7,"epoch":1700000000000,"clientId":"client_1","catchUp":"replay","jump":true,"hold":true,"answers":true}"#,
            &ClientMessage::Resume(resume),
        );
        client(r#"{"type":"snapshot-request"}"#, &ClientMessage::SnapshotRequest);
        client(r#"{"type":"ack","seq":3}"#, &ClientMessage::Ack { seq: Seq(3) });
        client(
            r#"{"type":"resize","cols":80,"rows":24}"#,
            &ClientMessage::Resize { cols: 80, rows: 24 },
        );
        let data = bytes::Bytes::from_static(b"\x1b[0n");
        client(
            r#"{"type":"reply","seq":3,"data":"G1swbg=="}"#,
            &ClientMessage::Reply { seq: Seq(3), data: data.clone(), more: false },
        );
        client(
            r#"{"type":"reply","seq":3,"data":"G1swbg==","more":true}"#,
            &ClientMessage::Reply { seq: Seq(3), data, more: true },
        );
        client(KEEPALIVE_PING, &ClientMessage::Ping { t: 0 });
    }

    #[test]
    fn server_messages_have_these_wire_forms() {
        let resumed = Resumed {
            outcome: Outcome::Continue,
            epoch: Epoch(9),
            from: Seq(1),
            head: Seq(2),
            input_seq: Some(Seq(3)),
        };
        server(
            r#"{"type":"resumed","outcome":"continue","epoch":9,"from":1,"head":2,"inputSeq":3}"#,
            &ServerMessage::Resumed(resumed),
        );
        let snapshot = Snapshot {
            seq: Seq(4),
            data: bytes::Bytes::from_static(b"\x1bc!"),
            cols: Some(80),
            rows: Some(24),
            reason: Some(SnapshotReason::Behind),
        };
        server(
            r#"{"type":"snapshot","seq":4,"data":"G2Mh","cols":80,"rows":24,"reason":"behind"}"#,
            &ServerMessage::Snapshot(snapshot),
        );
        server(r#"{"type":"input-ack","seq":1}"#, &ServerMessage::InputAck { seq: Seq(1) });
        server(r#"{"type":"heartbeat","head":8}"#, &ServerMessage::Heartbeat { head: Seq(8) });
        server(r#"{"type":"pong","t":5}"#, &ServerMessage::Pong { t: 5 });
        server(KEEPALIVE_PONG, &ServerMessage::Pong { t: 0 });
        server(
            r#"{"type":"exit","seq":9,"code":null,"signal":"SIGKILL"}"#,
            &ServerMessage::Exit { seq: Seq(9), code: None, signal: Some("SIGKILL".into()) },
        );
        server(
            r#"{"type":"error","code":"bad_message","message":"Invalid JSON"}"#,
            &ServerMessage::Error { code: ErrorCode::BadMessage, message: "Invalid JSON".into() },
        );
        let event = Event {
            session_id: "session1".parse().unwrap(),
            kind: "session-status".into(),
            timestamp: 1,
            fields: serde_json::Map::new(),
        };
        server(
            r#"{"type":"event","seq":2,"event":{"sessionId":"session1","type":"session-status","timestamp":1}}"#,
            &ServerMessage::Event { seq: Seq(2), event },
        );
    }

    #[test]
    fn a_state_may_lack_what_is_optional() {
        let state =
            ServerMessage::State { value: "idle".into(), tool: None, ts: "t".into(), seq: None };
        let read = ServerMessage::from_json(r#"{"type":"state","value":"idle","ts":"t"}"#);
        assert_eq!(read.unwrap(), state);
        server(r#"{"type":"state","value":"idle","tool":null,"ts":"t"}"#, &state);
    }

    #[test]
    fn what_is_newer_is_ignored_and_what_is_wrong_is_an_error() {
        let unknown = ClientMessage::from_json(r#"{"type":"dance","with":"me"}"#).unwrap();
        assert_eq!(unknown, ClientMessage::Unknown);
        let more = ClientMessage::from_json(r#"{"type":"ack","seq":3,"more":1}"#).unwrap();
        assert_eq!(more, ClientMessage::Ack { seq: Seq(3) });
        for bad in ["", "[]", "1", "{}", r#"{"type":"ack"}"#, r#"{"type":"ack","seq":-1}"#] {
            assert!(ClientMessage::from_json(bad).is_err(), "{bad}");
        }
        let unknown = ServerMessage::from_json(r#"{"type":"dance","seq":"x"}"#).unwrap();
        assert_eq!(unknown, ServerMessage::Unknown);
        let code = ServerMessage::from_json(r#"{"type":"error","code":"newer","message":"m"}"#);
        let error = ServerMessage::Error { code: ErrorCode::Other, message: "m".into() };
        assert_eq!(code.unwrap(), error);
        for bad in [
            "",
            "[]",
            r#"{"seq":1}"#,
            r#"{"type":1}"#,
            r#"{"type":"heartbeat","head":"8"}"#,
            r#"{"type":"snapshot","seq":4,"data":"!"}"#,
            r#"{"type":"exit","code":1}"#,
            r#"{"type":"pong","t":5"#,
        ] {
            assert!(ServerMessage::from_json(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn close_codes_say_whether_to_dial_again() {
        for code in [1008, 4400, 4401, 4403, 4404, 4409] {
            assert!(close::is_final(code), "{code}");
        }
        for code in [1000, 1001, 1002, 1006, 1011, 4429, 4500] {
            assert!(!close::is_final(code), "{code}");
        }
    }
}
