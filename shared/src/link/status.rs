//! What a client's user is told.

use crate::limits::INPUT_WAITS;
use crate::session::ExitStatus;
use crate::time::Time;

/// Where a client stands, for its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Not started, or stopped.
    Idle,
    /// Opening a socket, or waiting for the relay's answer.
    Connecting,
    /// Applying what was missed.
    CatchingUp {
        /// Entries applied of `total`.
        done: u64,
        /// Entries that were missed.
        total: u64,
    },
    /// Every entry is applied as it comes.
    Live,
    /// Waiting to dial again.
    Waiting {
        /// When it dials.
        until: Time,
        /// Dials in vain since the last good one.
        attempt: u32,
    },
    /// The session is over.
    Ended(ExitStatus),
    /// The relay refuses this client: see [`crate::message::close`].
    Refused {
        /// The close code.
        code: u16,
    },
}

/// Why input is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too much waits already.
    #[error("{}; nothing was added", INPUT_WAITS)]
    Full,
    /// The token only allows reading.
    #[error("this link only allows to watch the session")]
    ReadOnly,
    /// The session is over.
    #[error("the session has ended")]
    Ended,
    /// The session's host is away, and input is not kept for it: see [`super::Client::hold_input`].
    #[error("not typed: the host is offline")]
    HostOffline,
}
