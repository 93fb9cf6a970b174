//! Metrics of the pods of hosts, as the hosts count them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_shared::id::HostId;
use moorline_shared::pod::PodMetrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HostLabels {
    host: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabels {
    host: String,
    phase: String,
}

/// The counts of the hosts that are connected, and the metrics that show them.
#[derive(Debug, Default)]
pub struct HostPodMetrics {
    /// The last counts of each host.
    hosts: Mutex<BTreeMap<HostId, Arc<PodMetrics>>>,
    pods: Family<PhaseLabels, Gauge>,
    ready: Family<HostLabels, Counter>,
    ready_ms: Family<HostLabels, Counter>,
    reconnects: Family<HostLabels, Counter>,
}

impl HostPodMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("pods", "Sessions in pods, by host and phase", self.pods.clone());
        registry.register("pods_ready", "Pods that have become ready", self.ready.clone());
        let help = "Time until pods were ready, in total";
        registry.register("pods_ready_milliseconds", help, self.ready_ms.clone());
        let help = "Connections to pods that were lost and made again";
        registry.register("pod_reconnects", help, self.reconnects.clone());
    }

    /// Takes the counts of a host.
    pub fn insert(&self, host: &HostId, metrics: &Arc<PodMetrics>) {
        self.hosts().insert(host.clone(), Arc::clone(metrics));
    }

    /// Forgets these counts of a host, because its link has ended. Those of a later link stay.
    pub fn remove(&self, host: &HostId, metrics: &Arc<PodMetrics>) {
        let mut hosts = self.hosts();
        if hosts.get(host).is_some_and(|now| Arc::ptr_eq(now, metrics)) {
            hosts.remove(host);
        }
    }

    /// Sets the metrics to the counts of the hosts that are connected now.
    pub(super) fn show(&self) {
        self.pods.clear();
        for family in [&self.ready, &self.ready_ms, &self.reconnects] {
            family.clear();
        }
        for (host, metrics) in &*self.hosts() {
            let labels = HostLabels { host: host.to_string() };
            for (phase, count) in &metrics.phases {
                let phase = phase.title().to_ascii_lowercase();
                let labels = PhaseLabels { host: host.to_string(), phase };
                self.pods.get_or_create(&labels).set(i64::from(*count));
            }
            for (family, count) in [
                (&self.ready, metrics.ready),
                (&self.ready_ms, metrics.ready_ms),
                (&self.reconnects, metrics.reconnects),
            ] {
                family.get_or_create(&labels).inc_by(count);
            }
        }
    }

    fn hosts(&self) -> MutexGuard<'_, BTreeMap<HostId, Arc<PodMetrics>>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
