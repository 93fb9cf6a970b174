//! Reports to the directory, which lists the session without waking it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use moorline_core::directory::SessionReport;
use moorline_core::record::summary_now;
use moorline_shared::id::Seq;
use moorline_shared::log::Entry;
use moorline_shared::rest::SessionSummary;
use moorline_shared::time::Time;
use worker::console_warn;
use worker::wasm_bindgen_futures::spawn_local;

use super::object::{Object, wall_ms};
use super::state::SessionState;
use crate::internal::{Counted, SUMMARY, SessionUpdate};
use crate::object_client;
use crate::reply::RequestFailure;

/// Minimum time between two reports.
const BETWEEN: Duration = Duration::from_secs(1);
/// Minimum time between two reports of activity alone.
const ACTIVITY_STEP: Duration = Duration::from_secs(10);

/// State of the reports to the directory.
#[derive(Debug, Default)]
pub(super) struct ReportState {
    /// Cheap figures that show whether the summary can have changed.
    seen: ReportedValues,
    /// Hash of the last report, without its times.
    told: Option<u64>,
    /// True if there is something new to report.
    news: bool,
    activity_ms: u64,
    at: Time,
    due: ReportDue,
    /// Number of changes of the name, project or other parts of the record.
    changes: u64,
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

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct ReportedValues {
    revision: u64,
    told: Option<Seq>,
    clients: usize,
    streams: usize,
    changes: u64,
}

impl ReportState {
    /// Notes that the record has changed.
    pub(super) const fn changed(&mut self) {
        self.changes += 1;
    }

    /// Counts an entry. Output is reported together with its activity, events are reported soon.
    pub(super) fn counts(&mut self, entry: &Entry) {
        self.counted.entry(entry);
        self.news |= matches!(entry, Entry::Event(_));
    }

    /// Time of the next report, if the object must wake for it.
    pub(super) const fn due(&self) -> Option<Time> {
        match self.due {
            ReportDue::At(at) => Some(at),
            ReportDue::Never | ReportDue::Sometime(_) => None,
        }
    }
}

impl SessionState {
    /// Restores what the directory was last told, after the memory was lost.
    pub(super) fn was_told(&mut self, told: Option<u64>) {
        self.listed.told = told;
        self.listed.activity_ms = self.last_activity_ms;
    }

    /// Returns true if the directory is to be told now, and assumes that it is.
    pub(super) fn is_to_be_told(&mut self, now: Time) -> bool {
        let seen = ReportedValues {
            revision: self.session.revision(),
            told: self.session.last_status().map(|told| told.seq),
            clients: self.session.clients(),
            streams: self.session.streams(),
            changes: self.listed.changes,
        };
        if seen != self.listed.seen {
            self.listed.seen = seen;
            self.listed.news |= self.listed.told != Some(self.hash());
        }
        let active = self.last_activity_ms > self.listed.activity_ms;
        self.listed.due = if self.session.is_deleted() {
            ReportDue::Never
        } else if self.listed.news {
            ReportDue::At(self.listed.at + BETWEEN)
        } else if active {
            ReportDue::Sometime(self.listed.at + ACTIVITY_STEP)
        } else {
            ReportDue::Never
        };
        match self.listed.due {
            ReportDue::At(at) | ReportDue::Sometime(at) if now >= at => {
                self.listed.due = ReportDue::Never
            }
            _ => return false,
        }
        let hash = self.hash();
        self.listed.at = now;
        self.listed.activity_ms = self.last_activity_ms;
        self.listed.news = false;
        self.listed.told = Some(hash);
        if let Some(host) = &mut self.host {
            host.listed = Some(hash);
            host.keep();
        }
        true
    }

    fn hash(&self) -> u64 {
        let mut summary = self.summary();
        summary.last_activity.clear();
        let mut hasher = DefaultHasher::new();
        (serde_json::to_string(&summary).ok(), self.session.streams()).hash(&mut hasher);
        // Short enough for JSON to keep the number exact.
        hasher.finish() >> 11
    }

    /// The session's summary, as in the list.
    pub(super) fn summary(&self) -> SessionSummary {
        summary_now(&self.current_record(), &self.session, wall_ms())
    }

    fn update(&mut self) -> SessionUpdate {
        let report = SessionReport {
            summary: self.summary(),
            epoch: self.session.log().epoch(),
            size: self.session.size(),
            streams: self.session.streams(),
        };
        SessionUpdate { report, counted: mem::take(&mut self.listed.counted) }
    }
}

impl Object {
    /// Sends the directory a report, in the background.
    pub(super) fn tell(self: &Rc<Self>, loaded: &mut SessionState) {
        let (object, update) = (Rc::clone(self), loaded.update());
        spawn_local(async move { object.report(&update).await });
    }

    /// Sends a report now, whatever was sent before, and waits for its answer.
    pub(super) async fn tell_now(self: &Rc<Self>) {
        let Ok(update) = self.with(SessionState::update) else { return };
        self.report(&update).await;
    }

    async fn report(self: &Rc<Self>, update: &SessionUpdate) {
        if let Err(error) = self.send(update).await {
            console_warn!("a session's report did not reach the directory: {error}");
            // Sent again with the next report.
            self.attempt(|loaded| {
                loaded.was_told(None);
                loaded.listed.counted.add(&update.counted);
            });
        }
    }

    async fn send(&self, update: &SessionUpdate) -> Result<(), RequestFailure> {
        let directory = object_client::directory(&self.env)?;
        object_client::post(&directory, SUMMARY, update).await.map(drop)
    }
}
