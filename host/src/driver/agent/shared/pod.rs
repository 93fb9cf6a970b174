//! The pod of a session's agent: its place in the stored state, and its reports.

use serde::{Deserialize, Serialize};

use super::SharedMachine;
use crate::driver::DriverOutput;
use crate::driver::kubernetes::PodPlan;

/// Upper bound on the reports of a pod that wait. Beyond it, the oldest is dropped, because later ones
/// replace it.
const REPORTS: usize = 256;

/// The pod of an agent, as the next host needs to know it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct AgentPod {
    pub(in super::super) plan: PodPlan,
    /// The boot of the machine that stored this. After another boot, the end of the session's state
    /// may be lost, and the pod may be ahead of it.
    pub(in super::super) boot: String,
}

impl SharedMachine {
    /// Has the agent run in a pod.
    pub(in super::super) fn in_pod(self, place: AgentPod) -> Self {
        self.lock().place = Some(place);
        self
    }

    /// Returns the pod that the agent runs in, if it does.
    pub(in super::super) fn place(&self) -> Option<AgentPod> {
        self.lock().place.clone()
    }

    /// Queues a report of the session's pod for the session's log.
    pub(in super::super) fn report(&self, report: DriverOutput) {
        let mut state = self.lock();
        if state.reports.len() >= REPORTS {
            state.reports.pop_front();
        }
        state.reports.push_back(report);
        // Reports leave this host with the next state that is stored.
        state.is_changed = true;
        drop(state);
        self.output.notify_one();
    }

    /// Returns true if the agent's process is being started.
    pub(in super::super) fn is_starting(&self) -> bool {
        self.lock().machine.is_starting()
    }

    /// Returns the offset of the input that the agent's pipe may not have taken.
    pub(in super::super) fn input_base(&self) -> u64 {
        self.lock().wire.base()
    }
}
