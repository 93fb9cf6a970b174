//! What waits for the log of a pane.

use std::collections::VecDeque;

use moorline_shared::frame::Frame;
use moorline_shared::limits::FRAME_DATA_BYTES;

use super::title::TitleTranslator;
use crate::driver::DriverOutput;

/// Most bytes of output that wait.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that wait when output is taken again after some was dropped.
const RESUME_BYTES: usize = MOST_BYTES / 8;

/// The outputs of a pane that its session has not taken. Output is dropped if too much waits.
#[derive(Debug, Default)]
pub(super) struct OutputQueue {
    waiting: VecDeque<DriverOutput>,
    /// Bytes of output in `waiting`.
    bytes: usize,
    /// True if output is dropped.
    is_behind: bool,
    /// Bytes that may be the beginning of a title.
    titles: TitleTranslator,
}

impl OutputQueue {
    /// Returns the next output. The second value is true once if output is no longer dropped, so that
    /// the pane must be drawn anew.
    pub(super) fn pop(&mut self) -> (Option<DriverOutput>, bool) {
        let output = self.waiting.pop_front();
        if let Some(DriverOutput::Bytes(buffer)) = &output {
            self.bytes -= buffer.len() - Frame::DATA_START;
        }
        let resumes = self.is_behind && self.bytes <= RESUME_BYTES;
        self.is_behind &= !resumes;
        (output, resumes)
    }

    /// Adds output of the pane, unless output is dropped. Returns true once when too much waits, so
    /// that it is from now on.
    pub(super) fn output(&mut self, data: &[u8]) -> bool {
        if self.is_behind {
            return false;
        }
        if self.titles.passes(data) {
            self.bytes(data);
        } else {
            let mut translated = Vec::with_capacity(data.len());
            self.titles.push(data, &mut translated);
            self.bytes(&translated);
        }
        self.is_behind = self.bytes > MOST_BYTES;
        self.is_behind
    }

    /// Adds bytes that draw the pane anew. What may have been the beginning of a title is over.
    pub(super) fn draw(&mut self, data: &[u8]) {
        self.titles.finish();
        self.bytes(data);
    }

    /// Adds what was held back, because nothing follows.
    pub(super) fn finish(&mut self) {
        let held = self.titles.finish();
        self.bytes(&held);
    }

    /// Adds something else.
    pub(super) fn push(&mut self, output: DriverOutput) {
        self.waiting.push_back(output);
    }

    /// Adds an event, and removes those of the same kind that wait: only the last one counts.
    pub(super) fn replace(&mut self, event: DriverOutput) {
        if let DriverOutput::Event { kind, .. } = event {
            let same = |it: &DriverOutput| matches!(it, DriverOutput::Event { kind: other, .. } if *other == kind);
            self.waiting.retain(|waiting| !same(waiting));
        }
        self.waiting.push_back(event);
    }

    /// Returns true if output is dropped.
    pub(super) const fn is_behind(&self) -> bool {
        self.is_behind
    }

    fn bytes(&mut self, data: &[u8]) {
        for piece in data.chunks(FRAME_DATA_BYTES) {
            let mut buffer = Frame::buffer(piece.len());
            buffer.extend_from_slice(piece);
            self.bytes += piece.len();
            self.waiting.push_back(DriverOutput::Bytes(buffer));
        }
    }
}
