//! Metrics for operators.
//!
//! Uses `prometheus-client`, the Prometheus project's own crate: it has no global state and writes
//! OpenMetrics.

mod pods;

use std::fmt;
use std::sync::atomic::AtomicU64;

use moorline_shared::event::EventKind;
use moorline_shared::log::Entry;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::clock::wall_ms;
use moorline_core::directory::Counts;
use pods::HostPodMetrics;

/// Counters that the store updates.
#[derive(Debug, Clone, Default)]
pub struct StoreCounters {
    /// Bytes of entries that were stored.
    pub bytes: Counter,
    /// Batches that were stored.
    pub batches: Counter,
    /// Rounds of writing that failed.
    pub failures: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    r#type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LifecycleLabels {
    lifecycle: &'static str,
}

/// The relay's metrics, in one registry that [`Metrics::encode`] writes.
pub struct Metrics {
    registry: Registry,
    started_at_ms: u64,
    events: Family<KindLabels, Counter>,
    output_bytes: Counter,
    requests: Family<RequestLabels, Counter>,
    sessions: Family<LifecycleLabels, Gauge>,
    clients: Gauge,
    streams: Gauge,
    memory_bytes: Gauge<u64, AtomicU64>,
    /// The counters that the store updates.
    pub store: StoreCounters,
    /// The counts of hosts with pods.
    pub pods: HostPodMetrics,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("moorline"),
            started_at_ms: wall_ms(),
            events: Family::default(),
            output_bytes: Counter::default(),
            requests: Family::default(),
            sessions: Family::default(),
            clients: Gauge::default(),
            streams: Gauge::default(),
            memory_bytes: Gauge::default(),
            store: StoreCounters::default(),
            pods: HostPodMetrics::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let Self { registry, events, output_bytes, requests, sessions, clients, .. } = self;
        registry.register("events", "Log entries, by type", events.clone());
        let help = "Output of sessions";
        registry.register_with_unit("output", help, Unit::Bytes, output_bytes.clone());
        registry.register("http_requests", "Requests, by route and status", requests.clone());
        registry.register("sessions", "Sessions, by lifecycle", sessions.clone());
        registry.register("clients", "Clients of sessions", clients.clone());
        let Self { streams, store, memory_bytes, .. } = self;
        registry.register("event_streams", "Event streams of sessions", streams.clone());
        let help = "Entries that were stored";
        registry.register_with_unit("stored", help, Unit::Bytes, store.bytes.clone());
        registry.register("stored_batches", "Batches that were stored", store.batches.clone());
        let help = "Rounds that could not be stored";
        registry.register("store_failures", help, store.failures.clone());
        let help = "Memory that the process holds";
        let memory = memory_bytes.clone();
        registry.register_with_unit("resident_memory", help, Unit::Bytes, memory);
        let start: Gauge<f64, AtomicU64> = Gauge::default();
        start.set(self.started_at_ms as f64 / 1000.0);
        let help = "When the relay was started, since 1970";
        registry.register_with_unit("start_time", help, Unit::Seconds, start);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "This program", build);
        self.pods.register(&mut self.registry);
    }

    /// Counts an entry that was appended to a log.
    pub fn entry(&self, entry: &Entry) {
        if let Entry::Output(frame) = entry {
            self.output_bytes.inc_by(frame.data_len() as u64);
        }
        self.events.get_or_create(&KindLabels { r#type: entry.kind().as_str() }).inc();
    }

    /// Counts a request that was answered.
    pub fn request(&self, method: &str, route: &str, status: u16) {
        let (method, route) = (method.to_owned(), route.to_owned());
        self.requests.get_or_create(&RequestLabels { method, route, status }).inc();
    }

    /// Returns the number of entries by type, for the types that occurred.
    pub fn events_by_type(&self) -> impl Iterator<Item = (&'static str, u64)> {
        EventKind::ALL.iter().filter_map(|kind| {
            let count = self.events.get(&KindLabels { r#type: kind.as_str() })?.get();
            Some((kind.as_str(), count))
        })
    }

    /// The total output of all sessions, in bytes.
    #[must_use]
    pub fn output_bytes(&self) -> u64 {
        self.output_bytes.get()
    }

    /// The time since the relay was started, in milliseconds.
    #[must_use]
    pub fn uptime_ms(&self) -> u64 {
        wall_ms().saturating_sub(self.started_at_ms)
    }

    /// Writes all metrics as OpenMetrics text, with `counts` as the current values.
    ///
    /// # Errors
    /// Writing to a `String` does not fail.
    pub fn encode(&self, counts: &Counts) -> Result<String, fmt::Error> {
        for (lifecycle, count) in &counts.lifecycles {
            let gauge = self.sessions.get_or_create(&LifecycleLabels { lifecycle });
            gauge.set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        self.clients.set(i64::try_from(counts.clients).unwrap_or(i64::MAX));
        let streams: usize = counts.streams.values().sum();
        self.streams.set(i64::try_from(streams).unwrap_or(i64::MAX));
        self.memory_bytes.set(memory_bytes().unwrap_or_default());
        self.pods.show();
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The resident memory of this process, in bytes; `None` if the system does not say.
#[must_use]
pub fn memory_bytes() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let resident: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(resident * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use moorline_shared::event::Event;
    use moorline_shared::frame::Frame;
    use moorline_shared::id::Seq;
    use moorline_shared::log::EventEntry;

    use super::*;

    #[test]
    fn pods_are_shown_for_as_long_as_their_host_is_connected() {
        let (metrics, host) = (Metrics::default(), "machine_1".parse().unwrap());
        let counts = |ready| {
            std::sync::Arc::new(moorline_shared::pod::PodMetrics {
                phases: [(moorline_shared::pod::PodPhase::Ready, 2)].into(),
                ready,
                ready_ms: 1500,
                reconnects: 7,
            })
        };
        let (first, second) = (counts(1), counts(2));
        metrics.pods.insert(&host, &first);
        metrics.pods.insert(&host, &second);
        for _ in 0..2 {
            let text = metrics.encode(&Counts::default()).unwrap();
            for line in [
                "moorline_pods{host=\"machine_1\",phase=\"ready\"} 2",
                "moorline_pods_ready_total{host=\"machine_1\"} 2",
                "moorline_pods_ready_milliseconds_total{host=\"machine_1\"} 1500",
                "moorline_pod_reconnects_total{host=\"machine_1\"} 7",
            ] {
                assert!(text.lines().any(|got| got == line), "{line}: {text}");
            }
            // An earlier link of the same host has ended.
            metrics.pods.remove(&host, &first);
        }
        metrics.pods.remove(&host, &second);
        assert!(!metrics.encode(&Counts::default()).unwrap().contains("machine_1"));
    }

    #[test]
    fn entries_are_counted_by_type() {
        let metrics = Metrics::default();
        let event = |seq, kind| {
            let event = Event::of_kind("session_1".parse().unwrap(), kind, 1, ());
            Entry::Event(EventEntry::new(Seq(seq), event))
        };
        metrics.entry(&Entry::Output(Frame::copy(Seq(1), b"hello").unwrap()));
        metrics.entry(&event(2, "command-sent"));
        metrics.entry(&event(3, "made-up"));
        metrics.entry(&event(4, "made-up-too"));
        metrics.request("GET", "/api/sessions", 200);
        let counted: Vec<_> = metrics.events_by_type().collect();
        assert_eq!(counted, [("session-output", 1), ("command-sent", 1), ("other", 2)]);
        let text = metrics.encode(&Counts::default()).unwrap();
        for line in [
            "moorline_events_total{type=\"other\"} 2",
            "moorline_output_bytes_total 5",
            "moorline_http_requests_total{method=\"GET\",route=\"/api/sessions\",status=\"200\"} 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|got| got == line), "{line}: {text}");
        }
        assert!(memory_bytes().is_none_or(|bytes| bytes > 1024 * 1024));
    }
}
