//! The last status that a session's log reports.

use moorline_shared::event::Status;
use moorline_shared::id::Seq;
use moorline_shared::log::{Entry, Log};
use serde::{Deserialize, Serialize};

/// The last `session-status` event of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastStatus {
    /// The event's entry.
    pub seq: Seq,
    /// The event's time, in milliseconds since 1970.
    pub timestamp: u64,
    /// The event's fields.
    pub status: Status,
}

impl LastStatus {
    /// Returns the status that an entry reports, if it is such an event.
    #[must_use]
    pub fn of(entry: &Entry) -> Option<Self> {
        let Entry::Event(event) = entry else { return None };
        let status = event.status()?.clone();
        Some(Self { seq: event.seq(), timestamp: entry.time_ms(), status })
    }

    /// Returns the last status among a log's retained entries.
    #[must_use]
    pub fn of_log(log: &Log) -> Option<Self> {
        log.after(Seq::ZERO).filter_map(Self::of).last()
    }

    /// Returns the running program: the first word of its command line.
    #[must_use]
    pub fn tool(&self) -> Option<String> {
        self.status.command.as_ref()?.split_whitespace().next().map(str::to_owned)
    }
}
