//! Text files in a folder, read and written as a whole.

use std::path::Path;

use moorline_shared::limits::OPERATION_FILE_BYTES;

use super::atomic::StagedFile;
use super::beneath::{FilePath, FileState, Folder};
use super::problem::Problem;

/// The times that a write is tried while others change the file.
const TRIES: u32 = 4;

/// The reason why a text file is not read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TextFileError {
    /// The path leads out of the folder.
    #[error("The path is not within the session's folders.")]
    Outside,
    /// The file does not exist.
    #[error("The file does not exist.")]
    NotFound,
    /// The file is not text, too large, or the system refuses it.
    #[error("{0}")]
    Refused(String),
}

impl From<Problem> for TextFileError {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::OutsideFolder => Self::Outside,
            Problem::NotFound => Self::NotFound,
            problem => Self::Refused(problem.to_string()),
        }
    }
}

/// Reads a text file of a folder. Symbolic links in it are not followed. Blocks.
///
/// # Errors
/// [`TextFileError`].
pub(crate) fn read_text(folder: &Path, path: &Path) -> Result<String, TextFileError> {
    let (folder, path) = find(folder, path)?;
    let file = folder.read(&path)?.ok_or(TextFileError::NotFound)?;
    Ok(file.text()?.to_owned())
}

/// Writes a text file of a folder: it has the old content or the new one at any time. Folders that
/// are missing are created. Symbolic links are not followed. Blocks.
///
/// # Errors
/// [`TextFileError`]; then the file is unchanged.
pub(crate) fn write_text(folder: &Path, path: &Path, content: &str) -> Result<(), TextFileError> {
    let (folder, path) = find(folder, path)?;
    if content.len() > OPERATION_FILE_BYTES {
        return Err(Problem::TooLarge.into());
    }
    let mut tries = 0..TRIES;
    loop {
        tries.next();
        let place = folder.make_place(&path)?;
        let before: Option<FileState> = place.read()?;
        let written = StagedFile::write(&place, before.as_ref(), content.as_bytes())
            .and_then(|staged| staged.commit(before.as_ref()));
        match written {
            // Somebody else has written it meanwhile.
            Err(Problem::Stale) if !tries.is_empty() => {}
            written => return Ok(written?),
        }
    }
}

fn find(folder: &Path, path: &Path) -> Result<(Folder, FilePath), TextFileError> {
    let text = path.to_str().ok_or(TextFileError::Outside)?;
    let opened = Folder::open(folder).map_err(Problem::Io)?;
    let path = opened.path_of(text)?;
    Ok((opened, path))
}
