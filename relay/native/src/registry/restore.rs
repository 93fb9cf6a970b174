//! Loading a stored session: its last snapshot, and at most a client's backlog of its log. Older
//! entries are read from the store when a client needs them.

use moorline_core::session::StoredSession;
use moorline_core::stored::Stored;
use moorline_shared::id::{Epoch, Seq};
use moorline_shared::limits::BACKLOG_BYTES;
use moorline_shared::log::{Entry, Log};

use crate::store::{SessionRecord, Store, StoreError};

/// Loads the newest part of a stored log, and the last snapshot. Blocks.
pub(super) fn restore(store: &Store, record: SessionRecord) -> Result<StoredSession, StoreError> {
    let (id, epoch) = (&record.id, record.epoch);
    let rows = store.segments(id, epoch)?;
    let snapshot = store.snapshot(id, epoch)?.filter(|snapshot| snapshot.seq <= record.head);
    let seen = snapshot.as_ref().map_or(Seq::ZERO, |snapshot| snapshot.seq);
    let newest = log_of(epoch, seen, store.load_newest(id, epoch, BACKLOG_BYTES)?);
    Ok(StoredSession {
        newest,
        index: Stored::new(epoch, rows),
        snapshot,
        last_status: None,
        agent: store.agent(id)?,
        record,
    })
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
    use bytes::Bytes;
    use moorline_shared::frame::Frame;
    use moorline_shared::id::SessionId;
    use moorline_shared::message::Snapshot;
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
            agent: None,
            tmux: None,
            workspace: None,
            pod: None,
            pod_status: None,
        }
    }

    /// Stores a log of 64 KiB entries.
    fn store(folder: &std::path::Path, entries: u64) -> Store {
        let store = Store::open(folder).unwrap();
        for seq in 1..=entries {
            let entry = Entry::Output(Frame::copy(Seq(seq), &[b'x'; 64 * 1024]).unwrap().at(seq));
            store.append(&id(), EPOCH, &[entry]).unwrap();
        }
        store
    }

    fn snapshot(seq: u64) -> Snapshot {
        let data = Bytes::from_static(b"\x1bc");
        Snapshot { seq: Seq(seq), data, cols: Some(80), rows: Some(24), reason: None }
    }

    #[test]
    fn a_log_that_is_longer_than_a_backlog_is_not_brought_into_memory() {
        let folder = tempfile::tempdir().unwrap();
        let entries = 3 * BACKLOG_BYTES / (64 * 1024);
        let store = store(folder.path(), entries);
        for stored in [None, Some(snapshot(1))] {
            if let Some(stored) = &stored {
                store.put_snapshot(&id(), EPOCH, stored).unwrap();
            }
            let restored = restore(&store, record(entries)).unwrap();
            let bytes = restored.newest.bytes_after(Seq::ZERO);
            assert!(bytes <= BACKLOG_BYTES + 1024 * 1024, "{bytes}");
            assert_eq!((restored.newest.head(), restored.snapshot), (Seq(entries), stored));
            assert_eq!(
                restored.index.oldest(),
                Some(Seq(1)),
                "the rest can be read from the store"
            );
        }
    }

    #[test]
    fn a_snapshot_that_is_ahead_of_the_log_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), 3);
        store.put_snapshot(&id(), EPOCH, &snapshot(3)).unwrap();
        assert_eq!(restore(&store, record(3)).unwrap().snapshot, Some(snapshot(3)));
        assert_eq!(restore(&store, record(2)).unwrap().snapshot, None);
    }
}
