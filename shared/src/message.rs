//! The text messages of the stream protocol, one JSON object each.
//!
//! Unknown types decode to `Unknown` and unknown fields are skipped, so that either side can be
//! newer. Only clients that offered [`SUBPROTOCOL`] send and receive the messages that
//! `docs/PROTOCOL.md` marks with +.

pub mod close;
mod meta;
mod request;
mod resume;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::Event;
use crate::id::{Epoch, Seq};
use crate::session::ExitStatus;
use crate::tagged::tagged;
pub use meta::{ExtendedMeta, Scope, SessionMeta};
pub use request::{CancelMessage, DecideMessage, DoneMessage, PromptMessage};
pub use resume::{CatchUp, Resume};

/// The WebSocket subprotocol of clients that know more than IC-1.
pub const SUBPROTOCOL: &str = "moorline.v1";
/// The WebSocket subprotocol of event streams, for pages. Browsers require one of the offered names
/// in the answer, and that must never be the token.
pub const EVENTS_SUBPROTOCOL: &str = "moorline.events";
/// The prefix of a WebSocket subprotocol that carries a token; it is never echoed back.
pub const TOKEN_SUBPROTOCOL_PREFIX: &str = "moorline.bearer.";

/// The ping that only asks for a sign of life, on every kind of link. Some relays answer it with
/// [`KEEPALIVE_PONG`] without waking up, so its text must never vary.
pub const KEEPALIVE_PING: &str = r#"{"type":"ping","t":0}"#;
/// The answer to [`KEEPALIVE_PING`].
pub const KEEPALIVE_PONG: &str = r#"{"type":"pong","t":0}"#;

tagged! {
    /// A message from a client to its relay.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum ClientMessage {
        /// The first message, sent once. Nothing is replayed or streamed before it.
        Resume(Resume),
        /// Asks for a [`ServerMessage::Snapshot`].
        SnapshotRequest,
        /// Acknowledges everything up to `seq`: it restores credit and moves the resume cursor.
        Ack {
            /// The last applied entry.
            seq: Seq,
        },
        /// The client's terminal has a new size.
        Resize {
            /// Columns, 2 to 1000.
            cols: u16,
            /// Rows, 1 to 500.
            rows: u16,
        },
        /// The terminal's answer to a query of the program. It does not count as typing and claims
        /// no size. It is used only if this client is the one that answers: see
        /// [`Resume::answers`].
        Reply {
            /// The entry that contains the end of the query.
            seq: Seq,
            /// The answer to all queries of the entry; empty if the terminal has none.
            #[serde(with = "crate::base64_bytes")]
            data: bytes::Bytes,
            /// True if more of the answer follows.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            more: bool,
        },
        /// Queues a prompt for the session's agent. The answer is [`ServerMessage::Done`].
        Prompt(PromptMessage),
        /// Decides about an approval. The answer is [`ServerMessage::Done`].
        Decide(DecideMessage),
        /// Stops the agent's turn. The answer is [`ServerMessage::Done`].
        Cancel(CancelMessage),
        /// Asks for a [`ServerMessage::Pong`] with the same `t`.
        Ping {
            /// Any number, which the pong repeats.
            t: u64,
        },
        /// A type that this version does not know; ignored.
        #[serde(other)]
        Unknown,
    }
}

tagged! {
    /// A message from a relay to a client.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum ServerMessage {
        /// The first message on a connection.
        SessionMeta(Box<SessionMeta>),
        /// The state of the session's agent or shell.
        State {
            /// The name of the state.
            value: String,
            /// The tool that is running, if any.
            tool: Option<String>,
            /// When the state began, as RFC 3339.
            ts: String,
            /// The entry that reported it.
            #[serde(skip_serializing_if = "Option::is_none")]
            seq: Option<Seq>,
        },
        /// The only answer to [`ClientMessage::Resume`], sent before any entry.
        Resumed(Resumed),
        /// A snapshot of the screen.
        Snapshot(Snapshot),
        /// This client's input up to `seq` is accepted and will not be lost.
        InputAck {
            /// The last accepted piece.
            seq: Seq,
        },
        /// An event from the log.
        Event {
            /// The number of the entry.
            seq: Seq,
            /// The event of the entry.
            event: Event,
        },
        /// What waits for the session's host, if that is something, and whenever it changes. It is
        /// not an entry of the log.
        Pending {
            /// The fields of an `agent-pending` event: see
            /// [`AgentPending`](crate::event::AgentPending). Few clients read them, so they are not
            /// parsed here.
            pending: Map<String, Value>,
        },
        /// The answer to a request: what it asks for is stored, or it was refused.
        Done(DoneMessage),
        /// A sign of life while nothing else is sent.
        Heartbeat {
            /// The log's last entry.
            head: Seq,
        },
        /// The answer to [`ClientMessage::Ping`].
        Pong {
            /// The number from the ping.
            t: u64,
        },
        /// The session's process ended; nothing follows.
        Exit {
            /// The log's last entry.
            seq: Seq,
            /// How it ended; empty if it was lost.
            #[serde(flatten)]
            status: ExitStatus,
        },
        /// A request of the client cannot be carried out.
        Error {
            /// A stable code, for programs.
            code: ErrorCode,
            /// A sentence for the user that says what to do.
            message: String,
        },
        /// A type that this version does not know; ignored.
        #[serde(other)]
        Unknown,
    }
}

/// The body of [`ServerMessage::Resumed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resumed {
    /// The way in which the stream continues.
    pub outcome: Outcome,
    /// The epoch of the log.
    pub epoch: Epoch,
    /// The entry after which entries follow; after a snapshot, they follow the snapshot's seq.
    pub from: Seq,
    /// The log's last entry at this moment.
    pub head: Seq,
    /// The last accepted piece of this client's input. `None` while the session's host is away:
    /// then the first `input-ack` reports it, and the client sends no input before that.
    pub input_seq: Option<Seq>,
    /// The last piece of [`Resume::input_epoch`] that a host may have been given, if that epoch is
    /// over and the relay knows. The client gives up the pieces up to here, and counts on from here:
    /// the next one is piece 1 of the new epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_given: Option<Seq>,
}

/// The way in which a stream continues after `resume`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every entry after the client's cursor follows.
    Continue,
    /// A snapshot follows, then every entry after it.
    Snapshot,
    /// The client's epoch is void and it must clear its screen. Then as for `Snapshot`.
    Reset,
    /// The session is over: the retained entries follow, then `exit`.
    Ended,
}

/// A snapshot of the screen: see [`ServerMessage::Snapshot`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The last entry that the snapshot contains. A snapshot takes no number itself.
    pub seq: Seq,
    /// Terminal bytes that reset the screen and repaint it.
    #[serde(with = "crate::base64_bytes")]
    pub data: bytes::Bytes,
    /// The terminal's columns when it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cols: Option<u16>,
    /// The terminal's rows when it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
    /// The reason for sending it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<SnapshotReason>,
}

/// The reason why a snapshot is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotReason {
    /// The client asked for one.
    Requested,
    /// The client opened the stream.
    Resume,
    /// The client fell too far behind.
    Behind,
    /// The client interrupted the program while more than a second of output was in front of it.
    Interrupt,
    /// A reason that this version does not know.
    #[serde(other)]
    Other,
}

/// Stable error codes of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The message is not a JSON object of a known shape, or the frame is invalid.
    BadMessage,
    /// A snapshot could not be made.
    SnapshotFailed,
    /// The session does not exist.
    NotFound,
    /// The token is missing, wrong or expired.
    Unauthorized,
    /// The token only allows reading.
    ReadOnly,
    /// The client sent something before `resume`.
    ResumeRequired,
    /// The message, frame or queue is over its limit.
    TooLarge,
    /// The session's host is away.
    HostOffline,
    /// The session is over.
    SessionEnded,
    /// There are too many clients or sessions.
    Overloaded,
    /// A code that this version does not know.
    #[serde(other)]
    Other,
}

/// The error for a text that is not a message.
#[derive(Debug, thiserror::Error)]
#[error("not a message of this protocol: {0}")]
pub struct BadMessage(#[from] serde_json::Error);

impl ClientMessage {
    /// Parses one message.
    ///
    /// # Errors
    /// [`BadMessage`] if the text is not a JSON object, or lacks fields of a known type.
    pub fn from_json(text: &str) -> Result<Self, BadMessage> {
        Ok(Self::read(text)?)
    }

    /// Encodes the message as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(self)
    }
}

impl ServerMessage {
    /// Parses one message.
    ///
    /// # Errors
    /// [`BadMessage`] if the text is not a JSON object, or lacks fields of a known type.
    pub fn from_json(text: &str) -> Result<Self, BadMessage> {
        Ok(Self::read(text)?)
    }

    /// Encodes the message as JSON.
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
            input_sent: Some(Seq(2)),
            input_epoch: Some(Epoch(9)),
            answers: true,
            conversation: true,
        };
        client(
            r#"{"type":"resume","lastSeq":7,"epoch":1700000000000,"clientId":"client_1","catchUp":"replay","jump":true,"hold":true,"inputSent":2,"inputEpoch":9,"answers":true,"conversation":true}"#,
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
        client(
            r#"{"type":"cancel","request":3,"force":true}"#,
            &ClientMessage::Cancel(CancelMessage { request: 3, turn_id: None, force: true }),
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
            input_given: None,
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
        let done = DoneMessage { request: 3, code: Some("not_running".into()), message: None };
        server(r#"{"type":"done","request":3,"code":"not_running"}"#, &ServerMessage::Done(done));
        let pending = Map::new();
        server(r#"{"type":"pending","pending":{}}"#, &ServerMessage::Pending { pending });
        server(r#"{"type":"pong","t":5}"#, &ServerMessage::Pong { t: 5 });
        server(KEEPALIVE_PONG, &ServerMessage::Pong { t: 0 });
        server(
            r#"{"type":"exit","seq":9,"code":null,"signal":"SIGKILL"}"#,
            &ServerMessage::Exit {
                seq: Seq(9),
                status: ExitStatus { signal: Some("SIGKILL".into()), ..ExitStatus::default() },
            },
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
        for code in [close::POLICY, 4400, 4401, 4403, 4404, 4409] {
            assert!(close::is_final(code), "{code}");
        }
        for code in [1000, 1001, 1002, close::ABNORMAL, 1011, 4429, 4500] {
            assert!(!close::is_final(code), "{code}");
        }
    }
}
