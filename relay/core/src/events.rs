//! One event stream: a session's log as server-sent events.
//!
//! Nothing is queued for a reader: each [`EventStream::poll_output`] reads the log at the stream's
//! cursor. Each entry is encoded once, however many streams read it (`EncodedEntries`).

#[cfg(test)]
mod tests;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use moorline_shared::event::{
    self, Activity, Connected, Event, EventFields, EventKind, SessionDeleted, SessionOutput,
};
use moorline_shared::frame::Frame;
use moorline_shared::id::{Cursor, Epoch, Seq, SessionId};
use moorline_shared::limits::HEARTBEAT;
use moorline_shared::log::Entry;
use moorline_shared::sse;
use moorline_shared::time::Time;

use super::api::ApiError;
use super::client_table::PeerId;
use super::encoded::EncodedEntry;
pub use super::encoded::Encoding;
use super::pending::PendingReport;
use super::reader::{Read, ReadGap, Reader, Start};
use super::session::{ReportPace, Session, TooManyClients};

/// The time that a reader should wait before it reconnects.
pub const RETRY_MS: u32 = 1000;
/// The same if the relay shuts down and is likely to be back soon.
pub const RETRY_SOON_MS: u32 = 250;
/// About the most bytes of an event stream that are sent at once; one event may be larger.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// The interval without output or a status after which the status is sent again. Seed 000's client
/// ignores comments, and takes a stream that sends nothing else for dead.
const STATUS_EVERY: Duration = Duration::from_secs(30);

/// Returns where a stream begins, by its `Last-Event-ID` and by its address. The header wins: when
/// a stream reconnects, it is newer than the address.
///
/// # Errors
/// `bad_request` if the id in the address is not valid.
pub fn start(header: Option<&str>, query: Option<&str>) -> Result<Start, ApiError> {
    let parse = |id: &str| match id {
        "" => Some(Start::Live),
        "0" => Some(Start::Oldest),
        id => id.parse::<Cursor>().ok().map(Start::After),
    };
    match (header, query) {
        // A browser repeats the last id that it got, whatever server sent it.
        (Some(id), _) if !id.is_empty() => Ok(parse(id).unwrap_or(Start::Lost)),
        (_, Some(id)) => parse(id).ok_or_else(|| {
            ApiError::bad_request("`lastEventId` must be an event's id, `<epoch>.<seq>`, or 0.")
        }),
        _ => Ok(Start::Live),
    }
}

/// Returns true if the session is over and the reader has received all of it.
#[must_use]
pub fn has_all_of(session: &Session, start: Start) -> bool {
    let head = Cursor { epoch: session.log().epoch(), seq: session.log().head() };
    session.lifecycle().is_over() && start == Start::After(head)
}

/// A task for the owner of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamOutput {
    /// Send these bytes.
    Send(Bytes),
    /// Pass stored entries to [`EventStream::loaded`]: see [`Read::Load`].
    Load {
        /// The log's epoch.
        epoch: Epoch,
        /// The last entry that was read.
        after: Seq,
    },
    /// End the stream.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamPhase {
    Opening,
    Streaming,
    /// The last event was sent; [`StreamOutput::End`] follows.
    Ending,
    Ended,
}

/// One event stream over a session. Poll it after each change of the session, and at
/// [`EventStream::poll_timeout`].
#[derive(Debug)]
pub struct EventStream {
    peer: PeerId,
    reader: Reader,
    encoding: Encoding,
    phase: StreamPhase,
    closing: bool,
    told: Activity,
    said: Time,
    /// The time of the last output or status.
    heard: Time,
    /// Paces the calls of `Session::reads_on`.
    reports: ReportPace,
    pending: PendingReport,
}

impl EventStream {
    /// Opens a stream for a reader. Call [`EventStream::detach`] once the reader has gone.
    ///
    /// # Errors
    /// [`TooManyClients`].
    pub fn attach(
        session: &mut Session,
        now: Time,
        start: Start,
        encoding: Encoding,
    ) -> Result<Self, TooManyClients> {
        Ok(Self {
            peer: session.attach_stream()?,
            reader: Reader::open(session, start),
            encoding,
            phase: StreamPhase::Opening,
            closing: false,
            told: Activity::Running,
            said: now,
            heard: now,
            reports: ReportPace::default(),
            pending: PendingReport::default(),
        })
    }

    /// Closes the stream of a reader that has gone.
    pub fn detach(self, session: &mut Session) {
        session.detach_stream(self.peer);
    }

    /// Takes stored entries, in answer to [`StreamOutput::Load`].
    pub fn loaded(&mut self, session: &Session, entries: Vec<Entry>) {
        self.reader.loaded(session, entries);
    }

    /// Ends the stream so that its reader reconnects soon: the relay shuts down.
    pub const fn close(&mut self) {
        self.closing = true;
    }

    /// Returns what to do now; call until `None`. `wall_ms` is the time in milliseconds since 1970.
    pub fn poll_output(
        &mut self,
        session: &mut Session,
        now: Time,
        wall_ms: u64,
    ) -> Option<StreamOutput> {
        let output = self.poll(session, now, wall_ms);
        if matches!(output, Some(StreamOutput::Send(_))) {
            self.said = now;
        }
        output
    }

    /// Returns when to call [`EventStream::poll_output`] again if nothing happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Time {
        let status = self.heard + STATUS_EVERY;
        (self.said + HEARTBEAT).min(status)
    }

    /// Reports now and then to the session that this stream reads, so that unread entries are
    /// retained.
    fn reads_on(&mut self, session: &mut Session, entry: &Entry, now: Time) {
        self.reports.count(entry.cost());
        if self.reports.poll(now) {
            session.reads_on(self.peer, entry.seq(), now);
        }
    }

    fn poll(&mut self, session: &mut Session, now: Time, wall_ms: u64) -> Option<StreamOutput> {
        match self.phase {
            StreamPhase::Opening => {
                self.phase = StreamPhase::Streaming;
                self.heard = now;
                return Some(send(self.opening(session, wall_ms)));
            }
            StreamPhase::Streaming if self.closing => {
                self.phase = StreamPhase::Ending;
                return Some(send(sse::encode_retry(RETRY_SOON_MS)));
            }
            StreamPhase::Streaming => {}
            StreamPhase::Ending => {
                self.phase = StreamPhase::Ended;
                return Some(StreamOutput::End);
            }
            StreamPhase::Ended => return None,
        }
        if !session.is_deleted()
            && let Some(pending) = self.pending.poll(session, self.reader.cursor().seq)
        {
            return Some(send(synthetic(session, None, wall_ms, &pending)));
        }
        match self.reader.read(session) {
            Read::Entry(entry) => {
                self.reads_on(session, &entry, now);
                Some(StreamOutput::Send(self.entry(session, &entry, now)))
            }
            Read::Gap(gap) => Some(send(gap_event(session, gap, wall_ms))),
            Read::Load { epoch, after } => Some(StreamOutput::Load { epoch, after }),
            Read::Nothing if now >= self.heard + STATUS_EVERY => {
                self.heard = now;
                let status = session.status(wall_ms);
                Some(send(synthetic(session, None, wall_ms, &status)))
            }
            Read::Nothing => {
                let silent = now >= self.said + HEARTBEAT;
                silent.then(|| StreamOutput::Send(Bytes::from_static(sse::HEARTBEAT.as_bytes())))
            }
            Read::Over => Some(self.end(session, wall_ms)),
            Read::Deleted => {
                self.phase = StreamPhase::Ending;
                Some(send(synthetic(session, None, wall_ms, &SessionDeleted {})))
            }
        }
    }

    /// Returns the first events: the connection and the session's status. The status carries the
    /// position that the stream starts from. A reader that is disconnected at once resumes there.
    fn opening(&mut self, session: &Session, wall_ms: u64) -> String {
        let gap = self.reader.take_gap(session);
        let log = session.log();
        let connected = Connected {
            message: "SSE connection established".to_owned(),
            epoch: log.epoch(),
            head: log.head(),
            tail: session.oldest(),
            from: self.reader.cursor().seq,
        };
        let mut text = sse::encode_retry(RETRY_MS);
        text += &synthetic(session, None, wall_ms, &connected);
        if let Some(gap) = gap {
            text += &gap_event(session, gap, wall_ms);
        }
        text + &self.status(session, wall_ms)
    }

    fn status(&mut self, session: &Session, wall_ms: u64) -> String {
        let status = session.status(wall_ms);
        self.told = status.status;
        synthetic(session, Some(self.reader.cursor()), wall_ms, &status)
    }

    fn entry(&mut self, session: &mut Session, entry: &Entry, now: Time) -> Bytes {
        let (id, time_ms) = (session.id().clone(), session.time_ms(entry));
        let (cursor, encoding) = (self.reader.cursor(), self.encoding);
        let encode = || encode(&id, cursor, entry, time_ms, &self.reader, encoding);
        let made = session.encoded().get(encoding, cursor, encode);
        self.told = made.tells.unwrap_or(self.told);
        if made.tells.is_some() || matches!(entry, Entry::Output(_)) {
            self.heard = now;
        }
        made.bytes
    }

    /// Everything is sent and nothing can follow. The log says how the session ended, unless its
    /// host is gone.
    fn end(&mut self, session: &Session, wall_ms: u64) -> StreamOutput {
        self.phase = StreamPhase::Ending;
        if session.status(wall_ms).status == self.told {
            self.phase = StreamPhase::Ended;
            return StreamOutput::End;
        }
        send(self.status(session, wall_ms))
    }
}

/// Encodes an event that is not an entry of the log. Without an id it does not move the reader's
/// cursor.
fn synthetic<F: EventFields>(
    session: &Session,
    id: Option<Cursor>,
    wall_ms: u64,
    fields: &F,
) -> String {
    sse::encode(F::KIND.as_str(), id, &Event::encode(session.id(), wall_ms, fields))
}

fn gap_event(session: &Session, gap: ReadGap, wall_ms: u64) -> String {
    let (reason, from, to) = match gap {
        ReadGap::Trimmed { from, to } => ("trimmed", Some(from), Some(to)),
        ReadGap::Epoch => ("epoch", None, None),
    };
    let (reason, epoch) = (reason.to_owned(), session.log().epoch());
    synthetic(session, None, wall_ms, &event::Gap { reason, epoch, from, to })
}

fn send(text: String) -> StreamOutput {
    StreamOutput::Send(text.into())
}

fn encode(
    id: &SessionId,
    cursor: Cursor,
    entry: &Entry,
    time_ms: u64,
    reader: &Reader,
    encoding: Encoding,
) -> EncodedEntry {
    match entry {
        Entry::Output(frame) => {
            let text = output(id, cursor, frame, reader, encoding, time_ms);
            EncodedEntry { bytes: text.into(), tells: None }
        }
        Entry::Event(event) => {
            let text = match event.json_of(id) {
                Some((name, json)) => sse::encode(&name, Some(cursor), &json),
                // A damaged event still moves the cursor.
                None => sse::encode(EventKind::SessionError.as_str(), Some(cursor), "{}"),
            };
            EncodedEntry { bytes: text.into(), tells: event.status().map(|status| status.status) }
        }
    }
}

fn output(
    session_id: &SessionId,
    cursor: Cursor,
    frame: &Frame,
    reader: &Reader,
    encoding: Encoding,
    timestamp: u64,
) -> String {
    let (encoding, content) = match encoding {
        Encoding::Text => (None, reader.decoder().decode(frame.data())),
        Encoding::Base64 => (Some("base64".to_owned()), STANDARD.encode(frame.data())),
    };
    let stream = "stdout".to_owned();
    let output = SessionOutput { seq: cursor.seq, stream, encoding, content };
    let data = Event::encode(session_id, timestamp, &output);
    sse::encode(EventKind::SessionOutput.as_str(), Some(cursor), &data)
}
