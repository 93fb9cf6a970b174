//! When the directory is told of the session, which it lists without waking it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::mem;
use std::time::Duration;

use moorline_core::directory::SessionReport;
use moorline_core::session::Session;
use moorline_shared::log::Entry;
use moorline_shared::time::Time;

use super::clock::wall_ms;
use crate::internal::{Counted, SessionUpdate};

/// Minimum time between two reports.
const BETWEEN: Duration = Duration::from_secs(1);
/// Minimum time between two reports of activity alone.
const ACTIVITY_STEP: Duration = Duration::from_secs(10);

/// State of the reports to the directory.
#[derive(Debug, Default)]
pub(super) struct ReportState {
    /// Hash of the last report, without its times.
    told: Option<u64>,
    /// True if there is something new to report.
    news: bool,
    activity_ms: u64,
    at: Time,
    due: ReportDue,
    /// Entries counted since the last report.
    counted: Counted,
}

/// Time of the next report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum ReportDue {
    /// Nothing is to be reported.
    #[default]
    Never,
    At(Time),
    /// With any event after that time: the object is not kept awake for a timestamp that is seconds
    /// old.
    Sometime(Time),
}

impl ReportState {
    /// Restores what the directory was last told, after the memory was lost.
    pub(super) const fn was_told(&mut self, told: Option<u64>, activity_ms: u64) {
        self.told = told;
        self.activity_ms = activity_ms;
    }

    /// Notes that a report has not arrived: its counts go with the next one.
    pub(super) fn was_lost(&mut self, counted: &Counted) {
        self.told = None;
        self.counted.add(counted);
    }

    /// Counts an entry. Output is reported together with its activity, events are reported soon.
    pub(super) fn counts(&mut self, entry: &Entry) {
        self.counted.entry(entry);
        self.news |= matches!(entry, Entry::Event(_));
    }

    /// Notes that lists may show the session otherwise.
    pub(super) fn changed(&mut self, session: &Session) {
        self.news |= self.told != Some(hash(session));
    }

    /// Time of the next report, if the object must wake for it.
    pub(super) const fn due(&self) -> Option<Time> {
        match self.due {
            ReportDue::At(at) => Some(at),
            ReportDue::Never | ReportDue::Sometime(_) => None,
        }
    }

    /// Returns the hash of a report that is to be sent now, and assumes that it is.
    pub(super) fn poll(&mut self, session: &Session, now: Time) -> Option<u64> {
        let activity_ms = session.last_activity_ms();
        self.due = if session.is_deleted() {
            ReportDue::Never
        } else if self.news {
            ReportDue::At(self.at + BETWEEN)
        } else if activity_ms > self.activity_ms {
            ReportDue::Sometime(self.at + ACTIVITY_STEP)
        } else {
            ReportDue::Never
        };
        match self.due {
            ReportDue::At(at) | ReportDue::Sometime(at) if now >= at => {}
            _ => return None,
        }
        let hash = hash(session);
        *self = Self {
            told: Some(hash),
            news: false,
            activity_ms,
            at: now,
            due: ReportDue::Never,
            counted: mem::take(&mut self.counted),
        };
        Some(hash)
    }

    /// Returns the report, with the entries counted since the last one.
    pub(super) fn take(&mut self, session: &Session) -> SessionUpdate {
        let report = SessionReport::of(session, wall_ms());
        SessionUpdate { report, counted: mem::take(&mut self.counted) }
    }
}

fn hash(session: &Session) -> u64 {
    let SessionReport { mut summary, streams, approvals, .. } =
        SessionReport::of(session, wall_ms());
    summary.last_activity.clear();
    let mut hasher = DefaultHasher::new();
    (serde_json::to_string(&(summary, approvals)).ok(), streams).hash(&mut hasher);
    // Short enough for JSON to keep the number exact.
    hasher.finish() >> 11
}
