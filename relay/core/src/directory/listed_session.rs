//! A session of the list: its row, and the report by which it describes itself.

use moorline_shared::fold::ApprovalEntry;
use moorline_shared::id::{Epoch, SessionId};
use moorline_shared::rest::SessionSummary;
use moorline_shared::session::{Lifecycle, Size};
use serde::{Deserialize, Serialize};

use crate::record::{self, SessionRecord, name};

/// A session as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionReport {
    /// The session as lists show it.
    pub summary: SessionSummary,
    /// The epoch of its log.
    pub epoch: Epoch,
    /// The size of its terminal.
    pub size: Size,
    /// The number of event streams that are open.
    pub streams: usize,
    /// Its open approvals, oldest first, as far as they fit.
    #[serde(default)]
    pub approvals: Vec<ApprovalEntry>,
}

/// A session of the list.
#[derive(Debug)]
pub(super) struct ListedSession {
    /// Its row. The report takes precedence.
    pub(super) record: SessionRecord,
    /// Its last report; `None` until the first one.
    pub(super) report: Option<SessionReport>,
    /// The session that it was opened beside, as a terminal.
    pub(super) beside: Option<SessionId>,
    /// The time at which its report was last stored, in milliseconds since 1970.
    pub(super) stored_at_ms: u64,
}

impl SessionReport {
    /// Returns true if two reports differ at most in the time of the last activity.
    pub(super) fn is_same_but_for_time(&self, other: &Self) -> bool {
        let last_activity = self.summary.last_activity.clone();
        let summary = SessionSummary { last_activity, ..other.summary.clone() };
        *self == Self { summary, ..other.clone() }
    }
}

impl ListedSession {
    pub(super) fn lifecycle(&self) -> Lifecycle {
        self.report.as_ref().map_or(self.record.lifecycle, |report| report.summary.lifecycle)
    }

    pub(super) fn summary(&self) -> SessionSummary {
        let Some(report) = &self.report else { return record::summary(&self.record, 0) };
        // The name of a pane is that of its tmux session, which its log reports.
        let name = match &report.summary.tmux {
            Some(tmux) => name(&SessionRecord { tmux: Some(tmux.clone()), ..self.record.clone() }),
            None => name(&self.record),
        };
        SessionSummary {
            // The directory decides these, and the report may be older.
            name,
            named: self.record.name.is_some(),
            project: self.record.project.clone(),
            host: self.record.host.clone(),
            ..report.summary.clone()
        }
    }

    pub(super) fn size(&self) -> Size {
        self.report.as_ref().map_or(self.record.size, |report| report.size)
    }
}
