//! Client ids: the connection that holds each, and what is kept of it across connections.

use std::collections::BTreeMap;

use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Seq};
use moorline_shared::limits::{CLIENTS_PER_SESSION, SESSION_INPUT_BYTES};
use moorline_shared::session::Size;

use super::input::{HeldInput, InputRefused};

/// Names one connected client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PeerId(u64);

impl PeerId {
    pub(super) const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// The client ids of one session. At the limit, an id without a connection is dropped for a new
/// one.
#[derive(Debug, Default)]
pub(super) struct ClientTable {
    by_id: BTreeMap<ClientId, ClientEntry>,
    /// The last [`ClientEntry::active`] that was assigned.
    last_active: u64,
}

#[derive(Debug, Default)]
struct ClientEntry {
    /// The connection that holds the id now.
    peer: Option<PeerId>,
    size: Option<Size>,
    input: HeldInput,
    /// The last waiting piece that is in the store.
    stored: Option<Seq>,
    /// Its place in the order in which clients typed or resized; 0 if it never did.
    active: u64,
    /// True if its connection answers queries, and its stream has reached the point from which it
    /// sees new ones.
    answers: bool,
}

impl ClientTable {
    /// Gives `client_id` to the connection `peer`. If this drops another client that has input in
    /// the store, returns that client and its last stored piece.
    pub(super) fn claim(&mut self, peer: PeerId, client_id: &ClientId) -> Option<(ClientId, Seq)> {
        let mut forgotten = None;
        if self.by_id.len() >= CLIENTS_PER_SESSION && !self.by_id.contains_key(client_id) {
            let idle = self.by_id.iter().filter(|(_, claim)| claim.peer.is_none());
            // Prefer one without waiting input: a client whose input waits still has it, and must
            // come back to send it again.
            let idle = idle.min_by_key(|(_, claim)| claim.input.is_waiting());
            if let Some(idle) = idle.map(|(id, _)| id.clone()) {
                let claim = self.by_id.remove(&idle);
                let stored = claim.and_then(|claim| claim.stored);
                forgotten = stored.map(|stored| (idle, stored));
            }
        }
        let claim = self.by_id.entry(client_id.clone()).or_default();
        claim.peer = Some(peer);
        claim.answers = false;
        claim.input.host_is_new();
        forgotten
    }

    /// Returns the cost of all waiting input.
    pub(super) fn cost(&self) -> u64 {
        self.by_id.values().map(|claim| claim.input.cost()).sum()
    }

    pub(super) fn release(&mut self, peer: PeerId, client_id: &ClientId) {
        if let Some(claim) = self.by_id.get_mut(client_id)
            && claim.peer == Some(peer)
        {
            claim.peer = None;
            claim.answers = false;
        }
    }

    pub(super) fn speaks_for(&self, peer: PeerId, client_id: &ClientId) -> bool {
        self.by_id.get(client_id).is_some_and(|claim| claim.peer == Some(peer))
    }

    /// Returns the last accepted input of a client; `None` until the host has reported it.
    pub(super) fn accepted_seq(&self, client_id: &ClientId) -> Option<Seq> {
        self.by_id.get(client_id)?.input.accepted_seq()
    }

    pub(super) fn size(&self, client_id: &ClientId) -> Option<Size> {
        self.by_id.get(client_id)?.size
    }

    pub(super) fn set_size(&mut self, client_id: &ClientId, size: Size) {
        if let Some(claim) = self.by_id.get_mut(client_id) {
            claim.size = Some(size);
        }
    }

    /// Records that a client typed or resized, and returns its place in that order.
    pub(super) fn is_active(&mut self, client_id: &ClientId) -> u64 {
        let Some(claim) = self.by_id.get_mut(client_id) else { return 0 };
        if claim.active == 0 || claim.active < self.last_active {
            self.last_active += 1;
            claim.active = self.last_active;
        }
        claim.active
    }

    /// Restores a client's place in that order.
    pub(super) fn was_active(&mut self, client_id: &ClientId, active: u64) {
        self.last_active = self.last_active.max(active);
        if let Some(claim) = self.by_id.get_mut(client_id) {
            claim.active = active;
        }
    }

    /// Records that the connection `peer` sees new queries, if it still holds the client id.
    pub(super) fn can_answer(&mut self, peer: PeerId, client_id: &ClientId) {
        if let Some(claim) = self.by_id.get_mut(client_id) {
            claim.answers = claim.peer == Some(peer);
        }
    }

    /// Returns the client that typed or resized last, among those that are connected and can answer
    /// queries.
    pub(super) fn answerer(&self) -> Option<&ClientId> {
        let able = self.by_id.iter().filter(|(_, claim)| claim.answers && claim.active > 0);
        able.max_by_key(|(_, claim)| claim.active).map(|(id, _)| id)
    }

    /// Returns true if the client has ever typed or resized.
    pub(super) fn has_been_active(&self, client_id: &ClientId) -> bool {
        self.by_id.get(client_id).is_some_and(|claim| claim.active > 0)
    }

    /// Returns true if the client is connected and can answer queries.
    pub(super) fn answers(&self, client_id: &ClientId) -> bool {
        self.by_id.get(client_id).is_some_and(|claim| claim.answers)
    }

    /// Begins a new link to the host. Returns the clients whose input the host must be asked about:
    /// those that are connected and those with waiting input.
    pub(super) fn host_is_new(&mut self) -> Vec<ClientId> {
        self.by_id.values_mut().for_each(|claim| claim.input.host_is_new());
        let asked = |claim: &ClientEntry| claim.peer.is_some() || claim.input.is_waiting();
        self.by_id.iter().filter(|(_, claim)| asked(claim)).map(|(id, _)| id.clone()).collect()
    }

    /// Drops all input: it was typed into an earlier epoch.
    pub(super) fn input_is_void(&mut self) {
        self.by_id.values_mut().for_each(|claim| {
            claim.input = HeldInput::default();
            claim.stored = None;
        });
    }

    /// Records that the host has accepted a client's input up to `seq`. Returns the pieces that the
    /// host lacks on a new link.
    pub(super) fn accepted(&mut self, client_id: &ClientId, seq: Seq) -> Vec<Frame> {
        self.by_id.get_mut(client_id).map_or_else(Vec::new, |claim| claim.input.accepted(seq))
    }

    /// Returns the waiting pieces that are not in the store yet, and marks them as stored.
    pub(super) fn take_unstored(&mut self) -> Vec<(ClientId, Frame)> {
        let mut pieces = Vec::new();
        for (client_id, claim) in &mut self.by_id {
            let stored = claim.stored.unwrap_or_default();
            pieces
                .extend(claim.input.after(stored).map(|piece| (client_id.clone(), piece.clone())));
            claim.stored = claim.input.last();
        }
        pieces
    }

    /// Records that input up to `seq` is accepted. Returns true if the client had input in the
    /// store.
    pub(super) fn take_stored(&mut self, client_id: &ClientId, seq: Seq) -> bool {
        let Some(claim) = self.by_id.get_mut(client_id) else { return false };
        let was_stored = claim.stored.is_some();
        claim.stored = claim.stored.filter(|stored| *stored > seq);
        was_stored
    }

    /// Takes a piece that was read from the store.
    pub(super) fn restore(&mut self, client_id: &ClientId, piece: &Frame) {
        // A piece behind a gap is dropped: what it follows was not stored.
        let claim = self.by_id.entry(client_id.clone()).or_default();
        if claim.input.hold(piece, false).is_ok() {
            claim.stored = Some(piece.seq());
        }
    }

    /// Empties a waiting piece that its client takes back: see [`HeldInput::take_back`]. Returns
    /// `Some` if it does, with true if the piece is in the store.
    pub(super) fn take_back(&mut self, client_id: &ClientId, piece: &Frame) -> Option<bool> {
        let claim = self.by_id.get_mut(client_id)?;
        claim.input.take_back(piece).then(|| claim.stored >= Some(piece.seq()))
    }

    /// Keeps a piece until it is accepted. Returns true if it is to be sent to the host now.
    /// `others_bytes` is the size of the waiting input that no client numbers.
    pub(super) fn hold(
        &mut self,
        client_id: &ClientId,
        piece: &Frame,
        others_bytes: u64,
    ) -> Result<bool, InputRefused> {
        let is_full = self.cost() + others_bytes > SESSION_INPUT_BYTES as u64;
        self.by_id.get_mut(client_id).map_or(Ok(false), |claim| claim.input.hold(piece, is_full))
    }
}
