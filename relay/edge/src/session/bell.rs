//! Wakes those who wait for the session to change.

use std::cell::Cell;
use std::task::{Poll, Waker};

/// See the module.
#[derive(Default)]
pub(crate) struct Bell {
    rung: Cell<u64>,
    waiting: Cell<Vec<Waker>>,
}

impl std::fmt::Debug for Bell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bell").field("rung", &self.rung).finish_non_exhaustive()
    }
}

impl Bell {
    /// Something has changed.
    pub(crate) fn ring(&self) {
        self.rung.set(self.rung.get() + 1);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    /// How often it was rung: taken before one looks, for [`Bell::after`].
    pub(crate) const fn rung(&self) -> u64 {
        self.rung.get()
    }

    /// Returns when it was rung after the time that was `seen`.
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
