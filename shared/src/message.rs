//! The text messages of the stream protocol, one JSON object each.
//!
//! Unknown types decode to `Unknown` and unknown fields are skipped, so that either side can be
//! newer. Messages marked + in `docs/PROTOCOL.md` only go to and come from clients that offered
//! [`SUBPROTOCOL`].

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::id::{ClientId, Epoch, Seq};
use crate::session::Lifecycle;

/// The WebSocket subprotocol of clients that know more than IC-1.
pub const SUBPROTOCOL: &str = "moorline.v1";
/// A WebSocket subprotocol that begins so carries a token; it is never echoed back.
pub const TOKEN_SUBPROTOCOL_PREFIX: &str = "moorline.bearer.";

/// From client to relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
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
    /// Asks for a [`ServerMessage::Pong`] with the same `t`.
    Ping {
        /// Anything that the client wants back.
        t: u64,
    },
    /// A type that this version does not know; ignored.
    #[serde(other)]
    Unknown,
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

/// From relay to client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
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

/// What a client is told about the session on connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionMeta {
    /// The session's name, or its id where it has none.
    pub name: String,
    /// RFC 3339.
    pub created_at: String,
    /// What `moorline.v1` adds.
    #[serde(flatten)]
    pub extended: Option<ExtendedMeta>,
}

/// The part of [`SessionMeta`] that only clients of `moorline.v1` get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtendedMeta {
    /// The log's incarnation.
    pub epoch: Epoch,
    /// The log's last entry.
    pub head: Seq,
    /// The oldest retained entry; `head + 1` for none.
    pub tail: Seq,
    /// The terminal's columns.
    pub cols: u16,
    /// The terminal's rows.
    pub rows: u16,
    /// What runs the session.
    pub driver: String,
    /// Whether it runs.
    pub lifecycle: Lifecycle,
    /// What this client may do.
    pub scope: Scope,
}

/// What a client may do with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Follow it.
    Read,
    /// Follow it, type and resize.
    Write,
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
    /// The last piece of this client's input that was accepted.
    pub input_seq: Seq,
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

/// Close codes of the stream's WebSocket.
pub mod close {
    /// The session ended and everything was sent.
    pub const NORMAL: u16 = 1000;
    /// The relay shuts down: dial again at once.
    pub const GOING_AWAY: u16 = 1001;
    /// The token is missing, wrong or expired.
    pub const UNAUTHORIZED: u16 = 4401;
    /// The origin or the token may not do this.
    pub const FORBIDDEN: u16 = 4403;
    /// No such session.
    pub const NOT_FOUND: u16 = 4404;
    /// `resume` did not come in time, or the peer went silent.
    pub const TIMED_OUT: u16 = 4408;
    /// The same client id connected again.
    pub const REPLACED: u16 = 4409;
    /// Too many clients: dial again after a wait.
    pub const OVERLOADED: u16 = 4429;
    /// A fault of the relay: dial again after a wait.
    pub const INTERNAL: u16 = 4500;

    /// Whether dialling again cannot help.
    #[must_use]
    pub const fn is_final(code: u16) -> bool {
        matches!(code, 1008 | 4400..=4499) && !matches!(code, OVERLOADED | TIMED_OUT)
    }
}
