//! Failures of a sync.

use std::io;
use std::path::PathBuf;

use moorline_shared::failure::HostFailure;

use super::RemoteFailure;

/// The reason why a folder is not in sync with its workspace.
#[derive(Debug, thiserror::Error)]
pub enum SyncFailure {
    /// The folder cannot be used.
    #[error("cannot use the folder {}: {error}", path.display())]
    Folder {
        /// The path of the folder.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The folder, or one in it or around it, is in sync with a workspace already.
    #[error(
        "the folder {} overlaps with {}, which is in sync with another workspace or as a whole: use \
         another folder",
        path.display(),
        other.display()
    )]
    Overlap {
        /// The path of the folder.
        path: PathBuf,
        /// The path of the other folder.
        other: PathBuf,
    },
    /// The relay was not reached, or refuses.
    #[error("the workspace cannot be synced: {0}")]
    Remote(#[from] RemoteFailure),
    /// The sync has ended.
    #[error("the sync of the folder has ended")]
    Ended,
    /// The host has no folder of its own in which it could keep what a sync needs.
    #[error("this host keeps nothing, so that it cannot sync workspaces")]
    NoState,
}

impl SyncFailure {
    /// Returns the reason for whoever uses the folder: a stable code, and a sentence.
    #[must_use]
    pub fn reason(&self) -> HostFailure {
        let code = match self {
            Self::Remote(RemoteFailure::Refused(refused)) => return refused.clone(),
            Self::Remote(RemoteFailure::Away(_)) => "relay_away",
            _ => "folder_failed",
        };
        HostFailure::new(code, self.to_string())
    }

    /// Returns a stable code for whoever wanted to start a session.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Remote(RemoteFailure::Away(_)) | Self::Ended => "overloaded",
            _ => "bad_request",
        }
    }
}
