//! Counts of the pods of a host, for operators.

use moorline_shared::pod::{PodMetrics, PodPhase};
use tokio::sync::watch;
use tokio::time::Instant;

/// The part of one session in the counts of its host. Dropping it takes the session out of them.
#[derive(Debug)]
pub(super) struct PodCount {
    counts: watch::Sender<PodMetrics>,
    /// The phase that is counted; `None` before the first, and after the end.
    phase: Option<PodPhase>,
    /// When the pod that is not ready yet was asked for; `None` if another host has started it.
    asked_at: Option<Instant>,
    /// True while a connection that was lost is not made again.
    is_lost: bool,
}

impl PodCount {
    /// Counts a session, whose pod is new or was started by an earlier host.
    pub(super) fn new(counts: watch::Sender<PodMetrics>, is_new: bool) -> Self {
        let asked_at = is_new.then(Instant::now);
        Self { counts, phase: None, asked_at, is_lost: false }
    }

    /// Takes note of the phase of the pod.
    pub(super) fn told(&mut self, phase: PodPhase) {
        if self.phase == Some(PodPhase::Suspended) {
            self.asked_at = Some(Instant::now());
        }
        let next = (phase != PodPhase::Ended).then_some(phase);
        let before = std::mem::replace(&mut self.phase, next);
        let asked_at = self.asked_at.take_if(|_| phase == PodPhase::Ready);
        if before == next && asked_at.is_none() {
            return;
        }
        self.counts.send_modify(|counts| {
            move_phase(counts, before, next);
            if let Some(asked_at) = asked_at {
                counts.ready += 1;
                counts.ready_ms += asked_at.elapsed().as_millis() as u64;
            }
        });
    }

    pub(super) fn lost_link(&mut self) {
        self.is_lost = true;
    }

    pub(super) fn linked(&mut self) {
        if std::mem::take(&mut self.is_lost) {
            self.counts.send_modify(|counts| counts.reconnects += 1);
        }
    }

    /// Takes note that no connection is wanted any more.
    pub(super) fn detached(&mut self) {
        self.is_lost = false;
    }
}

impl Drop for PodCount {
    fn drop(&mut self) {
        let before = self.phase.take();
        self.counts.send_modify(|counts| move_phase(counts, before, None));
    }
}

fn move_phase(counts: &mut PodMetrics, from: Option<PodPhase>, to: Option<PodPhase>) {
    if let Some(count) = from.and_then(|phase| counts.phases.get_mut(&phase)) {
        *count = count.saturating_sub(1);
    }
    if let Some(phase) = to {
        *counts.phases.entry(phase).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_is_counted_in_its_phase() {
        let counts = watch::Sender::new(PodMetrics::default());
        let in_phase = |phase| counts.borrow().phases.get(&phase).copied().unwrap_or_default();
        let mut new = PodCount::new(counts.clone(), true);
        let mut found = PodCount::new(counts.clone(), false);
        new.told(PodPhase::Pending);
        found.told(PodPhase::Pending);
        assert_eq!(in_phase(PodPhase::Pending), 2);
        tokio::time::advance(Duration::from_millis(1500)).await;
        new.told(PodPhase::Ready);
        found.told(PodPhase::Ready);
        assert_eq!((in_phase(PodPhase::Pending), in_phase(PodPhase::Ready)), (0, 2));
        assert_eq!((counts.borrow().ready, counts.borrow().ready_ms), (1, 1500));
        new.lost_link();
        new.lost_link();
        new.linked();
        new.linked();
        assert_eq!(counts.borrow().reconnects, 1);
        found.told(PodPhase::Suspended);
        found.lost_link();
        found.detached();
        found.told(PodPhase::Pending);
        found.told(PodPhase::Ready);
        found.linked();
        assert_eq!((counts.borrow().ready, counts.borrow().reconnects), (2, 1));
        new.told(PodPhase::Ended);
        drop((new, found));
        assert!(counts.borrow().phases.values().all(|count| *count == 0));
    }
}
