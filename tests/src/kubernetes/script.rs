//! Misfortunes of pods, which a test asks for.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// The scheduler's sentence about a node that has no room.
pub const INSUFFICIENT_CPU: &str = "0/1 nodes are available: 1 Insufficient cpu.";

/// What happens to a pod that is created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PodScript {
    /// It runs and becomes ready within milliseconds.
    #[default]
    Run,
    /// The scheduler finds no node, with this sentence, until the pod is released.
    Unschedulable(String),
    /// Its image cannot be pulled until the pod is released.
    ImagePullBackOff,
    /// Its containers run, but are not ready until the pod is released.
    NotReady,
    /// It is refused, because this quota of pods is used up.
    QuotaExceeded(String),
    /// It is refused by an admission check, for this reason.
    Refused(String),
}

/// The scripts of a cluster.
#[derive(Debug, Default)]
pub(super) struct PodScripts(Mutex<Scripts>);

#[derive(Debug, Default)]
struct Scripts {
    /// For the next pods, one each.
    next: VecDeque<PodScript>,
    /// For all others.
    usual: PodScript,
}

impl PodScripts {
    pub(super) fn set_next(&self, script: PodScript) {
        self.change(|scripts| scripts.next.push_back(script));
    }

    pub(super) fn set_usual(&self, script: PodScript) {
        self.change(|scripts| scripts.usual = script);
    }

    /// The script of a pod that is created now.
    pub(super) fn take(&self) -> PodScript {
        self.change(|scripts| scripts.next.pop_front().unwrap_or_else(|| scripts.usual.clone()))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Scripts) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
