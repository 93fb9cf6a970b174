//! The changes that operations make: to the files on the disk, or to files as earlier operations of
//! a list would leave them.

use std::collections::BTreeMap;

use bytes::Bytes;
use moorline_shared::limits::OPERATION_FILE_BYTES;
use moorline_shared::operation::{Operation, PlannedOperation};
use rustix::fs::Mode;

use super::beneath::{FilePath, FileState, Folder};
use super::edits;
use super::problem::Problem;

/// The most bytes of files that operations of one list may change before they are executed.
const PRETENDED_BYTES: usize = 64 * 1024 * 1024;

/// The files that operations change, as earlier ones would leave them.
#[derive(Debug)]
pub(super) struct PlannedFiles<'a> {
    folder: &'a Folder,
    /// Files as operations would have left them; `None` for one that would be gone.
    pretended: BTreeMap<FilePath, Option<FileState>>,
    /// The bytes that `pretended` may still take.
    room: usize,
}

/// A change of one file.
#[derive(Debug)]
pub(crate) enum FileChange {
    Write { path: FilePath, before: Option<FileState>, after: Bytes },
    Rename { path: FilePath, to: FilePath, before: FileState },
    Delete { path: FilePath, before: FileState },
}

/// The file of an operation, and the change that the operation would make.
#[derive(Debug)]
pub(super) struct FoundChange {
    /// The operation, with paths relative to the folder.
    pub(super) operation: Operation,
    /// The file that it changes; `None` if nothing is there.
    pub(super) current: Option<FileState>,
    pub(super) change: Result<FileChange, Problem>,
}

impl<'a> PlannedFiles<'a> {
    /// Returns the files on the disk.
    pub(super) const fn new(folder: &'a Folder) -> Self {
        Self { folder, pretended: BTreeMap::new(), room: PRETENDED_BYTES }
    }

    /// Finds the file of an operation, and what would change.
    ///
    /// # Errors
    /// [`Problem`] if the path is invalid, or the file cannot be read.
    pub(super) fn find(&self, operation: &Operation) -> Result<FoundChange, Problem> {
        let path = self.folder.path_of(operation.path().ok_or(Problem::NotRun)?)?;
        let to = operation.to().map(|to| self.folder.path_of(to)).transpose()?;
        let current = self.read(&path)?;
        let change = self.change(operation, &path, to.as_ref(), current.clone());
        let to = to.map(|to| to.to_string());
        let operation = with_paths(operation, path.to_string(), to);
        Ok(FoundChange { operation, current, change })
    }

    /// Returns the change of an operation, if its file is as the preview showed it.
    ///
    /// # Errors
    /// [`Problem::Stale`] if it is not, or the [`Problem`] of the change.
    pub(super) fn checked(&self, planned: &PlannedOperation) -> Result<FileChange, Problem> {
        let found = self.find(&planned.operation)?;
        let is_same = found.current.as_ref().map(FileState::hash) == planned.before;
        if is_same { found.change } else { Err(Problem::Stale) }
    }

    /// Pretends that a change was made.
    ///
    /// # Errors
    /// [`Problem::TooLarge`] if all changes together are.
    pub(super) fn pretend(&mut self, change: &FileChange) -> Result<(), Problem> {
        match change {
            FileChange::Write { path, before, after } => {
                self.room = self.room.checked_sub(after.len()).ok_or(Problem::TooLarge)?;
                let mode = before.as_ref().map_or(Mode::empty(), |before| before.mode);
                let file = FileState { content: after.clone(), mode };
                self.pretended.insert(path.clone(), Some(file));
            }
            FileChange::Rename { path, to, before } => {
                self.room = self.room.checked_sub(before.content.len()).ok_or(Problem::TooLarge)?;
                self.pretended.insert(path.clone(), None);
                self.pretended.insert(to.clone(), Some(before.clone()));
            }
            FileChange::Delete { path, .. } => {
                self.pretended.insert(path.clone(), None);
            }
        }
        Ok(())
    }

    fn read(&self, path: &FilePath) -> Result<Option<FileState>, Problem> {
        match self.pretended.get(path) {
            Some(file) => Ok(file.clone()),
            None => self.folder.read(path),
        }
    }

    fn change(
        &self,
        operation: &Operation,
        path: &FilePath,
        to: Option<&FilePath>,
        current: Option<FileState>,
    ) -> Result<FileChange, Problem> {
        let path = path.clone();
        match operation {
            Operation::Write { content, .. } => {
                let after = bounded(content.clone())?;
                Ok(FileChange::Write { path, before: current, after })
            }
            Operation::Patch { edits, .. } => {
                let creates = edits.iter().all(|edit| edit.search.is_empty());
                let text = match &current {
                    Some(file) => file.text()?,
                    None if creates => "",
                    None => return Err(Problem::NotFound),
                };
                let after = bounded(edits::apply(text, edits)?)?;
                Ok(FileChange::Write { path, before: current, after })
            }
            Operation::Rename { .. } => {
                let before = current.ok_or(Problem::NotFound)?;
                let to = to.ok_or(Problem::OutsideFolder)?.clone();
                match self.read(&to) {
                    Ok(None) => Ok(FileChange::Rename { path, to, before }),
                    Ok(Some(_)) | Err(Problem::TooLarge | Problem::IsDirectory) => {
                        Err(Problem::Exists)
                    }
                    Err(problem) => Err(problem),
                }
            }
            Operation::Delete { .. } => {
                let before = current.ok_or(Problem::NotFound)?;
                Ok(FileChange::Delete { path, before })
            }
            Operation::Run { .. } => Err(Problem::NotRun),
        }
    }
}

fn bounded(text: String) -> Result<Bytes, Problem> {
    if text.len() > OPERATION_FILE_BYTES { Err(Problem::TooLarge) } else { Ok(text.into()) }
}

/// Returns an operation with other texts for its paths.
fn with_paths(operation: &Operation, path: String, to: Option<String>) -> Operation {
    match operation.clone() {
        Operation::Write { content, .. } => Operation::Write { path, content },
        Operation::Patch { edits, .. } => Operation::Patch { path, edits },
        Operation::Rename { to: given, .. } => Operation::Rename { path, to: to.unwrap_or(given) },
        Operation::Delete { .. } => Operation::Delete { path },
        run @ Operation::Run { .. } => run,
    }
}
