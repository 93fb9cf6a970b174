//! The session's last snapshot, and requests to the host for another.

use moorline_shared::id::Seq;
use moorline_shared::message::Snapshot;

/// The last snapshot, and whether the host owes one.
#[derive(Debug)]
pub(super) struct Snapshots {
    last: Option<Snapshot>,
    /// The next snapshot to store. A newer one does not replace it: during a flood, the last
    /// snapshot is always ahead of the durable entries.
    unstored: Option<Snapshot>,
    /// The last entry in the stored snapshot; 0 if none is stored.
    stored: Seq,
    /// The number of answers of the host to requests, with a snapshot or without.
    answers: u64,
    is_asked: bool,
    /// The head at the time of the last request that failed.
    failed: Seq,
}

impl Snapshots {
    /// Returns the state after a start, with the stored snapshot.
    pub(super) fn new(stored: Option<Snapshot>) -> Self {
        let seq = stored.as_ref().map_or(Seq::ZERO, |snapshot| snapshot.seq);
        let (answers, is_asked, failed) = (0, false, Seq::ZERO);
        Self { last: stored, unstored: None, stored: seq, answers, is_asked, failed }
    }

    pub(super) const fn last(&self) -> Option<&Snapshot> {
        self.last.as_ref()
    }

    /// Returns the last entry that the last snapshot contains; 0 without one.
    pub(super) fn seq(&self) -> Seq {
        self.last.as_ref().map_or(Seq::ZERO, |snapshot| snapshot.seq)
    }

    /// Returns the number of answers so far. One that was asked for has come once it has grown.
    pub(super) const fn answers(&self) -> u64 {
        self.answers
    }

    /// Returns true if the host owes an answer.
    pub(super) const fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// Returns the entry from which to count output until the next request: after a failure, the
    /// host is asked again only once as much output has come.
    pub(super) fn counted_from(&self) -> Seq {
        self.seq().max(self.failed)
    }

    /// Records a request. Returns false if one is open already.
    pub(super) const fn ask(&mut self) -> bool {
        !std::mem::replace(&mut self.is_asked, true)
    }

    /// Takes the host's answer at this head. Keeps a snapshot if it is newer.
    pub(super) fn answered(&mut self, snapshot: Option<Snapshot>, head: Seq) {
        self.is_asked = false;
        self.answers += 1;
        let Some(snapshot) = snapshot else {
            self.failed = head;
            return;
        };
        if snapshot.seq >= self.seq() && snapshot.seq <= head {
            self.unstored.get_or_insert_with(|| snapshot.clone());
            self.last = Some(snapshot);
        }
    }

    /// Begins a new link to the host: what was asked on the last one is not answered any more.
    pub(super) const fn host_arrived(&mut self) {
        self.is_asked = false;
    }

    /// Handles a host that has left: whoever waits for its answer goes on without.
    pub(super) const fn host_left(&mut self, head: Seq) {
        self.answers += 1;
        if std::mem::replace(&mut self.is_asked, false) {
            // The request may have broken the link.
            self.failed = head;
        }
    }

    /// Drops all: the log has begun anew.
    pub(super) fn clear(&mut self) {
        self.last = None;
        self.unstored = None;
        self.stored = Seq::ZERO;
        self.failed = Seq::ZERO;
    }

    /// Returns the next snapshot to store.
    pub(super) const fn unstored(&self) -> Option<&Snapshot> {
        self.unstored.as_ref()
    }

    /// Records that the snapshot at `seq` is stored.
    pub(super) fn stored_up_to(&mut self, seq: Seq) {
        self.stored = seq;
        self.unstored = self.last.clone().filter(|last| last.seq > seq);
    }

    /// Returns the last entry in the stored snapshot; 0 if none is stored.
    pub(super) const fn stored(&self) -> Seq {
        self.stored
    }
}
