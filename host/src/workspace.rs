//! Folders in sync with workspaces of the relay.
//!
//! [`FolderSync`] keeps one folder in sync: it scans the folder when the system reports changes
//! (`watch`), asks the relay for changes ([`WorkspaceRemote`]), and carries out what
//! [`SyncRound`](moorline_shared::workspace::SyncRound) decides, in the [`SyncedFolder`].
//! `HostWorkspaces` holds those of a host, one for each folder, whichever sessions use it. A pod's
//! [`supervisor`](crate::supervisor) keeps the one of its session, whose requests the host passes on.

mod base_file;
#[cfg(feature = "host")]
mod dial_remote;
mod failure;
mod folder;
#[cfg(feature = "host")]
mod hosted;
mod ignoring;
#[cfg(feature = "host")]
mod output;
mod relayed;
mod remote;
mod scan;
mod stamp;
mod sync;
#[cfg(test)]
mod tests;
mod watch;

pub use base_file::KeptBase;
#[cfg(feature = "host")]
pub use dial_remote::DialRemote;
pub use failure::SyncFailure;
pub use folder::SyncedFolder;
#[cfg(feature = "host")]
pub(crate) use hosted::{HeldFolder, HostWorkspaces};
pub(crate) use relayed::{RelayedAsk, RelayedRemote, encode_reply};
pub use remote::{RemoteFailure, SessionWorkspace, WorkspaceRemote};
pub use sync::{Direction, FolderSync, SyncState, machine_name};
