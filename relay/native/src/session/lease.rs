//! The host's end of a session: the link that holds it, and the messages both ways.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use moorline_shared::log::Entry;
use moorline_shared::publish::{HostCommand, HostMessage};

use super::{HandleState, SessionHandle};
use crate::clock::wall_ms;
use moorline_core::session::PublishError;

/// Limit of the commands taken at once. The others stay where they can still be merged or dropped.
const COMMANDS_AT_ONCE: usize = 64;

/// Wakes a link's task. A wake before the task polls is kept.
#[derive(Debug, Default)]
struct Wake {
    task: AtomicWaker,
    due: AtomicBool,
}

impl Wake {
    fn wake(&self) {
        self.due.store(true, Ordering::Release);
        self.task.wake();
    }

    fn poll(&self, context: &Context<'_>) -> Poll<()> {
        self.task.register(context.waker());
        if self.due.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// The session's side of its host's link.
#[derive(Debug, Default)]
pub(super) struct HostLinkState {
    /// The number of links so far, which identifies the current one.
    number: u64,
    /// Wakes the current link's task; `None` if the host is away.
    wake: Option<Arc<Wake>>,
    /// True while the session's last snapshot is expected and has not arrived.
    awaits_snapshot: bool,
}

impl HostLinkState {
    pub(super) const fn is_up(&self) -> bool {
        self.wake.is_some()
    }

    /// Ends the current link: its holder must leave.
    pub(super) fn cut(&mut self) {
        self.awaits_snapshot = false;
        if let Some(wake) = self.wake.take() {
            wake.wake();
        }
    }

    pub(super) fn wake(&self) {
        if let Some(wake) = &self.wake {
            wake.wake();
        }
    }
}

/// The reason that a link must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// Another link publishes the session now.
    Replaced,
    /// The session was deleted.
    Deleted,
    /// The session is over and all of it is stored.
    Done,
    /// The host is too slow to take the commands for it.
    Stalled,
}

/// The place of the one link that publishes a session. Dropping it marks the host as away.
#[derive(Debug)]
pub struct PublisherLease {
    session: Arc<SessionHandle>,
    number: u64,
    wake: Arc<Wake>,
}

impl SessionHandle {
    /// Seats the session's host. A link that it had before is replaced.
    #[must_use]
    pub fn host_arrived(self: &Arc<Self>) -> PublisherLease {
        let wake = Arc::new(Wake::default());
        let mut state = self.lock();
        state.link.cut();
        state.link.number += 1;
        state.link.wake = Some(Arc::clone(&wake));
        let number = state.link.number;
        state.session.host_arrived();
        state.settle();
        PublisherLease { session: Arc::clone(self), number, wake }
    }
}

impl PublisherLease {
    /// The session of this seat.
    #[must_use]
    pub const fn session(&self) -> &Arc<SessionHandle> {
        &self.session
    }

    /// Ready when there may be commands for the host, or a reason to leave.
    pub fn poll_woken(&self, context: &mut Context<'_>) -> Poll<()> {
        self.wake.poll(context)
    }

    /// Takes the next commands for the host.
    ///
    /// # Errors
    /// [`CloseReason`]: the commands taken so far are the last.
    pub fn take(&self, commands: &mut Vec<HostCommand>) -> Result<(), CloseReason> {
        let mut state = self.session.lock();
        if state.link.number != self.number || !state.link.is_up() {
            return Err(CloseReason::Replaced);
        }
        let session = &mut state.session;
        if session.host_is_stalled() {
            return Err(CloseReason::Stalled);
        }
        commands.extend(std::iter::from_fn(|| session.poll_command()).take(COMMANDS_AT_ONCE));
        if commands.len() == COMMANDS_AT_ONCE {
            // More commands may be waiting.
            self.wake.wake();
            return Ok(());
        }
        if state.session.is_deleted() {
            return Err(CloseReason::Deleted);
        }
        if state.is_done() {
            return Err(CloseReason::Done);
        }
        Ok(())
    }

    /// Passes the host's messages to the session. Does nothing if the link was replaced.
    ///
    /// # Errors
    /// [`PublishError`]: the link must be closed.
    pub fn hear(&self, messages: impl Iterator<Item = HostMessage>) -> Result<(), PublishError> {
        let mut state = self.session.lock();
        if state.link.number != self.number || !state.link.is_up() {
            return Ok(());
        }
        let metrics = &self.session.services.metrics;
        let mut result = Ok(());
        for message in messages {
            let message = message.timed(wall_ms);
            if let HostMessage::Entry(entry) = &message
                && entry.seq() > state.session.log().head()
            {
                metrics.entry(entry);
                state.put_out(entry);
            }
            state.note(&message);
            result = state.session.host_message(message);
            if result.is_err() {
                break;
            }
        }
        state.settle();
        result
    }
}

impl Drop for PublisherLease {
    fn drop(&mut self) {
        let mut state = self.session.lock();
        if state.link.number == self.number && state.link.is_up() {
            state.link.cut();
            state.session.host_left(false);
            state.settle();
        }
    }
}

impl HandleState {
    /// Wakes the link's task if the session has new commands for its host.
    pub(super) fn wake_host(&mut self) {
        if self.session.has_new_commands() {
            self.link.wake();
        }
    }

    fn put_out(&mut self, entry: &Entry) {
        if let Entry::Output(frame) = entry {
            self.active_at(frame.time_ms());
            self.storing.put_out(frame.data_len());
        }
    }

    fn note(&mut self, message: &HostMessage) {
        match message {
            HostMessage::Exited { .. } => {
                self.active();
                self.link.awaits_snapshot = true;
            }
            HostMessage::Snapshot(_) | HostMessage::SnapshotFailed => {
                self.link.awaits_snapshot = false;
            }
            _ => {}
        }
    }

    /// Returns true if nothing more is expected from the host.
    fn is_done(&self) -> bool {
        let session = &self.session;
        session.lifecycle().is_over() && session.unstored_bytes() == 0 && !self.link.awaits_snapshot
    }
}
