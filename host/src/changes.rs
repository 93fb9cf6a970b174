//! Changes: the differences that an agent's turns leave in the files of its session.
//!
//! Agents write files in their own processes, by tools and by commands, and report some of it. So
//! the host compares: before a turn's prompt reaches the agent, it looks at all files of the
//! session's folders, and again at the turn's end. Whatever is different then is a change of the
//! turn. (Somebody else may have made it meanwhile; nothing could tell.) What is different at the
//! beginning of a turn was done by others, and belongs to the base: the files as they were before
//! the agent changed them. Their contents are stored, because nobody else has them any more once
//! the agent has written. Files that git ignores are not watched.
//!
//! A look costs a `stat` for each file, and reads those whose stamp has changed. It takes no lock of
//! the session, and a turn waits for it only for a bounded time. Nothing is written into the
//! session's folders but what is reverted, with the same precondition as an operation.

mod comparison;
mod error;
mod hunks;
mod listing;
mod sight;
mod tables;
#[cfg(test)]
mod tests;
mod tracker;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_shared::change::{ChangesAnswer, ChangesQuestion};
use moorline_shared::event::AgentChanges;
use moorline_shared::failure::HostFailure;
use moorline_shared::id::{SessionId, TurnId};

pub(crate) use error::ChangesError;
use tracker::ChangeTracker;

/// The name of the folder in which a host stores the changes of its sessions.
pub(crate) const CHANGES: &str = "changes";
/// The end of the name of a session's file.
const EXTENSION: &str = "db";

/// The changes of a session. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct SessionChanges(Arc<Mutex<ChangeTracker>>);

impl SessionChanges {
    /// Creates the changes of a session that works in these folders, the first of which is its own.
    /// They are stored in `place`, in which those of an earlier host may be, or else end with this
    /// process. `host` is the host's own folder, which is not watched.
    pub(crate) fn new(
        id: &SessionId,
        folders: Vec<PathBuf>,
        place: Option<&Path>,
        host: Option<PathBuf>,
    ) -> Self {
        let file = place.map(|place| place.join(format!("{id}.{EXTENSION}"))).unwrap_or_default();
        Self(Arc::new(Mutex::new(ChangeTracker::new(file, folders, host))))
    }

    fn tracker(&self) -> MutexGuard<'_, ChangeTracker> {
        // A transaction that a panic interrupts is rolled back.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the turn that runs, if it is another one, and begins this one. Returns what has changed
    /// if a turn was ended. Blocks.
    ///
    /// # Errors
    /// [`ChangesError`]; then the turns are as before.
    pub(crate) fn reach(
        &self,
        turn: Option<&TurnId>,
    ) -> Result<Option<AgentChanges>, ChangesError> {
        self.tracker().reach(turn)
    }

    /// Records that an agent could begin before its files were known. Blocks.
    pub(crate) fn be_late(&self) {
        if let Err(error) = self.tracker().be_late() {
            tracing::debug!(%error, "it is not recorded that changes may be missing");
        }
    }

    /// Answers a relay's question, and returns what has changed, if anything was kept or reverted.
    /// Blocks.
    pub(crate) fn answer(
        &self,
        question: ChangesQuestion,
    ) -> (ChangesAnswer, Option<AgentChanges>) {
        self.tracker().answer(question).unwrap_or_else(|error| {
            if error.code() == "internal" {
                tracing::error!(%error, "a question about changes cannot be answered");
            }
            (HostFailure::new(error.code(), error.to_string()).into(), None)
        })
    }

    /// Forgets everything: the session is over. Blocks.
    pub(crate) fn remove(&self) {
        self.tracker().remove();
    }
}

/// Removes what is stored of sessions that are not in `kept`. Blocks.
pub(crate) fn sweep(place: &Path, kept: &BTreeSet<SessionId>) {
    let Ok(entries) = place.read_dir() else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.split('.').next()?.parse().ok());
        if id.is_some_and(|id: SessionId| !kept.contains(&id))
            && let Err(error) = std::fs::remove_file(entry.path())
        {
            tracing::warn!(%error, "the files of a session that is over stay");
        }
    }
}
