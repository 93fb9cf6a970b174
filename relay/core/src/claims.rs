//! Who speaks for which client id, and what is known of each over its connections.

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

/// The client ids of one session. Those without a connection are forgotten when there are too many.
#[derive(Debug, Default)]
pub(super) struct Claims {
    by_id: BTreeMap<ClientId, Claim>,
    /// The last [`Claim::active`] that was given.
    last_active: u64,
}

#[derive(Debug, Default)]
struct Claim {
    /// The connection that holds the id now.
    peer: Option<PeerId>,
    size: Option<Size>,
    input: HeldInput,
    /// The last waiting piece that is in the store.
    stored: Option<Seq>,
    /// Its place in the order in which clients typed or resized; 0 for one that never did.
    active: u64,
    /// Its connection answers queries, and has come so far that it sees new ones.
    answers: bool,
}

impl Claims {
    /// Returns the client that was forgotten for it, and its last piece in the store, where it has
    /// any there.
    pub(super) fn claim(&mut self, peer: PeerId, client_id: &ClientId) -> Option<(ClientId, Seq)> {
        let mut forgotten = None;
        if self.by_id.len() >= CLIENTS_PER_SESSION && !self.by_id.contains_key(client_id) {
            let idle = self.by_id.iter().filter(|(_, claim)| claim.peer.is_none());
            // One whose input waits last: its client still has that, and must come to send it again.
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

    /// What all input costs that waits.
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

    /// The last accepted input of a client; `None` until the host has told.
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

    /// A client typed or resized: returns its place in the order of those.
    pub(super) fn is_active(&mut self, client_id: &ClientId) -> u64 {
        let Some(claim) = self.by_id.get_mut(client_id) else { return 0 };
        if claim.active == 0 || claim.active < self.last_active {
            self.last_active += 1;
            claim.active = self.last_active;
        }
        claim.active
    }

    /// A client's place in that order, as it was kept.
    pub(super) fn was_active(&mut self, client_id: &ClientId, active: u64) {
        self.last_active = self.last_active.max(active);
        if let Some(claim) = self.by_id.get_mut(client_id) {
            claim.active = active;
        }
    }

    /// The connection `peer` sees new queries, and answers them if its client is the one to do so.
    pub(super) fn can_answer(&mut self, peer: PeerId, client_id: &ClientId) {
        if let Some(claim) = self.by_id.get_mut(client_id) {
            claim.answers = claim.peer == Some(peer);
        }
    }

    /// Of the clients that are connected and can answer queries, the one that typed or resized last.
    pub(super) fn answerer(&self) -> Option<&ClientId> {
        let able = self.by_id.iter().filter(|(_, claim)| claim.answers && claim.active > 0);
        able.max_by_key(|(_, claim)| claim.active).map(|(id, _)| id)
    }

    /// Whether a client has ever typed or resized.
    pub(super) fn has_been_active(&self, client_id: &ClientId) -> bool {
        self.by_id.get(client_id).is_some_and(|claim| claim.active > 0)
    }

    /// Whether a client is connected and can answer queries.
    pub(super) fn answers(&self, client_id: &ClientId) -> bool {
        self.by_id.get(client_id).is_some_and(|claim| claim.answers)
    }

    /// The host begins a new link: returns the clients whose input it must be asked about, which
    /// are those that are connected and those whose input waits.
    pub(super) fn host_is_new(&mut self) -> Vec<ClientId> {
        self.by_id.values_mut().for_each(|claim| claim.input.host_is_new());
        let asked = |claim: &Claim| claim.peer.is_some() || claim.input.is_waiting();
        self.by_id.iter().filter(|(_, claim)| asked(claim)).map(|(id, _)| id.clone()).collect()
    }

    /// Forgets all input: it was meant for the incarnation that it was typed into.
    pub(super) fn new_incarnation(&mut self) {
        self.by_id.values_mut().for_each(|claim| {
            claim.input = HeldInput::default();
            claim.stored = None;
        });
    }

    /// The host has accepted a client's input up to `seq`; returns what it lacks on a new link.
    pub(super) fn accepted(&mut self, client_id: &ClientId, seq: Seq) -> Vec<Frame> {
        self.by_id.get_mut(client_id).map_or_else(Vec::new, |claim| claim.input.accepted(seq))
    }

    /// The waiting pieces that go into the store now.
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

    /// Whether some of what is in the store is accepted by `seq`.
    pub(super) fn take_stored(&mut self, client_id: &ClientId, seq: Seq) -> bool {
        let Some(claim) = self.by_id.get_mut(client_id) else { return false };
        let was_stored = claim.stored.is_some();
        claim.stored = claim.stored.filter(|stored| *stored > seq);
        was_stored
    }

    /// A piece that was stored.
    pub(super) fn restore(&mut self, client_id: &ClientId, piece: &Frame) {
        // What does not follow was lost with its client's other input.
        let claim = self.by_id.entry(client_id.clone()).or_default();
        if claim.input.hold(piece, false).is_ok() {
            claim.stored = Some(piece.seq());
        }
    }

    /// A client takes back a piece that waits: see [`HeldInput::take_back`]. `Some` where it does,
    /// and whether the piece is in the store.
    pub(super) fn take_back(&mut self, client_id: &ClientId, piece: &Frame) -> Option<bool> {
        let claim = self.by_id.get_mut(client_id)?;
        claim.input.take_back(piece).then(|| claim.stored >= Some(piece.seq()))
    }

    /// Keeps a piece until it is accepted. True where it is to be sent to the host now.
    /// `others_bytes` wait besides, which no client numbers.
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
