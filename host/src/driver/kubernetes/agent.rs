//! An agent in a pod, as the driver of agents uses it.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::input::PodRequests;
use super::items::PodItem;
use crate::driver::DriverOutput;

/// Takes what a session's pod reports for the session's log.
pub(in crate::driver) type PodReporter = Arc<dyn Fn(DriverOutput) + Send + Sync>;

/// An agent in a pod. One pod may follow another. Each has a number, its `life`, and calls with the
/// number of an earlier pod do nothing. Dropping this lets go of the pod, which goes on.
#[derive(Debug)]
pub(in crate::driver) struct PodAgent {
    requests: Arc<PodRequests>,
    items: tokio::sync::Mutex<mpsc::Receiver<PodItem>>,
}

/// The offsets at which an earlier host has left an agent.
#[derive(Debug, Clone, Copy)]
pub(in crate::driver) struct PodPosition {
    /// The offset of the input that goes on.
    pub(in crate::driver) input: u64,
    /// The offset after the output that was handled.
    pub(in crate::driver) output: u64,
}

impl PodAgent {
    pub(super) fn new(requests: Arc<PodRequests>, items: mpsc::Receiver<PodItem>) -> Self {
        Self { requests, items: tokio::sync::Mutex::new(items) }
    }

    /// Starts a pod for the agent, unless there is one. Returns the number of its pod.
    pub(in crate::driver) fn wake(&self) -> u64 {
        self.requests.wake()
    }

    /// Returns the number of the present pod.
    pub(in crate::driver) fn life(&self) -> u64 {
        self.requests.life()
    }

    /// Writes input of which the first byte has this offset, all or none. Its owner keeps it until it
    /// is told as taken.
    pub(in crate::driver) fn write(&self, life: u64, offset: u64, input: &[u8]) -> bool {
        self.requests.write_at(life, offset, input)
    }

    /// Acknowledges the output before this offset.
    pub(in crate::driver) fn acknowledge(&self, life: u64, up_to: u64) {
        self.requests.acknowledge(life, up_to);
    }

    /// Tells whether the agent works: then its pod is not idle.
    pub(in crate::driver) fn set_busy(&self, is_busy: bool) {
        self.requests.set_busy(is_busy);
    }

    /// Has the agent end, and its pod with it.
    pub(in crate::driver) fn kill(&self, life: u64) {
        self.requests.kill(life);
    }

    /// Ends the session: [`PodItem::Over`] follows. The volume stays.
    pub(in crate::driver) fn close(&self) {
        self.requests.close();
    }

    /// Waits for the next item; for ever after the last. The future may be dropped.
    pub(in crate::driver) async fn next(&self) -> PodItem {
        match self.items.lock().await.recv().await {
            Some(item) => item,
            // Without a last one, this process ends, and the pod goes on.
            None => std::future::pending().await,
        }
    }

    /// Waits until the progress of the input differs from `known`, and returns it: the offset after
    /// the input that the agent has taken, and true if it takes more. The future may be dropped.
    pub(in crate::driver) async fn progress(&self, life: u64, known: (u64, bool)) -> (u64, bool) {
        loop {
            let changed = self.requests.progressed();
            let now = self.requests.progress(life);
            if now != known {
                return now;
            }
            changed.await;
        }
    }
}
