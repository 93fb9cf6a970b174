//! The output of an agent that is held elsewhere until it is handled.

use bytes::{Buf as _, BytesMut};

use super::process::{ProcessEvent, last_line};
use super::rpc::{LINE_BYTES, LineSplitter, SplitLine};

/// Bytes at the end of the standard error that are kept.
const ERROR_BYTES: usize = 8 * 1024;
/// Most bytes of output that wait to be split into lines while the session is not read.
pub(super) const UNREAD_BYTES: usize = 1024 * 1024;

/// Splits the output of an agent into lines, and knows where in it each ends.
#[derive(Debug)]
pub(super) struct KeptOutput {
    splitter: LineSplitter,
    /// Output that was received and not split.
    read: BytesMut,
    /// The offset after the output that was received.
    received: u64,
    /// The offset after the last complete line.
    line_end: u64,
    /// The end of the standard error.
    errors: Vec<u8>,
}

impl KeptOutput {
    /// Begins at this offset.
    pub(super) fn new(from: u64) -> Self {
        Self {
            splitter: LineSplitter::default(),
            read: BytesMut::new(),
            received: from,
            line_end: from,
            errors: Vec::new(),
        }
    }

    /// Takes output that ends at this offset.
    pub(super) fn push(&mut self, data: &[u8], end: u64) {
        self.received = end;
        self.read.extend_from_slice(data);
    }

    pub(super) fn push_errors(&mut self, text: &[u8]) {
        self.errors.extend_from_slice(text);
        let surplus = self.errors.len().saturating_sub(ERROR_BYTES);
        self.errors.drain(..surplus);
    }

    /// Returns true if so much waits that no more should be read.
    pub(super) fn is_full(&self) -> bool {
        self.read.len() > UNREAD_BYTES
    }

    /// Returns the offset before which nothing is needed any more, if what comes before `handled` was
    /// handled.
    pub(super) fn acknowledged(&self, handled: u64) -> u64 {
        // A line that is too long is dropped anyway.
        let is_dropped = self.received > self.line_end + LINE_BYTES as u64;
        if is_dropped { self.received } else { handled }
    }

    /// Returns the last line of the standard error.
    pub(super) fn last_words(&self) -> Option<String> {
        last_line(&String::from_utf8_lossy(&self.errors))
    }

    /// Returns the next line.
    pub(super) fn take_line(&mut self) -> Option<ProcessEvent> {
        let mut rest = &*self.read;
        let line = self.splitter.next(&mut rest);
        let taken = self.read.len() - rest.len();
        self.read.advance(taken);
        let line = line?;
        self.line_end = self.received - self.read.len() as u64;
        Some(match line {
            SplitLine::Whole(line) => ProcessEvent::Line(line, self.line_end),
            SplitLine::TooLong => ProcessEvent::LineTooLong(self.line_end),
        })
    }
}
