//! What the peers of clients need of their session: a place in it, entries, and snapshots.

use bytes::Bytes;
use moorline_shared::id::{ClientId, Cursor, Seq};
use moorline_shared::message::Snapshot;
use moorline_shared::publish::HostCommand;
use moorline_shared::session::TMUX_DRIVER;
use moorline_shared::time::Time;

use super::{HeldChange, Session, TooManyClients};
use crate::client_table::{ClientTable, PeerId};
use crate::encoded::EncodedEntries;

/// The most output after a snapshot that counts as fresh.
const FRESH_BYTES: u64 = 256 * 1024;
/// The sequence that resets a terminal: the snapshot of a session without output.
const RESET: &[u8] = b"\x1bc";

impl Session {
    pub(crate) fn attach(&mut self) -> Result<PeerId, TooManyClients> {
        let peer = self.clients.attach()?;
        self.tell_watched(false);
        Ok(peer)
    }

    pub(crate) fn detach(&mut self, peer: PeerId, client_id: Option<&ClientId>) {
        self.clients.detach(peer, client_id);
        self.tell_watched(false);
        self.find_answerer();
        self.acknowledge();
    }

    /// Tells the host of a pane whether a client shows it: `anew` to a host that is new, otherwise if
    /// that has changed.
    pub(super) fn tell_watched(&mut self, anew: bool) {
        let (watched, has_changed) = self.clients.watched();
        if self.driver() == TMUX_DRIVER && (anew || has_changed) {
            self.host.command(HostCommand::Watched { watched });
        }
    }

    pub(crate) fn attach_stream(&mut self) -> Result<PeerId, TooManyClients> {
        self.clients.attach_stream()
    }

    pub(crate) fn detach_stream(&mut self, peer: PeerId) {
        self.clients.detach_stream(peer);
        if self.streams() == 0 {
            self.encoded.clear();
        }
        self.acknowledge();
    }

    /// Returns the entries that event streams have encoded.
    pub(crate) const fn encoded(&mut self) -> &mut EncodedEntries {
        &mut self.encoded
    }

    /// Lets `peer` speak for `client_id`, and replaces a connection that did so before. `sent` is the
    /// last piece of input that the client has ever sent, if it says so.
    pub(crate) fn claim(&mut self, peer: PeerId, client_id: &ClientId, sent: Option<Cursor>) {
        let epoch = self.log().epoch();
        if let Some((client_id, seq)) = self.clients.table.claim(peer, client_id, sent, epoch) {
            self.held_changes.push_back(HeldChange::Taken { client_id, seq });
        }
        self.find_answerer();
        self.host.command(HostCommand::ClientResumed { client_id: client_id.clone() });
    }

    pub(crate) const fn claims(&self) -> &ClientTable {
        &self.clients.table
    }

    /// Records that a client typed or resized. Returns its place in that order, for
    /// [`Session::was_active`].
    pub(crate) fn is_active(&mut self, client_id: &ClientId) -> u64 {
        let active = self.clients.table.is_active(client_id);
        self.find_answerer();
        active
    }

    /// Restores the result of [`Session::is_active`] after this relay lost its memory.
    pub(crate) fn was_active(&mut self, client_id: &ClientId, active: u64) {
        self.clients.table.was_active(client_id, active);
    }

    /// Records that a client that answers queries knows where its stream begins, so it sees new
    /// ones.
    pub(crate) fn can_answer(&mut self, peer: PeerId, client_id: &ClientId) {
        self.clients.table.can_answer(peer, client_id);
        self.find_answerer();
    }

    /// Records that a client got a snapshot: it does not see queries up to `seq`.
    pub(crate) fn has_jumped(&mut self, client_id: Option<&ClientId>, seq: Seq) {
        let command = client_id.and_then(|client_id| self.clients.has_jumped(client_id, seq));
        if let Some(command) = command {
            self.host.command(command);
        }
    }

    /// Records that a client that replays has taken something, and continues after `position`.
    pub(crate) fn reads_on(&mut self, peer: PeerId, position: Seq, now: Time) {
        self.clients.reads_on(peer, position, now);
        self.acknowledge();
    }

    /// Returns the entry after which everything must stay for its readers; `None` for no bound.
    #[cfg(test)]
    pub(crate) fn read_after(&self) -> Option<Seq> {
        self.clients.read_after()
    }

    pub(crate) fn host_is_here(&self) -> bool {
        self.host.is_here()
    }

    /// Returns the last entry that the log can reach once its host has sent what it has. Without a
    /// linked host, returns the largest number.
    pub(crate) fn reachable_head(&self) -> Seq {
        self.host.reachable_head(self.log().head())
    }

    /// Returns true if every entry after `seq` is in memory or in the store.
    pub(crate) fn reaches_back_to(&self, seq: Seq) -> bool {
        self.log.reaches_back_to(seq)
    }

    /// Returns about how many bytes are retained after `seq`.
    pub(crate) fn bytes_after(&self, seq: Seq) -> u64 {
        self.log.bytes_after(seq)
    }

    /// Returns the last snapshot, or an empty screen before the oldest retained entry. The empty
    /// screen is exact if the log begins there. If the log was trimmed before any snapshot came, it
    /// is the best there is: every retained entry follows it.
    pub(crate) fn last_snapshot(&self) -> Snapshot {
        self.usable_snapshot().cloned().unwrap_or_else(|| Snapshot {
            seq: Seq(self.log.oldest().0 - 1),
            data: Bytes::from_static(RESET),
            cols: Some(self.size().cols),
            rows: Some(self.size().rows),
            reason: None,
        })
    }

    /// Returns true if [`Session::last_snapshot`] is as good as one that the host would make now.
    pub(crate) fn has_fresh_snapshot(&self) -> bool {
        let size = self.size();
        self.usable_snapshot().map_or(self.log().head() == Seq::ZERO, |snapshot| {
            (snapshot.cols, snapshot.rows) == (Some(size.cols), Some(size.rows))
                && self.log.bytes_after(snapshot.seq) <= FRESH_BYTES
        })
    }

    /// Asks the host for a snapshot; returns false if there is no host to ask. The answer has come
    /// once [`Session::snapshot_answers`] has grown.
    pub(crate) fn ask_snapshot(&mut self) -> bool {
        if self.host.is_here() && self.snapshots.ask() {
            self.host.command(HostCommand::SnapshotRequest);
        }
        self.host.is_here()
    }

    pub(crate) const fn snapshot_answers(&self) -> u64 {
        self.snapshots.answers()
    }

    /// Takes the host's answer to a request; `None` if it could not make a snapshot.
    pub(super) fn snapshot_came(&mut self, snapshot: Option<Snapshot>) {
        self.snapshots.answered(snapshot, self.log.newest().head());
    }

    /// Acknowledges durable entries to the host, unless it must wait for readers.
    pub(super) fn acknowledge(&mut self) {
        if !self.holds_back() {
            self.host.acknowledge(self.log.durable());
        }
    }

    /// Returns true if the host must stop putting out more, because a reader would miss something.
    pub(super) fn holds_back(&self) -> bool {
        self.clients.read_after().is_some_and(|read_after| {
            let unread = self.log.index().bytes_between(read_after, self.log.durable());
            unread > self.log.policy().retention_bytes
        })
    }

    fn find_answerer(&mut self) {
        for command in self.clients.find_answerer(self.log.newest().head()) {
            self.host.command(command);
        }
    }

    /// Returns the last snapshot, if every entry after it is retained.
    fn usable_snapshot(&self) -> Option<&Snapshot> {
        self.snapshots.last().filter(|snapshot| self.log.reaches_back_to(snapshot.seq))
    }
}
