//! Loading a stored session: at most a client's backlog of its log, however long that is.

use moorline_shared::id::{Epoch, Seq};
use moorline_shared::limits::BACKLOG_BYTES;
use moorline_shared::log::{Entry, Log};
use moorline_shared::message::Snapshot;

use crate::session::{HistoryPainter, Restored};
use crate::store::{SessionRecord, Store, StoreError};

/// Limit of the bytes read at a time to be painted.
const PIECE_BYTES: u64 = 1024 * 1024;

/// Loads the newest part of a stored log, and a snapshot that it reaches back to. Blocks.
pub(super) fn restore(store: &Store, record: &SessionRecord) -> Result<Restored, StoreError> {
    let (id, epoch) = (&record.id, record.epoch);
    let rows = store.segments(id, epoch)?;
    let snapshot = store.snapshot(id, epoch)?.filter(|snapshot| snapshot.seq <= record.head);
    let seen = snapshot.as_ref().map_or(Seq::ZERO, |snapshot| snapshot.seq);
    let log = log_of(epoch, seen, store.load_newest(id, epoch, BACKLOG_BYTES)?);
    if log.bytes_after(seen) == 0 {
        return Ok(Restored { log, rows, snapshot });
    }
    let oldest = rows.last().map_or(Seq::ZERO, |row| row.first);
    let base = snapshot.filter(|snapshot| oldest <= snapshot.seq.next());
    let snapshot = Some(paint(store, record, base.as_ref())?);
    Ok(Restored { log, rows, snapshot })
}

/// Paints the screen after the last stored entry, with one piece of the log in memory at a time.
fn paint(
    store: &Store,
    record: &SessionRecord,
    base: Option<&Snapshot>,
) -> Result<Snapshot, StoreError> {
    let mut painter = HistoryPainter::new(base, record.size);
    loop {
        let entries = store.load(&record.id, record.epoch, painter.head(), PIECE_BYTES)?;
        if entries.is_empty() {
            return Ok(painter.finish());
        }
        painter.push(&entries);
    }
}

fn log_of(epoch: Epoch, seen: Seq, entries: Vec<Entry>) -> Log {
    let before = entries.first().map_or(seen, |first| Seq(first.seq().0 - 1));
    let mut log = Log::starting_after(epoch, before);
    for entry in entries {
        if let Err(error) = log.push(entry) {
            // The store returns entries without gaps, so this is not expected.
            tracing::error!(%error, "a stored log was cut short");
            break;
        }
    }
    log
}

#[cfg(test)]
mod tests {
    use moorline_shared::frame::Frame;
    use moorline_shared::id::SessionId;
    use moorline_shared::session::{Lifecycle, Size};

    use super::*;

    const EPOCH: Epoch = Epoch(7);
    const SIZE: Size = Size { cols: 80, rows: 24 };

    fn id() -> SessionId {
        "abcdefgh".parse().unwrap()
    }

    fn record(head: u64) -> SessionRecord {
        SessionRecord {
            host: None,
            id: id(),
            epoch: EPOCH,
            name: None,
            project: None,
            driver: "pty".into(),
            command: vec![],
            cwd: None,
            env: [].into(),
            size: SIZE,
            created_at_ms: 1,
            last_activity_ms: 1,
            lifecycle: Lifecycle::Lost,
            exit: None,
            head: Seq(head),
        }
    }

    /// Stores a log of 64 KiB entries, each of which names its number in its last line.
    fn store(folder: &std::path::Path, entries: u64) -> Store {
        let store = Store::open(folder).unwrap();
        for seq in 1..=entries {
            let line = format!("\r\nline {seq}");
            let text = "x".repeat(64 * 1024 - line.len()) + &line;
            let entry = Entry::Output(Frame::copy(Seq(seq), text.as_bytes()).unwrap().at(seq));
            store.append(&id(), EPOCH, &[entry]).unwrap();
        }
        store
    }

    fn text(snapshot: &Snapshot) -> String {
        String::from_utf8_lossy(&snapshot.data).into_owned()
    }

    #[test]
    fn a_log_that_is_longer_than_a_backlog_is_not_brought_into_memory() {
        let folder = tempfile::tempdir().unwrap();
        let entries = 3 * BACKLOG_BYTES / (64 * 1024);
        let store = store(folder.path(), entries);
        let painted = |seq: u64| {
            let mut painter = HistoryPainter::new(None, SIZE);
            painter.push(&store.load(&id(), EPOCH, Seq::ZERO, u64::MAX).unwrap()[..seq as usize]);
            painter.finish()
        };
        let (first, last) = (painted(1), painted(entries));
        for snapshot in [None, Some(first)] {
            if let Some(snapshot) = &snapshot {
                store.put_snapshot(&id(), EPOCH, snapshot).unwrap();
            }
            let restored = restore(&store, &record(entries)).unwrap();
            let bytes = restored.log.bytes_after(Seq::ZERO);
            assert!(bytes <= BACKLOG_BYTES + 1024 * 1024, "{bytes}");
            assert_eq!(restored.log.head(), Seq(entries));
            let restored = restored.snapshot.unwrap();
            assert_eq!(restored.seq, Seq(entries));
            assert!(text(&restored).ends_with(&text(&last)[text(&last).len() - 40..]));
            assert!(text(&restored).contains(&format!("line {entries}")));
        }
    }

    #[test]
    fn a_log_that_ends_with_its_snapshot_is_not_painted() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), 3);
        let mut painter = HistoryPainter::new(None, SIZE);
        painter.push(&store.load(&id(), EPOCH, Seq::ZERO, u64::MAX).unwrap());
        let snapshot = painter.finish();
        store.put_snapshot(&id(), EPOCH, &snapshot).unwrap();
        let restored = restore(&store, &record(3)).unwrap();
        assert_eq!((restored.log.head(), restored.snapshot), (Seq(3), Some(snapshot)));
    }
}
