//! The statuses and refusals that a client shows its user.

use crate::limits::INPUT_WAITS;
use crate::session::ExitStatus;
use crate::time::Time;

/// The status of a client, for its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientStatus {
    /// Not started, or stopped.
    Idle,
    /// Opening a socket, or waiting for the relay's answer.
    Connecting,
    /// Applying entries that were missed.
    CatchingUp {
        /// The number of entries applied, out of `total`.
        done: u64,
        /// The number of entries that were missed.
        total: u64,
    },
    /// Applying every entry as it arrives.
    Live,
    /// A socket is open, but the relay does not answer: something that was sent, a ping, or at
    /// all since the network went away. An answer ends that.
    Silent,
    /// Waiting to dial again.
    Waiting {
        /// The time to dial.
        until: Time,
        /// Failed dials since the last successful connection.
        attempt: u32,
    },
    /// The session is over.
    Ended(ExitStatus),
    /// The relay refuses this client: see [`crate::message::close`].
    Refused {
        /// The WebSocket's close code.
        code: u16,
    },
}

impl ClientStatus {
    /// Returns true if the relay has answered on this connection, and the session goes on. What is
    /// sent on a silent connection may still arrive.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        matches!(self, Self::Live | Self::CatchingUp { .. } | Self::Silent)
    }
}

/// The reason why input is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too much input waits already.
    #[error("{}; nothing was added", INPUT_WAITS)]
    Full,
    /// The token only allows reading.
    #[error("this link is read-only")]
    ReadOnly,
    /// The session is over.
    #[error("the session has ended")]
    Ended,
    /// The session's host is away, and input is not kept for it: see [`super::Client::hold_input`].
    #[error("not typed: the host is offline")]
    HostOffline,
}
