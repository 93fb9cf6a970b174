//! What waits for a connection.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use moorline_core::acp::{ApiAnswer, StreamNews};
use moorline_shared::id::SessionId;
use moorline_shared::link::Generation;

/// Something for a connection to handle.
pub(super) enum AcpWork {
    /// A message of the client.
    Client(String),
    /// A message of the client was too large.
    TooLarge,
    /// The client has gone.
    Gone,
    /// An event of a session's socket.
    Stream(SessionId, Generation, StreamNews),
    /// The answer to a request.
    Answer(u64, ApiAnswer),
}

/// Work in the order in which it came, for one reader.
#[derive(Default)]
pub(super) struct WorkQueue {
    work: RefCell<VecDeque<AcpWork>>,
    reader: RefCell<Option<Waker>>,
}

impl WorkQueue {
    pub(super) fn push(&self, work: AcpWork) {
        self.work.borrow_mut().push_back(work);
        if let Some(reader) = self.reader.borrow_mut().take() {
            reader.wake();
        }
    }

    /// Waits for the next work. Dropping the future loses nothing.
    pub(super) async fn next(&self) -> AcpWork {
        poll_fn(|context| match self.work.borrow_mut().pop_front() {
            Some(work) => Poll::Ready(work),
            None => {
                *self.reader.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}
