//! `GET /api/session/:id/events`: a session's log as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::Query;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use moorline_shared::id::{Epoch, Seq, SessionId};
use moorline_shared::rest::ErrorBody;
use moorline_shared::sse;
use moorline_shared::time::Time;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::descriptions;
use super::error::{ApiError, HttpError};
use super::{App, Caller, rest};
use crate::auth::{AccessEnd, AccessLease, LeaseSignal};
use crate::clock::wall_ms;
use crate::session::SessionHandle;
use moorline_core::api::responses::{Guarded, OfSession};
use moorline_core::events::{CHUNK_BYTES, Encoding, EventStream, StreamOutput, has_all_of, start};
use moorline_core::reader::Start;
use moorline_core::routes::Route;

/// The header in which a browser names the last event when it reconnects.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Query parameters of an event stream.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct EventsQuery {
    /// `<epoch>.<seq>` of the last event that was received, or `0` for all that is retained. The
    /// header `Last-Event-ID` takes precedence.
    #[param(pattern = r"^(0|[0-9]+\.[0-9]+)?$")]
    last_event_id: Option<String>,
    /// `text`, the default, or `base64`.
    #[param(pattern = "^(text|base64)$")]
    encoding: Option<String>,
}

/// Follow a session
#[utoipa::path(
    get, path = "/api/session/{id}/events", tag = "Events", operation_id = "sessionEvents",
    description = descriptions::EVENTS,
    params(
        ("id" = SessionId, Path, description = "The session."),
        EventsQuery,
        ("last-event-id" = Option<String>, Header,
            description = "The last event's id: browsers send it automatically."),
    ),
    security(("bearer" = []), ("cookie" = []), ("ticket" = [])),
    responses(Guarded, OfSession,
        (status = 200, description = "Events, until the session has ended.", body = String,
            content_type = "text/event-stream"),
        (status = 204, description = "The session has ended, and the client has all of it."),
        (status = 429, description = "The session has reached its limit of clients: `overloaded`.",
            body = ErrorBody)),
)]
pub(super) async fn open(
    app: &Arc<App>,
    id: &SessionId,
    parts: &Parts,
    (caller, route): (&Caller, &'static Route),
) -> Result<Response, HttpError> {
    let wanted = Query::<EventsQuery>::try_from_uri(&parts.uri);
    let Query(wanted) = wanted.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let session = rest::find(app, id).await?;
    let encoding = Encoding::asked(wanted.encoding.as_deref())?;
    let header = parts.headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or("unreadable"));
    let start = start(header, wanted.last_event_id.as_deref())?;
    if has_all_of(&session.lock().session, start) {
        // This status tells an EventSource not to reconnect.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let lease = app.connect(caller, route, id.as_str());
    let signal = lease.signal();
    let live = LiveEvents::open(session, start, encoding, lease)?;
    let chunks = stream::unfold(live, |mut live| async {
        let chunk = live.next().await?;
        Some((Ok(chunk), live))
    });
    Ok(response(chunks, signal))
}

/// Makes the response of an event stream, with headers that keep proxies from buffering it. `signal`
/// is for whoever carries its body.
pub(super) fn response(
    chunks: impl stream::Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
    signal: LeaseSignal,
) -> Response {
    let headers = [
        (CONTENT_TYPE, sse::CONTENT_TYPE),
        (CACHE_CONTROL, "no-cache, no-transform"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
        (CONNECTION, "keep-alive"),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, Extension(signal), Body::from_stream(chunks)).into_response()
}

/// An open event stream.
pub(super) struct LiveEvents {
    session: Arc<SessionHandle>,
    /// `None` once it is detached from the session.
    stream: Option<EventStream>,
    changed: watch::Receiver<()>,
    lease: AccessLease,
}

/// The next step of a stream.
enum EventStep {
    Send(Bytes),
    Load { epoch: Epoch, after: Seq },
    Wait { until: Time },
    End,
}

impl LiveEvents {
    /// Starts to read a session.
    pub(super) fn open(
        session: Arc<SessionHandle>,
        start: Start,
        encoding: Encoding,
        lease: AccessLease,
    ) -> Result<Self, ApiError> {
        let changed = session.subscribe();
        let mut state = session.lock();
        let now = session.services().clock.now();
        let stream = EventStream::attach(&mut state.session, now, start, encoding);
        state.settle();
        let stream = Some(stream.map_err(ApiError::overloaded)?);
        Ok(Self { session, stream, changed, lease })
    }

    /// Returns the next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.changed.mark_unchanged();
            match self.step() {
                EventStep::Send(chunk) => return Some(chunk),
                EventStep::Load { epoch, after } => self.load(epoch, after).await,
                EventStep::Wait { until } => self.wait(until).await,
                EventStep::End => return None,
            }
        }
    }

    fn step(&mut self) -> EventStep {
        let Some(stream) = &mut self.stream else { return EventStep::End };
        let now = self.session.services().clock.now();
        let mut state = self.session.lock();
        match self.lease.ending() {
            // A reader that reconnects is told why.
            Some(AccessEnd::NotAllowed) => {
                drop(state);
                self.detach();
                return EventStep::End;
            }
            Some(AccessEnd::ShuttingDown) => stream.close(),
            None => {}
        }
        let mut chunk = EventChunk::default();
        while chunk.len() < CHUNK_BYTES {
            match stream.poll_output(&mut state.session, now, wall_ms()) {
                Some(StreamOutput::Send(bytes)) => chunk.push(bytes),
                // The load is requested again once this chunk is sent.
                Some(StreamOutput::Load { .. }) if chunk.len() > 0 => break,
                Some(StreamOutput::Load { epoch, after }) => {
                    return EventStep::Load { epoch, after };
                }
                None if chunk.len() > 0 => break,
                None => return EventStep::Wait { until: stream.poll_timeout() },
                Some(StreamOutput::End) => {
                    drop(state);
                    self.detach();
                    break;
                }
            }
        }
        if chunk.len() > 0 { EventStep::Send(chunk.finish()) } else { EventStep::End }
    }

    async fn load(&mut self, epoch: Epoch, after: Seq) {
        let loaded = self.session.stored_entries(epoch, after).await;
        // Entries that cannot be read become a gap.
        let entries = loaded.unwrap_or_else(|error| {
            tracing::error!(%error, "a stored log cannot be read");
            Vec::new()
        });
        if let Some(stream) = &mut self.stream {
            stream.loaded(&self.session.lock().session, entries);
        }
    }

    async fn wait(&mut self, until: Time) {
        let until = self.session.services().clock.instant(until);
        tokio::select! {
            _ = self.changed.changed() => {}
            () = sleep_until(until.into()) => {}
            _ = self.lease.ended() => {}
        }
    }

    fn detach(&mut self) {
        if let Some(stream) = self.stream.take() {
            let mut state = self.session.lock();
            stream.detach(&mut state.session);
            state.settle();
        }
    }
}

impl Drop for LiveEvents {
    fn drop(&mut self) {
        self.detach();
    }
}

/// Bytes of events to send at once. A single event is not copied.
#[derive(Default)]
struct EventChunk {
    first: Bytes,
    all: BytesMut,
}

impl EventChunk {
    fn len(&self) -> usize {
        self.first.len().max(self.all.len())
    }

    fn push(&mut self, bytes: Bytes) {
        if self.first.is_empty() {
            self.first = bytes;
            return;
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(&bytes);
    }

    fn finish(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}
