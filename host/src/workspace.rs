//! Folders in sync with workspaces of the relay.
//!
//! [`FolderSync`] keeps one folder in sync: it scans the folder when the system reports changes
//! (`watch`), asks the relay for changes ([`WorkspaceRemote`]), and carries out what
//! [`SyncRound`](moorline_shared::workspace::SyncRound) decides, in the [`SyncedFolder`].
//! `HostWorkspaces` holds those of a host, one for each folder, whichever sessions use it.

mod base_file;
mod failure;
mod folder;
mod hosted;
mod ignoring;
mod output;
mod remote;
mod scan;
mod stamp;
mod sync;
#[cfg(test)]
mod tests;
mod watch;

pub use failure::SyncFailure;
pub use folder::SyncedFolder;
pub(crate) use hosted::{HeldFolder, HostWorkspaces};
pub use remote::{DialRemote, RemoteFailure, WorkspaceRemote};
pub use sync::{Direction, FolderSync, SyncState, machine_name};
