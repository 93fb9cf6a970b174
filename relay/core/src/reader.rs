//! Reads a session's log at a cursor, for clients without the stream protocol: event streams,
//! plain-text sockets, polling.
//!
//! A reader holds a position and at most one load from the store, never a queue of its own. It asks
//! for entries that are no longer in memory with [`Read::Load`].

use std::collections::VecDeque;

use moorline_shared::id::{Cursor, Epoch, Seq};
use moorline_shared::log::{Entry, Log};
use moorline_shared::text::TextDecoder;

use super::session::Session;

/// The number of entries before a position that are loaded with it. A character has at most four
/// bytes, so this is too few only if events separate them.
const CONTEXT_ENTRIES: u64 = 16;

/// The place at which a reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the next entry that comes.
    Live,
    /// At the oldest retained entry.
    Oldest,
    /// After the last entry that the client read.
    After(Cursor),
    /// After a position that is not valid here: a gap, then everything that is retained.
    Lost,
}

/// The reason why the next entry does not follow the last one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadGap {
    /// Entries are no longer retained.
    Trimmed {
        /// The first missing entry.
        from: Seq,
        /// The last missing entry.
        to: Seq,
    },
    /// The cursor belongs to another epoch: reading restarts before the first entry.
    Epoch,
}

/// The result of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// The next entry.
    Entry(Entry),
    /// Entries are missing.
    Gap(ReadGap),
    /// Pass stored entries after `after` to [`Reader::loaded`]: some of them, oldest first.
    Load {
        /// The log's epoch.
        epoch: Epoch,
        /// The last entry that was read.
        after: Seq,
    },
    /// Nothing until the session changes.
    Nothing,
    /// Nothing ever again: the session is over and was read to its end.
    Over,
    /// The session was deleted.
    Deleted,
}

/// The last bytes of output, on which the decoding of a split character depends.
#[derive(Debug, Clone, Copy, Default)]
struct Ending {
    bytes: [u8; 3],
    len: usize,
}

/// A position in a session's log, from which entries are read one by one.
#[derive(Debug)]
pub struct Reader {
    epoch: Epoch,
    position: Seq,
    /// The last bytes of output up to `position`.
    ending: Ending,
    /// True if `ending` is as complete as it can be.
    ending_known: bool,
    /// The last bytes of output before the entry that was read last.
    ending_before: Ending,
    /// The gap to report before the next entry.
    gap: Option<ReadGap>,
    loaded: VecDeque<Entry>,
}

impl Reader {
    /// Returns a reader at `start`.
    #[must_use]
    pub fn open(session: &Session, start: Start) -> Self {
        let log = session.log();
        let mut reader = Self {
            epoch: log.epoch(),
            position: log.head(),
            ending: Ending::default(),
            ending_known: false,
            ending_before: Ending::default(),
            gap: None,
            loaded: VecDeque::new(),
        };
        match start {
            Start::Live => {}
            Start::Oldest => reader.begin_anew(log),
            Start::After(cursor) if is_possible(session, cursor) => reader.position = cursor.seq,
            Start::After(_) | Start::Lost => reader.reset(log),
        }
        reader.ending = Ending::of(log, reader.position);
        reader.ending_known = reader.position == Seq::ZERO || reader.position >= log.tail();
        reader
    }

    /// Returns the position of the last entry that was read.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        Cursor { epoch: self.epoch, seq: self.position }
    }

    /// Returns a decoder for the output of the last entry that was read, in the state after all
    /// output before it.
    #[must_use]
    pub fn decoder(&self) -> TextDecoder {
        TextDecoder::after(self.ending_before.as_slice())
    }

    /// Returns the gap that must be reported before anything else. Begins anew if the log has
    /// another epoch.
    pub(super) fn take_gap(&mut self, session: &Session) -> Option<ReadGap> {
        if session.log().epoch() != self.epoch {
            self.reset(session.log());
        }
        self.gap.take()
    }

    /// Takes the stored entries after the position that [`Read::Load`] named.
    pub fn loaded(&mut self, session: &Session, entries: Vec<Entry>) {
        let log = session.log();
        let missing = entries.is_empty() && log.epoch() == self.epoch;
        self.loaded = entries.into();
        if missing && self.ending_known && !log.reaches_back_to(self.position) {
            self.skip_to(Seq(log.tail().0 - 1));
        }
        self.ending_known = true;
    }

    /// Reads the next entry, or says why there is none. The answer changes when the session does.
    pub fn read(&mut self, session: &Session) -> Read {
        if session.is_deleted() {
            return Read::Deleted;
        }
        if let Some(gap) = self.take_gap(session) {
            return Read::Gap(gap);
        }
        self.loaded_entry()
            .or_else(|| self.gap.take().map(Read::Gap))
            .unwrap_or_else(|| self.read_log(session))
    }

    fn loaded_entry(&mut self) -> Option<Read> {
        while let Some(known) = self.loaded.pop_front_if(|entry| entry.seq() <= self.position) {
            self.ending.push(&known);
        }
        let next = self.loaded.front()?.seq();
        if next > self.position.next() {
            self.skip_to(Seq(next.0 - 1));
            return None;
        }
        let entry = self.loaded.pop_front()?;
        self.advance(&entry);
        Some(Read::Entry(entry))
    }

    fn advance(&mut self, entry: &Entry) {
        self.position = entry.seq();
        self.ending_known = true;
        self.ending_before = self.ending;
        self.ending.push(entry);
    }

    fn read_log(&mut self, session: &Session) -> Read {
        let log = session.log();
        if !log.reaches_back_to(self.position) || !self.ending_known {
            // A few earlier entries show whether the position is within a character.
            let context = if self.ending_known { 0 } else { CONTEXT_ENTRIES };
            let after = Seq(self.position.0.saturating_sub(context));
            return Read::Load { epoch: self.epoch, after };
        }
        if let Some(entry) = log.after(self.position).next() {
            self.advance(entry);
            return Read::Entry(entry.clone());
        }
        if session.lifecycle().is_over() {
            // Entries that were read before the relay was killed may never have become durable.
            self.position = self.position.min(log.head());
            return Read::Over;
        }
        Read::Nothing
    }

    /// Begins anew in another epoch, with a gap: nothing that was read counts.
    fn reset(&mut self, log: &Log) {
        self.begin_anew(log);
        self.gap = Some(ReadGap::Epoch);
    }

    fn begin_anew(&mut self, log: &Log) {
        self.epoch = log.epoch();
        self.position = Seq::ZERO;
        self.ending = Ending::default();
        self.ending_known = true;
        self.loaded.clear();
    }

    /// Skips the entries up to `seq`, which are not available, and notes a gap.
    fn skip_to(&mut self, seq: Seq) {
        self.gap = Some(ReadGap::Trimmed { from: self.position.next(), to: seq });
        self.position = seq;
        self.ending = Ending::default();
        self.ending_known = true;
    }
}

impl Ending {
    /// Returns the last bytes of a log's output up to `seq`, as far as they are in memory.
    fn of(log: &Log, seq: Seq) -> Self {
        let mut first = seq.0;
        let mut bytes = 0;
        while bytes < 3
            && let Some(entry) = log.get(Seq(first))
        {
            bytes += output(entry).len();
            first -= 1;
        }
        let mut ending = Self::default();
        (first + 1..=seq.0).filter_map(|seq| log.get(Seq(seq))).for_each(|e| ending.push(e));
        ending
    }

    fn push(&mut self, entry: &Entry) {
        let output = output(entry);
        for &byte in &output[output.len().saturating_sub(3)..] {
            if self.len == self.bytes.len() {
                self.bytes.rotate_left(1);
                self.len -= 1;
            }
            self.bytes[self.len] = byte;
            self.len += 1;
        }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

fn output(entry: &Entry) -> &[u8] {
    match entry {
        Entry::Output(frame) => frame.data(),
        Entry::Event(_) => &[],
    }
}

/// Returns true if the log has reached this cursor, or can while the session's host catches up.
fn is_possible(session: &Session, cursor: Cursor) -> bool {
    let over = session.lifecycle().is_over();
    cursor.epoch == session.log().epoch() && (over || cursor.seq <= session.reachable_head())
}
