//! What the machine of a session has to do with the pod of its agent.

use serde::{Deserialize, Serialize};

use super::SharedMachine;
use crate::driver::DriverOutput;
use crate::driver::kubernetes::PodPlan;

/// Reports of a pod that wait; beyond, the oldest is dropped: later ones say how the pod is.
const REPORTS: usize = 256;

/// The pod of an agent, as the next host needs to know it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct AgentPod {
    pub(in super::super) plan: PodPlan,
    /// The start of the machine, by which a host tells that the end of the session's state may have
    /// been lost: then what is in the pod is ahead of it.
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

    /// Passes on what the session's pod reports.
    pub(in super::super) fn report(&self, report: DriverOutput) {
        let mut state = self.lock();
        if state.reports.len() >= REPORTS {
            state.reports.pop_front();
        }
        state.reports.push_back(report);
        // What is reported leaves this host with the next state that is stored.
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
