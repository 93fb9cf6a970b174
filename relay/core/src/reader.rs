//! Reads a session's log at a cursor, for everyone who follows it without the stream protocol:
//! event streams, plain-text sockets, polling.
//!
//! A reader holds a position and at most one load from the store, never a queue of its own. What
//! the log in memory does not reach back to any more is asked for by [`Read::Load`].

use std::collections::VecDeque;

use moorline_shared::id::{Cursor, Epoch, Seq};
use moorline_shared::log::{Entry, Log};
use moorline_shared::text::TextDecoder;

use super::session::Session;

/// Entries before a position that are loaded with it. A character has at most four bytes, so only
/// events in the middle of one could make this too few.
const CONTEXT_ENTRIES: u64 = 16;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With what comes from now on.
    Live,
    /// With the oldest entry that is retained.
    Oldest,
    /// After the last entry that was read.
    After(Cursor),
    /// After a position that means nothing here: everything that is retained, behind a gap.
    Lost,
}

/// Why what comes next does not follow what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// Entries are not retained any more.
    Trimmed {
        /// The first that is missing.
        from: Seq,
        /// The last that is missing.
        to: Seq,
    },
    /// The cursor was of another incarnation: everything begins anew, before the first entry.
    Epoch,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// The next entry.
    Entry(Entry),
    /// Entries are missing.
    Gap(Gap),
    /// Bring the stored entries after this one to [`Reader::loaded`]: some, oldest first.
    Load {
        /// The incarnation.
        epoch: Epoch,
        /// The last entry that was read.
        after: Seq,
    },
    /// Nothing, until the session changes.
    Nothing,
    /// Nothing ever again: the session is over and all of it was read.
    Over,
    /// The session was deleted.
    Deleted,
}

/// The last bytes of output: what a character that is cut depends on.
#[derive(Debug, Clone, Copy, Default)]
struct Ending {
    bytes: [u8; 3],
    len: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Reader {
    epoch: Epoch,
    position: Seq,
    /// Of the output up to `position`.
    ending: Ending,
    /// Whether that is all that can be known of it.
    ending_known: bool,
    /// Of the output before that entry.
    ending_before: Ending,
    /// What must be told before the next entry.
    gap: Option<Gap>,
    loaded: VecDeque<Entry>,
}

impl Reader {
    /// A reader at `start`.
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

    /// The last entry that was read.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        Cursor { epoch: self.epoch, seq: self.position }
    }

    /// Decodes the entry that was read last, as all output before it requires.
    #[must_use]
    pub fn decoder(&self) -> TextDecoder {
        TextDecoder::after(self.ending_before.as_slice())
    }

    /// What is to be told before anything else.
    pub(super) fn take_gap(&mut self, session: &Session) -> Option<Gap> {
        if session.log().epoch() != self.epoch {
            self.reset(session.log());
        }
        self.gap.take()
    }

    /// Takes what the store had after the position that [`Read::Load`] named.
    pub fn loaded(&mut self, session: &Session, entries: Vec<Entry>) {
        let log = session.log();
        let missing = entries.is_empty() && log.epoch() == self.epoch;
        self.loaded = entries.into();
        if missing && self.ending_known && !log.reaches_back_to(self.position) {
            self.skip_to(Seq(log.tail().0 - 1));
        }
        self.ending_known = true;
    }

    /// What comes next. Changes when the session does.
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
            // A few entries before it tell whether it is in the middle of a character.
            let context = if self.ending_known { 0 } else { CONTEXT_ENTRIES };
            let after = Seq(self.position.0.saturating_sub(context));
            return Read::Load { epoch: self.epoch, after };
        }
        if let Some(entry) = log.after(self.position).next() {
            self.advance(entry);
            return Read::Entry(entry.clone());
        }
        if session.lifecycle().is_over() {
            // What was read before a relay was killed may never have become durable.
            self.position = self.position.min(log.head());
            return Read::Over;
        }
        Read::Nothing
    }

    /// Another incarnation: nothing that was read counts.
    fn reset(&mut self, log: &Log) {
        self.begin_anew(log);
        self.gap = Some(Gap::Epoch);
    }

    fn begin_anew(&mut self, log: &Log) {
        self.epoch = log.epoch();
        self.position = Seq::ZERO;
        self.ending = Ending::default();
        self.ending_known = true;
        self.loaded.clear();
    }

    /// The entries up to `seq` are not to be had.
    fn skip_to(&mut self, seq: Seq) {
        self.gap = Some(Gap::Trimmed { from: self.position.next(), to: seq });
        self.position = seq;
        self.ending = Ending::default();
        self.ending_known = true;
    }
}

impl Ending {
    /// The ending of a log's output up to `seq`, as far as it is in memory.
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

/// Whether the log has come to this cursor, or can while the session's host catches up.
fn is_possible(session: &Session, cursor: Cursor) -> bool {
    let over = session.lifecycle().is_over();
    cursor.epoch == session.log().epoch() && (over || cursor.seq <= session.reachable_head())
}
