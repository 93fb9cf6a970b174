//! The connections of execs, and their faults.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::line::LineFaults;

/// All execs of a cluster.
#[derive(Debug, Default)]
pub(super) struct ExecLines {
    /// Execs that were opened since the start.
    opened: AtomicU64,
    content: Mutex<ExecContent>,
}

#[derive(Debug, Default)]
struct ExecContent {
    /// Those that are open.
    open: Vec<Arc<ExecLine>>,
    /// How many bytes each exec that is opened from now on passes to the pod, and to the client.
    limits: (Option<u64>, Option<u64>),
    /// Whether execs stall.
    stalled: bool,
}

/// The connection of one exec.
#[derive(Debug)]
pub(super) struct ExecLine {
    line: Arc<LineFaults>,
    /// Ends it as if its command had ended well.
    pub(super) false_end: Notify,
}

impl ExecLines {
    /// Registers an exec whose connection has just been upgraded.
    pub(super) fn open(&self, line: Arc<LineFaults>) -> Arc<ExecLine> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let exec = Arc::new(ExecLine { line, false_end: Notify::new() });
        let mut content = self.content();
        let (to_pod, to_client) = content.limits;
        exec.line.limit(to_pod, to_client);
        exec.line.stall(content.stalled);
        content.open.push(Arc::clone(&exec));
        exec
    }

    /// Removes an exec that has ended.
    pub(super) fn close(&self, exec: &Arc<ExecLine>) {
        self.content().open.retain(|other| !Arc::ptr_eq(other, exec));
    }

    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self) -> usize {
        self.content().open.len()
    }

    pub(super) fn cut(&self) {
        self.content().open.iter().for_each(|exec| exec.line.cut());
    }

    pub(super) fn limit(&self, to_pod: Option<u64>, to_client: Option<u64>) {
        self.content().limits = (to_pod, to_client);
    }

    pub(super) fn stall(&self, stalled: bool) {
        let mut content = self.content();
        content.stalled = stalled;
        content.open.iter().for_each(|exec| exec.line.stall(stalled));
    }

    pub(super) fn end_falsely(&self) {
        self.content().open.iter().for_each(|exec| exec.false_end.notify_one());
    }

    fn content(&self) -> MutexGuard<'_, ExecContent> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
