//! The folder of a supervisor's session, in sync with a workspace.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moorline_shared::id::WorkspaceId;
use moorline_shared::time::Time;
use moorline_shared::workspace::RoundReport;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::load::{FolderLoad, LoadInput, LoadOutput};
use crate::clock::monotonic;
use crate::keeper::FolderReport;
use crate::workspace::{
    FolderSync, KeptBase, RelayedAsk, RelayedRemote, RemoteFailure, SyncFailure, SyncState,
};

/// The longest time for which a connected host waits for the last files.
pub(super) const LAST_FILES: Duration = Duration::from_secs(10);
/// Wait before both sides are made equal again, after a failure.
const RETRY: Duration = Duration::from_millis(500);

/// The folder of a session, in sync with a workspace.
pub(super) struct SupervisedFolder {
    sync: Arc<FolderSync>,
    state: watch::Receiver<SyncState>,
    asks: mpsc::Receiver<RelayedAsk>,
    /// Takes the reply to the last request.
    reply: Option<oneshot::Sender<Bytes>>,
    settles: JoinSet<SettleEnd>,
    load: FolderLoad,
    report: FolderReport,
    /// True once a settle was asked for whose end is that of the session.
    is_ending: bool,
    /// When the end is told although the last files have not arrived; `None` while no host is
    /// connected, which could pass them on.
    end_at: Option<Time>,
}

/// A settle that has ended.
pub(super) struct SettleEnd {
    purpose: SettlePurpose,
    result: Result<RoundReport, SyncFailure>,
}

#[derive(Debug, Clone, Copy)]
enum SettlePurpose {
    Load,
    /// The host has asked for it, with this number.
    Asked(u64),
    Last,
}

/// One thing that has happened to a folder.
pub(super) enum FolderWake {
    Asked(RelayedAsk),
    Settled(SettleEnd),
    /// The state of the sync has changed.
    Changed,
    Due,
}

/// What the supervisor does because of its folder.
pub(super) enum FolderAction {
    /// Ask the host.
    Ask(Bytes),
    /// Tell the host.
    Tell(Bytes),
    /// Show this line on the terminal.
    Say(String),
    /// Start the program.
    Start,
    /// The last files have arrived, or were waited for: tell the end of the program.
    End,
}

impl SupervisedFolder {
    /// Begins to keep a folder in sync. `host` names this side in the names of files that are moved
    /// aside.
    ///
    /// # Errors
    /// [`SyncFailure`].
    pub(super) async fn begin(
        path: PathBuf,
        workspace: WorkspaceId,
        host: String,
    ) -> Result<Self, SyncFailure> {
        let (remote, asks) = RelayedRemote::new();
        let kept = Some(KeptBase::Inside(workspace));
        let sync = FolderSync::begin(path, kept, host, Arc::new(remote)).await?;
        Ok(Self {
            state: sync.state(),
            sync: Arc::new(sync),
            asks,
            reply: None,
            settles: JoinSet::new(),
            load: FolderLoad::new(),
            report: FolderReport::default(),
            is_ending: false,
            end_at: None,
        })
    }

    /// Waits until something happens. The future may be dropped.
    pub(super) async fn next(&mut self) -> FolderWake {
        let due = self.load.poll_timeout().into_iter().chain(self.end_at).min();
        let due = due.map(|at| at - monotonic());
        let Self { asks, settles, state, .. } = self;
        tokio::select! {
            Some(ask) = asks.recv() => FolderWake::Asked(ask),
            Some(Ok(end)) = settles.join_next() => FolderWake::Settled(end),
            Ok(()) = state.changed() => FolderWake::Changed,
            () = sleep(due.unwrap_or_default()), if due.is_some() => FolderWake::Due,
            else => std::future::pending().await,
        }
    }

    /// Does what follows from what has happened.
    pub(super) fn handle(&mut self, wake: FolderWake) -> Vec<FolderAction> {
        let mut actions = Vec::new();
        match wake {
            FolderWake::Asked(RelayedAsk { request, reply }) => {
                self.reply = Some(reply);
                actions.push(FolderAction::Ask(request));
            }
            FolderWake::Settled(end) => self.settled(end, &mut actions),
            FolderWake::Changed => {
                let problem = self.state.borrow_and_update().problem();
                self.tell(FolderReport { problem, ..self.report.clone() }, &mut actions);
            }
            FolderWake::Due => {
                self.loading(LoadInput::Timeout, &mut actions);
                if self.end_at.is_some_and(|at| at <= monotonic()) {
                    self.ended(&mut actions);
                }
            }
        }
        actions
    }

    /// Begins to load the files. [`FolderAction::Start`] follows.
    pub(super) fn begin_load(&mut self) -> Vec<FolderAction> {
        let mut actions = Vec::new();
        self.carry_out_load(&mut actions);
        actions
    }

    /// Takes the reply to the last request.
    pub(super) fn answered(&mut self, reply: Bytes) -> Vec<FolderAction> {
        if let Some(waiting) = self.reply.take() {
            // The sync may have given up on it.
            let _ = waiting.send(reply);
        }
        let mut actions = Vec::new();
        self.loading(LoadInput::Answered, &mut actions);
        actions
    }

    /// Takes note of whether a host is connected.
    pub(super) fn connected(&mut self, is_connected: bool) -> Vec<FolderAction> {
        let mut actions = Vec::new();
        self.loading(LoadInput::Connected(is_connected), &mut actions);
        if self.is_ending {
            let end_at = self.end_at.unwrap_or_else(|| monotonic() + LAST_FILES);
            self.end_at = is_connected.then_some(end_at);
        }
        actions
    }

    /// Makes both sides equal, because the host asks for it.
    pub(super) fn settle(&mut self, number: u64) {
        self.begin_settle(SettlePurpose::Asked(number));
    }

    /// Makes both sides equal a last time: the program has ended. [`FolderAction::End`] follows.
    pub(super) fn end(&mut self, is_connected: bool) {
        self.is_ending = true;
        self.end_at = is_connected.then(|| monotonic() + LAST_FILES);
        self.begin_settle(SettlePurpose::Last);
    }

    fn begin_settle(&mut self, purpose: SettlePurpose) {
        let sync = Arc::clone(&self.sync);
        self.settles.spawn(async move {
            let result = match purpose {
                SettlePurpose::Load => sync.settle().await,
                SettlePurpose::Asked(_) => {
                    let late = |_| Err(RemoteFailure::Away("it takes too long".to_owned()).into());
                    timeout(LAST_FILES, settle_patiently(&sync)).await.unwrap_or_else(late)
                }
                SettlePurpose::Last => settle_patiently(&sync).await,
            };
            SettleEnd { purpose, result }
        });
    }

    fn settled(&mut self, end: SettleEnd, actions: &mut Vec<FolderAction>) {
        let SettleEnd { purpose, result } = end;
        match purpose {
            SettlePurpose::Load => {
                let input = match result {
                    Ok(report) => LoadInput::Loaded(report.problems().collect()),
                    Err(failure) => LoadInput::Failed {
                        reason: failure.reason(),
                        is_final: !may_pass(&failure),
                    },
                };
                self.loading(input, actions);
            }
            SettlePurpose::Asked(number) => {
                let failed = result.err().map(|failure| failure.reason());
                let problem = failed.or_else(|| self.report.problem.clone());
                let settled = self.report.settled.max(number);
                self.tell(FolderReport { settled, problem }, actions);
            }
            SettlePurpose::Last => {
                if let Err(failure) = result {
                    let problem = Some(failure.reason());
                    self.tell(FolderReport { problem, ..self.report.clone() }, actions);
                }
                self.ended(actions);
            }
        }
    }

    fn ended(&mut self, actions: &mut Vec<FolderAction>) {
        (self.is_ending, self.end_at) = (false, None);
        actions.push(FolderAction::End);
    }

    fn loading(&mut self, input: LoadInput, actions: &mut Vec<FolderAction>) {
        if !self.load.is_over() {
            self.load.handle(monotonic(), input);
            self.carry_out_load(actions);
        }
    }

    fn carry_out_load(&mut self, actions: &mut Vec<FolderAction>) {
        while let Some(output) = self.load.poll_output() {
            match output {
                LoadOutput::Load => self.begin_settle(SettlePurpose::Load),
                LoadOutput::Say(line) => actions.push(FolderAction::Say(line)),
                LoadOutput::Start => actions.push(FolderAction::Start),
            }
        }
    }

    fn tell(&mut self, report: FolderReport, actions: &mut Vec<FolderAction>) {
        if report != self.report {
            self.report = report;
            actions.push(FolderAction::Tell(super::json(&self.report)));
        }
    }
}

/// Makes both sides equal, and tries again for as long as the relay is away.
async fn settle_patiently(sync: &FolderSync) -> Result<RoundReport, SyncFailure> {
    loop {
        match sync.settle().await {
            Err(failure) if may_pass(&failure) => sleep(RETRY).await,
            settled => return settled,
        }
    }
}

fn may_pass(failure: &SyncFailure) -> bool {
    matches!(failure, SyncFailure::Remote(RemoteFailure::Away(_)))
}
