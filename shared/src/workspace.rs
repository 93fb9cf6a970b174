//! Workspaces: files that a relay keeps, in sync with the folders of the sessions that name them.
//!
//! [`WorkspacePath`], [`ContentHash`] and [`FileEntry`] say what a workspace holds, and [`wire`] what the
//! two ends of a sync say to each other. [`plan()`] compares a folder with its workspace and with the
//! last state that both had, and [`SyncRound`] carries the plan out, without doing I/O itself.

mod base;
mod entry;
mod hash;
mod path;
mod plan;
mod round;
mod tree;
pub mod wire;

pub use base::{Base, BaseEntry};
pub use entry::{EntryKind, FileEntry, MODE_BITS};
pub use hash::{ContentHash, InvalidHash};
pub use path::{InvalidPath, WorkspacePath};
pub use plan::{FolderState, Plan, RelayState, SyncAction, plan};
pub use round::{FolderStep, FolderStepResult, Refused, RoundReport, RoundStep, SyncRound};
pub use tree::{WorkspaceFile, WorkspaceTree};
