//! The session's last snapshot, and requests to the host for another.

use bytes::Bytes;
use moorline_shared::id::Seq;
use moorline_shared::message::Snapshot;
use moorline_shared::publish::HostCommand;

use super::Session;

/// The most output after a snapshot that counts as fresh.
const FRESH_BYTES: u64 = 256 * 1024;
/// The sequence that resets a terminal: the snapshot of a session without output.
const RESET: &[u8] = b"\x1bc";

impl Session {
    /// Returns the last snapshot if it is not stored yet. Store it after the entries that it
    /// contains.
    #[must_use]
    pub fn snapshot_to_store(&self) -> Option<&Snapshot> {
        self.snapshot
            .as_ref()
            .filter(|snapshot| !self.snapshot_stored && snapshot.seq <= self.durable)
    }

    /// Records that the snapshot at `seq` is stored.
    pub fn snapshot_stored(&mut self, seq: Seq) {
        if self.snapshot.as_ref().is_some_and(|snapshot| snapshot.seq == seq) {
            self.snapshot_stored = true;
        }
    }

    /// Returns the last snapshot, or an empty screen before the oldest retained entry. The empty
    /// screen is exact if the log begins there. If the log was trimmed before any snapshot came, it
    /// is the best there is: every retained entry follows it.
    pub(crate) fn last_snapshot(&self) -> Snapshot {
        let oldest = if self.has_store() { self.oldest() } else { self.log.tail() };
        self.usable_snapshot().cloned().unwrap_or_else(|| Snapshot {
            seq: Seq(oldest.0 - 1),
            data: Bytes::from_static(RESET),
            cols: Some(self.size.cols),
            rows: Some(self.size.rows),
            reason: None,
        })
    }

    /// Returns true if [`Session::last_snapshot`] is as good as one that the host would make now.
    pub(crate) fn has_fresh_snapshot(&self) -> bool {
        match self.usable_snapshot() {
            Some(snapshot) => {
                let same_size =
                    (snapshot.cols, snapshot.rows) == (Some(self.size.cols), Some(self.size.rows));
                same_size && self.bytes_after(snapshot.seq) <= FRESH_BYTES
            }
            None => self.log.head() == Seq::ZERO,
        }
    }

    /// Asks the host for a snapshot; returns false if there is no host to ask. The answer has come
    /// once [`Session::snapshot_answers`] has grown.
    pub(crate) fn ask_snapshot(&mut self) -> bool {
        if self.host_is_here() && !self.snapshot_asked {
            self.snapshot_asked = true;
            self.command(HostCommand::SnapshotRequest);
        }
        self.host_is_here()
    }

    pub(crate) const fn snapshot_answers(&self) -> u64 {
        self.snapshot_answers
    }

    /// Returns the last snapshot, if every entry after it is retained.
    fn usable_snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref().filter(|snapshot| self.reaches_back_to(snapshot.seq))
    }

    pub(super) fn snapshot_seq(&self) -> Seq {
        self.snapshot.as_ref().map_or(Seq::ZERO, |snapshot| snapshot.seq)
    }
}
