//! `/metrics` and `/api/debug/metrics`: what sessions have told of themselves, counted. What is
//! counted in sessions' objects alone is not known here: asking would wake them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use http::StatusCode;
use moorline_relay::core::api::ApiError;
use moorline_shared::rest::{DebugMetrics, EventBusMetrics, SseMetrics, StoreMetrics};
use moorline_shared::session::Lifecycle;
use worker::ResponseBuilder;

use super::{Directory, now_ms};
use crate::reply::{Answer, Failure, json};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What there is now.
struct Counts {
    lifecycles: BTreeMap<&'static str, usize>,
    clients: usize,
    hosts: usize,
    debug: DebugMetrics,
}

impl Directory {
    pub(super) fn metrics(&self) -> Answer {
        let text = self.counts()?.text().map_err(|error| ApiError::internal(&error))?;
        let response = ResponseBuilder::new().with_header("content-type", OPEN_METRICS)?;
        Ok(response.fixed(text.into_bytes()))
    }

    pub(super) fn debug_metrics(&self) -> Answer {
        json(StatusCode::OK, &self.counts()?.debug)
    }

    fn counts(&self) -> Result<Counts, Failure> {
        let hosts = self.hosts_here();
        self.with(|known| {
            let mut lifecycles: BTreeMap<_, _> = LIFECYCLES.map(|it| (word(it), 0)).into();
            let (mut clients, mut listeners, mut active) = (0, BTreeMap::new(), Vec::new());
            for (id, listed) in &known.sessions {
                *lifecycles.entry(word(listed.lifecycle())).or_default() += 1;
                let Some(told) = &listed.told else { continue };
                clients += told.summary.clients;
                if told.streams > 0 {
                    listeners.insert(format!("session-{id}"), told.streams);
                    active.push(id.clone());
                }
            }
            let total_connections = listeners.values().sum();
            let debug = DebugMetrics {
                event_bus: EventBusMetrics {
                    listener_counts: listeners,
                    active_listeners: total_connections,
                    ..EventBusMetrics::default()
                },
                sse: SseMetrics { active_sessions: active, total_connections },
                sessions: lifecycles.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect(),
                clients,
                list_streams: self.streams.get(),
                store: StoreMetrics { storing: true, ..StoreMetrics::default() },
                uptime: now_ms().saturating_sub(self.since_ms),
                ..DebugMetrics::default()
            };
            Ok(Counts { lifecycles, clients, hosts, debug })
        })
    }
}

impl Counts {
    fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        let mut gauge = |name: &str, help: &str, values: &[(String, usize)]| {
            writeln!(text, "# HELP moorline_{name} {help}.\n# TYPE moorline_{name} gauge")?;
            values
                .iter()
                .try_for_each(|(labels, value)| writeln!(text, "moorline_{name}{labels} {value}"))
        };
        let one = |value| [(String::new(), value)];
        let lifecycles = self.lifecycles.iter();
        let sessions: Vec<_> =
            lifecycles.map(|(name, n)| (format!("{{lifecycle=\"{name}\"}}"), *n)).collect();
        gauge("sessions", "Sessions, by lifecycle", &sessions)?;
        gauge("clients", "Clients of sessions", &one(self.clients))?;
        let streams = self.debug.sse.total_connections;
        gauge("event_streams", "Event streams of sessions", &one(streams))?;
        gauge("list_streams", "Streams of the list of sessions", &one(self.debug.list_streams))?;
        gauge("hosts", "Hosts that are connected", &one(self.hosts))?;
        text.push_str("# EOF\n");
        Ok(text)
    }
}

const LIFECYCLES: [Lifecycle; 5] =
    [Lifecycle::Live, Lifecycle::Detached, Lifecycle::Exited, Lifecycle::Lost, Lifecycle::Expired];

/// As on the wire.
const fn word(lifecycle: Lifecycle) -> &'static str {
    match lifecycle {
        Lifecycle::Live => "live",
        Lifecycle::Detached => "detached",
        Lifecycle::Exited => "exited",
        Lifecycle::Lost => "lost",
        Lifecycle::Expired => "expired",
    }
}
