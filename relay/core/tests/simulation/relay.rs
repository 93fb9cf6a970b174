//! A relay: the real session and peers, with a store that survives and sockets that do not.

use std::collections::BTreeMap;

use bytes::Bytes;
use moorline_core::LastStatus;
use moorline_core::peer::{Peer, PeerOutput, Terms};
use moorline_core::profile::{Retention, RetentionPolicy};
use moorline_core::session::{Facts, HeldChange, Session};
use moorline_core::stored::{SegmentRow, Stored};
use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Epoch, Seq};
use moorline_shared::log::{Entry, Log};
use moorline_shared::message::{Scope, Snapshot};
use moorline_shared::session::{ExitStatus, Lifecycle, Size};
use moorline_shared::time::Time;

use crate::rng::Rng;

/// The limits of a relay at the edge, so small that it often has to read entries back.
const EDGE: RetentionPolicy = RetentionPolicy {
    memory_bytes: 1000,
    without_snapshot_bytes: 1000,
    snapshot_every_bytes: 200_000,
    window_bytes: 400_000,
    retention: Retention { keep_bytes: 400_000, slack_bytes: 0 },
    forgets: true,
};
/// The limits of a relay with a machine of its own, so small that a flood exceeds them.
const NATIVE: RetentionPolicy = RetentionPolicy {
    memory_bytes: 1_000_000,
    without_snapshot_bytes: 1_000_000,
    snapshot_every_bytes: 500_000,
    window_bytes: 4_000_000,
    retention: Retention { keep_bytes: 3_000_000, slack_bytes: 0 },
    forgets: false,
};

/// The contents of the disk.
#[derive(Default)]
struct Store {
    epoch: Epoch,
    entries: Vec<Entry>,
    rows: Vec<SegmentRow>,
    snapshot: Option<Snapshot>,
    exit: Option<ExitStatus>,
    last_status: Option<LastStatus>,
    held: BTreeMap<(ClientId, Seq), Frame>,
}

pub(crate) struct Relay {
    pub(crate) session: Session,
    /// The peers, by the number of their connection.
    pub(crate) peers: BTreeMap<u64, Peer>,
    store: Store,
    /// True if the relay may lose its memory, and reads older entries from the store.
    edge: bool,
}

fn facts() -> Facts {
    Facts {
        id: "session_1".parse().expect("this is an id"),
        name: "simulated".into(),
        created_at_ms: 1_767_225_600_000,
        driver: "pty".into(),
    }
}

impl Relay {
    pub(crate) fn new(epoch: Epoch, edge: bool) -> Self {
        let store = Store { epoch, ..Store::default() };
        let session = Session::new(facts(), epoch, Size::default());
        let mut relay = Self { session, peers: BTreeMap::new(), store, edge };
        relay.session = relay.restored(Lifecycle::Detached);
        relay
    }

    /// Kills the process and starts it again from the store.
    pub(crate) fn restart(&mut self) {
        self.keep_held();
        self.session = self.restored(Lifecycle::Detached);
        self.peers.clear();
        self.restore_held();
    }

    /// Drops the relay's memory between two events. Its sockets, and the state saved beside them,
    /// stay.
    pub(crate) fn evict(&mut self, now: Time, host_is_here: bool) {
        self.keep_held();
        let is_asked = self.session.host_is_asked();
        let saved = self.peers.iter().map(|(connection, peer)| {
            let saved = serde_json::to_string(&peer.save()).expect("plain data");
            assert!(saved.len() < 2000, "what is kept beside a socket is small: {saved}");
            (*connection, saved)
        });
        let saved: Vec<_> = saved.collect();
        let lifecycle = if host_is_here { Lifecycle::Live } else { Lifecycle::Detached };
        self.session = self.restored(lifecycle);
        let restore = |(connection, saved): (u64, String)| {
            let saved = serde_json::from_str(&saved).expect("it was just written");
            let peer = Peer::restore(&mut self.session, now, saved);
            (connection, peer.expect("there is room for as many as before"))
        };
        self.peers = saved.into_iter().map(restore).collect();
        self.restore_held();
        if host_is_here {
            self.session.host_stayed(now, is_asked);
        }
    }

    fn restored(&self, lifecycle: Lifecycle) -> Session {
        let store = &self.store;
        let lifecycle = store.exit.as_ref().map_or(lifecycle, |_| Lifecycle::Exited);
        let last = store.entries.last().map_or(Seq::ZERO, Entry::seq);
        let seen = store.snapshot.as_ref().map_or(Seq::ZERO, |snapshot| snapshot.seq);
        let after = if self.edge { last.max(seen) } else { seen };
        let mut log = Log::starting_after(store.epoch, after);
        for entry in store.entries.iter().filter(|entry| entry.seq() > after) {
            log.push(entry.clone()).expect("what is stored has no gaps");
        }
        let session =
            Session::restored(facts(), log, Size::default(), lifecycle, store.snapshot.clone())
                .with_exit(store.exit.clone().unwrap_or_default());
        let stored = Stored::new(store.epoch, store.rows.iter().copied());
        let session = session.with_stored(stored);
        if self.edge {
            session.with_last_status(store.last_status.clone()).keeping(EDGE)
        } else {
            session.keeping(NATIVE)
        }
    }

    /// Stores waiting input together with the event that brought it.
    fn keep_held(&mut self) {
        while let Some(change) = self.session.poll_held() {
            let held = &mut self.store.held;
            match change {
                HeldChange::Keep { client_id, piece } => {
                    held.insert((client_id, piece.seq()), piece);
                }
                HeldChange::Taken { client_id, seq } => {
                    held.retain(|(client, piece), _| *client != client_id || *piece > seq);
                }
                HeldChange::Void => held.clear(),
            }
        }
    }

    fn restore_held(&mut self) {
        for ((client_id, _), piece) in &self.store.held {
            self.session.restore_held(client_id, piece);
        }
    }

    /// Writes a part of what is due to disk.
    pub(crate) fn write_store(&mut self, now: Time, rng: &mut Rng) {
        self.session.tick(now);
        self.keep_held();
        let bytes = if rng.once_in(3) { 1 } else { 1 << 20 };
        if let Some(batch) = self.session.store_batch(bytes) {
            if batch.epoch != self.store.epoch {
                let held = std::mem::take(&mut self.store.held);
                self.store = Store { epoch: batch.epoch, held, ..Store::default() };
            }
            self.append(batch.entries);
        }
        if let Some(snapshot) = self.session.snapshot_to_store().cloned()
            && self.session.log().epoch() == self.store.epoch
        {
            self.session.snapshot_stored(snapshot.seq);
            // The store may drop entries that the snapshot contains.
            if rng.once_in(3) {
                let kept_after = self.session.kept_after().unwrap_or(snapshot.seq);
                self.trim(snapshot.seq.min(kept_after));
            }
            self.store.snapshot = Some(snapshot);
        }
        let all_stored = self.session.durable() == self.session.log().head();
        if self.session.lifecycle() == Lifecycle::Exited && all_stored {
            self.store.exit = Some(self.session.exit().clone());
        }
    }

    fn append(&mut self, entries: Vec<Entry>) {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        let bytes = entries.iter().map(|entry| entry.len() as u64).sum();
        let (row, last) = (SegmentRow { first: first.seq(), last: last.seq(), bytes }, last.seq());
        self.store.rows.push(row);
        self.store.entries.extend(entries);
        self.store.last_status =
            self.session.last_status().filter(|told| told.seq <= last).cloned();
        if let Some(rows) = self.session.stored_rows() {
            rows.put(row);
        }
        self.session.stored(self.store.epoch, last);
    }

    fn trim(&mut self, up_to: Seq) {
        let gone = self.store.rows.iter().map(|row| row.last).filter(|last| *last <= up_to).max();
        let up_to = gone.unwrap_or_default();
        self.store.rows.retain(|row| row.last > up_to);
        self.store.entries.retain(|entry| entry.seq() > up_to);
        if let Some(rows) = self.session.stored_rows() {
            rows.removed(up_to);
        }
    }

    /// Returns some of the stored entries after `after`.
    pub(crate) fn stored(&self, epoch: Epoch, after: Seq) -> Vec<Entry> {
        if epoch != self.store.epoch {
            return Vec::new();
        }
        self.store.entries.iter().filter(|entry| entry.seq() > after).take(5).cloned().collect()
    }

    pub(crate) fn accept(&mut self, connection: u64, now: Time, extended: bool) {
        // The simulated sockets show how much they take.
        let keepalive = !self.edge;
        let terms = Terms { scope: Scope::Write, extended, keepalive, budget_bytes: None };
        let peer = Peer::attach(&mut self.session, now, terms);
        self.peers.insert(connection, peer.expect("there is room for a few clients"));
    }

    pub(crate) fn disconnect(&mut self, connection: u64) {
        if let Some(peer) = self.peers.remove(&connection) {
            peer.detach(&mut self.session);
        }
    }

    pub(crate) fn receive(&mut self, connection: u64, now: Time, message: ToRelay) {
        let Some(peer) = self.peers.get_mut(&connection) else {
            return;
        };
        match message {
            ToRelay::Text(text) => peer.text(&mut self.session, now, &text),
            ToRelay::Frame(frame) => peer.binary(&mut self.session, now, frame),
        }
    }

    pub(crate) fn poll(&mut self, connection: u64, now: Time) -> Option<PeerOutput> {
        loop {
            let output = self.peers.get_mut(&connection)?.poll_output(&mut self.session, now);
            let Some(PeerOutput::Load { epoch, after }) = output else { return output };
            let entries = self.stored(epoch, after);
            self.peers.get_mut(&connection)?.loaded(&self.session, entries);
        }
    }
}

pub(crate) enum ToRelay {
    Text(String),
    Frame(Bytes),
}
