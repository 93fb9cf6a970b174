//! Hears from the system what changes in a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_shared::workspace::WorkspacePath;
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use super::scan::{Dirty, Index};

/// What has changed and was not read yet.
#[derive(Debug, Default)]
pub(super) struct FolderChanges {
    dirty: Mutex<Dirty>,
    /// Notified when something has changed.
    pub(super) arrived: Notify,
}

impl FolderChanges {
    /// Takes what has changed.
    pub(super) fn take(&self) -> Dirty {
        std::mem::take(&mut *self.lock())
    }

    /// Adds what is to be read again.
    pub(super) fn add(&self, dirty: Dirty) {
        if !dirty.is_nothing() {
            self.lock().merge(dirty);
            self.arrived.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Dirty> {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches the directories of a folder, as far as they are synced.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    root: PathBuf,
    /// The directories that are watched, each with its inode.
    watched: BTreeMap<Option<WorkspacePath>, u64>,
    /// True if not everything is watched, so that the folder must be scanned often.
    is_blind: bool,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (watched, is_blind) = (self.watched.len(), self.is_blind);
        write!(f, "Watch {{ watched: {watched}, is_blind: {is_blind} }}")
    }
}

impl Watch {
    /// Begins to watch a folder, whose path has no symbolic links.
    pub(super) fn begin(root: &Path, changes: &Arc<FolderChanges>) -> Self {
        let (told, base) = (Arc::clone(changes), root.to_owned());
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            told.add(meaning(&base, event));
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(%error, "the folder is scanned instead"))
            .ok();
        let is_blind = watcher.is_none();
        Self { watcher, root: root.to_owned(), watched: BTreeMap::new(), is_blind }
    }

    /// Returns true if the folder must be scanned often, because not everything is watched.
    pub(super) const fn is_blind(&self) -> bool {
        self.is_blind
    }

    /// Watches the directories that the folder has now. Returns those that were not watched before:
    /// they must be read again.
    pub(super) fn follow(&mut self, index: &Index) -> Dirty {
        let mut new = Dirty::Nothing;
        let Some(watcher) = &mut self.watcher else { return new };
        let directories = index.directories().map(|(path, inode)| (Some(path.clone()), inode));
        let mut directories: BTreeMap<_, _> = directories.collect();
        directories.insert(None, 0);
        let path = |root: &Path, directory: &Option<WorkspacePath>| match directory {
            Some(directory) => root.join(directory.as_str()),
            None => root.to_owned(),
        };
        // One that has the name of an earlier one is another.
        let is_gone = |directory: &_, inode: &mut u64| directories.get(directory) != Some(inode);
        for (gone, _) in self.watched.extract_if(.., is_gone) {
            // The system has ended it by itself if the directory was removed.
            let _ = watcher.unwatch(&path(&self.root, &gone));
        }
        for (directory, inode) in directories {
            if self.watched.contains_key(&directory) {
                continue;
            }
            match watcher.watch(&path(&self.root, &directory), RecursiveMode::NonRecursive) {
                Ok(()) => {
                    new.add(directory.clone());
                    self.watched.insert(directory, inode);
                }
                Err(error) => {
                    if !self.is_blind {
                        tracing::warn!(%error, "a folder cannot be watched: it is scanned instead");
                    }
                    self.is_blind = true;
                }
            }
        }
        new
    }
}

/// Returns what must be read because of an event.
fn meaning(root: &Path, event: notify::Result<Event>) -> Dirty {
    let Ok(event) = event else { return Dirty::All };
    if event.need_rescan() {
        return Dirty::All;
    }
    match event.kind {
        // What reading a file does, too.
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
        EventKind::Access(_) => return Dirty::Nothing,
        _ => {}
    }
    let mut dirty = Dirty::Nothing;
    for path in &event.paths {
        let Some(path) = path.strip_prefix(root).ok().and_then(Path::to_str) else { continue };
        match path.parse::<WorkspacePath>() {
            Ok(path) => {
                dirty.add(path.parent());
                dirty.add(Some(path));
            }
            Err(_) => dirty.add(None),
        }
    }
    dirty
}
