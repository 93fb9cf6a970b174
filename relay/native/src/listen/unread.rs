//! Reads the rest of a request's body if the request is answered before the body's end.
//!
//! A server that closes a connection while the client still sends resets it, and the client may lose the
//! answer. So the rest is read and dropped, within the limits for every body.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Request;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::EXPECT;
use tokio::time::{Instant, timeout_at};

use moorline_core::profile::Profile;
use moorline_shared::limits::BODY_DEADLINE;

/// A body whose rest is read after it is dropped.
#[derive(Debug)]
pub(super) struct Drained {
    /// `None` once it has ended or is being drained.
    body: Option<Incoming>,
    deadline: Instant,
    /// True if the client waits to be asked for the body, and has not been asked yet.
    is_held_back: bool,
}

impl Drained {
    /// Wraps the body of a request that has just arrived.
    pub(super) fn wrap(request: Request<Incoming>) -> Request<Self> {
        let is_held_back = request.headers().contains_key(EXPECT);
        let deadline = Instant::now() + BODY_DEADLINE;
        request.map(|body| Self { body: Some(body), deadline, is_held_back })
    }
}

impl Body for Drained {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.is_held_back = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = std::task::ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let rest = self.body.take().filter(|body| !body.is_end_stream() && !self.is_held_back);
        if let Some(rest) = rest {
            tokio::spawn(timeout_at(self.deadline, drain(rest)));
        }
    }
}

async fn drain(mut body: Incoming) {
    let mut left = Profile::NATIVE.unread_bytes;
    while let Some(Ok(frame)) = std::future::poll_fn(|c| Pin::new(&mut body).poll_frame(c)).await {
        let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
        let Some(rest) = left.checked_sub(bytes) else { return };
        left = rest;
    }
}
