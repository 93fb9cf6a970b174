//! Changes of the folder on their way to the workspace.

use std::collections::{BTreeSet, VecDeque};

use super::{FolderStep, FolderStepResult, Refused, RoundReport, RoundStep};
use crate::limits::{WORKSPACE_CHANGES, WORKSPACE_CONTENTS_BYTES};
use crate::workspace::plan::RelayState;
use crate::workspace::wire::{PathChange, PathChangeResult, WorkspaceRequest, codes};
use crate::workspace::{Base, BaseEntry, ContentHash, FileEntry, WorkspacePath};

/// A change of the workspace.
#[derive(Debug, Clone)]
pub(super) struct PlannedPush {
    pub(super) path: WorkspacePath,
    pub(super) base: Option<u64>,
    pub(super) to: Option<FileEntry>,
}

/// The changes of the workspace that a round makes.
#[derive(Debug)]
pub(super) struct Pushes {
    /// Deletions first, innermost first; then the others, outermost first.
    queue: VecDeque<PlannedPush>,
    /// Contents that the workspace has, as far as is known.
    known: BTreeSet<ContentHash>,
    /// The change whose content is being read.
    reading: Option<PlannedPush>,
    batch: Vec<PathChange>,
    batch_bytes: usize,
    /// True if the batch is on its way.
    is_sent: bool,
}

impl Pushes {
    pub(super) fn new(pushes: Vec<PlannedPush>, relay: &RelayState) -> Self {
        let (deletions, puts): (Vec<_>, Vec<_>) =
            pushes.into_iter().partition(|push| push.to.is_none());
        let known = relay.values().filter_map(|relay| relay.entry.hash()).collect();
        Self {
            queue: deletions.into_iter().rev().chain(puts).collect(),
            known,
            reading: None,
            batch: Vec::new(),
            batch_bytes: 0,
            is_sent: false,
        }
    }

    /// Returns true if a content is being read.
    pub(super) const fn is_waiting(&self) -> bool {
        self.reading.is_some()
    }

    pub(super) fn next(&mut self, base: &Base) -> Option<RoundStep> {
        if self.is_sent {
            return Some(self.request());
        }
        loop {
            if let Some(PlannedPush { path, to: Some(expect), .. }) = self.reading.clone() {
                return Some(RoundStep::Folder(FolderStep::Read { path, expect }));
            }
            if self.batch.len() >= WORKSPACE_CHANGES
                || !self.queue.front().is_some_and(|push| self.has_room(push))
            {
                break;
            }
            let Some(push) = self.queue.pop_front() else { break };
            if self.needs_content(&push) {
                self.reading = Some(push);
            } else {
                self.add(push, None, base);
            }
        }
        if self.batch.is_empty() {
            return None;
        }
        self.is_sent = true;
        Some(self.request())
    }

    fn request(&self) -> RoundStep {
        RoundStep::Ask(WorkspaceRequest::Apply { changes: self.batch.clone() })
    }

    fn needs_content(&self, push: &PlannedPush) -> bool {
        let hash = push.to.and_then(|to| to.hash());
        hash.is_some_and(|hash| !self.known.contains(&hash))
            && push.to.is_some_and(|to| to.size() > 0)
    }

    fn has_room(&self, push: &PlannedPush) -> bool {
        if !self.needs_content(push) {
            return true;
        }
        let size = usize::try_from(push.to.map_or(0, |to| to.size())).unwrap_or(usize::MAX);
        self.batch.is_empty() || self.batch_bytes.saturating_add(size) <= WORKSPACE_CONTENTS_BYTES
    }

    fn add(&mut self, push: PlannedPush, content: Option<bytes::Bytes>, base: &Base) {
        self.batch_bytes += content.as_ref().map_or(0, bytes::Bytes::len);
        self.batch.push(PathChange {
            conflict_of: base.conflicts.get(&push.path).cloned(),
            path: push.path,
            base: push.base,
            to: push.to,
            content,
        });
    }

    /// Takes in the content that was read.
    pub(super) fn read(&mut self, result: FolderStepResult, base: &Base, report: &mut RoundReport) {
        let Some(push) = self.reading.take() else { return };
        match result {
            FolderStepResult::Content(content) => self.add(push, Some(content), base),
            FolderStepResult::Done | FolderStepResult::Changed => report.again = true,
            FolderStepResult::Failed(why) => report.failed.push((push.path, why)),
        }
    }

    /// Takes in the results of the batch.
    pub(super) fn applied(
        &mut self,
        results: Vec<PathChangeResult>,
        base: &mut Base,
        relay: &mut RelayState,
        report: &mut RoundReport,
    ) {
        self.is_sent = false;
        self.batch_bytes = 0;
        for (change, result) in std::mem::take(&mut self.batch).into_iter().zip(results) {
            match result {
                PathChangeResult::Done { revision } => {
                    report.pushed += 1;
                    self.known.extend(change.to.and_then(|to| to.hash()));
                    done(&change, revision, base, relay);
                }
                PathChangeResult::Refused { code, message, .. } => {
                    self.refused(change, code, message, report);
                }
            }
        }
    }

    fn refused(
        &mut self,
        change: PathChange,
        code: String,
        message: String,
        report: &mut RoundReport,
    ) {
        let PathChange { path, base, to, .. } = change;
        match &*code {
            // Somebody else was quicker.
            codes::STALE => report.again = true,
            codes::CONTENT_MISSING => {
                if let Some(hash) = to.and_then(|to| to.hash()) {
                    self.known.remove(&hash);
                }
                self.queue.push_back(PlannedPush { path, base, to });
            }
            _ => report.refused.push(Refused { path, entry: to, code, message }),
        }
    }
}

fn done(change: &PathChange, revision: u64, base: &mut Base, relay: &mut RelayState) {
    let path = change.path.clone();
    base.conflicts.remove(&path);
    match change.to {
        Some(entry) => {
            let put = BaseEntry { entry, revision };
            base.entries.insert(path.clone(), put);
            relay.insert(path, put);
        }
        None => {
            base.entries.remove(&path);
            relay.remove(&path);
        }
    }
}
