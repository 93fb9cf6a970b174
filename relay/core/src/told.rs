//! What a session's log told last of what the session does.

use moorline_shared::event::Status;
use moorline_shared::id::Seq;
use moorline_shared::log::{Entry, Log};
use serde::{Deserialize, Serialize};

/// The last `session-status` event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The entry that tells it.
    pub seq: Seq,
    /// Milliseconds since 1970.
    pub timestamp: u64,
    /// What it tells.
    pub status: Status,
}

impl Told {
    /// What an entry tells, if anything.
    #[must_use]
    pub fn by(entry: &Entry) -> Option<Self> {
        let Entry::Event(entry) = entry else { return None };
        let event = entry.event()?;
        let (seq, timestamp) = (entry.seq(), event.timestamp);
        event.status().map(|status| Self { seq, timestamp, status })
    }

    /// What a log's retained entries tell last.
    #[must_use]
    pub fn last(log: &Log) -> Option<Self> {
        log.after(Seq::ZERO).filter_map(Self::by).last()
    }

    /// The program that runs: the first word of its command line.
    #[must_use]
    pub fn tool(&self) -> Option<String> {
        self.status.command.as_ref()?.split_whitespace().next().map(str::to_owned)
    }
}
