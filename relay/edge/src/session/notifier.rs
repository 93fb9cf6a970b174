//! Wakes tasks that wait for a change of the session.

use std::cell::Cell;
use std::mem;
use std::task::{Poll, Waker};

use moorline_core::session::Session;
use moorline_shared::id::{Epoch, Seq};

/// Counts changes, and wakes the tasks that wait for the next one.
#[derive(Default)]
pub(crate) struct ChangeNotifier {
    rung: Cell<u64>,
    waiting: Cell<Vec<Waker>>,
}

impl std::fmt::Debug for ChangeNotifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChangeNotifier").field("rung", &self.rung).finish_non_exhaustive()
    }
}

impl ChangeNotifier {
    /// Counts a change and wakes all waiting tasks.
    pub(crate) fn ring(&self) {
        self.rung.set(self.rung.get() + 1);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    /// Number of changes so far. Read it before looking at the state, then pass it to
    /// [`ChangeNotifier::after`].
    pub(crate) const fn rung(&self) -> u64 {
        self.rung.get()
    }

    /// Returns once the number of changes differs from `seen`; at once if it does already.
    pub(crate) async fn after(&self, seen: u64) {
        std::future::poll_fn(|context| {
            if self.rung.get() != seen {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.take();
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            self.waiting.set(waiting);
            Poll::Pending
        })
        .await;
    }
}

/// State whose changes wake readers that have no socket in this object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct VisibleState {
    epoch: Epoch,
    head: Seq,
    revision: u64,
    actions: u64,
    streams: usize,
    deleted: bool,
}

impl VisibleState {
    /// Returns true if the session has changed since the last call.
    pub(super) fn changed(&mut self, session: &Session) -> bool {
        let log = session.log();
        let visible = Self {
            epoch: log.epoch(),
            head: log.head(),
            revision: session.revision(),
            actions: session.action_revision(),
            streams: session.streams(),
            deleted: session.is_deleted(),
        };
        mem::replace(self, visible) != visible
    }
}
