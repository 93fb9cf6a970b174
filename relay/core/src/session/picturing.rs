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
    pub fn picture_to_store(&self) -> Option<&Snapshot> {
        self.picture.as_ref().filter(|picture| !self.picture_stored && picture.seq <= self.durable)
    }

    /// Records that the snapshot at `seq` is stored.
    pub fn picture_stored(&mut self, seq: Seq) {
        if self.picture.as_ref().is_some_and(|picture| picture.seq == seq) {
            self.picture_stored = true;
        }
    }

    /// Returns the last snapshot, or an empty screen before the oldest retained entry. The empty
    /// screen is exact if the log begins there. If the log was trimmed before any snapshot came, it
    /// is the best there is: every retained entry follows it.
    pub(crate) fn last_picture(&self) -> Snapshot {
        let oldest = if self.has_store() { self.oldest() } else { self.log.tail() };
        self.usable_picture().cloned().unwrap_or_else(|| Snapshot {
            seq: Seq(oldest.0 - 1),
            data: Bytes::from_static(RESET),
            cols: Some(self.size.cols),
            rows: Some(self.size.rows),
            reason: None,
        })
    }

    /// Returns true if [`Session::last_picture`] is as good as one that the host would make now.
    pub(crate) fn has_fresh_picture(&self) -> bool {
        match self.usable_picture() {
            Some(picture) => {
                let same_size =
                    (picture.cols, picture.rows) == (Some(self.size.cols), Some(self.size.rows));
                same_size && self.bytes_after(picture.seq) <= FRESH_BYTES
            }
            None => self.log.head() == Seq::ZERO,
        }
    }

    /// Asks the host for a snapshot; returns false if there is no host to ask. The answer has come
    /// once [`Session::picture_answers`] has grown.
    pub(crate) fn ask_picture(&mut self) -> bool {
        if self.host_is_here() && !self.picture_asked {
            self.picture_asked = true;
            self.command(HostCommand::SnapshotRequest);
        }
        self.host_is_here()
    }

    pub(crate) const fn picture_answers(&self) -> u64 {
        self.picture_answers
    }

    /// Returns the last snapshot, if every entry after it is retained.
    fn usable_picture(&self) -> Option<&Snapshot> {
        self.picture.as_ref().filter(|picture| self.reaches_back_to(picture.seq))
    }

    pub(super) fn picture_seq(&self) -> Seq {
        self.picture.as_ref().map_or(Seq::ZERO, |picture| picture.seq)
    }
}
