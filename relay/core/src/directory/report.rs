//! Reports of sessions. The directory lists sessions by them, without asking each one.

use std::collections::BTreeMap;

use moorline_shared::fold::ApprovalEntry;
use moorline_shared::id::SessionId;
use moorline_shared::limits::LISTED_APPROVALS_BYTES;
use moorline_shared::rest::{ApprovalCard, DebugMetrics, EventBusMetrics, SseMetrics};
use moorline_shared::session::Lifecycle;

use super::change::Row;
use super::{Directory, SessionReport};
use crate::auth::Access;
use crate::profile::Profile;
use crate::record::{SessionRecord, name};
use crate::session::Session;

impl SessionReport {
    /// Returns the report of a session in memory. `wall_ms` is the time in milliseconds since 1970.
    #[must_use]
    pub fn of(session: &Session, wall_ms: u64) -> Self {
        Self {
            summary: session.summary(wall_ms),
            epoch: session.log().epoch(),
            size: session.size(),
            streams: session.streams(),
            approvals: listed_approvals(session, wall_ms),
        }
    }
}

/// Returns the session's open approvals, oldest first, as far as they fit into a report.
fn listed_approvals(session: &Session, wall_ms: u64) -> Vec<ApprovalEntry> {
    let view = session.agent(wall_ms);
    let mut left = LISTED_APPROVALS_BYTES;
    let fits = |entry: &&ApprovalEntry| {
        let bytes = serde_json::to_vec(entry).map_or(usize::MAX, |json| json.len());
        let fits = bytes <= left;
        left = left.saturating_sub(bytes);
        fits
    };
    view.approvals.open(wall_ms).filter(fits).cloned().collect()
}

/// The outcome of a report.
#[derive(Debug, Clone)]
pub struct Reported {
    /// True if the lists have changed.
    pub is_news: bool,
    /// The row to store, if the report differs enough or is due. A relay that stores the sessions' own rows does not
    /// need it.
    pub row: Option<Row>,
}

impl Directory {
    /// Takes a session's report at `now_ms`, in milliseconds since 1970. Returns `None` if the session is not listed.
    pub fn report(&mut self, report: SessionReport, now_ms: u64) -> Option<Reported> {
        let listed = self.sessions.get_mut(&report.summary.session_id)?;
        let is_news = listed.report.as_ref() != Some(&report);
        let is_same =
            listed.report.as_ref().is_some_and(|before| before.is_same_but_for_time(&report));
        let is_due = now_ms >= listed.stored_at_ms.saturating_add(Profile::EDGE.activity_step_ms);
        let row = (is_due || (is_news && !is_same)).then(|| {
            listed.stored_at_ms = now_ms;
            let (session, beside) = (listed.record.id.clone(), listed.beside.clone());
            Row::Listed { session, report: Some(Box::new(report.clone())), beside }
        });
        listed.report = Some(report);
        Some(Reported { is_news, row })
    }

    /// Replaces the row and the report of a session, for a relay that has the session in memory. Without a report, the
    /// row alone describes it. Does nothing if the session is not listed.
    pub fn refresh(&mut self, record: SessionRecord, report: Option<SessionReport>) {
        if let Some(listed) = self.sessions.get_mut(&record.id) {
            (listed.record, listed.report) = (record, report);
        }
    }

    /// Returns the approvals that are open at `now_ms`, oldest first, of the sessions that a token with this access
    /// reaches.
    #[must_use]
    pub fn open_approvals(&self, access: &Access, now_ms: u64) -> Vec<ApprovalCard> {
        let mut cards = Vec::new();
        for listed in self.sessions.values() {
            let record = &listed.record;
            if access.scope_of(&record.id, record.project.as_ref()).is_none() {
                continue;
            }
            let reported = listed.report.iter().flat_map(|report| &report.approvals);
            let open = reported.filter(|approval| approval.is_open(now_ms));
            cards.extend(open.map(|approval| ApprovalCard {
                session_id: record.id.clone(),
                session_name: name(record),
                approval: approval.clone(),
            }));
        }
        cards.sort_by_key(|card| card.approval.requested_at);
        cards
    }

    /// Counts sessions, clients and streams, for metrics.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (id, listed) in &self.sessions {
            *counts.lifecycles.entry(listed.lifecycle().as_str()).or_default() += 1;
            let Some(report) = &listed.report else { continue };
            counts.clients += report.summary.clients;
            if report.streams > 0 {
                counts.streams.insert(id.clone(), report.streams);
            }
        }
        counts
    }
}

/// The numbers of sessions, clients and streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The number of sessions by lifecycle, with an entry for every lifecycle.
    pub lifecycles: BTreeMap<&'static str, usize>,
    /// The number of clients of all sessions.
    pub clients: usize,
    /// The number of event streams by session, for sessions that have any.
    pub streams: BTreeMap<SessionId, usize>,
}

impl Counts {
    /// Returns the counts as `GET /api/debug/metrics` has them. `events_by_type` counts the logs' entries by type since
    /// the relay was started. Everything else that the relay counts is zero.
    #[must_use]
    pub fn debug(&self, events_by_type: BTreeMap<String, u64>) -> DebugMetrics {
        let total_connections = self.streams.values().sum();
        let listeners = self.streams.iter().map(|(id, count)| (format!("session-{id}"), *count));
        let sessions = self.lifecycles.iter().map(|(name, count)| ((*name).to_owned(), *count));
        DebugMetrics {
            event_bus: EventBusMetrics {
                listener_counts: listeners.collect(),
                active_listeners: total_connections,
                events_emitted: events_by_type.values().sum(),
                events_by_type,
            },
            sse: SseMetrics {
                active_sessions: self.streams.keys().cloned().collect(),
                total_connections,
            },
            sessions: sessions.collect(),
            clients: self.clients,
            ..DebugMetrics::default()
        }
    }
}

impl Default for Counts {
    fn default() -> Self {
        let lifecycles = Lifecycle::ALL.map(|lifecycle| (lifecycle.as_str(), 0)).into();
        Self { lifecycles, clients: 0, streams: BTreeMap::new() }
    }
}
