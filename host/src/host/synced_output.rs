//! The output of a session whose folder is in sync: it tells what is not, and its end waits for the
//! last files.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use moorline_shared::event::SessionError;
use moorline_shared::failure::HostFailure;
use tokio::sync::watch;

use crate::driver::{DriverOutput, OutputSource};
use crate::workspace::{FolderSync, NOT_SYNCED, SyncNotices, SyncState};

/// The longest time for which the end of a session waits for its last files to reach the relay.
const LAST_FILES: Duration = Duration::from_secs(10);

/// Passes on a session's output, with an event for each problem of its folder. Holds the folder in
/// sync until the end.
pub(super) struct SyncedOutput {
    /// Reads the session's next output; `None` once that has ended.
    reading: Option<ReadingOutput>,
    folder: Arc<FolderSync>,
    state: watch::Receiver<SyncState>,
    notices: SyncNotices,
    /// The number of conflicts that were told, or happened before the session.
    conflicts: usize,
    /// Outputs that come before the session's next one.
    due: VecDeque<DriverOutput>,
}

/// The next output of a source. It is not to be dropped, so it may be read further by the next call.
type ReadingOutput = BoxFuture<'static, (Box<dyn OutputSource>, DriverOutput)>;

impl std::fmt::Debug for SyncedOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyncedOutput").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl SyncedOutput {
    pub(super) fn new(
        inner: Box<dyn OutputSource>,
        folder: Arc<FolderSync>,
        conflicts: usize,
    ) -> Self {
        let mut state = folder.state();
        // What the load has found is news, too.
        state.mark_changed();
        let (notices, due) = (SyncNotices::default(), VecDeque::new());
        Self { reading: Some(read(inner)), folder, state, notices, conflicts, due }
    }

    /// Tells what has changed in the state of the sync.
    fn look(&mut self) {
        let state = self.state.borrow_and_update().clone();
        if state.conflicts > self.conflicts {
            let others = state.conflicts - self.conflicts - 1;
            self.conflicts = state.conflicts;
            self.due
                .extend(state.last_conflict.as_ref().map(|(path, to)| conflict(path, to, others)));
        }
        self.due.extend(self.notices.problem(state.problem()).map(notice));
    }

    /// Waits for the last files.
    async fn end(&mut self) {
        if !self.folder.settle_within(LAST_FILES).await {
            tracing::warn!("the last files of a session are not in its workspace");
            let path = self.folder.path().display();
            let why =
                format!("The last files could not be sent to the workspace: they are in {path}.");
            self.due.push_back(notice(HostFailure::new(NOT_SYNCED, why)));
        }
        // Problems of the last files, too.
        self.look();
    }
}

fn read(mut inner: Box<dyn OutputSource>) -> ReadingOutput {
    Box::pin(async move {
        let output = inner.next().await;
        (inner, output)
    })
}

fn conflict(path: &str, to: &str, others: usize) -> DriverOutput {
    let others = if others > 0 { format!(" ({others} others)") } else { String::new() };
    let why = format!(
        "{path}: it was changed on both sides, and both versions are kept. The folder's is {to}.{others}"
    );
    notice(HostFailure::new("files_conflict", why))
}

fn notice(failure: HostFailure) -> DriverOutput {
    let HostFailure { code, message } = failure;
    let recoverable = Some(true);
    DriverOutput::event(&SessionError { error: message, code: Some(code), recoverable })
}

impl OutputSource for SyncedOutput {
    fn next(&mut self) -> BoxFuture<'_, DriverOutput> {
        Box::pin(async {
            loop {
                if let Some(output) = self.due.pop_front() {
                    return output;
                }
                let Some(reading) = &mut self.reading else { return std::future::pending().await };
                let (inner, output) = tokio::select! {
                    read = reading => read,
                    Ok(()) = self.state.changed() => {
                        self.look();
                        continue;
                    }
                };
                if !matches!(output, DriverOutput::End(_)) {
                    self.reading = Some(read(inner));
                    return output;
                }
                self.reading = None;
                self.end().await;
                self.due.push_back(output);
            }
        })
    }
}
