//! The log: a session's append-only ring of numbered entries.
//!
//! The log is bounded by bytes: [`Log::trim`] drops its oldest entries. It is read at a cursor
//! without copying: an entry is borrowed, and its encoded form is shared.

use std::borrow::Cow;
use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;

use crate::event::{Event, EventKind, Status};
use crate::frame::{Frame, FrameError};
use crate::id::{Epoch, Seq, SessionId};
use crate::message::ServerMessage;

/// Bytes that an entry costs on top of its own: its slot and the allocator's bookkeeping.
pub const ENTRY_OVERHEAD_BYTES: u64 = 96;

/// One entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Output bytes, in a frame.
    Output(Frame),
    /// An event, in encoded form.
    Event(EventEntry),
}

impl Entry {
    /// Returns the entry's number.
    #[must_use]
    pub fn seq(&self) -> Seq {
        match self {
            Self::Output(frame) => frame.seq(),
            Self::Event(event) => event.seq,
        }
    }

    /// When the host appended the entry to its log, in milliseconds since 1970 by the host's clock;
    /// 0 if unknown.
    #[must_use]
    pub const fn time_ms(&self) -> u64 {
        match self {
            Self::Output(frame) => frame.time_ms(),
            Self::Event(event) => event.time_ms,
        }
    }

    /// Sets the time of an output entry whose time is unknown.
    #[must_use]
    pub fn or_at(self, time_ms: u64) -> Self {
        match self {
            Self::Output(frame) if frame.time_ms() == 0 => Self::Output(frame.at(time_ms)),
            known => known,
        }
    }

    /// Returns the length of the encoded entry in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Output(frame) => frame.encoded_len(),
            Self::Event(event) => event.message.len(),
        }
    }

    /// Always false: an entry contains at least its number.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Returns the kind that the entry is counted as.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Output(_) => EventKind::SessionOutput,
            Self::Event(event) => event.kind.unwrap_or(EventKind::Other),
        }
    }

    /// Returns the bytes that the entry costs in memory, and of a peer's credit.
    #[must_use]
    pub fn cost(&self) -> u64 {
        let read = match self {
            Self::Event(EventEntry { status: Some(_), message, .. }) => {
                size_of::<Status>() + message.len()
            }
            _ => 0,
        };
        (self.len() + read) as u64 + ENTRY_OVERHEAD_BYTES
    }
}

/// An event with its number, encoded once as the `event` message. The facts that a relay needs are
/// parsed once, when the entry arrives or is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventEntry {
    seq: Seq,
    /// The event's own timestamp.
    time_ms: u64,
    /// The event's kind; `None` if the message is damaged.
    kind: Option<EventKind>,
    /// The fields, if this is a `session-status` event.
    status: Option<Box<Status>>,
    message: Bytes,
}

impl EventEntry {
    /// Numbers and encodes an event.
    #[must_use]
    pub fn new(seq: Seq, event: Event) -> Self {
        let (time_ms, kind) = (event.timestamp, Some(event.known_kind()));
        let status = event.read().map(Box::new);
        let message = ServerMessage::Event { seq, event }.to_json();
        Self { seq, time_ms, kind, status, message: Bytes::from(message) }
    }

    /// Creates an entry from a stored `event` message and its event's timestamp.
    #[must_use]
    pub fn from_message(seq: Seq, time_ms: u64, message: Bytes) -> Self {
        let event = read(&message);
        let kind = event.as_ref().map(Event::known_kind);
        let status = event.and_then(|event| event.read()).map(Box::new);
        Self { seq, time_ms, kind, status, message }
    }

    /// Returns the entry's number.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// Returns the fields, if this is a `session-status` event.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        self.status.as_deref()
    }

    /// Returns the `event` message as JSON text.
    #[must_use]
    pub const fn message(&self) -> &Bytes {
        &self.message
    }

    /// Parses the event from the message; `None` if that is damaged.
    #[must_use]
    pub fn event(&self) -> Option<Event> {
        read(&self.message)
    }

    /// Returns the name of the event's kind and its JSON, as an event of the session `session_id`;
    /// `None` if the message is damaged. The first entries of a fork name the session that they
    /// were copied from.
    #[must_use]
    pub fn json_of(&self, session_id: &SessionId) -> Option<(Cow<'static, str>, String)> {
        let name = match self.kind? {
            EventKind::Other => Cow::Owned(self.event()?.kind),
            known => Cow::Borrowed(known.as_str()),
        };
        // `new` encodes the session's id as the first field, and ids need no escapes.
        let message = std::str::from_utf8(&self.message).ok()?;
        let (_, rest) = message.split_once(r#","event":{"sessionId":""#)?;
        let (_, rest) = rest.split_once('"')?;
        let rest = rest.strip_suffix('}')?;
        Some((name, format!(r#"{{"sessionId":"{session_id}"{rest}"#)))
    }
}

fn read(message: &[u8]) -> Option<Event> {
    #[derive(Deserialize)]
    struct EventMessage {
        event: Event,
    }
    let message = std::str::from_utf8(message).ok()?;
    serde_json::from_str(message).ok().map(|EventMessage { event }| event)
}

/// The error for an entry that does not follow the log's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("entry {got} cannot follow: entry {want} is next")]
pub struct OutOfOrder {
    /// The number that must come next.
    pub want: Seq,
    /// The refused entry's number.
    pub got: Seq,
}

#[derive(Debug, Clone)]
struct LogSlot {
    entry: Entry,
    /// The total cost of this entry and all before it, since the log began.
    end: u64,
}

/// A session's append-only log of entries, bounded by bytes.
#[derive(Debug, Clone)]
pub struct Log {
    epoch: Epoch,
    slots: VecDeque<LogSlot>,
    head: Seq,
    head_offset: u64,
}

impl Log {
    /// Creates an empty log.
    #[must_use]
    pub const fn new(epoch: Epoch) -> Self {
        Self::starting_after(epoch, Seq::ZERO)
    }

    /// Creates a log whose entries up to `seq` are no longer retained.
    #[must_use]
    pub const fn starting_after(epoch: Epoch, seq: Seq) -> Self {
        Self { epoch, slots: VecDeque::new(), head: seq, head_offset: 0 }
    }

    /// Returns the log's epoch.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Returns the last entry's number; 0 if there is none.
    #[must_use]
    pub const fn head(&self) -> Seq {
        self.head
    }

    /// Returns the oldest retained entry's number; `head + 1` if none is retained.
    #[must_use]
    pub fn tail(&self) -> Seq {
        Seq(self.head.0 + 1 - self.slots.len() as u64)
    }

    /// Returns the cost of the retained entries in bytes, including their overhead.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.head_offset - self.start_offset()
    }

    /// Returns true if every entry after `seq` is retained.
    #[must_use]
    pub fn reaches_back_to(&self, seq: Seq) -> bool {
        seq.next() >= self.tail()
    }

    /// Returns the entry `seq`, if it is retained.
    #[must_use]
    pub fn get(&self, seq: Seq) -> Option<&Entry> {
        self.slot(seq).map(|slot| &slot.entry)
    }

    /// Returns the retained entries after `seq`, oldest first.
    pub fn after(&self, seq: Seq) -> impl Iterator<Item = &Entry> {
        let skip = usize::try_from(seq.next().0.saturating_sub(self.tail().0));
        let skip = skip.unwrap_or(usize::MAX).min(self.slots.len());
        self.slots.range(skip..).map(|slot| &slot.entry)
    }

    /// Returns the cost of the retained entries after `seq` in bytes, including their overhead.
    #[must_use]
    pub fn bytes_after(&self, seq: Seq) -> u64 {
        if seq >= self.head { 0 } else { self.head_offset - self.offset(seq) }
    }

    /// Returns the cost of the retained entries after `from` up to `to` in bytes, including their
    /// overhead.
    #[must_use]
    pub fn bytes_between(&self, from: Seq, to: Seq) -> u64 {
        self.bytes_after(from).saturating_sub(self.bytes_after(to))
    }

    /// Appends the entry that follows the head.
    ///
    /// # Errors
    /// [`OutOfOrder`] if the entry is another one; then the log is unchanged.
    pub fn push(&mut self, entry: Entry) -> Result<(), OutOfOrder> {
        let (want, got) = (self.head.next(), entry.seq());
        if want != got {
            return Err(OutOfOrder { want, got });
        }
        self.head = got;
        self.head_offset += entry.cost();
        self.slots.push_back(LogSlot { entry, end: self.head_offset });
        Ok(())
    }

    /// Numbers a buffer that [`Frame::buffer`] created and appends it with the time `time_ms`.
    /// Copies nothing.
    ///
    /// # Errors
    /// [`FrameError`] if the buffer is not a valid frame; then the log is unchanged.
    pub fn append(&mut self, time_ms: u64, buffer: BytesMut) -> Result<Frame, FrameError> {
        let frame = Frame::seal(self.head.next(), time_ms, buffer)?;
        self.push(Entry::Output(frame.clone())).map_err(|_| FrameError::SeqZero)?;
        Ok(frame)
    }

    /// Numbers an event and appends it. Returns its number.
    pub fn append_event(&mut self, event: Event) -> Seq {
        let seq = self.head.next();
        let entry = Entry::Event(EventEntry::new(seq, event));
        self.push(entry).expect("the number is the next one");
        seq
    }

    /// Removes the last entry.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let LogSlot { entry, .. } = self.slots.pop_back()?;
        self.head_offset -= entry.cost();
        self.head = Seq(self.head.0 - 1);
        Some(entry)
    }

    /// Drops the oldest entries while more than `bytes` are retained, but none after `not_after`.
    pub fn trim(&mut self, bytes: u64, not_after: Seq) {
        while self.bytes() > bytes && self.tail() <= not_after && self.tail() <= self.head {
            self.slots.pop_front();
        }
        if self.slots.is_empty() {
            self.slots.shrink_to(16);
        }
    }

    fn slot(&self, seq: Seq) -> Option<&LogSlot> {
        let index = seq.0.checked_sub(self.tail().0)?;
        self.slots.get(usize::try_from(index).ok()?)
    }

    /// Returns the offset at which entry `seq` ends; if it was trimmed, the start of the retained
    /// entries.
    fn offset(&self, seq: Seq) -> u64 {
        self.slot(seq).map_or_else(|| self.start_offset(), |slot| slot.end)
    }

    fn start_offset(&self) -> u64 {
        self.slots.front().map_or(self.head_offset, |slot| slot.end - slot.entry.cost())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(pieces: &[&[u8]]) -> Log {
        let mut log = Log::new(Epoch(1));
        for piece in pieces {
            let frame = Frame::copy(log.head().next(), piece).unwrap();
            log.push(Entry::Output(frame)).unwrap();
        }
        log
    }

    fn seqs<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<u64> {
        entries.map(|entry| entry.seq().0).collect()
    }

    #[test]
    fn entries_are_numbered_from_1_without_gaps() {
        let mut log = log_of(&[b"a", b"b"]);
        assert_eq!((log.tail(), log.head()), (Seq(1), Seq(2)));
        let entry = |seq| Entry::Output(Frame::copy(Seq(seq), b"x").unwrap());
        assert_eq!(log.push(entry(4)), Err(OutOfOrder { want: Seq(3), got: Seq(4) }));
        assert_eq!(log.push(entry(2)), Err(OutOfOrder { want: Seq(3), got: Seq(2) }));
        assert_eq!(log.push(entry(3)), Ok(()));
    }

    #[test]
    fn reading_after_a_cursor_gives_the_rest() {
        let log = log_of(&[b"a", b"b", b"c"]);
        assert_eq!(seqs(log.after(Seq(0))), [1, 2, 3]);
        assert_eq!(seqs(log.after(Seq(2))), [3]);
        assert_eq!(seqs(log.after(Seq(3))), [] as [u64; 0]);
        assert_eq!(seqs(log.after(Seq(u64::MAX - 1))), [] as [u64; 0]);
    }

    #[test]
    fn trimming_keeps_what_must_stay() {
        let mut log = log_of(&[&[0; 1000], &[0; 1000], &[0; 1000], &[0; 1000]]);
        let one = 1000 + 8 + ENTRY_OVERHEAD_BYTES;
        assert_eq!((log.bytes(), log.bytes_after(Seq(1))), (4 * one, 3 * one));
        log.trim(0, Seq(1));
        assert_eq!((log.tail(), log.head(), log.bytes()), (Seq(2), Seq(4), 3 * one));
        log.trim(2 * one, Seq(9));
        assert_eq!((log.tail(), log.bytes()), (Seq(3), 2 * one));
        assert!(log.reaches_back_to(Seq(2)) && !log.reaches_back_to(Seq(1)));
        log.trim(0, Seq(9));
        assert_eq!((log.tail(), log.head(), log.bytes()), (Seq(5), Seq(4), 0));
        assert_eq!(log.bytes_between(Seq(2), Seq(4)), 0);
    }
}
