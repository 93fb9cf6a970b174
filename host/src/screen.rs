//! What a session's terminal shows, for clients that have not followed it from its beginning.
//!
//! [`Screen::push`] is on the way of every entry and only notes it. The emulator runs when a
//! picture is wanted or when too much is noted, on a worker's thread, and need not exist at all:
//! a picture and what came after it say the same. Output that is only scrolled away is skipped
//! unread (`fast_forward`).
//!
//! The emulator is `alacritty_terminal`. Of the three that were compared on a screen of 80 × 24
//! with 2,000 lines of scrollback, it takes 105 MB/s of plain text, 80 of a coloured log and 112
//! of cursor addressing (`vt100` 62, 68 and 80; `avt` 45, 53 and 60). It alone keeps links,
//! underline styles and colours, and mouse modes besides both screens and reflow; it is the core
//! of a terminal in wide use. `avt` writes the visible screen as sequences itself but not the
//! scrollback; for this one that is done here (`paint`).
//!
//! What it does not know of is done here, between the parser (`dispatch`) and its model: attributes,
//! modes and sequences that xterm.js has, and what it does otherwise than that one. A picture is for
//! the page first: a test compares the two over all of this. docs/PROTOCOL.md says what is not kept.

mod attributes;
mod decoder;
mod dispatch;
mod edit;
mod emulator;
mod fast_forward;
mod handler;
mod links;
mod model;
mod modes;
mod paint;
mod picture;
mod reply;
mod settle;
#[cfg(test)]
mod tests;
mod unfinished;
mod width;
mod write;

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::limits::FRAME_HEADER_BYTES;
use moorline_shared::message::Snapshot;
use moorline_shared::session::Size;

use crate::publisher::QueryId;
use crate::queries::Query;
use picture::{Haste, Picture};
pub use width::columns;

/// With this much pending, [`Screen::catch_up`] is worth a worker's time: much less and the
/// skipping of what is scrolled away saves nothing; much more and it holds too much memory.
pub const CATCH_UP_BYTES: usize = 4 * 1024 * 1024;

/// What an entry in the queue costs besides its bytes.
const ENTRY_BYTES: usize = 64;

/// What a session's terminal shows. Clones are of the same screen.
#[derive(Clone)]
pub struct Screen(Arc<Inner>);

struct Inner {
    /// Never locked for longer than it takes to move a few words.
    queue: Mutex<Queue>,
    /// Locked while the emulator runs; before `queue` where both are.
    picture: Mutex<Picture>,
}

#[derive(Default)]
struct Queue {
    operations: Vec<Operation>,
    bytes: usize,
    /// The last entry that was pushed.
    seq: Seq,
}

/// What the picture has not been told yet.
enum Operation {
    Output(Bytes),
    Resize(Size),
    Query(QueryId, Query),
}

impl Screen {
    /// An empty screen. The size is brought within the limits.
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self(Arc::new(Inner {
            queue: Mutex::default(),
            picture: Mutex::new(Picture::blank(size.clamped())),
        }))
    }

    /// Notes an entry's output, sharing its bytes. An entry without output, as an event is,
    /// counts too: it moves the snapshot's `seq`. Never waits for the emulator.
    pub fn push(&self, entry: &Frame) {
        self.push_asking(entry, []);
    }

    /// As [`Screen::push`], with the queries in the output that need an answer, each with where it
    /// ends, in order. [`Screen::take_answers`] has the answers once the emulator has come there.
    pub fn push_asking(
        &self,
        entry: &Frame,
        asked: impl IntoIterator<Item = (usize, QueryId, Query)>,
    ) {
        let mut queue = self.queue();
        queue.seq = entry.seq();
        let mut output = entry.encoded().slice(FRAME_HEADER_BYTES..);
        let mut before = 0;
        for (end, id, query) in asked {
            let piece = output.split_to(end - before);
            queue.add(piece.len(), Operation::Output(piece));
            queue.add(0, Operation::Query(id, query));
            before = end;
        }
        if !output.is_empty() {
            queue.add(output.len(), Operation::Output(output));
        }
    }

    /// Notes that the terminal has another size from here on. Never waits for the emulator.
    pub fn resize(&self, size: Size) {
        self.queue().add(0, Operation::Resize(size.clamped()));
    }

    /// Bytes that are held until the next [`Screen::catch_up`] or [`Screen::snapshot`].
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.queue().bytes
    }

    /// Works through what is pending, and leaves nothing pending. Up to a megabyte of plain text
    /// may be kept aside for the emulator to read when a picture is wanted. Takes CPU time: call
    /// it where blocking is allowed.
    pub fn catch_up(&self) {
        let mut picture = self.picture();
        let (operations, _) = self.queue().take();
        picture.advance(operations, Haste::Later);
    }

    /// A picture of everything that was pushed. Takes CPU time: call it where blocking is
    /// allowed.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut picture = self.picture();
        let (operations, seq) = self.queue().take();
        picture.advance(operations, Haste::Now);
        let (data, size) = picture.paint();
        Snapshot { seq, data, cols: Some(size.cols), rows: Some(size.rows), reason: None }
    }

    /// What a snapshot has, for a terminal that belongs to somebody: it does not begin with a reset, but
    /// wants a screen that is empty, modes at their defaults, and the cursor at home. Without
    /// `scrollback` it adds nothing to the terminal's own. Takes CPU time.
    #[must_use]
    pub fn paint_over(&self, scrollback: bool) -> Bytes {
        self.picture().paint_over(scrollback)
    }

    /// What the emulator answers to the queries that it has come to, each once: see
    /// [`Screen::push_asking`].
    #[must_use]
    pub fn take_answers(&self) -> Vec<(QueryId, Bytes)> {
        self.picture().take_answers()
    }

    /// Forgets everything and goes on from a snapshot. One that does not tell its size is taken
    /// to be of the default one.
    pub fn restore(&self, from: &Snapshot) {
        let default = Size::default();
        let size = Size {
            cols: from.cols.unwrap_or(default.cols),
            rows: from.rows.unwrap_or(default.rows),
        };
        let mut picture = self.picture();
        *self.queue() = Queue { seq: from.seq, ..Queue::default() };
        *picture = Picture::of(size.clamped(), from.data.clone());
    }

    /// Frees the emulator, where there is one, for the bytes of a picture. What is pending stays
    /// so. Takes CPU time: call it where blocking is allowed.
    pub fn park(&self) {
        self.picture().park();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn picture(&self) -> MutexGuard<'_, Picture> {
        self.0.picture.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn add(&mut self, bytes: usize, operation: Operation) {
        self.bytes += bytes + ENTRY_BYTES;
        self.operations.push(operation);
    }

    /// Everything in it, and the last entry.
    fn take(&mut self) -> (Vec<Operation>, Seq) {
        self.bytes = 0;
        (mem::take(&mut self.operations), self.seq)
    }
}
