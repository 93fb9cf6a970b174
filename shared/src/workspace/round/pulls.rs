//! Changes of the workspace on their way to the folder.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::{FolderStep, FolderStepResult, RoundReport, RoundStep, sources};
use crate::limits::{WORKSPACE_CHANGES, WORKSPACE_CONTENTS_BYTES};
use crate::workspace::plan::FolderState;
use crate::workspace::wire::{SizedContent, WorkspaceRequest};
use crate::workspace::{Base, BaseEntry, ContentHash, FileEntry, WorkspacePath};

/// A change of the folder.
#[derive(Debug, Clone)]
pub(super) struct PlannedPull {
    pub(super) path: WorkspacePath,
    pub(super) local: Option<FileEntry>,
    pub(super) to: Option<FileEntry>,
    pub(super) base: Option<BaseEntry>,
}

/// The changes of the folder that a round makes.
#[derive(Debug)]
pub(super) struct Pulls {
    /// Deletions in directories that files replace, innermost first; then what is put, outermost
    /// first; then the other deletions, of which some may be the source of what was put.
    queue: VecDeque<PlannedPull>,
    /// Where the folder has which content.
    sources: BTreeMap<ContentHash, (WorkspacePath, FileEntry)>,
    contents: BTreeMap<ContentHash, Bytes>,
    asked: Vec<ContentHash>,
    /// The content that is being read from another file of the folder.
    copying: Option<ContentHash>,
}

impl Pulls {
    pub(super) fn new(pulls: Vec<PlannedPull>, folder: &FolderState) -> Self {
        let replaced: BTreeSet<WorkspacePath> = pulls
            .iter()
            .filter(|pull| pull.local.is_some_and(|local| local.is_directory()))
            .filter(|pull| pull.to.is_some_and(|to| !to.is_directory()))
            .map(|pull| pull.path.clone())
            .collect();
        let (deletions, puts): (Vec<_>, Vec<_>) =
            pulls.into_iter().partition(|pull| pull.to.is_none());
        let (first, last): (Vec<_>, Vec<_>) = deletions
            .into_iter()
            .rev()
            .partition(|pull| pull.path.ancestors().any(|parent| replaced.contains(&parent)));
        // Only what may be needed.
        let wanted: BTreeSet<_> = puts.iter().filter_map(|pull| pull.to?.hash()).collect();
        let mut sources = sources(folder);
        sources.retain(|hash, _| wanted.contains(hash));
        Self {
            queue: first.into_iter().chain(puts).chain(last).collect(),
            sources,
            contents: BTreeMap::new(),
            asked: Vec::new(),
            copying: None,
        }
    }

    pub(super) fn next(&mut self) -> Option<RoundStep> {
        if !self.asked.is_empty() {
            return Some(RoundStep::Ask(WorkspaceRequest::Contents { hashes: self.asked.clone() }));
        }
        let pull = self.queue.front()?;
        let path = pull.path.clone();
        let Some(to) = pull.to else {
            // Planned only where something is.
            let expect = pull.local?;
            return Some(RoundStep::Folder(FolderStep::Remove { path, expect }));
        };
        let mode = to.mode();
        if let Some(expect) = pull.local.filter(|local| local.has_content_of(&to)) {
            return Some(RoundStep::Folder(FolderStep::SetMode { path, expect, mode }));
        }
        let expect = pull.local;
        let Some(hash) = to.hash() else {
            return Some(RoundStep::Folder(FolderStep::MakeDirectory { path, expect, mode }));
        };
        if to.size() == 0 {
            self.contents.insert(hash, Bytes::new());
        }
        if let Some(content) = self.contents.get(&hash).cloned() {
            return Some(RoundStep::Folder(FolderStep::Write { path, expect, to, content }));
        }
        if let Some((path, expect)) = self.sources.get(&hash).cloned() {
            self.copying = Some(hash);
            return Some(RoundStep::Folder(FolderStep::Read { path, expect }));
        }
        self.ask();
        self.next()
    }

    /// Chooses the contents to ask for: those of the next files, as far as they fit into an answer.
    fn ask(&mut self) {
        self.contents.clear();
        let mut bytes = 0_usize;
        for pull in &self.queue {
            let Some(FileEntry::File { hash, size, .. }) = pull.to else { continue };
            let is_there = pull.local.is_some_and(|local| local.hash() == Some(hash));
            if is_there || self.asked.contains(&hash) || self.sources.contains_key(&hash) {
                continue;
            }
            bytes = bytes.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
            let is_enough =
                bytes > WORKSPACE_CONTENTS_BYTES || self.asked.len() >= WORKSPACE_CHANGES;
            if is_enough && !self.asked.is_empty() {
                break;
            }
            self.asked.push(hash);
        }
    }

    /// Takes in contents.
    pub(super) fn received(&mut self, contents: Vec<SizedContent>, report: &mut RoundReport) {
        let first = self.asked.first().copied();
        self.asked.clear();
        self.contents.extend(contents.into_iter().map(|sized| (sized.hash, sized.content)));
        if let Some(first) = first.filter(|first| !self.contents.contains_key(first)) {
            // The file has changed meanwhile: the next round knows how.
            report.again = true;
            self.queue.retain(|pull| pull.to.and_then(|to| to.hash()) != Some(first));
        }
    }

    /// Takes in the result of a step.
    pub(super) fn did(
        &mut self,
        result: FolderStepResult,
        base: &mut Base,
        report: &mut RoundReport,
    ) {
        if let Some(hash) = self.copying.take() {
            match result {
                FolderStepResult::Content(content) => drop(self.contents.insert(hash, content)),
                // The relay has it too.
                _ => drop(self.sources.remove(&hash)),
            }
            return;
        }
        let Some(pull) = self.queue.pop_front() else { return };
        if let Some(hash) = pull.to.and_then(|to| to.hash())
            && self.sources.contains_key(&hash)
        {
            // It can be read again, and there may be many.
            self.contents.remove(&hash);
        }
        match result {
            FolderStepResult::Done | FolderStepResult::Content(_) => {
                report.pulled += 1;
                match pull.base {
                    Some(both) => drop(base.entries.insert(pull.path, both)),
                    None => drop(base.entries.remove(&pull.path)),
                }
            }
            FolderStepResult::Changed => report.again = true,
            FolderStepResult::Failed(why) => {
                // Nothing can be put into it.
                let path = pull.path.clone();
                self.queue.retain(|other| other.to.is_none() || !other.path.is_in(&path));
                report.failed.push((pull.path, why));
            }
        }
    }
}
