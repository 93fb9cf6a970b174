//! Operations: previews and executes the changes of files that an agent's text contains.
//!
//! A preview finds them with [`find`] and computes what each would change. An execution does those
//! whose file is still as it was previewed. Every file is reached from a descriptor of the session's
//! folder, one part of its path at a time and without following symbolic links, so that no path
//! leads out of the folder, whatever changes meanwhile. (`openat2` would need a second way for
//! systems without it, and would gain only links within the folder.) A file is replaced by a rename,
//! so that it is the old one or the new one at any time.
//!
//! These functions access the file system and so may block: call them where blocking is allowed.

mod atomic;
mod beneath;
mod changes;
mod diff;
mod edits;
mod problem;
#[cfg(test)]
mod tests;
mod text;

use std::path::Path;

use moorline_shared::failure::HostFailure;
use moorline_shared::limits::{OPERATIONS, OPERATIONS_DIFF_BYTES};
use moorline_shared::operation::{
    Operation, OperationPreview, OperationResult, OperationsAnswer, OperationsQuestion,
    PlannedOperation, find,
};

pub(crate) use atomic::{apply, create};
pub(crate) use beneath::{FilePath, FileState, Folder};
pub(crate) use changes::FileChange;
use changes::PlannedFiles;
pub(crate) use problem::Problem;
pub(crate) use text::{TextFileError, read_text, write_text};

/// Answers a relay's question about operations in a folder. Blocks.
#[must_use]
pub fn answer(folder: &Path, question: OperationsQuestion) -> OperationsAnswer {
    let folder = match Folder::open(folder) {
        Ok(folder) => folder,
        Err(error) => {
            let message = format!("The session's folder cannot be opened: {error}.");
            return HostFailure::new("no_folder", message).into();
        }
    };
    match question {
        OperationsQuestion::Preview { text } => {
            let mut operations = find(&text);
            let omitted = operations.len().saturating_sub(OPERATIONS);
            operations.truncate(OPERATIONS);
            OperationsAnswer::Previewed { operations: preview(&folder, operations), omitted }
        }
        OperationsQuestion::Execute { operations, all_or_nothing } => {
            OperationsAnswer::Executed { results: execute(&folder, &operations, all_or_nothing) }
        }
    }
}

/// Computes what operations would change if they were executed in their order.
fn preview(folder: &Folder, operations: Vec<Operation>) -> Vec<OperationPreview> {
    let mut files = PlannedFiles::new(folder);
    let mut room = OPERATIONS_DIFF_BYTES;
    let previews = operations.into_iter().map(|operation| {
        let preview = preview_of(&mut files, operation, room);
        room = room.saturating_sub(preview.diff.len());
        preview
    });
    previews.collect()
}

/// Previews one operation, with a diff of at most `room` bytes.
fn preview_of(files: &mut PlannedFiles<'_>, operation: Operation, room: usize) -> OperationPreview {
    let mut preview = OperationPreview {
        operation,
        before: None,
        diff: String::new(),
        diff_cut: false,
        binary: false,
        too_large: false,
        code: None,
        message: None,
    };
    let change = files.find(&preview.operation).and_then(|found| {
        preview.operation = found.operation;
        preview.before = found.current.as_ref().map(FileState::hash);
        preview.binary = found.current.as_ref().is_some_and(|file| file.text().is_err());
        found.change
    });
    match change.and_then(|change| files.pretend(&change).map(|()| change)) {
        Ok(change) => {
            let diff = diff::of(&change, room);
            (preview.diff, preview.diff_cut) = (diff.text, diff.is_cut);
        }
        // A command changes no file.
        Err(Problem::NotRun) => {}
        Err(problem) => {
            preview.too_large = matches!(problem, Problem::TooLarge);
            preview.code = Some(problem.code().to_owned());
            preview.message = Some(problem.to_string());
        }
    }
    preview
}

/// Executes operations in their order, and returns their results.
fn execute(
    folder: &Folder,
    operations: &[PlannedOperation],
    all_or_nothing: bool,
) -> Vec<OperationResult> {
    if operations.len() > OPERATIONS {
        return results(operations, |_| Err(Problem::TooLarge));
    }
    if all_or_nothing {
        let mut pretended = PlannedFiles::new(folder);
        let check = |planned: &PlannedOperation| {
            pretended.checked(planned).and_then(|change| pretended.pretend(&change))
        };
        let mut checked: Vec<Result<(), Problem>> = operations.iter().map(check).collect();
        if checked.iter().any(|checked| !matches!(checked, Ok(()) | Err(Problem::NotRun))) {
            let mut checked = checked.drain(..);
            return results(operations, |_| {
                checked.next().unwrap_or(Ok(())).and(Err(Problem::Skipped))
            });
        }
    }
    let mut has_failed = false;
    results(operations, |planned| {
        if all_or_nothing && has_failed {
            return Err(Problem::Skipped);
        }
        // Each is read from the disk anew, after the one before.
        let done = PlannedFiles::new(folder)
            .checked(planned)
            .and_then(|change| atomic::apply(folder, &change));
        has_failed |= !matches!(done, Ok(()) | Err(Problem::NotRun));
        done
    })
}

fn results(
    operations: &[PlannedOperation],
    mut execute: impl FnMut(&PlannedOperation) -> Result<(), Problem>,
) -> Vec<OperationResult> {
    let result = |planned: &PlannedOperation| match execute(planned) {
        Ok(()) => OperationResult::done(&planned.operation),
        Err(problem) => {
            if let Problem::Io(error) = &problem {
                tracing::warn!(%error, "an operation failed");
            }
            OperationResult::failed(&planned.operation, problem.code(), problem.to_string())
        }
    };
    operations.iter().map(result).collect()
}
