//! Tells a reader what waits for the session's host, which the log cannot say.

use moorline_shared::event::AgentPending;
use moorline_shared::id::Seq;

use super::session::Session;

/// What a reader was told last of what waits for the host.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PendingReport {
    /// [`Session::pending_revision`] at the last look; `None` before the first.
    revision: Option<u64>,
    /// True if the reader was told that something waits.
    waits: bool,
}

impl PendingReport {
    /// Returns the state for a reader who was told before this relay lost its memory. `waits` is
    /// [`PendingReport::waits`] of then.
    pub(crate) const fn restored(waits: bool) -> Self {
        Self { revision: None, waits }
    }

    /// Returns true if the reader was told that something waits.
    pub(crate) const fn waits(&self) -> bool {
        self.waits
    }

    /// Returns what waits, if that is news: at first unless nothing does, and after each change.
    /// `position` is the last entry that the reader was sent.
    ///
    /// The reader first gets the entries that settle what it was told. Without them, what is no
    /// longer reported would look as if it had never been asked for.
    pub(crate) fn poll(&mut self, session: &Session, position: Seq) -> Option<AgentPending> {
        let revision = Some(session.pending_revision());
        if self.revision == revision || (self.waits && position < session.pending_settled()) {
            return None;
        }
        let pending = session.agent_pending();
        let is_news = self.waits || !pending.is_empty();
        *self = Self { revision, waits: !pending.is_empty() };
        is_news.then_some(pending)
    }
}
