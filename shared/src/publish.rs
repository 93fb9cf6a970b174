//! What host and relay say to each other about one session.
//!
//! Output goes up as on every hop: the relay opens with its cursor, the host sends each entry
//! after it, and the relay's ack means *durable*. Input goes down piece by piece under the
//! client's own numbers; the host, which alone knows what the session has taken, answers with
//! what it accepted, so that no relay restart can lose or repeat a piece.

mod encoding;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::frame::Frame;
use crate::id::{ClientId, Cursor, Epoch, Seq};
use crate::log::Entry;
use crate::message::Snapshot;
use crate::session::{ExitStatus, Size};
use crate::tagged::tagged;

/// The WebSocket subprotocol of `/sessions/:id/publish` and `/hosts/:id/control`.
pub const SUBPROTOCOL: &str = "moorline.host.v1";

/// Names a request of the relay that the host answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub u64);

/// Why a host does not write what it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteRefused {
    /// As much as may wait waits already.
    #[error("the session has not taken what was typed before: try again when it has")]
    TooMuch,
    /// The process has ended.
    #[error("the session has ended")]
    Ended,
    /// The host is away.
    #[error("the session's host is away")]
    HostAway,
}

/// When a host answers [`HostCommand::Write`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteAnswer {
    /// As soon as the data waits for the terminal, behind what came before.
    #[default]
    Queued,
    /// When the terminal has taken all of it: the relay counts what waits.
    Taken,
}

impl WriteAnswer {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

tagged! {
    /// From relay to host.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum HostCommand {
        /// Opens the link: the last entry that the relay has.
        Resume {
            /// `None` for a relay that has nothing of this session.
            cursor: Option<Cursor>,
            /// Bytes that may be sent and not acknowledged.
            window: u64,
            /// Whether the relay reads the times of output entries. Older relays do not.
            #[serde(default)]
            times: bool,
        },
        /// Everything up to `seq` is durable.
        Ack {
            /// The last durable entry.
            seq: Seq,
        },
        /// A client (re)connected: answer with [`HostMessage::InputAck`].
        ClientResumed {
            /// Whose input is asked for.
            client_id: ClientId,
        },
        /// A piece of a client's input. A binary message.
        #[serde(skip)]
        Input {
            /// Whose.
            client_id: ClientId,
            /// Numbered by that client from 1.
            piece: Frame,
        },
        /// Write to the session what no client numbers, as a prompt that came by REST; answered by
        /// [`HostMessage::Written`].
        Write {
            /// Named in the answer.
            request: RequestId,
            /// The bytes.
            #[serde(with = "crate::base64_bytes")]
            data: Bytes,
            /// To be appended to the log if it is written.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            event: Option<Event>,
            /// When to answer.
            #[serde(default, skip_serializing_if = "WriteAnswer::is_default")]
            answer: WriteAnswer,
        },
        /// Append an event to the log.
        Append {
            /// The event.
            event: Event,
        },
        /// The terminal has this size from here on.
        Resize {
            /// The new size.
            #[serde(flatten)]
            size: Size,
        },
        /// Who answers the queries of the program from here on.
        Answerer {
            /// The client; `None` where the host answers, as the client that did has left.
            client_id: Option<ClientId>,
            /// The client has not seen the queries up to this entry, or only as the past.
            after: Seq,
        },
        /// A client's terminal answers what the program asked. It is no typing: it has no number, and
        /// it is lost if the client is not the one that answers.
        Reply {
            /// Whose.
            client_id: ClientId,
            /// The entry in which the query ended.
            seq: Seq,
            /// The answer to all that the entry asks; empty if the terminal has none.
            #[serde(with = "crate::base64_bytes")]
            data: Bytes,
            /// More of the answer follows.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            more: bool,
        },
        /// Answer with [`HostMessage::Snapshot`] or [`HostMessage::SnapshotFailed`].
        SnapshotRequest,
        /// End the session's process.
        Close,
        /// This host may not publish the session; the relay closes the link.
        #[serde(rename = "error")]
        Refused {
            /// Why.
            #[serde(rename = "code")]
            reason: RefusedReason,
        },
        /// A type that this version does not know: to be ignored.
        #[serde(other)]
        Unknown,
    }
}

/// Why a relay does not take what a host publishes. On the wire a stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedReason {
    /// A later incarnation has published already: this one is over.
    Fenced,
    /// The session was deleted, or never was.
    NotFound,
    /// Entries are missing, or the messages are none: dial again.
    BadMessage,
    /// A reason that this version does not know.
    #[serde(other)]
    Other,
}

tagged! {
    /// From host to relay.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum HostMessage {
        /// The answer to [`HostCommand::Resume`]: entries after `from` follow.
        Resumed {
            /// The log's incarnation.
            epoch: Epoch,
            /// The relay's cursor where it is of this incarnation and retained, else the entry before
            /// the oldest retained.
            from: Seq,
            /// The log's last entry at this moment.
            head: Seq,
            /// The terminal's size.
            #[serde(flatten)]
            size: Size,
        },
        /// The next entry. Output is a binary message, an event the message that clients get.
        #[serde(rename = "event")]
        Entry(#[serde(with = "encoding::event_entry")] Entry),
        /// A picture of the screen.
        Snapshot(Snapshot),
        /// No picture could be made. One of more than [`SNAPSHOT_BYTES`](crate::limits::SNAPSHOT_BYTES)
        /// is read as this.
        SnapshotFailed,
        /// The session has taken this client's input up to `seq`.
        InputAck {
            /// Whose.
            client_id: ClientId,
            /// The last accepted piece; 0 for a client that is not known.
            seq: Seq,
        },
        /// The answer to [`HostCommand::Write`]: it waits for the terminal behind what came before, or
        /// was taken, as [`WriteAnswer`] says. Nothing but the session's end can lose what waits.
        Written {
            /// Which request.
            request: RequestId,
            /// Whether it was taken.
            #[serde(
                rename = "refused",
                with = "encoding::refusal",
                default = "encoding::refusal::none",
                skip_serializing_if = "Result::is_ok"
            )]
            result: Result<(), WriteRefused>,
        },
        /// The terminal has this size now.
        Resized {
            /// The new size.
            #[serde(flatten)]
            size: Size,
        },
        /// The process ended; no entry follows. The relay closes the link with
        /// [`close::NORMAL`](crate::message::close::NORMAL) once it has all that it wants, a last
        /// picture among it; a host whose relay has acknowledged everything and asks for nothing more
        /// closes the link itself. Either way the host then forgets the session.
        Exited {
            /// How.
            #[serde(flatten)]
            status: ExitStatus,
        },
        /// A type that this version does not know: to be ignored.
        #[serde(other)]
        Unknown,
    }
}

impl HostMessage {
    /// Gives an entry of a host that does not tell times the time at which it `arrived`, in
    /// milliseconds since 1970.
    #[must_use]
    pub fn timed(self, arrived: impl FnOnce() -> u64) -> Self {
        match self {
            Self::Entry(entry) if entry.time_ms() == 0 => Self::Entry(entry.or_at(arrived())),
            timed => timed,
        }
    }
}
