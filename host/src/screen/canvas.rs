//! A screen's state: a snapshot and the output after it, or an emulator.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use moorline_shared::limits::SNAPSHOT_BYTES;
use moorline_shared::session::Size;

use super::emulator::Emulator;
use super::fast_forward::stretch;
use super::{QueuedOperation, reply};
use crate::publisher::QueryId;
use crate::queries::Query;

/// The most plain text that is set aside.
const ASIDE_BYTES: usize = 1024 * 1024;
/// The size of the pieces in which output that cannot be skipped is parsed.
const PIECE_BYTES: usize = 4096;

/// The time by which the emulator must have parsed the output: now, or later if it is plain text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Haste {
    Now,
    Later,
}

/// The state of a screen: the emulator if there is one, or else `base`; followed by `aside`.
pub(super) struct Canvas {
    base: CanvasBase,
    emulator: Option<Box<Emulator>>,
    /// Output that the emulator has not parsed: plain text.
    aside: Vec<u8>,
    /// Answers of the emulator that nobody has taken.
    answers: Vec<(QueryId, Bytes)>,
    /// The snapshot of `emulator`, if it has not changed since it was painted.
    painted: Option<Bytes>,
}

/// A snapshot to start from.
struct CanvasBase {
    size: Size,
    /// The bytes of the snapshot; empty for an empty screen.
    data: Bytes,
    /// True if output after it may be skipped.
    is_plain: bool,
}

impl Canvas {
    pub(super) fn blank(size: Size) -> Self {
        Self::from_base(CanvasBase { size, data: Bytes::new(), is_plain: true })
    }

    /// Creates the screen that `data` paints on a terminal of this size.
    pub(super) fn of(size: Size, data: Bytes) -> Self {
        let is_plain = data.is_empty();
        Self::from_base(CanvasBase { size, data, is_plain })
    }

    fn from_base(base: CanvasBase) -> Self {
        Self { base, emulator: None, aside: Vec::new(), answers: Vec::new(), painted: None }
    }

    /// Processes operations, in order.
    pub(super) fn advance(&mut self, operations: Vec<QueuedOperation>, haste: Haste) {
        let mut output = std::mem::take(&mut self.aside);
        let lengths = operations.iter().map(|operation| match operation {
            QueuedOperation::Output(bytes) => bytes.len(),
            QueuedOperation::Resize(_) | QueuedOperation::Query(..) => 0,
        });
        output.reserve_exact(lengths.sum());
        for operation in operations {
            match operation {
                QueuedOperation::Output(bytes) => output.extend_from_slice(&bytes),
                QueuedOperation::Resize(size) => {
                    self.read(&output, Haste::Now);
                    output.clear();
                    self.resize(size);
                }
                QueuedOperation::Query(id, query) => {
                    self.read(&output, Haste::Now);
                    output.clear();
                    self.answer(id, &query);
                }
            }
        }
        self.read(&output, haste);
    }

    /// Returns a snapshot's bytes, and its size.
    pub(super) fn paint(&mut self) -> (Bytes, Size) {
        self.advance(Vec::new(), Haste::Now);
        if self.emulator.is_none() && !self.base.data.is_empty() {
            return (self.base.data.clone(), self.base.size);
        }
        let data = match self.painted.take() {
            Some(painted) => painted,
            None => {
                let mut painted = Vec::new();
                self.run(|emulator| painted = emulator.paint(SNAPSHOT_BYTES));
                Bytes::from(painted)
            }
        };
        self.painted = Some(data.clone());
        (data, self.size())
    }

    /// Returns the bytes of [`super::Screen::paint_over`].
    pub(super) fn paint_over(&mut self, scrollback: bool) -> Bytes {
        self.advance(Vec::new(), Haste::Now);
        let mut painted = Vec::new();
        self.run(|emulator| painted = emulator.paint_over(scrollback));
        Bytes::from(painted)
    }

    /// Replaces the emulator by a snapshot.
    pub(super) fn park(&mut self) {
        if self.emulator.is_none() {
            return;
        }
        let aside = std::mem::take(&mut self.aside);
        let is_plain = self.is_plain();
        let (data, size) = self.paint();
        let answers = self.take_answers();
        *self = Self { aside, answers, ..Self::from_base(CanvasBase { size, data, is_plain }) };
    }

    /// Returns true if there is an emulator.
    #[cfg(test)]
    pub(super) fn has_emulator(&self) -> bool {
        self.emulator.is_some()
    }

    /// Returns the answers since the last call.
    pub(super) fn take_answers(&mut self) -> Vec<(QueryId, Bytes)> {
        std::mem::take(&mut self.answers)
    }

    /// Answers a query on the current screen. If the emulator fails, the answer is empty.
    fn answer(&mut self, id: QueryId, query: &Query) {
        let mut answer = Bytes::new();
        self.run(|emulator| answer = reply::to(query, &emulator.model).into());
        self.answers.push((id, answer));
    }

    fn resize(&mut self, size: Size) {
        match &self.emulator {
            None if self.base.data.is_empty() => self.base.size = size,
            None if self.base.size == size => {}
            _ => self.run(|emulator| emulator.resize(size)),
        }
    }

    /// Parses output, sets it aside, or skips it.
    fn read(&mut self, output: &[u8], haste: Haste) {
        let mut rest = output;
        while !rest.is_empty() {
            if !self.is_plain() {
                let (piece, after) = rest.split_at(rest.len().min(PIECE_BYTES));
                self.run(|emulator| emulator.feed(piece));
                rest = after;
                continue;
            }
            let found = stretch(rest, usize::from(self.size().rows));
            let (skipped, attributes) = match &found.skip {
                Some(skip) => (skip.bytes, &skip.attributes[..]),
                None => (0, &[][..]),
            };
            let left = rest.len() - skipped + attributes.len();
            if found.is_all && haste == Haste::Later && left <= ASIDE_BYTES {
                // This copies, because the output's buffer may be far larger.
                self.aside = [attributes, &rest[skipped..]].concat();
                return;
            }
            // The output after the stretch is parsed with it, up to one piece, so that a lone
            // sequence does not cost another scan of everything.
            let end = rest.len().min(found.end + PIECE_BYTES);
            self.run(|emulator| {
                emulator.feed(attributes);
                emulator.feed(&rest[skipped..end]);
            });
            rest = &rest[end..];
        }
    }

    fn size(&self) -> Size {
        self.emulator.as_ref().map_or(self.base.size, |emulator| emulator.size())
    }

    fn is_plain(&self) -> bool {
        self.emulator.as_ref().map_or(self.base.is_plain, |emulator| emulator.is_plain())
    }

    /// Runs `work` on the emulator, which is created if there is none. If the emulator panics,
    /// which is a bug in it, the screen is emptied and the session goes on.
    fn run(&mut self, work: impl FnOnce(&mut Emulator)) {
        self.painted = None;
        let size = self.size();
        let done = catch_unwind(AssertUnwindSafe(|| {
            let emulator = self.emulator.get_or_insert_with(|| self.base.emulator());
            work(emulator);
        }));
        if done.is_err() {
            tracing::error!("the terminal emulator failed; its screen is lost");
            *self = Self { answers: self.take_answers(), ..Self::blank(size) };
        } else {
            self.base.data = Bytes::new();
        }
    }
}

impl CanvasBase {
    fn emulator(&self) -> Box<Emulator> {
        let mut emulator = Box::new(Emulator::new(self.size));
        emulator.feed(&self.data);
        emulator
    }
}
