//! The items that the task of a session in a pod passes to the session's driver.

use bytes::{Bytes, BytesMut};
use moorline_shared::session::ExitStatus;

use crate::driver::DriverOutput;

/// One item from a session in a pod.
#[derive(Debug)]
pub(in crate::driver) enum PodItem {
    /// Output of the program.
    Program {
        /// The bytes, in the buffer of a frame.
        buffer: BytesMut,
        /// The offset after them in the pod's output.
        end: u64,
        /// The pod's number: see [`PodItem::Gone`].
        life: u64,
    },
    /// Anything else of a terminal.
    Terminal(DriverOutput),
    /// Bytes from an agent's standard error.
    Errors(Bytes),
    /// The agent has ended, and all of its output came before.
    Gone {
        /// The number of its pod. The next one has the next number.
        life: u64,
        /// The agent's exit status, if it is known.
        exit: Option<ExitStatus>,
        /// The reason, in words that begin in lower case.
        reason: String,
        /// True if the pod is deleted only because nobody uses it.
        is_idle: bool,
    },
    /// The session of an agent is over. Comes last.
    Over(ExitStatus),
}
