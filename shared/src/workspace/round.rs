//! One round of a sync: a plan that is carried out step by step.

mod pulls;
mod pushes;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::plan::{FolderState, RelayState, SyncAction, plan};
use super::wire::{WorkspaceAnswer, WorkspaceRequest};
use super::{Base, FileEntry, WorkspacePath};
use crate::failure::HostFailure;
use pulls::Pulls;
use pushes::Pushes;

/// What the owner of a [`SyncRound`] does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoundStep {
    /// Ask the workspace, and call [`SyncRound::answered`].
    Ask(WorkspaceRequest),
    /// Do this in the folder, and call [`SyncRound::did`].
    Folder(FolderStep),
    /// Nothing: the round is over.
    Done,
}

/// A step in the folder.
///
/// A step names what it expects at the path, as the folder's state has it. If something else is there,
/// the step is not done. What it writes is complete and durable, or not there at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderStep {
    /// Read a file.
    Read {
        /// The path.
        path: WorkspacePath,
        /// The file that is there.
        expect: FileEntry,
    },
    /// Write a file, in place of what is there: a file, an empty directory or nothing. The directory
    /// that it is in exists.
    Write {
        /// The path.
        path: WorkspacePath,
        /// What is there.
        expect: Option<FileEntry>,
        /// The file.
        to: FileEntry,
        /// Its content.
        content: Bytes,
    },
    /// Set the permission bits of a file or directory.
    SetMode {
        /// The path.
        path: WorkspacePath,
        /// What is there.
        expect: FileEntry,
        /// The permission bits.
        mode: u32,
    },
    /// Make a directory, in place of what is there: a file or nothing.
    MakeDirectory {
        /// The path.
        path: WorkspacePath,
        /// What is there.
        expect: Option<FileEntry>,
        /// The permission bits.
        mode: u32,
    },
    /// Remove a file or an empty directory.
    Remove {
        /// The path.
        path: WorkspacePath,
        /// What is there.
        expect: FileEntry,
    },
    /// Rename a file or directory, whatever is in it, to a path at which nothing is.
    MoveAside {
        /// The path.
        path: WorkspacePath,
        /// The new path.
        to: WorkspacePath,
    },
}

/// The result of a [`FolderStep`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderStepResult {
    /// It is done.
    Done,
    /// It is done: the content of the file.
    Content(Bytes),
    /// Something else is there than the step expects. The next round plans anew.
    Changed,
    /// It cannot be done, for this reason.
    Failed(HostFailure),
}

/// A change that the workspace does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The path.
    pub path: WorkspacePath,
    /// What the folder has there.
    pub entry: Option<FileEntry>,
    /// The code: see [`super::wire::codes`].
    pub code: String,
    /// The reason, for people.
    pub message: String,
}

/// What a round has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoundReport {
    /// The number of changes of the workspace.
    pub pushed: usize,
    /// The number of changes of the folder.
    pub pulled: usize,
    /// The files that were moved aside, each with its new path.
    pub conflicts: Vec<(WorkspacePath, WorkspacePath)>,
    /// The changes that the workspace does not take.
    pub refused: Vec<Refused>,
    /// The changes that cannot be made in the folder, each with the reason.
    pub failed: Vec<(WorkspacePath, HostFailure)>,
    /// True if another round has more to do at once.
    pub again: bool,
}

impl RoundReport {
    /// Returns what was not possible: each path with the reason.
    pub fn problems(&self) -> impl Iterator<Item = (String, HostFailure)> {
        let refused = self.refused.iter();
        let refused =
            refused.map(|it| (it.path.to_string(), HostFailure::new(&it.code, it.message.clone())));
        refused.chain(self.failed.iter().map(|(path, why)| (path.to_string(), why.clone())))
    }
}

/// One round of a sync: compares, and carries out what is to be done.
///
/// The owner does what [`SyncRound::poll_step`] says and reports the result, until it says [`RoundStep::Done`]. It
/// may stop at any time, as when the relay goes away: [`SyncRound::finish`] returns what both sides are
/// known to have in common by then. A step that was done and not reported is found to be done by the
/// next round.
#[derive(Debug)]
pub struct SyncRound {
    base: Base,
    relay: RelayState,
    report: RoundReport,
    moves: VecDeque<(WorkspacePath, WorkspacePath)>,
    moving: Option<(WorkspacePath, WorkspacePath)>,
    pushes: Pushes,
    pulls: Pulls,
}

impl SyncRound {
    /// Begins a round. `is_skipped` says which changes of the folder are not to be pushed now, because
    /// the workspace has refused them.
    #[must_use]
    pub fn begin(
        mut base: Base,
        folder: &FolderState,
        relay: RelayState,
        host: &str,
        is_skipped: impl Fn(&WorkspacePath, Option<&FileEntry>) -> bool,
    ) -> Self {
        let planned = plan(&base, folder, &relay, host);
        for (path, agreed) in planned.agreed {
            match agreed {
                Some(agreed) => drop(base.entries.insert(path, agreed)),
                None => drop(base.entries.remove(&path)),
            }
        }
        base.conflicts.retain(|path, _| folder.entries.contains_key(path));
        let (mut moves, mut pushes, mut pulls) = (VecDeque::new(), Vec::new(), Vec::new());
        for action in planned.actions {
            match action {
                SyncAction::MoveAside { path, to } => moves.push_back((path, to)),
                SyncAction::Push { path, base, to } => {
                    if !is_skipped(&path, to.as_ref()) {
                        pushes.push(pushes::PlannedPush { path, base, to });
                    }
                }
                SyncAction::Pull { path, local, to, base } => {
                    pulls.push(pulls::PlannedPull { path, local, to, base });
                }
            }
        }
        // A directory that is moved aside takes with it what is in it.
        let outer: Vec<WorkspacePath> = moves.iter().map(|(path, _)| path.clone()).collect();
        moves.retain(|(path, _)| !outer.iter().any(|outer| path.is_in(outer)));
        let pushes = Pushes::new(pushes, &relay);
        let pulls = Pulls::new(pulls, folder);
        let report = RoundReport { again: !moves.is_empty(), ..RoundReport::default() };
        Self { base, relay, report, moves, moving: None, pushes, pulls }
    }

    /// Returns the next step. A call before the result of the last one was reported repeats it.
    pub fn poll_step(&mut self) -> RoundStep {
        if self.moving.is_none() {
            self.moving = self.moves.pop_front();
        }
        if let Some((path, to)) = self.moving.clone() {
            return RoundStep::Folder(FolderStep::MoveAside { path, to });
        }
        if let Some(step) = self.pushes.next(&self.base) {
            return step;
        }
        self.pulls.next().unwrap_or(RoundStep::Done)
    }

    /// Takes in the result of a step in the folder.
    pub fn did(&mut self, result: FolderStepResult) {
        if let Some((path, to)) = self.moving.take() {
            self.moved(path, to, result);
        } else if self.pushes.is_waiting() {
            self.pushes.read(result, &self.base, &mut self.report);
        } else {
            self.pulls.did(result, &mut self.base, &mut self.report);
        }
    }

    fn moved(&mut self, path: WorkspacePath, to: WorkspacePath, result: FolderStepResult) {
        match result {
            FolderStepResult::Done | FolderStepResult::Content(_) => {
                self.base.conflicts.insert(to.clone(), path.clone());
                self.report.conflicts.push((path, to));
            }
            FolderStepResult::Changed => {}
            FolderStepResult::Failed(why) => {
                self.report.again = false;
                self.report.failed.push((path, why));
            }
        }
    }

    /// Takes in an answer of the workspace.
    pub fn answered(&mut self, answer: WorkspaceAnswer) {
        match answer {
            WorkspaceAnswer::Applied { results } => {
                self.pushes.applied(results, &mut self.base, &mut self.relay, &mut self.report);
            }
            WorkspaceAnswer::Contents { contents } => {
                self.pulls.received(contents, &mut self.report);
            }
            // Nobody has asked.
            WorkspaceAnswer::Tree { .. } => {}
        }
    }

    /// Ends the round. Returns the new base, the workspace as far as it is known, and what was done.
    #[must_use]
    pub fn finish(self) -> (Base, RelayState, RoundReport) {
        (self.base, self.relay, self.report)
    }
}

/// Returns where each content of a folder is.
fn sources(folder: &FolderState) -> BTreeMap<super::ContentHash, (WorkspacePath, FileEntry)> {
    let files = folder.entries.iter();
    let files = files.filter_map(|(path, entry)| Some((entry.hash()?, (path.clone(), *entry))));
    files.collect()
}
