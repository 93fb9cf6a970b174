//! The host's end of a session: the link that holds it, and the messages both ways.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use moorline_shared::publish::{HostCommand, HostMessage};

use super::SessionHandle;
use crate::clock::wall_ms;
use moorline_core::session::{PublishError, SessionInput};

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
}

impl HostLinkState {
    pub(super) const fn is_up(&self) -> bool {
        self.wake.is_some()
    }

    /// Ends the current link: its holder must leave.
    pub(super) fn cut(&mut self) {
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
        state.session.handle(self.services.clock.now(), SessionInput::HostArrived);
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
        if state.session.host_may_leave() {
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
        let session = &mut state.session;
        let mut result = Ok(());
        for message in messages {
            let head = session.log().head();
            result = session.host_message(message, wall_ms());
            if let Some(entry) = session.log().get(head.next()) {
                self.session.services.metrics.entry(entry);
            }
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
            state.session.handle(self.session.services.clock.now(), SessionInput::HostLeft);
            state.settle();
        }
    }
}
