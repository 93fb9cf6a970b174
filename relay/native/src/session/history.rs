//! The screen of a session that its host does not paint.

use moorline_host::screen::{CATCH_UP_BYTES, Screen};
use moorline_shared::id::Seq;
use moorline_shared::log::Entry;
use moorline_shared::message::Snapshot;
use moorline_shared::session::Size;

/// Paints the screen after a log's last entry, for a session whose host is away: push all entries after
/// the picture, in order, then finish. All of it blocks.
pub struct HistoryPainter {
    screen: Screen,
    /// What the screen was pushed and has not parsed.
    pending: usize,
    head: Seq,
}

impl HistoryPainter {
    /// Begins with a picture, or with an empty screen.
    #[must_use]
    pub fn new(picture: Option<&Snapshot>, size: Size) -> Self {
        let screen = Screen::new(size);
        if let Some(picture) = picture {
            screen.restore(picture);
        }
        let head = picture.map(|picture| picture.seq).unwrap_or_default();
        Self { screen, pending: 0, head }
    }

    /// The last entry that is painted.
    #[must_use]
    pub const fn head(&self) -> Seq {
        self.head
    }

    /// Paints the entries that follow.
    pub fn push(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.head = entry.seq();
            if let Entry::Output(frame) = entry {
                self.screen.push(frame);
                self.pending += frame.data_len();
            }
            if self.pending > CATCH_UP_BYTES {
                self.screen.catch_up();
                self.pending = 0;
            }
        }
    }

    /// The picture.
    #[must_use]
    pub fn finish(self) -> Snapshot {
        Snapshot { seq: self.head, ..self.screen.snapshot() }
    }
}
