//! The content of a session's terminal, for clients that have not followed it from the beginning.
//!
//! [`Screen::push`] is called for every entry and only queues it. The emulator runs on a worker's
//! thread, when a snapshot is requested or too much is queued. It does not need to exist all the
//! time: a snapshot and the output after it are equivalent. Output that has scrolled away is
//! skipped unparsed (`fast_forward`).
//!
//! The emulator is `alacritty_terminal`. Of the three that were compared, on a screen of 80 × 24
//! with 2,000 lines of scrollback, it processes 105 MB/s of plain text, 80 of a coloured log and
//! 112 of cursor addressing (`vt100` 62, 68 and 80; `avt` 45, 53 and 60). Only it keeps links,
//! underline styles and colours, and mouse modes in addition to both screens and reflow; it is the
//! core of a widely used terminal. `avt` can write the visible screen as sequences, but not the
//! scrollback; here that is done for the emulator (`paint`).
//!
//! Features that the emulator lacks are added between the parser (`dispatch`) and its model:
//! attributes, modes and sequences that xterm.js has, and cases in which it differs from xterm.js.
//! Snapshots are made for the page above all, and a test compares the two over all of this.
//! docs/PROTOCOL.md lists what a snapshot omits.

mod attributes;
mod canvas;
mod decoder;
mod dispatch;
mod emulator;
mod fast_forward;
mod handler;
mod model;
mod paint;
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
use canvas::{Canvas, Haste};
pub use width::columns;

/// The amount of pending bytes at which [`Screen::catch_up`] is worth a worker's time. With much
/// less, nothing that scrolled away can be skipped; much more would take too much memory.
pub const CATCH_UP_BYTES: usize = 4 * 1024 * 1024;

/// The cost of a queued entry in bytes, in addition to its output.
const ENTRY_BYTES: usize = 64;

/// The content of a session's terminal. Clones share one screen.
#[derive(Clone)]
pub struct Screen(Arc<Inner>);

struct Inner {
    /// Only locked for as long as it takes to move a few words.
    queue: Mutex<ScreenQueue>,
    /// Locked while the emulator runs. If both are needed, it is locked before `queue`.
    canvas: Mutex<Canvas>,
}

#[derive(Default)]
struct ScreenQueue {
    operations: Vec<QueuedOperation>,
    bytes: usize,
    /// The last entry that was pushed.
    seq: Seq,
}

/// A step that the emulator has not processed yet.
enum QueuedOperation {
    Output(Bytes),
    Resize(Size),
    Query(QueryId, Query),
}

impl Screen {
    /// Creates an empty screen. The size is clamped to the limits.
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self(Arc::new(Inner {
            queue: Mutex::default(),
            canvas: Mutex::new(Canvas::blank(size.clamped())),
        }))
    }

    /// Queues an entry's output, sharing its bytes. An entry without output, such as an event,
    /// counts too: it moves the snapshot's `seq`. Never waits for the emulator.
    pub fn push(&self, entry: &Frame) {
        self.push_asking(entry, []);
    }

    /// Like [`Screen::push`], with the queries in the output that need an answer, each with the
    /// offset at which it ends, in order. [`Screen::take_answers`] returns the answers once the
    /// emulator has reached them.
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
            queue.add(piece.len(), QueuedOperation::Output(piece));
            queue.add(0, QueuedOperation::Query(id, query));
            before = end;
        }
        if !output.is_empty() {
            queue.add(output.len(), QueuedOperation::Output(output));
        }
    }

    /// Queues a change of the terminal's size. Never waits for the emulator.
    pub fn resize(&self, size: Size) {
        self.queue().add(0, QueuedOperation::Resize(size.clamped()));
    }

    /// Returns the bytes that are held until the next [`Screen::catch_up`] or [`Screen::snapshot`].
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.queue().bytes
    }

    /// Processes everything that is pending. Up to a megabyte of plain text may be set aside, for
    /// the emulator to parse when a snapshot is requested. Takes CPU time: call it where blocking
    /// is allowed.
    pub fn catch_up(&self) {
        let mut canvas = self.canvas();
        let (operations, _) = self.queue().take();
        canvas.advance(operations, Haste::Later);
    }

    /// Returns a snapshot of everything that was pushed. Takes CPU time: call it where blocking is
    /// allowed.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut canvas = self.canvas();
        let (operations, seq) = self.queue().take();
        canvas.advance(operations, Haste::Now);
        let (data, size) = canvas.paint();
        Snapshot { seq, data, cols: Some(size.cols), rows: Some(size.rows), reason: None }
    }

    /// Returns the content of a snapshot for a terminal that somebody else owns. It does not begin
    /// with a reset, but requires an empty screen, default modes, and the cursor at home. Without
    /// `scrollback` it adds nothing to the terminal's own. Takes CPU time.
    #[must_use]
    pub fn paint_over(&self, scrollback: bool) -> Bytes {
        self.canvas().paint_over(scrollback)
    }

    /// Returns the emulator's answers to the queries that it has reached, each once: see
    /// [`Screen::push_asking`].
    #[must_use]
    pub fn take_answers(&self) -> Vec<(QueryId, Bytes)> {
        self.canvas().take_answers()
    }

    /// Replaces everything by a snapshot. If it does not name its size, the default size is
    /// assumed.
    pub fn restore(&self, from: &Snapshot) {
        let default = Size::default();
        let size = Size {
            cols: from.cols.unwrap_or(default.cols),
            rows: from.rows.unwrap_or(default.rows),
        };
        let mut canvas = self.canvas();
        *self.queue() = ScreenQueue { seq: from.seq, ..ScreenQueue::default() };
        *canvas = Canvas::of(size.clamped(), from.data.clone());
    }

    /// Replaces the emulator, if there is one, by the bytes of a snapshot, to free its memory.
    /// Pending output stays pending. Takes CPU time: call it where blocking is allowed.
    pub fn park(&self) {
        self.canvas().park();
    }

    fn queue(&self) -> MutexGuard<'_, ScreenQueue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn canvas(&self) -> MutexGuard<'_, Canvas> {
        self.0.canvas.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ScreenQueue {
    fn add(&mut self, bytes: usize, operation: QueuedOperation) {
        self.bytes += bytes + ENTRY_BYTES;
        self.operations.push(operation);
    }

    /// Removes everything, and returns it with the seq of the last entry.
    fn take(&mut self) -> (Vec<QueuedOperation>, Seq) {
        self.bytes = 0;
        (mem::take(&mut self.operations), self.seq)
    }
}
