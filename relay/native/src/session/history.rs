//! Painting the screen of a session without its host.

use moorline_host::screen::{CATCH_UP_BYTES, Screen};
use moorline_shared::id::Seq;
use moorline_shared::log::Entry;
use moorline_shared::message::Snapshot;
use moorline_shared::session::Size;

/// Paints the screen after a log's last entry, for a session whose host is away. Push all entries after
/// the snapshot, in order, then finish. All methods may block.
pub struct HistoryPainter {
    screen: Screen,
    /// Bytes that were pushed to the screen and not parsed yet.
    pending: usize,
    head: Seq,
}

impl HistoryPainter {
    /// Starts from a snapshot, or from an empty screen.
    #[must_use]
    pub fn new(snapshot: Option<&Snapshot>, size: Size) -> Self {
        let screen = Screen::new(size);
        if let Some(snapshot) = snapshot {
            screen.restore(snapshot);
        }
        let head = snapshot.map(|snapshot| snapshot.seq).unwrap_or_default();
        Self { screen, pending: 0, head }
    }

    /// The last entry that was painted.
    #[must_use]
    pub const fn head(&self) -> Seq {
        self.head
    }

    /// Paints the next entries.
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

    /// Returns the snapshot after the last entry.
    #[must_use]
    pub fn finish(self) -> Snapshot {
        Snapshot { seq: self.head, ..self.screen.snapshot() }
    }
}
