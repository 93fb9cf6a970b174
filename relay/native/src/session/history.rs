//! The screen of a session that its host does not paint.

use moorline_host::screen::{CATCH_UP_BYTES, Screen};
use moorline_shared::log::{Entry, Log};
use moorline_shared::message::Snapshot;
use moorline_shared::session::Size;

/// The screen after a log's last entry, for a session whose host is away. Blocks.
#[must_use]
pub fn paint_history(picture: Option<&Snapshot>, log: &Log, size: Size) -> Snapshot {
    let screen = Screen::new(size);
    if let Some(picture) = picture {
        screen.restore(picture);
    }
    let mut pending = 0;
    for entry in log.after(picture.map(|picture| picture.seq).unwrap_or_default()) {
        if let Entry::Output(frame) = entry {
            screen.push(frame);
            pending += frame.data_len();
        }
        if pending > CATCH_UP_BYTES {
            screen.catch_up();
            pending = 0;
        }
    }
    Snapshot { seq: log.head(), ..screen.snapshot() }
}
