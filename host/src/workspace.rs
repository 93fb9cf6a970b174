//! Folders in sync with workspaces of the relay.
//!
//! [`FolderSync`] keeps one folder in sync: it scans the folder when the system reports changes
//! (`watch`), asks the relay for changes ([`WorkspaceRemote`]), and carries out what
//! [`SyncRound`](moorline_shared::workspace::SyncRound) decides, in the [`SyncedFolder`].
//! A [`host`](crate::host) has one for each folder, whichever sessions use it. A pod's
//! [`supervisor`](crate::supervisor) keeps the one of its session, whose requests the host passes on.

mod base_file;
#[cfg(feature = "host")]
mod dial_remote;
mod failure;
mod folder;
mod ignoring;
#[cfg(feature = "host")]
mod notices;
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
pub(crate) use notices::{NOT_SYNCED, SyncNotices};
#[cfg(feature = "host")]
pub(crate) use relayed::encode_reply;
pub(crate) use relayed::{RelayedAsk, RelayedRemote};
pub use remote::{RemoteFailure, SessionWorkspace, WorkspaceRemote};
pub use sync::{Direction, FolderSync, SyncState, machine_name};
