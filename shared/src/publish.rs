//! The messages between a host and its relay about one session.
//!
//! Output goes up as on every hop: the relay opens with its cursor, the host sends each entry after
//! it, and the relay's ack means *durable*. Input goes down piece by piece under the client's own
//! numbers. The host alone knows what the session has taken, so it acknowledges the pieces, and no
//! relay restart can lose or repeat one.

mod encoding;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::agent::action::{ActionNumber, SessionAction};
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

/// The reason why a host refuses to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteRefused {
    /// The most that may wait is waiting already.
    #[error("the session has not read its earlier input: try again later")]
    TooMuch,
    /// The process has ended.
    #[error("the session has ended")]
    Ended,
    /// The host is away.
    #[error("the session's host is offline")]
    HostAway,
}

/// When a host answers [`HostCommand::Write`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteAnswer {
    /// As soon as the data is queued for the terminal.
    #[default]
    Queued,
    /// Once the terminal has taken all of it, so that the relay can count what waits.
    Taken,
}

impl WriteAnswer {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

tagged! {
    /// A message from a relay to a host.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum HostCommand {
        /// Opens the link with the last entry that the relay has.
        Resume {
            /// The relay's cursor; `None` if it has nothing of this session.
            cursor: Option<Cursor>,
            /// The most bytes that may be sent and not acknowledged.
            window: u64,
            /// True if the relay reads the times of output entries. Older relays do not.
            #[serde(default)]
            times: bool,
        },
        /// Acknowledges that everything up to `seq` is durable.
        Ack {
            /// The last durable entry.
            seq: Seq,
        },
        /// A client connected or reconnected: the host answers with [`HostMessage::InputAck`].
        ClientResumed {
            /// The client whose input position is asked for.
            client_id: ClientId,
        },
        /// A piece of a client's input, sent as a binary message.
        #[serde(skip)]
        Input {
            /// The client that typed it.
            client_id: ClientId,
            /// The piece, numbered by that client from 1.
            piece: Frame,
        },
        /// Writes data that no client numbers, such as a prompt that came by REST. The host answers
        /// with [`HostMessage::Written`].
        Write {
            /// The id that the answer repeats.
            request: RequestId,
            /// The bytes to write.
            #[serde(with = "crate::base64_bytes")]
            data: Bytes,
            /// An event to append to the log if the data is written.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            event: Option<Event>,
            /// When the host is to answer.
            #[serde(default, skip_serializing_if = "WriteAnswer::is_default")]
            answer: WriteAnswer,
        },
        /// Appends an event to the log.
        Append {
            /// The event to append.
            event: Event,
        },
        /// Carries out an action of a user. The host answers with [`HostMessage::Acted`]. On a new
        /// link the relay repeats the actions that it does not know to be carried out; the host
        /// carries out each number once.
        Act {
            /// The action's number.
            number: ActionNumber,
            /// The action.
            action: SessionAction,
        },
        /// Changes the terminal's size.
        Resize {
            /// The new size.
            #[serde(flatten)]
            size: Size,
        },
        /// Changes who answers the program's queries.
        Answerer {
            /// The client that answers; `None` if the host does, because that client has left.
            client_id: Option<ClientId>,
            /// The last entry whose queries the client does not answer: it has not seen them, or
            /// only as history.
            after: Seq,
        },
        /// A client's terminal answers a query of the program. It does not count as typing: it has
        /// no number, and is dropped if the client is not the one that answers.
        Reply {
            /// The client that answers.
            client_id: ClientId,
            /// The entry that contains the end of the query.
            seq: Seq,
            /// The answer to all queries of the entry; empty if the terminal has none.
            #[serde(with = "crate::base64_bytes")]
            data: Bytes,
            /// True if more of the answer follows.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            more: bool,
        },
        /// Tells whether any client shows the session. Only for panes of tmux, whose windows a user
        /// may have given the size of a page.
        Watched {
            /// True if a client shows it.
            watched: bool,
        },
        /// Asks for a [`HostMessage::Snapshot`] or [`HostMessage::SnapshotFailed`].
        SnapshotRequest,
        /// Ends the session's process.
        Close,
        /// Refuses to let this host publish the session; the relay then closes the link.
        #[serde(rename = "error")]
        Refused {
            /// The reason for the refusal.
            #[serde(rename = "code")]
            reason: RefusedReason,
        },
        /// A type that this version does not know; ignored.
        #[serde(other)]
        Unknown,
    }
}

/// The reason why a relay does not accept what a host publishes; a stable code on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedReason {
    /// A later epoch of the log was published already, so this one is over.
    Fenced,
    /// The session was deleted, or never existed.
    NotFound,
    /// Entries are missing, or a message is malformed: dial again.
    BadMessage,
    /// A reason that this version does not know.
    #[serde(other)]
    Other,
}

tagged! {
    /// A message from a host to its relay.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum HostMessage {
        /// The answer to [`HostCommand::Resume`]: entries after `from` follow.
        Resumed {
            /// The epoch of the log.
            epoch: Epoch,
            /// The relay's cursor if it is of this epoch and retained; otherwise the entry before
            /// the oldest retained one.
            from: Seq,
            /// The log's last entry at this moment.
            head: Seq,
            /// The terminal's size.
            #[serde(flatten)]
            size: Size,
        },
        /// The next entry. Output is a binary message; an event has the form in which clients get
        /// it.
        #[serde(rename = "event")]
        Entry(#[serde(with = "encoding::event_entry")] Entry),
        /// A snapshot of the screen.
        Snapshot(Snapshot),
        /// A snapshot could not be made. One of more than
        /// [`SNAPSHOT_BYTES`](crate::limits::SNAPSHOT_BYTES) decodes to this too.
        SnapshotFailed,
        /// The session has taken this client's input up to `seq`.
        InputAck {
            /// The client whose input was taken.
            client_id: ClientId,
            /// The last accepted piece; 0 for an unknown client.
            seq: Seq,
        },
        /// The answer to [`HostCommand::Write`]: the data waits for the terminal or was taken, as
        /// [`WriteAnswer`] says. Only the session's end can lose data that waits.
        Written {
            /// The request that this answers.
            request: RequestId,
            /// `Ok` if the data was accepted.
            #[serde(
                rename = "refused",
                with = "encoding::refusal",
                default = "encoding::refusal::none",
                skip_serializing_if = "Result::is_ok"
            )]
            result: Result<(), WriteRefused>,
        },
        /// All actions up to this number were carried out, or cannot be.
        Acted {
            /// The last action.
            number: ActionNumber,
            /// The last entry that results from them. Until the relay has stored it, it must not
            /// forget the actions.
            seq: Seq,
        },
        /// The terminal has a new size.
        Resized {
            /// The new size.
            #[serde(flatten)]
            size: Size,
        },
        /// The process ended, and no entry follows. The relay closes the link with
        /// [`close::NORMAL`](crate::message::close::NORMAL) once it has everything that it wants,
        /// including a last snapshot. A host whose relay has acknowledged everything and asks for
        /// nothing more closes the link itself. Either way the host then forgets the session.
        Exited {
            /// The status with which the process ended.
            #[serde(flatten)]
            status: ExitStatus,
        },
        /// A type that this version does not know; ignored.
        #[serde(other)]
        Unknown,
    }
}
