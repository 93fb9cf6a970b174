//! Changes of files.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use moorline_shared::limits::{
    WORKSPACE_FILE_BYTES, WORKSPACE_FILE_TOO_LARGE, WORKSPACE_FILES, WORKSPACE_TOMBSTONES,
};
use moorline_shared::rest::WorkspaceFile;
use moorline_shared::workspace::wire::{PathChange, PathChangeResult, codes};
use moorline_shared::workspace::{ContentHash, EntryKind, FileEntry, WorkspacePath};

use super::key::key;
use super::sql::SqlRow;
use super::statements::{
    ANY_IN, OLD_TOMBSTONE, PATH_OF_KEY, PUT_FILE, TOMBSTONES, TRIM_TOMBSTONES,
};
use super::{Result, State, StoredFile, WorkspaceFiles};

/// The permission bits of directories that come into being with what is put in them.
const DIRECTORY_MODE: u32 = 0o755;

/// Changes that are made one after the other. Nothing is complete before [`ChangeBatch::finish`].
pub(super) struct ChangeBatch<'a> {
    workspace: WorkspaceFiles<'a>,
    state: State,
    /// The totals as they are stored.
    stored: State,
    /// The chunks of contents that the batch may need after their last file was deleted.
    known: BTreeMap<(ContentHash, u64), Vec<u8>>,
    /// Chunks that one file less uses.
    left: BTreeSet<Vec<u8>>,
    deleted: bool,
}

/// The reason why a change is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChangeRefusal {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) present: Option<Box<WorkspaceFile>>,
}

impl ChangeRefusal {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), present: None }
    }

    pub(super) fn stale(path: &WorkspacePath, present: Option<WorkspaceFile>) -> Self {
        let what = if present.is_some() { "has changed" } else { "is not there any more" };
        let message = format!("`{path}` {what} since it was read: read it again.");
        Self { code: codes::STALE, message, present: present.map(Box::new) }
    }
}

/// A change that was made or refused. The outer error is that of the database.
type ChangeOutcome = Result<std::result::Result<u64, ChangeRefusal>>;

impl<'a> ChangeBatch<'a> {
    pub(super) fn begin(workspace: WorkspaceFiles<'a>) -> Result<Self> {
        let state = workspace.state()?;
        let (known, left) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self { workspace, stored: state.clone(), state, known, left, deleted: false })
    }

    /// Returns the revision after the changes so far.
    pub(super) fn revision(&self) -> u64 {
        self.state.revision
    }

    /// Makes the changes, each or none of it, and returns their results.
    pub(super) fn apply(&mut self, changes: &[PathChange]) -> Result<Vec<PathChangeResult>> {
        self.remember(changes)?;
        let results = changes.iter().map(|change| {
            Ok(match self.change(change)? {
                Ok(revision) => PathChangeResult::Done { revision },
                Err(ChangeRefusal { code, message, present }) => {
                    PathChangeResult::Refused { code: code.to_owned(), message, present }
                }
            })
        });
        results.collect()
    }

    /// Looks up contents that changes do not bring, before a change may remove them.
    pub(super) fn remember(&mut self, changes: &[PathChange]) -> Result<()> {
        for change in changes.iter().filter(|change| change.content.is_none()) {
            if let Some(hash) = change.to.and_then(|to| to.hash())
                && let Some((chunks, size)) = self.workspace.chunks_of(&hash)?
            {
                // A caller may say any size.
                self.known.insert((hash, size as u64), chunks);
            }
        }
        Ok(())
    }

    /// Makes a change.
    pub(super) fn change(&mut self, change: &PathChange) -> ChangeOutcome {
        let (path, base) = (&change.path, change.base);
        let to = change.to.map(|to| to.with_mode(to.mode()));
        let present = self.workspace.live(path)?;
        let entry = present.as_ref().and_then(|present| present.file.entry());
        if entry == to {
            // It was done before, by the same caller or by another.
            return Ok(Ok(present.map_or(self.state.revision, |present| present.file.revision)));
        }
        if present.as_ref().map(|present| present.file.revision) != base {
            return Ok(Err(ChangeRefusal::stale(path, present.map(|present| present.file))));
        }
        let loses_directory = entry.is_some_and(|entry| entry.is_directory())
            && !to.is_some_and(|to| to.is_directory());
        if loses_directory && self.has_any_in(path)? {
            let message = format!("`{path}` is a directory with something in it.");
            return Ok(Err(ChangeRefusal::new(codes::NOT_EMPTY, message)));
        }
        match to {
            None => self.delete(present).map(Ok),
            Some(to) => self.put(change, to, present.as_ref()),
        }
    }

    /// Deletes what is at a path.
    fn delete(&mut self, present: Option<StoredFile>) -> Result<u64> {
        let Some(StoredFile { file, chunks }) = present else { return Ok(self.state.revision) };
        self.leave(&chunks)?;
        self.state.bytes = self.state.bytes.saturating_sub(file.size);
        self.state.files = self.state.files.saturating_sub(1);
        self.state.is_full &= file.size == 0;
        self.deleted = true;
        self.write(&WorkspaceFile { deleted: true, conflict_of: None, ..file }, &[])
    }

    fn put(
        &mut self,
        change: &PathChange,
        to: FileEntry,
        present: Option<&StoredFile>,
    ) -> ChangeOutcome {
        let path = &change.path;
        if let Some(refusal) = self.check_place(path)? {
            return Ok(Err(refusal));
        }
        let was = present.map_or(0, |present| present.file.size);
        if let Some(refusal) = self.check_room(path, to.size(), was, present.is_none()) {
            return Ok(Err(refusal));
        }
        let Some(chunks) = self.take_content(&to, change.content.as_ref(), present)? else {
            let message = format!("The workspace does not have the content of `{path}`: send it.");
            return Ok(Err(ChangeRefusal::new(codes::CONTENT_MISSING, message)));
        };
        self.make_parents(path)?;
        if let Some(present) = present {
            self.leave(&present.chunks)?;
        } else {
            self.state.files += 1;
        }
        self.state.bytes = (self.state.bytes + to.size()).saturating_sub(was);
        self.state.is_full &= to.size() >= was;
        let file = WorkspaceFile {
            path: path.clone(),
            kind: to.kind(),
            mode: to.mode(),
            size: to.size(),
            hash: to.hash(),
            revision: 0,
            changed_at: 0,
            conflict_of: change.conflict_of.clone(),
            deleted: false,
        };
        self.write(&file, &chunks).map(Ok)
    }

    /// Checks that nothing is in the way of a path.
    fn check_place(&self, path: &WorkspacePath) -> Result<Option<ChangeRefusal>> {
        for place in path.ancestors().chain([path.clone()]) {
            let key = self.key(&place);
            let values = [self.workspace.id.as_str().into(), (&*key).into()];
            let rows = self.workspace.sql.rows(PATH_OF_KEY, &values)?;
            let Some(row) = rows.into_iter().next() else { continue };
            let other: WorkspacePath = SqlRow::new(row).parsed()?;
            if other != place {
                let message = format!(
                    "`{place}` and `{other}`, which is there, would be one file on some systems."
                );
                return Ok(Some(ChangeRefusal::new(codes::PATH_COLLISION, message)));
            }
            let is_file =
                |stored: StoredFile| stored.file.entry().is_some_and(|it| !it.is_directory());
            if place != *path && self.workspace.live(&place)?.is_some_and(is_file) {
                let message = format!("`{place}` is a file, so that nothing can be in it.");
                return Ok(Some(ChangeRefusal::new(codes::PATH_COLLISION, message)));
            }
        }
        Ok(None)
    }

    fn check_room(
        &mut self,
        path: &WorkspacePath,
        size: u64,
        was: u64,
        is_new: bool,
    ) -> Option<ChangeRefusal> {
        if size > WORKSPACE_FILE_BYTES as u64 {
            return Some(ChangeRefusal::new(codes::FILE_TOO_LARGE, WORKSPACE_FILE_TOO_LARGE));
        }
        let limit = self.workspace.limit_bytes;
        if size > was && self.state.bytes.saturating_sub(was) + size > limit {
            self.state.is_full = true;
            let most = limit / 1024 / 1024;
            let message = format!(
                "The workspace has no room for `{path}`: all files have at most {most} MiB together."
            );
            return Some(ChangeRefusal::new(codes::WORKSPACE_FULL, message));
        }
        // Directories above it may come with it.
        let more = 1 + path.ancestors().count() as u64;
        if is_new && self.state.files + more > WORKSPACE_FILES as u64 {
            self.state.is_full = true;
            let message = format!("A workspace has at most {WORKSPACE_FILES} files.");
            return Some(ChangeRefusal::new(codes::WORKSPACE_FULL, message));
        }
        None
    }

    /// Uses the chunks of what is to be put. Returns `None` if the workspace does not have them.
    fn take_content(
        &mut self,
        to: &FileEntry,
        content: Option<&Bytes>,
        present: Option<&StoredFile>,
    ) -> Result<Option<Vec<u8>>> {
        let Some(hash) = to.hash() else { return Ok(Some(Vec::new())) };
        if let Some(content) = content {
            return self.workspace.put_content(content, &hash).map(Some);
        }
        let is_same = |file: &WorkspaceFile| file.hash == Some(hash) && file.size == to.size();
        let present = present.filter(|present| is_same(&present.file));
        let chunks = match present.map(|present| present.chunks.clone()) {
            Some(chunks) => Some(chunks),
            None if hash == ContentHash::of(&[]) && to.size() == 0 => Some(Vec::new()),
            None => self.known.get(&(hash, to.size())).cloned(),
        };
        if let Some(chunks) = &chunks {
            self.workspace.use_content(chunks)?;
        }
        Ok(chunks)
    }

    fn make_parents(&mut self, path: &WorkspacePath) -> Result<()> {
        let mut missing = Vec::new();
        for parent in path.ancestors() {
            if self.workspace.live(&parent)?.is_some() {
                break;
            }
            missing.push(parent);
        }
        for path in missing.into_iter().rev() {
            let file = WorkspaceFile {
                path,
                kind: EntryKind::Directory,
                mode: DIRECTORY_MODE,
                size: 0,
                hash: None,
                revision: 0,
                changed_at: 0,
                conflict_of: None,
                deleted: false,
            };
            self.state.files += 1;
            self.write(&file, &[])?;
        }
        Ok(())
    }

    /// Writes a path's row with the next revision, which it returns.
    fn write(&mut self, file: &WorkspaceFile, chunks: &[u8]) -> Result<u64> {
        self.state.revision += 1;
        let key = (!file.deleted).then(|| self.key(&file.path));
        let hash = file.hash.as_ref().map(|hash| &hash.as_bytes()[..]);
        let conflict_of = file.conflict_of.as_ref().map(WorkspacePath::as_str);
        let values = [
            self.workspace.id.as_str().into(),
            file.path.as_str().into(),
            key.as_deref().into(),
            u64::from(file.kind == EntryKind::Directory).into(),
            u64::from(file.mode).into(),
            file.size.into(),
            hash.into(),
            chunks.into(),
            self.state.revision.into(),
            self.workspace.now_ms.into(),
            conflict_of.into(),
        ];
        self.workspace.sql.run(PUT_FILE, &values)?;
        Ok(self.state.revision)
    }

    fn key(&self, path: &WorkspacePath) -> String {
        key(path, |text| self.workspace.sql.decompose(text))
    }

    fn leave(&mut self, chunks: &[u8]) -> Result<()> {
        self.left.insert(chunks.to_vec());
        self.workspace.leave_content(chunks)
    }

    fn has_any_in(&self, directory: &WorkspacePath) -> Result<bool> {
        let (from, to) = bounds(directory);
        let values = [self.workspace.id.as_str().into(), (&*from).into(), (&*to).into()];
        Ok(!self.workspace.sql.rows(ANY_IN, &values)?.is_empty())
    }

    /// Stores the totals, and removes chunks that nothing uses. Returns the revision.
    pub(super) fn finish(mut self) -> Result<u64> {
        for chunks in &self.left {
            self.workspace.drop_chunks(chunks)?;
        }
        if self.deleted {
            self.trim()?;
        }
        if self.state != self.stored {
            self.workspace.put_state(&self.state)?;
        }
        Ok(self.state.revision)
    }

    /// Forgets the oldest half of the deleted paths, if there are too many.
    fn trim(&mut self) -> Result<()> {
        let id = self.workspace.id.as_str();
        let number =
            |rows: Vec<_>| rows.into_iter().next().map_or(Ok(0), |row| SqlRow::new(row).number());
        let count = number(self.workspace.sql.rows(TOMBSTONES, &[id.into()])?)?;
        if count <= WORKSPACE_TOMBSTONES as u64 {
            return Ok(());
        }
        let last = (count / 2).into();
        let revision = number(self.workspace.sql.rows(OLD_TOMBSTONE, &[id.into(), last])?)?;
        self.workspace.sql.run(TRIM_TOMBSTONES, &[id.into(), revision.into()])?;
        self.state.trimmed = revision;
        Ok(())
    }
}

/// Returns the texts between which the paths in a directory are.
pub(super) fn bounds(directory: &WorkspacePath) -> (String, String) {
    // The character after `/`.
    (format!("{directory}/"), format!("{directory}0"))
}
