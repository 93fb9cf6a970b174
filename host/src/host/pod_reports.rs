//! Counts of pods on their way to the relay.

use std::time::Duration;

use moorline_shared::pod::PodMetrics;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Host;

/// Interval of reports, at least.
const INTERVAL: Duration = Duration::from_secs(5);

/// The counts that a relay is told over one link: those so far, if there are any, and then every
/// change.
#[derive(Debug)]
pub(super) struct PodReports {
    counts: Option<watch::Receiver<PodMetrics>>,
    /// When the next report is due.
    next_at: Instant,
}

impl PodReports {
    pub(super) fn new(host: &Host) -> Self {
        let mut counts = host.drivers.pod_metrics();
        if let Some(counts) = &mut counts
            && *counts.borrow_and_update() != PodMetrics::default()
        {
            counts.mark_changed();
        }
        Self { counts, next_at: Instant::now() }
    }

    /// Waits for the next report; for ever if the host has no pods. The future may be dropped.
    pub(super) async fn next(&mut self) -> Value {
        let Some(counts) = &mut self.counts else { return std::future::pending().await };
        sleep_until(self.next_at).await;
        if counts.changed().await.is_err() {
            return std::future::pending().await;
        }
        self.next_at = Instant::now() + INTERVAL;
        json!(*counts.borrow_and_update())
    }
}
