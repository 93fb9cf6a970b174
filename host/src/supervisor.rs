//! A supervisor: the keeper of a terminal, or of an agent, in a pod.
//!
//! [`run`] is the main process of a pod's container. It starts the session's program on a terminal,
//! and keeps it for the host, which is outside of the pod. [`connect`] is the program that the host
//! executes in the pod: it connects the streams of that exec to the supervisor. When the exec is
//! cut, the host executes it again, and goes on at the exact byte in both directions, as with any
//! keeper. A host that has nothing of the terminal, because it was restarted, gets a snapshot first.
//!
//! If the session has a workspace, the supervisor keeps the folder in sync with it. Its requests go
//! to the host, which passes them on to the relay: the pod has no token. The program starts once the
//! folder has the files of the workspace, and its end is told after its last files.
//!
//! A program that is an agent has no terminal: its standard streams are pipes, and the host gets
//! exactly what is in them.
//!
//! At most [`OUTPUT_BYTES`] of a terminal's output wait for a host, and of an agent's as much as with
//! any keeper; then the program waits. The program runs
//! without a host for as long as the pod does. It ends the pod when it has ended, once a host has
//! heard of that.

mod connection;
mod folder;
mod init;
mod load;
mod process;
mod program;
mod terminal;

use std::path::PathBuf;

use bytes::Bytes;
use moorline_shared::id::{SessionId, WorkspaceId};
use moorline_shared::session::Size;
use serde::Serialize;

pub use connection::connect;
pub use process::{SupervisorError, run};

/// The most bytes of output that a supervisor holds for a host that has not acknowledged them.
pub const OUTPUT_BYTES: usize = 16 * 1024 * 1024;

/// The program that a supervisor starts, and the socket that it listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupervisorConfig {
    /// The path of the socket. Its folder is created if missing, and made private.
    pub socket: PathBuf,
    /// The session that the program belongs to.
    pub session_id: SessionId,
    /// The folder in which the program starts.
    pub folder: PathBuf,
    /// A folder for the scripts that make shells mark their prompts.
    pub integration: PathBuf,
    /// The program and its arguments; empty for the user's login shell.
    pub command: Vec<String>,
    /// True if the program is an agent, which has pipes instead of a terminal.
    pub agent: bool,
    /// The terminal's size at the start.
    pub size: Size,
    /// The workspace that the folder is in sync with, if it is.
    pub workspace: Option<SupervisedWorkspace>,
}

/// The workspace of a supervisor's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupervisedWorkspace {
    /// The workspace.
    pub id: WorkspaceId,
    /// The host's name, for the names of files that are moved aside.
    pub host: String,
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}
