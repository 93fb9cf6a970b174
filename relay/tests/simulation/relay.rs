//! A relay: the real session and peers over a store that survives, and sockets that do not.

use std::collections::BTreeMap;

use bytes::Bytes;
use moorline_relay::core::peer::{Peer, PeerOutput};
use moorline_relay::core::session::{Facts, Session};
use moorline_shared::id::{Epoch, Seq};
use moorline_shared::log::{Entry, Log};
use moorline_shared::message::{Scope, Snapshot};
use moorline_shared::session::{ExitStatus, Lifecycle, Size};
use moorline_shared::time::Time;

use crate::rng::Rng;

/// What is on disk.
#[derive(Default)]
struct Store {
    epoch: Epoch,
    entries: Vec<Entry>,
    picture: Option<Snapshot>,
    exit: Option<ExitStatus>,
}

pub(crate) struct Relay {
    pub(crate) session: Session,
    /// By the number of their connection.
    pub(crate) peers: BTreeMap<u64, Peer>,
    store: Store,
}

fn facts() -> Facts {
    Facts {
        id: "session_1".parse().expect("this is an id"),
        name: "simulated".into(),
        created_at: "2026-01-01T00:00:00Z".into(),
        driver: "pty".into(),
    }
}

impl Relay {
    pub(crate) fn new(epoch: Epoch) -> Self {
        let store = Store { epoch, ..Store::default() };
        Self {
            session: Session::new(facts(), epoch, Size::default()),
            peers: BTreeMap::new(),
            store,
        }
    }

    /// The process dies and starts again from what is stored.
    pub(crate) fn restart(&mut self) {
        let after = self.store.picture.as_ref().map_or(Seq::ZERO, |picture| picture.seq);
        let mut log = Log::starting_after(self.store.epoch, after);
        for entry in self.store.entries.iter().filter(|entry| entry.seq() > after) {
            log.push(entry.clone()).expect("what is stored has no gaps");
        }
        let lifecycle = match self.store.exit {
            Some(_) => Lifecycle::Exited,
            None => Lifecycle::Detached,
        };
        let picture = self.store.picture.clone();
        self.session = Session::restored(facts(), log, Size::default(), lifecycle, picture)
            .with_exit(self.store.exit.clone().unwrap_or_default());
        self.peers.clear();
    }

    /// Writes a part of what is due to disk.
    pub(crate) fn write_store(&mut self, rng: &mut Rng) {
        let bytes = if rng.once_in(3) { 1 } else { 1 << 20 };
        if let Some(batch) = self.session.store_batch(bytes) {
            if batch.epoch != self.store.epoch {
                self.store = Store { epoch: batch.epoch, ..Store::default() };
            }
            let last = batch.entries.last().map_or(Seq::ZERO, Entry::seq);
            self.store.entries.extend(batch.entries);
            self.session.stored(self.store.epoch, last);
        }
        if let Some(picture) = self.session.picture_to_store().cloned()
            && self.session.log().epoch() == self.store.epoch
        {
            self.session.picture_stored(picture.seq);
            // The store retains some of what the picture contains, or not.
            if rng.once_in(3) {
                self.store.entries.retain(|entry| entry.seq() > picture.seq);
            }
            self.store.picture = Some(picture);
        }
        let all_stored = self.session.durable() == self.session.log().head();
        if self.session.lifecycle() == Lifecycle::Exited && all_stored {
            self.store.exit = Some(self.session.exit().clone());
        }
    }

    /// Some of what is stored after an entry.
    pub(crate) fn stored(&self, epoch: Epoch, after: Seq) -> Vec<Entry> {
        if epoch != self.store.epoch {
            return Vec::new();
        }
        self.store.entries.iter().filter(|entry| entry.seq() > after).take(5).cloned().collect()
    }

    pub(crate) fn accept(&mut self, connection: u64, now: Time) {
        let peer = Peer::attach(&mut self.session, now, Scope::Write, true);
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
        self.peers.get_mut(&connection)?.poll_output(&mut self.session, now)
    }
}

pub(crate) enum ToRelay {
    Text(String),
    Frame(Bytes),
}
