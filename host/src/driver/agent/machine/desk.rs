//! The agent's requests for files and terminals that are being carried out.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::outbox::{AgentOutput, Outbox};
use crate::driver::agent::acp::{ServiceAnswer, ServiceRequest, hung_up, service_answer};
use crate::driver::agent::rpc::{CANCELLED, INTERNAL_ERROR, RpcError, RpcId};

/// Most requests that are carried out at the same time.
const REQUESTS: usize = 64;

/// The requests that are being carried out.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct ServiceDesk {
    /// The number of the last work.
    last: u64,
    /// The request of each work.
    open: BTreeMap<u64, RpcId>,
    /// The works among them that wait for the end of a command.
    #[serde(default)]
    waits: BTreeSet<u64>,
    /// The terminals that are open.
    #[serde(default)]
    terminals: BTreeSet<String>,
}

impl ServiceDesk {
    /// Returns true if this request is being carried out.
    pub(super) fn has(&self, request: &RpcId) -> bool {
        self.open.values().any(|open| open == request)
    }

    /// Has a request carried out.
    pub(super) fn take(&mut self, id: RpcId, request: ServiceRequest, out: &mut Outbox) {
        if self.open.len() >= REQUESTS {
            let message = format!("{REQUESTS} requests are carried out already.");
            out.refuse(&id, INTERNAL_ERROR, &message);
            return;
        }
        if let ServiceRequest::ReleaseTerminal { terminal_id } = &request {
            self.terminals.remove(terminal_id);
        }
        self.last += 1;
        if matches!(request, ServiceRequest::WaitForTerminal { .. }) {
            self.waits.insert(self.last);
        }
        self.open.insert(self.last, id);
        out.push(AgentOutput::Serve { work: self.last, request });
    }

    /// Returns the terminals that are open.
    pub(super) fn terminals(&self) -> Vec<String> {
        self.terminals.iter().cloned().collect()
    }

    /// Answers a request.
    pub(super) fn served(
        &mut self,
        work: u64,
        result: Result<ServiceAnswer, RpcError>,
        out: &mut Outbox,
    ) {
        if let Some(id) = self.open.remove(&work) {
            self.waits.remove(&work);
            if let Ok(ServiceAnswer::Terminal(terminal_id)) = &result {
                self.terminals.insert(terminal_id.clone());
            }
            out.answer(&id, &result.map(service_answer));
        }
    }

    /// Answers a request that the agent has cancelled. Returns false if it is not one.
    pub(super) fn cancel(&mut self, request: &RpcId, out: &mut Outbox) -> bool {
        let found = self.open.iter().find(|(_, open)| *open == request);
        let Some(work) = found.map(|(work, _)| *work) else { return false };
        self.open.remove(&work);
        self.waits.remove(&work);
        out.refuse(request, CANCELLED, "The request was cancelled.");
        out.push(AgentOutput::Forget { work });
        true
    }

    /// Answers all requests, because nobody carries them out any more.
    pub(super) fn interrupt(&mut self, out: &mut Outbox) {
        let waits = std::mem::take(&mut self.waits);
        for (work, id) in std::mem::take(&mut self.open) {
            if waits.contains(&work) {
                // The command has ended with the host that ran it.
                out.answer(&id, &Ok(service_answer(ServiceAnswer::Exited(hung_up()))));
            } else {
                out.refuse(&id, INTERNAL_ERROR, "Moorline was restarted meanwhile: try again.");
            }
        }
    }

    /// Forgets all requests, because nobody is left to answer.
    pub(super) fn clear(&mut self, out: &mut Outbox) {
        self.terminals.clear();
        self.waits.clear();
        for work in std::mem::take(&mut self.open).into_keys() {
            out.push(AgentOutput::Forget { work });
        }
    }
}
