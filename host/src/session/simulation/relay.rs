//! The relay of the simulation: the real session, with a store that survives.

use moorline_core::plan;
use moorline_core::profile::Profile;
use moorline_core::record::SessionRecord;
use moorline_core::session::{AgentDocument, Session as RelaySession, SessionInput, StoredSession};
use moorline_core::stored::{SegmentRow, Stored};
use moorline_shared::id::{Epoch, Seq};
use moorline_shared::log::{Entry, Log};
use moorline_shared::rest::CreateSession;
use moorline_shared::session::Lifecycle;
use moorline_shared::time::Time;

use super::SESSION;
use super::verdict::PublishedEntries;
use crate::driver::agent::simulated::AgentDice;

/// The contents of the relay's disk.
#[derive(Debug)]
struct RelayStore {
    record: SessionRecord,
    entries: Vec<Entry>,
    rows: Vec<SegmentRow>,
    agent: Option<AgentDocument>,
}

/// The relay.
#[derive(Debug)]
pub(super) struct SimulatedRelay {
    pub(super) session: RelaySession,
    store: RelayStore,
}

impl SimulatedRelay {
    pub(super) fn new(epoch: Epoch) -> Self {
        let id = SESSION.parse().expect("this is an id");
        let record = plan::record(CreateSession::default(), id, epoch.0);
        let record = SessionRecord { epoch, ..record.expect("it asks for nothing") };
        let (entries, rows, agent) = (Vec::new(), Vec::new(), None);
        let store = RelayStore { record, entries, rows, agent };
        Self { session: restored(&store), store }
    }

    /// Kills the process, and starts it again from the store.
    pub(super) fn restart(&mut self) {
        self.session = restored(&self.store);
    }

    /// Writes a part of what is due to disk.
    pub(super) fn write_store(&mut self, now: Time, dice: &mut AgentDice) {
        while self.session.poll_output().is_some() {}
        let bytes = if dice.once_in(3) { 1 } else { 1 << 20 };
        let Some(batch) = self.session.store_batch(bytes) else { return };
        let store = &mut self.store;
        if batch.begins_anew {
            store.entries.clear();
            store.rows.clear();
        }
        let rows: Vec<_> = batch.entries.iter().map(row).collect();
        store.rows.extend(&rows);
        store.entries.extend(batch.entries.iter().cloned());
        if let Some(agent) = &batch.agent {
            store.agent = Some((**agent).clone());
        }
        if let Some(record) = &batch.record {
            store.record = record.clone();
        }
        self.session.handle(now, SessionInput::Stored { batch, rows });
    }

    /// Checks that the store has what hosts have sent in the last epoch.
    pub(super) fn check(&self, published: &PublishedEntries, epoch: Epoch) {
        if self.store.record.epoch != epoch {
            return;
        }
        for entry in &self.store.entries {
            let sent = published.get(epoch, entry.seq());
            assert_eq!(sent, Some(entry), "the relay has something else");
        }
        let last = self.store.entries.last().map(Entry::seq);
        if self.session.lifecycle() == Lifecycle::Lost {
            return;
        }
        assert_eq!(last, published.last(epoch), "the relay lacks entries");
    }
}

fn row(entry: &Entry) -> SegmentRow {
    SegmentRow { first: entry.seq(), last: entry.seq(), bytes: entry.len() as u64 }
}

fn restored(store: &RelayStore) -> RelaySession {
    let epoch = store.record.epoch;
    let first = store.entries.first().map_or(store.record.head, |entry| Seq(entry.seq().0 - 1));
    let mut newest = Log::starting_after(epoch, first);
    for entry in &store.entries {
        newest.push(entry.clone()).expect("what is stored has no gaps");
    }
    let stored = StoredSession {
        record: store.record.clone(),
        newest,
        index: Stored::new(epoch, store.rows.iter().copied()),
        snapshot: None,
        last_status: None,
        agent: store.agent.clone(),
    };
    RelaySession::restored(stored, &Profile::NATIVE)
}
