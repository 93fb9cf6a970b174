//! Counts of a host's pods.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::PodPhase;

/// Counts of a host's pods, for operators: since the host was started, except the phases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodMetrics {
    /// The number of sessions by the phase of their pods now.
    pub phases: BTreeMap<PodPhase, u32>,
    /// The number of pods that have become ready.
    pub ready: u64,
    /// The time from the request for each of them until it was ready, in milliseconds in total.
    pub ready_ms: u64,
    /// The number of connections to pods that were lost and made again.
    pub reconnects: u64,
}
