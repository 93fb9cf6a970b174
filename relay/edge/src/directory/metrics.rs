//! `/metrics` and `/api/debug/metrics`: totals of what sessions have reported since the directory
//! was loaded. The figures are a few seconds old, because asking the sessions would wake them.

use std::fmt::Write as _;

use http::StatusCode;
use moorline_core::api::ApiError;
use moorline_core::directory::Counts;
use moorline_shared::rest::{DebugMetrics, StoreMetrics};
use worker::ResponseBuilder;

use super::{DirectoryState, now_ms};
use crate::internal::Counted;
use crate::reply::{Answer, RequestFailure, json};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Types of samples, as OpenMetrics names them.
const COUNTER: &str = "counter";
const GAUGE: &str = "gauge";

/// Current figures for both endpoints.
struct Gauges {
    counts: Counts,
    hosts: usize,
    debug: DebugMetrics,
}

impl DirectoryState {
    pub(super) fn metrics(&self) -> Answer {
        let text = self.gauges()?.text().map_err(|error| ApiError::internal(&error))?;
        let response = ResponseBuilder::new().with_header("content-type", OPEN_METRICS)?;
        Ok(response.fixed(text.into_bytes()))
    }

    pub(super) fn debug_metrics(&self) -> Answer {
        json(StatusCode::OK, &self.gauges()?.debug)
    }

    fn gauges(&self) -> Result<Gauges, RequestFailure> {
        let counts = self.ask(|directory| Ok(directory.counts()))?;
        let Counted { events, output_bytes } = self.counted.borrow().clone();
        let debug = DebugMetrics {
            list_streams: self.streams.get(),
            output_bytes,
            store: StoreMetrics { storing: true, ..StoreMetrics::default() },
            uptime: now_ms().saturating_sub(self.since_ms),
            ..counts.debug(events)
        };
        Ok(Gauges { counts, hosts: self.hosts_here(), debug })
    }
}

impl Gauges {
    fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
            let name = format!("moorline_{name}");
            writeln!(text, "# HELP {name} {help}.\n# TYPE {name} {kind}")?;
            let total = if kind == COUNTER { "_total" } else { "" };
            values
                .iter()
                .try_for_each(|(labels, value)| writeln!(text, "{name}{total}{labels} {value}"))
        };
        let one = |value| [(String::new(), value)];
        let debug = &self.debug;
        let events = debug.event_bus.events_by_type.iter();
        let events: Vec<_> = events.map(|(kind, n)| (format!("{{type=\"{kind}\"}}"), *n)).collect();
        family("events", COUNTER, "Log entries, by type", &events)?;
        let output_bytes = one(debug.output_bytes);
        family("output_bytes", COUNTER, "Output of sessions", &output_bytes)?;
        let lifecycles = self.counts.lifecycles.iter();
        let sessions: Vec<_> =
            lifecycles.map(|(name, n)| (format!("{{lifecycle=\"{name}\"}}"), *n as u64)).collect();
        family("sessions", GAUGE, "Sessions, by lifecycle", &sessions)?;
        for (name, help, value) in [
            ("clients", "Clients of sessions", self.counts.clients),
            ("event_streams", "Event streams of sessions", debug.sse.total_connections),
            ("list_streams", "Streams of the list of sessions", debug.list_streams),
            ("hosts", "Hosts that are connected", self.hosts),
        ] {
            family(name, GAUGE, help, &one(value as u64))?;
        }
        text.push_str("# EOF\n");
        Ok(text)
    }
}
