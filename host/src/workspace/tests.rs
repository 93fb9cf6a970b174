//! Folders in sync with a workspace that is kept in memory.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use moorline_shared::rest::{WorkspaceFile, WorkspaceTree};
use moorline_shared::workspace::wire::{
    PathChange, PathChangeResult, SizedContent, WorkspaceAnswer, WorkspaceRequest,
};
use moorline_shared::workspace::{FileEntry, WorkspacePath};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

/// The files of a remote, by path: each with the revision of its last change.
type RemoteFiles = BTreeMap<WorkspacePath, (u64, FileEntry, Bytes)>;

/// A workspace in memory, which takes every change of what it has.
#[derive(Clone)]
struct InMemory {
    files: Arc<Mutex<RemoteFiles>>,
    revision: watch::Sender<u64>,
}

impl InMemory {
    fn new() -> Self {
        Self { files: Arc::default(), revision: watch::Sender::new(0) }
    }

    fn put(&self, path: &str, content: &'static [u8]) {
        self.revision.send_modify(|revision| *revision += 1);
        let entry = FileEntry::file(0o644, content);
        let put = (*self.revision.borrow(), entry, Bytes::from_static(content));
        self.lock().insert(path.parse().unwrap(), put);
    }

    fn content(&self, path: &str) -> Option<Bytes> {
        self.lock().get(&path.parse::<WorkspacePath>().unwrap()).map(|it| it.2.clone())
    }

    fn paths(&self) -> Vec<String> {
        self.lock().keys().map(ToString::to_string).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<WorkspacePath, (u64, FileEntry, Bytes)>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: PathChange) -> PathChangeResult {
        self.revision.send_modify(|revision| *revision += 1);
        let revision = *self.revision.borrow();
        let mut files = self.lock();
        match change.to {
            Some(to) => {
                let known =
                    files.values().find(|it| it.1.hash() == to.hash()).map(|it| it.2.clone());
                let content = change.content.or(known).unwrap_or_default();
                files.insert(change.path, (revision, to, content));
            }
            None => drop(files.remove(&change.path)),
        }
        PathChangeResult::Done { revision }
    }

    fn tree(&self) -> WorkspaceTree {
        let files = self.lock();
        let file = |(path, (revision, entry, _)): (&WorkspacePath, &(u64, FileEntry, Bytes))| {
            WorkspaceFile {
                path: path.clone(),
                kind: entry.kind(),
                mode: entry.mode(),
                size: entry.size(),
                hash: entry.hash(),
                revision: *revision,
                changed_at: 0,
                conflict_of: None,
                deleted: false,
            }
        };
        WorkspaceTree {
            revision: *self.revision.borrow(),
            full: true,
            files: files.iter().map(file).collect(),
        }
    }
}

impl WorkspaceRemote for InMemory {
    fn ask(
        &self,
        request: WorkspaceRequest,
    ) -> BoxFuture<'_, Result<WorkspaceAnswer, RemoteFailure>> {
        Box::pin(async move {
            Ok(match request {
                WorkspaceRequest::Tree { since, wait_ms } => {
                    let mut revision = self.revision.subscribe();
                    if since == Some(*revision.borrow()) {
                        let changed = revision.wait_for(|now| Some(*now) != since);
                        let waited =
                            tokio::time::timeout(Duration::from_millis(wait_ms), changed).await;
                        if waited.is_err() {
                            let revision = since.unwrap_or_default();
                            let tree = WorkspaceTree { revision, full: false, files: Vec::new() };
                            return Ok(WorkspaceAnswer::Tree { tree });
                        }
                    }
                    WorkspaceAnswer::Tree { tree: self.tree() }
                }
                WorkspaceRequest::Contents { hashes } => {
                    let files = self.lock();
                    let found = hashes.iter().filter_map(|hash| {
                        let file = files.values().find(|it| it.1.hash() == Some(*hash))?;
                        let (size, content) = (file.1.size(), file.2.clone());
                        Some(SizedContent { hash: *hash, size, content })
                    });
                    WorkspaceAnswer::Contents { contents: found.collect() }
                }
                WorkspaceRequest::Apply { changes } => {
                    let results = changes.into_iter().map(|change| self.change(change));
                    WorkspaceAnswer::Applied { results: results.collect() }
                }
            })
        })
    }
}

async fn synced(folder: &Path, remote: &InMemory) -> FolderSync {
    let remote = Arc::new(remote.clone());
    let sync = FolderSync::begin(folder.to_owned(), None, "host".to_owned(), remote).await.unwrap();
    sync.settle().await.unwrap();
    sync
}

async fn until(what: &str, predicate: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !predicate() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn nothing_outside_of_the_folder_is_touched() {
    let (base, remote) = (tempfile::tempdir().unwrap(), InMemory::new());
    let (inside, outside) = (base.path().join("in"), base.path().join("out"));
    fs::create_dir_all(&inside).unwrap();
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("kept"), "kept").unwrap();
    symlink(&outside, inside.join("link")).unwrap();
    symlink(outside.join("kept"), inside.join("file")).unwrap();
    remote.put("link/new", b"escaped");
    remote.put("file", b"escaped");
    remote.put("good", b"good");
    let sync = synced(&inside, &remote).await;
    assert_eq!(fs::read(inside.join("good")).unwrap(), b"good");
    assert_eq!(fs::read(outside.join("kept")).unwrap(), b"kept");
    assert!(!outside.join("new").exists());
    assert!(remote.content("link/new").is_some() && remote.content("file").is_some());
    // A directory that becomes a link while a file is on its way is not followed either.
    fs::create_dir(inside.join("dir")).unwrap();
    fs::write(inside.join("dir/x"), "1").unwrap();
    sync.settle().await.unwrap();
    fs::remove_dir_all(inside.join("dir")).unwrap();
    symlink(&outside, inside.join("dir")).unwrap();
    remote.put("dir/y", b"escaped");
    sync.settle().await.unwrap();
    assert!(!outside.join("y").exists() && !outside.join("x").exists());
}

#[tokio::test]
async fn what_the_system_does_not_report_is_found_all_the_same() {
    let (folder, remote) = (tempfile::tempdir().unwrap(), InMemory::new());
    let _sync = synced(folder.path(), &remote).await;
    let queue = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events");
    let queue: usize = queue.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(16_384);
    // More events than the system keeps: the thread that reads them is slower than those that write.
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let folder = folder.path().to_owned();
            std::thread::spawn(move || {
                for number in 0..queue {
                    let name = folder.join(format!("{writer}-{}", number % 50));
                    fs::write(name, format!("{number}")).unwrap();
                }
                fs::write(folder.join(format!("last-{writer}")), "last").unwrap();
            })
        })
        .collect();
    let written = tokio::task::spawn_blocking(|| {
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    });
    written.await.unwrap();
    until("all files", || {
        let names = fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name());
        names.into_iter().all(|name| {
            let name = name.to_string_lossy().into_owned();
            name.starts_with(".moorline-")
                || remote.content(&name).as_deref()
                    == fs::read(folder.path().join(&name)).ok().as_deref()
        }) && remote.paths().len() == 204
    })
    .await;
}

#[tokio::test]
async fn a_file_that_others_change_meanwhile_is_not_overwritten() {
    let (folder, remote) = (tempfile::tempdir().unwrap(), InMemory::new());
    let path = folder.path().join("f");
    fs::write(&path, "one").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let mut synced = SyncedFolder::open(folder.path()).unwrap();
    synced.scan(&super::scan::Dirty::All).unwrap();
    let expect = synced.state().entries.values().next().copied();
    assert_eq!(expect, Some(FileEntry::file(0o640, b"one")));
    let write = |synced: &mut SyncedFolder, content: &'static [u8]| {
        synced.step(moorline_shared::workspace::FolderStep::Write {
            path: "f".parse().unwrap(),
            expect,
            to: FileEntry::file(0o600, content),
            content: Bytes::from_static(content),
        })
    };
    fs::write(&path, "two").unwrap();
    let changed = moorline_shared::workspace::FolderStepResult::Changed;
    assert_eq!(write(&mut synced, b"three"), changed);
    assert_eq!(fs::read(&path).unwrap(), b"two");
    // Nothing is left behind.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    drop(remote);
}
