//! Errors of requests about changes.

use std::io;

use crate::operations::Problem;

/// The reason why something about changes is not done. Its text is a sentence for the user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangesError {
    #[error("The file has changed since it was listed. List the changes again.")]
    Stale,
    #[error("The agent has not changed this file, or its change was kept or reverted before.")]
    NotChanged,
    #[error("The file has no such hunk. List the changes again.")]
    NoSuchHunk,
    #[error("What the file contained before was not kept, so it cannot be reverted.")]
    NotKept,
    #[error(transparent)]
    Problem(Problem),
    #[error("The session's folder cannot be opened: {0}.")]
    Folder(io::Error),
    #[error("The session is over.")]
    Over,
    #[error("The host's own files cannot be used: {0}.")]
    Io(io::Error),
    #[error("The host's own files cannot be used: {0}.")]
    Sqlite(#[from] rusqlite::Error),
    #[error("The host's own files are damaged.")]
    Damaged,
}

impl From<Problem> for ChangesError {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Stale => Self::Stale,
            problem => Self::Problem(problem),
        }
    }
}

impl ChangesError {
    /// Returns the stable code.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::NotChanged => "not_changed",
            Self::NoSuchHunk => "no_such_hunk",
            Self::NotKept => "not_kept",
            Self::Problem(problem) => problem.code(),
            Self::Folder(_) => "no_folder",
            Self::Over => "session_ended",
            Self::Io(_) | Self::Sqlite(_) | Self::Damaged => "internal",
        }
    }
}
