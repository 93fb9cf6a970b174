//! The session's clients: how many there are, what each has read, and which one answers queries.
//!
//! Of the clients that can answer the program's queries, the one that typed or resized last does.
//! The host decides what counts as the answer; it only has to know which client to wait for.
//!
//! A client that replays, and is far behind, reads from the store. Once retention would drop
//! entries that it has not read, they stay all the same, and the host gets no acknowledgements: it
//! stops at its window, and the program waits. A client that takes nothing for [`STALLED_AFTER`] no
//! longer holds anyone up.

use std::collections::BTreeMap;
use std::time::Duration;

use moorline_shared::id::{ClientId, Seq};
use moorline_shared::limits::{CLIENTS_PER_SESSION, STALLED_AFTER};
use moorline_shared::publish::HostCommand;
use moorline_shared::time::Time;

use crate::client_table::{ClientTable, PeerId};

/// Bytes after which a reader reports its position again, unless [`READS_EVERY`] passes first.
const READS_EVERY_BYTES: u64 = 256 * 1024;
/// Time after which a reader reports its position again: see [`READS_EVERY_BYTES`].
pub(crate) const READS_EVERY: Duration = Duration::from_secs(1);

/// Decides when a reader reports its position to the session: at first, and then now and then.
#[derive(Debug, Default)]
pub(crate) struct ReportPace {
    /// The time of the last report.
    reported: Option<Time>,
    /// The bytes that were read since.
    bytes: u64,
}

impl ReportPace {
    /// Counts bytes that were read.
    pub(crate) const fn count(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Returns true if a report is due, and assumes that it is made.
    pub(crate) fn poll(&mut self, now: Time) -> bool {
        let is_due = self.reported.is_none_or(|at| now >= at + READS_EVERY)
            || self.bytes >= READS_EVERY_BYTES;
        if is_due {
            *self = Self { reported: Some(now), bytes: 0 };
        }
        is_due
    }
}

/// The error for a client beyond the session's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session has at most {} clients", CLIENTS_PER_SESSION)]
pub struct TooManyClients;

/// The position of a reader that replays.
#[derive(Debug, Clone, Copy)]
struct ReplayPosition {
    /// The last entry that was sent to it.
    position: Seq,
    /// The time from which it counts as stalled.
    until: Time,
}

/// The clients of one session.
#[derive(Debug, Default)]
pub(super) struct Clients {
    /// The ids that clients have given themselves.
    pub(super) table: ClientTable,
    /// The client that the host currently leaves queries to.
    answerer: Option<ClientId>,
    /// Clients that replay and have recently taken something.
    readers: BTreeMap<PeerId, ReplayPosition>,
    /// The number of connections, event streams included.
    connected: usize,
    streams: usize,
    /// True if the host was told last that a client shows the session.
    told_watched: bool,
    last_peer: u64,
}

impl Clients {
    pub(super) const fn connected(&self) -> usize {
        self.connected
    }

    pub(super) const fn streams(&self) -> usize {
        self.streams
    }

    /// Returns true if a client shows the session, and true if that has changed since the last call.
    pub(super) const fn watched(&mut self) -> (bool, bool) {
        let watched = self.connected > self.streams;
        let before = std::mem::replace(&mut self.told_watched, watched);
        (watched, before != watched)
    }

    pub(super) const fn attach(&mut self) -> Result<PeerId, TooManyClients> {
        if self.connected >= CLIENTS_PER_SESSION {
            return Err(TooManyClients);
        }
        self.connected += 1;
        self.last_peer += 1;
        Ok(PeerId::new(self.last_peer))
    }

    pub(super) fn attach_stream(&mut self) -> Result<PeerId, TooManyClients> {
        let peer = self.attach()?;
        self.streams += 1;
        Ok(peer)
    }

    pub(super) fn detach(&mut self, peer: PeerId, client_id: Option<&ClientId>) {
        self.connected -= 1;
        self.readers.remove(&peer);
        if let Some(client_id) = client_id {
            self.table.release(peer, client_id);
        }
    }

    pub(super) fn detach_stream(&mut self, peer: PeerId) {
        self.detach(peer, None);
        self.streams -= 1;
    }

    /// Records that a reader has taken something, and continues after `position`.
    pub(super) fn reads_on(&mut self, peer: PeerId, position: Seq, now: Time) {
        // It may have taken something since, without a report.
        let until = now + STALLED_AFTER + READS_EVERY;
        self.readers.insert(peer, ReplayPosition { position, until });
    }

    /// Drops the readers that are stalled by now.
    pub(super) fn drop_stalled(&mut self, now: Time) {
        self.readers.retain(|_, reader| now < reader.until);
    }

    /// Returns when the next reader counts as stalled.
    pub(super) fn stalled_at(&self) -> Option<Time> {
        self.readers.values().map(|reader| reader.until).min()
    }

    /// Returns the entry after which everything must stay for its readers; `None` for no bound.
    pub(super) fn read_after(&self) -> Option<Seq> {
        self.readers.values().map(|reader| reader.position).min()
    }

    /// Chooses the answering client anew, for a new host or for one that stayed while this relay
    /// lost its memory. Returns the command that tells it.
    pub(super) fn choose_answerer(&mut self, after: Seq) -> HostCommand {
        let client_id = self.table.answerer().cloned();
        self.answerer.clone_from(&client_id);
        HostCommand::Answerer { client_id, after }
    }

    /// Chooses the answering client again. Returns the commands that tell the host of a change.
    pub(super) fn find_answerer(
        &mut self,
        after: Seq,
    ) -> impl Iterator<Item = HostCommand> + use<> {
        let found = self.table.answerer();
        let is_new = found != self.answerer.as_ref();
        let found = found.cloned();
        let has_left = self.answerer.as_ref().is_some_and(|before| !self.table.answers(before));
        let nobody = (is_new && has_left && found.is_some())
            .then_some(HostCommand::Answerer { client_id: None, after });
        let somebody = is_new.then(|| HostCommand::Answerer { client_id: found.clone(), after });
        self.answerer = found;
        nobody.into_iter().chain(somebody)
    }

    /// Returns the command that tells the host that `client_id` does not see queries up to `seq`;
    /// `None` unless it is the answering client.
    pub(super) fn has_jumped(&self, client_id: &ClientId, seq: Seq) -> Option<HostCommand> {
        let is_answerer = self.answerer.as_ref() == Some(client_id);
        let client_id = Some(client_id.clone());
        is_answerer.then_some(HostCommand::Answerer { client_id, after: seq })
    }
}
