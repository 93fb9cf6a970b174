//! A keeper: a small process that holds a program's standard streams, so that the program outlives
//! the host that started it.
//!
//! A host starts a keeper with [`Kept::start`]. The keeper leads a process session of its own,
//! starts the program in a process group of its own, and listens on a Unix socket. A host that was
//! killed or replaced connects again with [`Kept::attach`], and goes on at the exact byte in both
//! directions. The keeper does not interpret what the program reads and writes.
//!
//! # Streams
//!
//! Input and output are byte streams whose offsets count from 0.
//!
//! * **Output.** The keeper holds what the program wrote until a host acknowledges it with
//!   [`KeptControl::read`]. At most [`OUTPUT_BYTES`] are held; then the program waits, as on a slow
//!   terminal.
//! * **Input.** A host names the offset of all that it writes, and the keeper takes each byte once.
//!   After a restart, [`KeptStatus::taken`] tells where to go on. At most [`INPUT_BYTES`] wait for
//!   the program: [`KeptControl::write`] takes no more than that.
//! * **Errors.** The last [`ERROR_BYTES`] of the standard error are kept. Each new host gets them,
//!   so the same text may arrive again after a restart, and some is skipped if there is too much.
//!
//! # The end
//!
//! The end of the program ends its whole process group, so that none of its children stays behind,
//! except those that have left the group. What the program itself has written by then is still
//! delivered. Afterwards the keeper stays until a host has called [`KeptControl::forget`], or until
//! no host was connected for [`EXITED_LIMIT`]. A program that no host has asked for in
//! [`HOSTLESS_LIMIT`] is ended. SIGTERM ends the program, and then the keeper.
//!
//! A keeper that is killed leaves its socket file behind, which the next [`Kept::attach`] removes.
//! Its program gets the end of its input, and a broken pipe if it writes: it is expected to end by
//! itself, as nobody can reach it any more.

mod error;
pub(crate) mod file_exchange;
mod folder_report;
mod frame;
mod kept;
mod kept_machine;
pub(crate) mod machine;
pub(crate) mod pipes;
mod process;
mod program;
mod queue;
#[cfg(test)]
mod simulation;
pub(crate) mod socket;
mod vitals;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub use error::{AttachError, KeepError};
pub use file_exchange::FilePiece;
pub use folder_report::FolderReport;
pub use frame::RefusalCode;
pub use kept::{Kept, KeptControl, KeptSpec};
pub use kept_machine::{KeptEvent, KeptStatus, NotTaken};
pub use process::run;
pub use vitals::Vitals;

/// The most bytes of output that a keeper holds for a host that has not acknowledged them. This is
/// more than the longest line of an agent, so that a host can acknowledge whole lines.
pub const OUTPUT_BYTES: usize = 34 * 1024 * 1024;
/// The most bytes of input that wait for the program.
pub const INPUT_BYTES: usize = 1024 * 1024;
/// The most bytes of the standard error that are kept.
pub const ERROR_BYTES: usize = 64 * 1024;
/// Time between SIGTERM and SIGKILL.
pub const KILL_GRACE: Duration = Duration::from_secs(3);
/// Time without a host after which a keeper ends its program.
pub const HOSTLESS_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);
/// Time without a host after which a keeper whose program has ended ends too.
pub const EXITED_LIMIT: Duration = Duration::from_secs(60 * 60);

/// The program that a keeper starts, and the socket that it listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeeperConfig {
    /// The path of the socket, of any length. Its folder is created if missing, and made private.
    pub socket: PathBuf,
    /// The folder in which the program starts.
    pub folder: PathBuf,
    /// The program: a path, or a name that is looked up on the `PATH`. It gets the keeper's own
    /// variables.
    pub program: OsString,
    /// The program's arguments.
    pub arguments: Vec<OsString>,
    /// The program's limit of open files; `None` for the keeper's own.
    pub open_files: Option<u64>,
}

impl KeeperConfig {
    /// Returns the arguments from which the keeper's process restores this value: `--socket PATH
    /// --folder PATH [--open-files COUNT] -- PROGRAM ARGUMENTS…`.
    #[must_use]
    pub fn command_line(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["--socket".into(), self.socket.clone().into()];
        words.extend(["--folder".into(), self.folder.clone().into()]);
        if let Some(open_files) = self.open_files {
            words.extend(["--open-files".into(), open_files.to_string().into()]);
        }
        words.extend(["--".into(), self.program.clone()]);
        words.extend(self.arguments.iter().cloned());
        words
    }
}
