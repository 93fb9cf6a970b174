//! The task of a sync.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline_shared::failure::HostFailure;
use moorline_shared::limits::WORKSPACE_WAIT;
use moorline_shared::rest::WorkspaceTree;
use moorline_shared::workspace::wire::{WorkspaceAnswer, WorkspaceRequest};
use moorline_shared::workspace::{
    Base, BaseEntry, FileEntry, RelayState, RoundReport, RoundStep, SyncRound, WorkspacePath,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Direction, SyncState};
use crate::workspace::base_file::SyncBaseFile;
use crate::workspace::scan::Dirty;
use crate::workspace::watch::{FolderChanges, Watch};
use crate::workspace::{KeptBase, RemoteFailure, SyncFailure, SyncedFolder, WorkspaceRemote};

/// Time in which changes are gathered, so that a program that writes many files is followed in few
/// steps.
const GATHER: Duration = Duration::from_millis(100);
/// Time after which a file is read again that has changed while it was read.
const SETTLE: Duration = Duration::from_millis(250);
/// Interval of scans of the whole folder, in case that a change was not reported.
const RESCAN: Duration = Duration::from_mins(5);
/// The same if not everything can be watched.
const RESCAN_BLIND: Duration = Duration::from_secs(2);
/// Waits before the relay is asked again after a failure.
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(10);
/// Interval at which the base is stored while it changes.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// The most rounds in a row. More are only needed while files keep changing, and come later.
const ROUNDS: usize = 16;
/// The most problems that are listed.
const PROBLEMS: usize = 100;

pub(super) enum Command {
    /// Make both sides equal, and report.
    Settle(oneshot::Sender<Result<RoundReport, SyncFailure>>),
}

pub(super) struct Engine {
    folder: Arc<Mutex<SyncedFolder>>,
    path: PathBuf,
    remote: Arc<dyn WorkspaceRemote>,
    host: String,
    base: Base,
    file: Option<Arc<SyncBaseFile>>,
    is_saved: bool,
    /// What the workspace had at `revision`.
    relay: RelayState,
    revision: Option<u64>,
    changes: Arc<FolderChanges>,
    watch: Watch,
    /// FolderChanges that the workspace does not take, until something else changes there.
    refused: BTreeMap<WorkspacePath, Option<FileEntry>>,
    /// The problems of the last round that had any, while something is still refused.
    problems: Vec<(String, HostFailure)>,
    state: watch::Sender<SyncState>,
    /// The direction of a single transfer.
    direction: Option<Direction>,
    /// The wait before the relay is asked again, if it has failed.
    retry: Option<Duration>,
}

/// What the task does next.
enum NextTask {
    Command(Option<Command>),
    Sync,
    Rescan,
    Heard(Result<WorkspaceAnswer, RemoteFailure>),
    Save,
}

impl Engine {
    /// Prepares a sync. Blocks.
    pub(super) fn new(
        folder: SyncedFolder,
        kept: Option<KeptBase>,
        host: String,
        remote: Arc<dyn WorkspaceRemote>,
    ) -> io::Result<Self> {
        let path = folder.path().to_owned();
        let kept =
            kept.map(|kept| SyncBaseFile::open(&kept, &path, folder.identity())).transpose()?;
        let (file, base) = kept.unzip();
        let changes = Arc::new(FolderChanges::default());
        let watch = Watch::begin(&path, &changes);
        changes.add(Dirty::All);
        Ok(Self {
            folder: Arc::new(Mutex::new(folder)),
            path,
            remote,
            host,
            base: base.unwrap_or_default(),
            file: file.map(Arc::new),
            is_saved: true,
            relay: RelayState::new(),
            revision: None,
            changes,
            watch,
            refused: BTreeMap::new(),
            problems: Vec::new(),
            state: watch::Sender::new(SyncState::default()),
            direction: None,
            retry: None,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn state(&self) -> watch::Receiver<SyncState> {
        self.state.subscribe()
    }

    /// Transfers files in one direction.
    pub(super) async fn once(mut self, direction: Direction) -> Result<RoundReport, SyncFailure> {
        self.direction = Some(direction);
        self.sync().await
    }

    /// Keeps the folder in sync until nobody can send commands any more.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut rescan = Instant::now();
        loop {
            match self.next(&mut commands, rescan).await {
                NextTask::Command(None) => break,
                NextTask::Command(Some(Command::Settle(reply))) => {
                    self.changes.add(Dirty::All);
                    let settled = self.sync().await;
                    self.save().await;
                    // Who has asked may have given up.
                    let _ = reply.send(settled);
                }
                NextTask::Sync => {
                    sleep(GATHER).await;
                    self.follow().await;
                }
                NextTask::Rescan => {
                    self.changes.add(Dirty::All);
                    // What was refused may be taken now.
                    self.refused.clear();
                    self.follow().await;
                    let is_blind = self.watch.is_blind();
                    rescan = Instant::now() + if is_blind { RESCAN_BLIND } else { RESCAN };
                }
                NextTask::Heard(Ok(WorkspaceAnswer::Tree { tree })) => {
                    self.retry = None;
                    if self.take_tree(tree) {
                        self.follow().await;
                    }
                }
                NextTask::Heard(Ok(_)) => self.failed(&something_else().into()),
                NextTask::Heard(Err(error)) => self.failed(&error.into()),
                NextTask::Save => self.save().await,
            }
        }
        self.save().await;
    }

    /// Waits for something to do.
    async fn next(&self, commands: &mut mpsc::Receiver<Command>, rescan: Instant) -> NextTask {
        let wait_ms = u64::try_from(WORKSPACE_WAIT.as_millis()).unwrap_or_default();
        let ask = WorkspaceRequest::Tree { since: self.revision, wait_ms };
        let heard = async {
            sleep(self.retry.unwrap_or_default()).await;
            self.remote.ask(ask).await
        };
        let unsettled = self.folder().index().unsettled();
        let settle = async {
            if unsettled.is_nothing() {
                std::future::pending::<()>().await;
            }
            sleep(SETTLE).await;
            self.changes.add(unsettled.clone());
        };
        let save = async {
            if self.is_saved {
                std::future::pending::<()>().await;
            }
            sleep(SAVE_EVERY).await;
        };
        tokio::select! {
            biased;
            command = commands.recv() => NextTask::Command(command),
            () = self.changes.arrived.notified() => NextTask::Sync,
            () = sleep_until(rescan) => NextTask::Rescan,
            () = save => NextTask::Save,
            () = settle => NextTask::Sync,
            heard = heard => NextTask::Heard(heard),
        }
    }

    /// Makes both sides equal. A failure is tried again later.
    async fn follow(&mut self) {
        if let Err(failure) = self.sync().await {
            self.failed(&failure);
        }
    }

    /// Notes that nothing can be synced now.
    fn failed(&mut self, failure: &SyncFailure) {
        let wait = self.retry.map_or(FIRST_RETRY, |wait| (wait * 2).min(LAST_RETRY));
        if self.retry.is_none() {
            let folder = self.path.display();
            tracing::warn!(%folder, error = %failure, "a workspace is not in sync");
        }
        self.retry = Some(wait);
        // The next answer shows everything that is to be done.
        self.revision = None;
        self.state.send_modify(|state| state.failure = Some(failure.reason()));
    }

    /// Runs rounds until there is nothing more to do.
    async fn sync(&mut self) -> Result<RoundReport, SyncFailure> {
        let mut all = RoundReport::default();
        for _ in 0..ROUNDS {
            self.scan().await?;
            self.refresh().await?;
            let report = self.round().await?;
            let again = report.again;
            all.pushed += report.pushed;
            all.pulled += report.pulled;
            all.conflicts.extend(report.conflicts);
            (all.refused, all.failed) = (report.refused, report.failed);
            if !again {
                break;
            }
        }
        self.retry = None;
        self.note(&all);
        Ok(all)
    }

    /// Reads what has changed in the folder.
    async fn scan(&mut self) -> Result<(), SyncFailure> {
        let mut dirty = self.changes.take();
        while !dirty.is_nothing() {
            let (folder, again) = (Arc::clone(&self.folder), dirty.clone());
            let scanned = tokio::task::spawn_blocking(move || lock(&folder).scan(&dirty)).await;
            let scanned = scanned.unwrap_or_else(|error| Err(io::Error::other(error)));
            if let Err(error) = scanned {
                self.changes.add(again);
                return Err(SyncFailure::Folder { path: self.path.clone(), error });
            }
            // What came into a new directory before it was watched is not reported.
            dirty = self.watch.follow(lock(&self.folder).index());
        }
        Ok(())
    }

    /// Asks what has changed in the workspace.
    async fn refresh(&mut self) -> Result<(), SyncFailure> {
        let ask = WorkspaceRequest::Tree { since: self.revision, wait_ms: 0 };
        match self.remote.ask(ask).await? {
            WorkspaceAnswer::Tree { tree } => drop(self.take_tree(tree)),
            _ => return Err(something_else().into()),
        }
        Ok(())
    }

    /// Takes in what the workspace has. Returns true if that is news.
    fn take_tree(&mut self, tree: WorkspaceTree) -> bool {
        let is_news = tree.full || !tree.files.is_empty();
        self.revision = Some(tree.revision);
        if tree.full {
            self.relay.clear();
        }
        if is_news {
            // There may be room now, or a name may be free.
            self.refused.clear();
        }
        for file in tree.files {
            match file.entry() {
                Some(entry) => {
                    let there = BaseEntry { entry, revision: file.revision };
                    self.relay.insert(file.path, there);
                }
                None => drop(self.relay.remove(&file.path)),
            }
        }
        is_news
    }

    /// Compares, and carries out what is to be done.
    async fn round(&mut self) -> Result<RoundReport, SyncFailure> {
        let (state, mut relay, mut base) = {
            let folder = lock(&self.folder);
            let is_synced = |path: &WorkspacePath, entry: &FileEntry| {
                !folder.ignores(path, entry.is_directory())
            };
            let mut relay = self.relay.clone();
            relay.retain(|path, there| is_synced(path, &there.entry));
            let mut base = match self.direction {
                None => self.base.clone(),
                Some(Direction::Pull) => Base::default(),
                // As if the folder had seen everything of the workspace.
                Some(Direction::Push) => Base { entries: relay.clone(), ..Base::default() },
            };
            base.entries.retain(|path, both| is_synced(path, &both.entry));
            (folder.state(), relay, base)
        };
        let before = base.clone();
        let (refused, direction) = (&self.refused, self.direction);
        let is_skipped = |path: &WorkspacePath, to: Option<&FileEntry>| match direction {
            Some(Direction::Pull) => true,
            Some(Direction::Push) if to.is_none() => true,
            _ => refused.get(path).is_some_and(|it| it.as_ref() == to),
        };
        let mut round = SyncRound::begin(base, &state, relay, &self.host, is_skipped);
        let result = loop {
            // Steps in the folder block, and there may be many.
            let folder = Arc::clone(&self.folder);
            let done = tokio::task::spawn_blocking(move || until_request(&folder, round)).await;
            let (stepped, step) = done.map_err(|_| SyncFailure::Ended)?;
            round = stepped;
            let RoundStep::Ask(request) = step else { break Ok(()) };
            match self.remote.ask(request).await {
                Ok(answer) => round.answered(answer),
                Err(error) => break Err(error),
            }
        };
        let report;
        (base, relay, report) = round.finish();
        drop(relay);
        self.is_saved &= base == before;
        self.base = base;
        for refused in &report.refused {
            tracing::warn!(path = %refused.path, why = refused.message, "not put into the workspace");
            self.refused.insert(refused.path.clone(), refused.entry);
        }
        for (path, to) in &report.conflicts {
            // It has another name now, and everything in it.
            self.changes.add(Dirty::All);
            tracing::warn!(%path, %to, "changed on both sides: both versions are kept");
        }
        if report.again {
            self.changes.add(Dirty::All);
        }
        result.map_err(SyncFailure::from)?;
        Ok(report)
    }

    /// Shows what was done.
    fn note(&mut self, report: &RoundReport) {
        let problems: Vec<_> = report.problems().take(PROBLEMS).collect();
        if !problems.is_empty() || self.refused.is_empty() {
            self.problems = problems;
        }
        let mut problems = self.problems.clone();
        let left_out = {
            let folder = lock(&self.folder);
            problems.extend(folder.index().problems().take(PROBLEMS - problems.len()));
            folder.index().left_out()
        };
        let last = report.conflicts.last().map(|(path, to)| (path.to_string(), to.to_string()));
        self.state.send_modify(|state| {
            state.pushed += report.pushed;
            state.pulled += report.pulled;
            state.conflicts += report.conflicts.len();
            state.last_conflict = last.or(state.last_conflict.take());
            state.left_out = left_out;
            state.problems = problems;
            state.failure = None;
        });
    }

    /// Stores the base, after everything that it says is durable.
    async fn save(&mut self) {
        let Some(file) = self.file.clone().filter(|_| !self.is_saved) else { return };
        let (folder, base) = (Arc::clone(&self.folder), self.base.clone());
        let saved = tokio::task::spawn_blocking(move || {
            let folder = lock(&folder);
            folder.make_durable()?;
            file.save(&base)
        });
        match saved.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(%error, "a restart will compare the folder of a workspace anew");
            }
        }
        self.is_saved = true;
    }

    fn folder(&self) -> MutexGuard<'_, SyncedFolder> {
        lock(&self.folder)
    }
}

fn something_else() -> RemoteFailure {
    RemoteFailure::Away("the relay answers something else".to_owned())
}

/// Does the steps of a round in the folder, up to the next request.
fn until_request(folder: &Mutex<SyncedFolder>, mut round: SyncRound) -> (SyncRound, RoundStep) {
    let mut folder = lock(folder);
    loop {
        match round.poll_step() {
            RoundStep::Folder(step) => {
                let result = folder.step(step);
                round.did(result);
            }
            step => return (round, step),
        }
    }
}

fn lock(folder: &Mutex<SyncedFolder>) -> MutexGuard<'_, SyncedFolder> {
    folder.lock().unwrap_or_else(PoisonError::into_inner)
}
