//! The requests that are open on a connection of HTTP/2, each of which is a task: the answer, and a WebSocket after it.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use hyper::body::{Bytes, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::connections::{AddressConnections, CountedConnection};
use super::{PeerAddress, TAKE_DEADLINE};

/// Limit of the piece of an answer that is handed over at once.
const PIECE_BYTES: usize = 16 * 1024;

tokio::task_local! {
    /// The time when the task's answer has given a piece that is not taken yet.
    static GIVEN: Cell<Option<Instant>>;
}

/// Runs the tasks of a connection, and counts them.
#[derive(Clone)]
pub(super) struct Streams {
    peer: PeerAddress,
    /// Counts them for the client's address as well. `None` if its connections are not limited.
    connections: Option<Arc<AddressConnections>>,
    /// The number of open ones.
    open: Arc<watch::Sender<usize>>,
}

/// Counts an open stream until this is dropped.
struct CountedStream {
    open: Arc<watch::Sender<usize>>,
    _counted: Option<CountedConnection>,
}

impl Streams {
    pub(super) fn new(peer: PeerAddress, connections: Option<Arc<AddressConnections>>) -> Self {
        Self { peer, connections, open: Arc::default() }
    }

    /// Returns true if the client's address has too many connections and requests to get another.
    pub(super) fn is_full(&self) -> bool {
        self.connections.as_ref().is_some_and(|connections| connections.is_full(self.peer))
    }

    /// Waits until nothing has been open for this time.
    pub(super) async fn idle_for(&self, limit: Duration) {
        let mut open = self.open.subscribe();
        loop {
            // Cannot fail: this holds the sender.
            let _ = open.wait_for(|open| *open == 0).await;
            tokio::select! {
                () = sleep(limit) => return,
                _ = open.wait_for(|open| *open > 0) => {}
            }
        }
    }

    fn enter(&self) -> CountedStream {
        self.open.send_modify(|open| *open += 1);
        let counted = self.connections.as_ref().map(|connections| connections.count(self.peer));
        CountedStream { open: Arc::clone(&self.open), _counted: counted }
    }
}

impl Drop for CountedStream {
    fn drop(&mut self) {
        self.open.send_modify(|open| *open -= 1);
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let open = self.enter();
        tokio::spawn(GIVEN.scope(Cell::new(None), async move {
            unless_stuck(stream).await;
            drop(open);
        }));
    }
}

/// Runs a stream until it ends, or until its client has not taken a piece of the answer for [`TAKE_DEADLINE`]. The stream is
/// then reset. The system cannot tell: the client still takes what is sent to its other streams.
async fn unless_stuck(stream: impl Future<Output = ()>) {
    let mut stream = pin!(stream);
    let mut limit = pin!(sleep(TAKE_DEADLINE));
    poll_fn(|context| {
        if stream.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let Some(given) = GIVEN.with(Cell::get) else { return Poll::Pending };
        if limit.deadline() != given + TAKE_DEADLINE {
            limit.as_mut().reset(given + TAKE_DEADLINE);
        }
        limit.as_mut().poll(context)
    })
    .await;
}

/// The body of an answer, in pieces that notice when they are taken: it is polled only if there is room for the next one.
pub(super) struct PiecedBody {
    body: Body,
    /// The rest of a piece that was too large.
    rest: Bytes,
}

impl PiecedBody {
    pub(super) const fn new(body: Body) -> Self {
        Self { body, rest: Bytes::new() }
    }

    fn give(&mut self) -> Frame<Bytes> {
        let length = self.rest.len().min(PIECE_BYTES);
        // Outside of a stream's task, nothing is limited.
        let _ = GIVEN.try_with(|given| given.set(Some(Instant::now())));
        Frame::data(self.rest.split_to(length))
    }
}

impl hyper::body::Body for PiecedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let _ = GIVEN.try_with(|given| given.set(None));
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.give())));
        }
        match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => Poll::Ready(Some(Ok(match frame.into_data() {
                Ok(data) => {
                    self.rest = data;
                    self.give()
                }
                Err(other) => other,
            }))),
            end => Poll::Ready(end),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut all = SizeHint::new();
        all.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            all.set_upper(upper + rest);
        }
        all
    }
}
