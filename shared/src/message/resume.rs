//! The first message of a client.

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::{ClientMessage, ErrorCode};
use crate::id::{ClientId, Epoch, Seq};

/// Opens a stream at a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resume {
    /// The last applied entry; `None` if the client has none.
    pub last_seq: Option<Seq>,
    /// The epoch that `last_seq` belongs to; `None` means the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// Names the client across its connections; without it the client cannot type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// The way in which the client wants to catch up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<CatchUp>,
    /// True if the client prefers a snapshot, now or later, to a backlog of more than 8 MiB, as a
    /// client that shows a screen does. [`CatchUp::Snapshot`] implies it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub jump: bool,
    /// True if input is kept while the session's host is away, and delivered once when it is back.
    /// Otherwise it is refused with [`ErrorCode::HostOffline`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
    /// The last piece of input that the client has ever sent, 0 if it has sent none. With it the
    /// relay can tell, in a later epoch, which pieces no host was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_sent: Option<Seq>,
    /// The epoch in which the client's input is numbered; `None` means the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_epoch: Option<Epoch>,
    /// True if the client answers the program's queries with [`ClientMessage::Reply`] while it is
    /// the one that typed or resized last. Otherwise the host answers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub answers: bool,
    /// True if the client reads conversations, which are the snapshots of agent sessions. Any other
    /// client gets the transcript of such a session from its beginning, as a terminal would show it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub conversation: bool,
}

impl Resume {
    /// Returns true if the client prefers a snapshot to a long backlog.
    #[must_use]
    pub fn jumps(&self) -> bool {
        self.jump || self.catch_up == Some(CatchUp::Snapshot)
    }
}

/// A way for a client to catch up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CatchUp {
    /// Every entry that the client missed is sent.
    #[default]
    Replay,
    /// A snapshot of the screen is sent.
    Snapshot,
}
