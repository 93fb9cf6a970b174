//! `GET /api/session/:id/events`: a session's log as server-sent events.
//!
//! A stream is pulled by the runtime as fast as its reader takes it, but yields regularly. The
//! object stays awake while a stream is open.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use moorline_core::api::ApiError;
use moorline_core::events::{CHUNK_BYTES, Encoding, EventStream, StreamOutput, has_all_of, start};
use moorline_core::reader::Start;
use moorline_core::session::Session;
use moorline_shared::id::Seq;
use moorline_shared::time::Time;
use worker::{Delay, Request, console_error};

use super::clock::{now, wall_ms};
use super::object::Object;
use super::readers::StreamReader;
use super::state::SessionState;
use crate::abort_guard::AbortGuard;
use crate::address::asked;
use crate::internal::Caller;
use crate::reply::{Answer, RequestFailure, event_stream, nothing};

/// Bytes that a session's streams send together before they yield. The runtime handles requests,
/// messages and timers only when nothing else is runnable, and a stream whose reader keeps up
/// always is.
const TURN_BYTES: usize = 1024 * 1024;
/// Cost of reading a row from the store, as bytes sent.
const LOAD_BYTES: usize = 128 * 1024;
/// Cost of a wake-up, as bytes sent: a session that changes all the time wakes its streams all the
/// time.
const WAKE_BYTES: usize = 16 * 1024;
/// Header in which a browser sends its position when it reconnects an event stream.
const LAST_EVENT_ID: &str = "last-event-id";

/// Opens an event stream.
pub(super) fn open(object: &Rc<Object>, request: &Request) -> Answer {
    let (wanted, caller) = (wanted(request), Caller::of(request)?);
    // An unknown session is reported before a malformed request is.
    object.peek(|_| {})?;
    let (start, encoding) = wanted?;
    let attached = object.with(|loaded| {
        if has_all_of(&loaded.session, start) {
            return Ok(None);
        }
        let stream = EventStream::attach(&mut loaded.session, now(), start, encoding);
        stream.map(Some).map_err(ApiError::overloaded)
    })?;
    match attached? {
        // A 204 stops an EventSource from reconnecting.
        None => nothing(),
        Some(stream) => {
            let (object, life) = (Rc::clone(object), object.life());
            let (stream, turn_bytes) = (Cell::new(Some(stream)), Cell::new(0));
            let reader = object.readers.add(caller);
            let live = Rc::new(EventConnection { object, life, reader, stream, turn_bytes });
            let left = Rc::clone(&live);
            respond(live, AbortGuard::watch(request, move || left.detach()))
        }
    }
}

fn respond(live: Rc<EventConnection>, leaving: AbortGuard) -> Answer {
    let chunks = stream::unfold((live, leaving), |(live, leaving)| async {
        let chunk = live.next().await?;
        Some((chunk.to_vec(), (live, leaving)))
    });
    event_stream(chunks)
}

fn wanted(request: &Request) -> Result<(Start, Encoding), RequestFailure> {
    let address = request.inner().url();
    let encoding = Encoding::asked(asked(&address, &["encoding"]).as_deref())?;
    let header = request.headers().get(LAST_EVENT_ID)?;
    Ok((start(header.as_deref(), asked(&address, &["lastEventId"]).as_deref())?, encoding))
}

/// One open event stream.
struct EventConnection {
    object: Rc<Object>,
    /// Who reads it.
    reader: Rc<StreamReader>,
    /// The object's life in which the stream was attached.
    life: u64,
    /// `None` once it is detached.
    stream: Cell<Option<EventStream>>,
    /// Bytes sent or read since the stream last yielded.
    turn_bytes: Cell<usize>,
}

/// Next step of a stream.
enum StreamStep {
    Send(Bytes),
    Load(Seq),
    Wait(Time),
    End,
}

impl EventConnection {
    /// The next bytes; `None` at the end.
    async fn next(&self) -> Option<Bytes> {
        loop {
            if self.turn_bytes.get() >= TURN_BYTES {
                // A timer fires only after all other pending events were handled.
                Delay::from(Duration::ZERO).await;
                self.turn_bytes.set(0);
            }
            let seen = self.object.seen();
            match self.step() {
                StreamStep::Send(chunk) => {
                    self.spend(chunk.len());
                    return Some(chunk);
                }
                StreamStep::Load(after) => {
                    self.load(after);
                    self.spend(LOAD_BYTES);
                }
                StreamStep::Wait(until) => {
                    let access = self.reader.ends_at();
                    let until = access.map_or(until, |access| access.min(until));
                    self.object.changed(seen, until).await;
                    self.spend(WAKE_BYTES);
                }
                StreamStep::End => return None,
            }
        }
    }

    /// Adds work to the turn that all streams of the session share.
    fn spend(&self, bytes: usize) {
        let streams = self.object.peek(|loaded| loaded.session.streams()).unwrap_or(1);
        let spent = bytes.saturating_mul(streams.max(1));
        self.turn_bytes.set(self.turn_bytes.get().saturating_add(spent));
    }

    /// Reads the session, unless it was loaded anew since the stream began. The stream then ends,
    /// and its reader reconnects by itself.
    fn peek<T>(&self, read: impl FnOnce(&mut SessionState, EventStream) -> T) -> Option<T> {
        let (stream, life) = (self.stream.take()?, self.life);
        let object = Rc::clone(&self.object);
        let done = object.peek(|loaded| (object.life() == life).then(|| read(loaded, stream)));
        done.ok().flatten()
    }

    fn detach(&self) {
        let (Some(stream), life) = (self.stream.take(), self.life) else { return };
        let object = Rc::clone(&self.object);
        object.attempt(|loaded| {
            if object.life() == life {
                stream.detach(&mut loaded.session);
            }
        });
    }

    fn step(&self) -> StreamStep {
        if self.reader.has_ended() {
            self.detach();
            return StreamStep::End;
        }
        let stepped = self.peek(|loaded, mut stream| {
            let (step, ended) = step(&mut loaded.session, &mut stream);
            (step, ended, stream)
        });
        let Some((step, ended, stream)) = stepped else { return StreamStep::End };
        self.stream.set(Some(stream));
        if ended {
            self.detach();
        }
        step
    }

    fn load(&self, after: Seq) {
        let stream = self.peek(|loaded, mut stream| {
            // Entries that cannot be read are skipped: the reader sees a gap.
            let entries = loaded.stored_entries(after).unwrap_or_else(|error| {
                console_error!("a stored log cannot be read: {error}");
                Vec::new()
            });
            stream.loaded(&loaded.session, entries);
            stream
        });
        self.stream.set(stream);
    }
}

impl Drop for EventConnection {
    fn drop(&mut self) {
        self.detach();
    }
}

/// Polls the stream for its next step. The flag is true once the stream has ended.
fn step(session: &mut Session, stream: &mut EventStream) -> (StreamStep, bool) {
    let (now, wall_ms) = (now(), wall_ms());
    let mut chunk = BytesMut::new();
    let mut ended = false;
    while chunk.len() < CHUNK_BYTES && !ended {
        match stream.poll_output(session, now, wall_ms) {
            Some(StreamOutput::Send(bytes)) => chunk.extend_from_slice(&bytes),
            // The stream asks again after this chunk is sent.
            Some(StreamOutput::Load { .. }) if !chunk.is_empty() => break,
            Some(StreamOutput::Load { after, .. }) => return (StreamStep::Load(after), false),
            None if chunk.is_empty() => return (StreamStep::Wait(stream.poll_timeout()), false),
            None => break,
            Some(StreamOutput::End) => ended = true,
        }
    }
    let step = if chunk.is_empty() { StreamStep::End } else { StreamStep::Send(chunk.freeze()) };
    (step, ended)
}
