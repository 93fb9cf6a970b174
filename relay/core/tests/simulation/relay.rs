//! A relay: the real session and peers, with a store that survives and sockets that do not.

use std::collections::BTreeMap;

use bytes::Bytes;
use moorline_core::LastStatus;
use moorline_core::peer::{Peer, PeerOutput, Terms};
use moorline_core::plan;
use moorline_core::profile::{Profile, RetentionPolicy};
use moorline_core::record::SessionRecord;
use moorline_core::session::{
    AgentDocument, HeldChange, Session, SessionEffect, SessionInput, StoredSession,
};
use moorline_core::stored::{SegmentRow, Stored};
use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Epoch, Seq};
use moorline_shared::log::{Entry, Log};
use moorline_shared::message::{Scope, Snapshot};
use moorline_shared::rest::CreateSession;
use moorline_shared::time::Time;

use crate::rng::Rng;

/// The limits of a relay at the edge, so small that it often has to read entries back.
const EDGE: Profile = Profile {
    log: RetentionPolicy {
        memory_bytes: 1000,
        snapshot_every_bytes: 200_000,
        window_bytes: 400_000,
        retention_bytes: 400_000,
        slack_bytes: 25_000,
        without_snapshot_bytes: u64::MAX,
        forgets: true,
    },
    ..Profile::EDGE
};
/// The limits of a relay with a machine of its own, so small that a flood exceeds them.
const NATIVE: Profile = Profile {
    log: RetentionPolicy {
        memory_bytes: 1_000_000,
        snapshot_every_bytes: 500_000,
        window_bytes: 4_000_000,
        retention_bytes: 3_000_000,
        slack_bytes: 200_000,
        without_snapshot_bytes: u64::MAX,
        forgets: false,
    },
    ..Profile::NATIVE
};

/// The most entries in one row of the store.
const ROW_ENTRIES: usize = 3;

/// The contents of the disk.
struct Store {
    record: SessionRecord,
    entries: Vec<Entry>,
    rows: Vec<SegmentRow>,
    snapshot: Option<Snapshot>,
    last_status: Option<LastStatus>,
    agent: Option<AgentDocument>,
    held: BTreeMap<(ClientId, Seq), (Frame, bool)>,
}

pub(crate) struct Relay {
    pub(crate) session: Session,
    /// The peers, by the number of their connection.
    pub(crate) peers: BTreeMap<u64, Peer>,
    store: Store,
    /// True if the relay may lose its memory, and reads older entries from the store.
    edge: bool,
}

fn record(epoch: Epoch) -> SessionRecord {
    let id = "session_1".parse().expect("this is an id");
    let record = plan::record(CreateSession::default(), id, 1_767_225_600_000);
    SessionRecord { epoch, ..record.expect("it asks for nothing") }
}

impl Relay {
    pub(crate) fn new(epoch: Epoch, edge: bool) -> Self {
        let store = Store {
            record: record(epoch),
            entries: Vec::new(),
            rows: Vec::new(),
            snapshot: None,
            last_status: None,
            agent: None,
            held: BTreeMap::new(),
        };
        let session = restored(&store, edge);
        Self { session, peers: BTreeMap::new(), store, edge }
    }

    /// Kills the process and starts it again from the store.
    pub(crate) fn restart(&mut self) {
        self.keep_held();
        self.session = restored(&self.store, self.edge);
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
        self.session = restored(&self.store, self.edge);
        self.restore_held();
        let restore = |(connection, saved): (u64, String)| {
            let saved = serde_json::from_str(&saved).expect("it was just written");
            let peer = Peer::restore(&mut self.session, now, saved);
            (connection, peer.expect("there is room for as many as before"))
        };
        self.peers = saved.into_iter().map(restore).collect();
        if host_is_here {
            self.session.handle(now, SessionInput::HostStayed { is_asked });
        }
    }

    /// Stores waiting input together with the event that brought it.
    fn keep_held(&mut self) {
        while let Some(output) = self.session.poll_output() {
            let SessionEffect::Held(change) = output else { continue };
            let held = &mut self.store.held;
            match change {
                HeldChange::Keep { client_id, piece, is_given } => {
                    held.insert((client_id, piece.seq()), (piece, is_given));
                }
                HeldChange::Given { client_id, seq } => {
                    let given = held.range_mut((client_id.clone(), Seq::ZERO)..=(client_id, seq));
                    given.for_each(|(_, (_, is_given))| *is_given = true);
                }
                HeldChange::Taken { client_id, seq } => {
                    held.retain(|(client, piece), _| *client != client_id || *piece > seq);
                }
                HeldChange::Void => held.clear(),
            }
        }
    }

    fn restore_held(&mut self) {
        for ((client_id, _), (piece, is_given)) in &self.store.held {
            self.session.restore_held(client_id, piece, *is_given);
        }
    }

    /// Writes a part of what is due to disk.
    pub(crate) fn write_store(&mut self, now: Time, rng: &mut Rng) {
        self.session.handle(now, SessionInput::Timeout);
        self.keep_held();
        let bytes = if rng.once_in(3) { 1 } else { 1 << 20 };
        let Some(batch) = self.session.store_batch(bytes) else { return };
        let store = &mut self.store;
        if batch.begins_anew {
            store.entries.clear();
            store.rows.clear();
            (store.snapshot, store.last_status) = (None, None);
        }
        let row = |entries: &[Entry]| SegmentRow {
            first: entries[0].seq(),
            last: entries[entries.len() - 1].seq(),
            bytes: entries.iter().map(|entry| entry.len() as u64).sum(),
        };
        let rows: Vec<_> = batch.entries.chunks(ROW_ENTRIES).map(row).collect();
        store.rows.extend(&rows);
        store.entries.extend(batch.entries.iter().cloned());
        if let Some(snapshot) = &batch.snapshot {
            store.snapshot = Some(snapshot.clone());
        }
        if let Some(last_status) = &batch.last_status {
            store.last_status = Some(last_status.clone());
        }
        if let Some(agent) = &batch.agent {
            store.agent = Some((**agent).clone());
        }
        if let Some(record) = &batch.record {
            store.record = record.clone();
        }
        if let Some(up_to) = batch.remove_up_to {
            store.rows.retain(|row| row.last > up_to);
            store.entries.retain(|entry| entry.seq() > up_to);
        }
        self.session.handle(now, SessionInput::Stored { batch, rows });
    }

    /// Returns some of the stored entries after `after`.
    pub(crate) fn stored(&self, epoch: Epoch, after: Seq) -> Vec<Entry> {
        if epoch != self.store.record.epoch {
            return Vec::new();
        }
        self.store.entries.iter().filter(|entry| entry.seq() > after).take(5).cloned().collect()
    }

    pub(crate) fn accept(&mut self, connection: u64, now: Time, extended: bool) {
        let profile = if self.edge { Profile::EDGE } else { Profile::NATIVE };
        let terms = Terms { budget_bytes: None, ..Terms::new(&profile, Scope::Write, extended) };
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
            ToRelay::Text(text) => peer.text(&mut self.session, now, 0, &text),
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

fn restored(store: &Store, edge: bool) -> Session {
    let epoch = store.record.epoch;
    let last = store.entries.last().map_or(store.record.head, Entry::seq);
    let seen = store.snapshot.as_ref().map_or(Seq::ZERO, |snapshot| snapshot.seq);
    let first = store.entries.first().map_or(last, |entry| Seq(entry.seq().0 - 1));
    let after = if edge { last.max(seen) } else { seen.max(first) };
    let mut newest = Log::starting_after(epoch, after);
    for entry in store.entries.iter().filter(|entry| entry.seq() > after) {
        newest.push(entry.clone()).expect("what is stored has no gaps");
    }
    let stored = StoredSession {
        record: store.record.clone(),
        newest,
        index: Stored::new(epoch, store.rows.iter().copied()),
        snapshot: store.snapshot.clone(),
        last_status: store.last_status.clone(),
        agent: store.agent.clone(),
    };
    Session::restored(stored, if edge { &EDGE } else { &NATIVE })
}
