//! The reasons why an operation is not done.

use std::io;

use moorline_shared::limits::{OPERATION_FILE_TOO_LARGE, OPERATION_PATH_BYTES};

/// The reason why an operation is not done. Its text is a sentence for the user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("The file is not as it was in the preview. Preview the operation again.")]
    Stale,
    #[error(
        "Name the file relative to the session's folder, without `..`, in at most {} bytes. No \
         operation reaches out of the folder.",
        OPERATION_PATH_BYTES
    )]
    OutsideFolder,
    #[error("The path leads through a symbolic link: name the file that it points to.")]
    IsLink,
    #[error("The file does not exist.")]
    NotFound,
    #[error("The path is taken: rename or delete what is there first.")]
    Exists,
    #[error("The path is that of a folder. Operations change files only.")]
    IsDirectory,
    #[error("{}", OPERATION_FILE_TOO_LARGE)]
    TooLarge,
    #[error("The file is not text, so no part of it can be replaced.")]
    NotText,
    #[error("The lines to replace, of edit {edit}, are not in the file.")]
    NoMatch {
        /// The number of the edit, from 1.
        edit: usize,
    },
    #[error(
        "The lines to replace, of edit {edit}, are in the file more than once. Name more lines \
         around them."
    )]
    AmbiguousMatch {
        /// The number of the edit, from 1.
        edit: usize,
    },
    #[error("Commands are not run. Type it into the session instead.")]
    NotRun,
    #[error("Nothing was done, because another operation of the list cannot be.")]
    Skipped,
    #[error("The system refuses: {0}.")]
    Io(#[from] io::Error),
}

impl Problem {
    /// Returns the stable code.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::OutsideFolder => "outside_folder",
            Self::IsLink => "is_link",
            Self::NotFound => "not_found",
            Self::Exists => "exists",
            Self::IsDirectory => "is_directory",
            Self::TooLarge => "too_large",
            Self::NotText => "not_text",
            Self::NoMatch { .. } => "no_match",
            Self::AmbiguousMatch { .. } => "ambiguous_match",
            Self::NotRun => "not_run",
            Self::Skipped => "skipped",
            Self::Io(_) => "io",
        }
    }
}

impl From<rustix::io::Errno> for Problem {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Io(error.into())
    }
}
